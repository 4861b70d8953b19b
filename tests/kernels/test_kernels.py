"""Every kernel: its values, types, and treatment of odd input."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from kernel_cases import KERNELS, ROOMS, VALUES, inputs, sizes, strided

from npvae import kernels

OF_A_WHOLE_BATCH = {
    "mean_loss", "kl_loss", "sampled_kl_loss", "weighted_loss", "iwae", "power_means",
    "decomposed_kl",
}  # fmt: skip
"""Means over rows, of which there is none to take of an empty batch: tests/test_objectives.py."""

REAL = {
    *OF_A_WHOLE_BATCH, "importance_weights", "in_units", "bias_softplus", "adam", "cell_scores",
    "cells",
}  # fmt: skip
"""Kernels that complex128 does not judge: their bounds are of results that are float64 whatever
comes in; NumPy's complex log1p loses digits; and others compare."""

each_kernel = pytest.mark.parametrize("name", KERNELS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


@pytest.fixture(autouse=True)
def _odd_numbers_are_expected():
    with np.errstate(all="ignore"):
        yield


def run(name, arrays, n):
    return KERNELS[name].call(name, {a: x.copy("K") for a, x in arrays.items()}, n)


def in_float64(name, arrays, n):
    """The kernel's outputs for the same numbers in float64, and the scale of each."""
    kernel = KERNELS[name]
    wide = {a: x.astype(np.float64) for a, x in arrays.items()}
    constants = [v(n) if callable(v) else v for v in kernel.constants.values()]
    scales = kernel.scales(*wide.values(), *constants) if kernel.scales else ()
    outputs = run(name, wide, n)
    scales = (*scales, *[None] * (len(outputs) - len(scales)))
    return outputs, [np.abs(o) if s is None else s for o, s in zip(outputs, scales, strict=True)]


def check(name, outputs, wants, scales, dtype, slack=1):
    """No error is above the stated bound, in units of the last place of `scale` in `dtype`."""
    for i, (got, want, scale) in enumerate(zip(outputs, wants, scales, strict=True)):
        assert got.shape == want.shape
        place = np.spacing(np.maximum(scale, np.finfo(dtype).tiny).astype(dtype))
        error = np.abs(got.astype(np.float64) - want) / place.astype(np.float64)
        error[(got == want.astype(got.dtype)) | (np.isnan(got) & np.isnan(want))] = 0
        worst = error[np.isfinite(place)].max(initial=0)
        assert worst <= slack * KERNELS[name].ulp, f"output {i} is off by {worst:.1f} ulp"


def check_precision(name, n, dtype, values="ordinary"):
    """float32 against float64; float64 against complex128, which has formulas of its own."""
    arrays = inputs(KERNELS[name], n, dtype, values)
    wants, scales = in_float64(name, arrays, n)
    if dtype is np.float64 and name not in REAL:
        wants = [w.real for w in run(name, {a: x + 0j for a, x in arrays.items()}, n)]
    check(name, run(name, arrays, n), wants, scales, dtype, slack=3)


def own_kernels():
    """The functions that the package marks as kernels, by name."""
    found = {n: f for n, f in vars(kernels).items() if hasattr(f, "__wrapped__")}
    return {n: f for n, f in found.items() if n != "recording"}


def test_every_kernel_is_tested_here():
    given_out = {n for n, f in own_kernels().items() if f.__module__ == kernels.decoding.__name__}
    of_steps = own_kernels().keys() - given_out  # the others: test_decoding.py
    assert of_steps == KERNELS.keys(), "give the new kernel an entry in kernel_cases"


def test_every_entry_is_in_the_module_of_its_kernel():
    rooms = {room: set(cases) for room, cases in ROOMS.items()}
    own = {name: f.__module__.rpartition(".")[2] for name, f in own_kernels().items()}
    assert rooms == {room: {n for n in KERNELS if own[n] == room} for room in rooms}


@each_kernel
def test_arguments_are_those_of_its_entry(name):
    arguments = list(inspect.signature(getattr(kernels, name)).parameters)
    assert arguments == [*KERNELS[name].shapes, *KERNELS[name].constants]


@each_kernel
def test_float32_is_within_the_stated_ulps_of_float64(name):
    n = sizes()
    for seed in range(3):
        arrays = inputs(KERNELS[name], n, np.float32, seed=seed)
        wants, scales = in_float64(name, arrays, n)
        check(name, run(name, arrays, n), wants, scales, np.float32)


@pytest.mark.smoke
@each_kernel
@each_dtype
@pytest.mark.parametrize("values", VALUES)
def test_odd_values(name, dtype, values):
    if name == "adam" and values == "denormal":  # flushed in one type alone: test_adam_kernel.py
        return
    check_precision(name, sizes(batch=5, width=19), dtype, values)


@pytest.mark.smoke
@each_kernel
@pytest.mark.parametrize("values", ["ordinary", "small", "zeros"])
def test_usual_numbers_give_no_warning(name, values):
    """Nor does what is thrown away, as log 0 is of a count of 0."""
    n = sizes(batch=4, width=9)
    arrays = inputs(KERNELS[name], n, np.float64, values)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        run(name, arrays, n)


ODD_SIZES = {
    "B=1,K=1": sizes(batch=1, samples=1),
    "B=1,K=3": sizes(batch=1),
    "K=1": sizes(batch=5, samples=1),
    "D=1": sizes(width=1),
    "B=0": sizes(batch=0),
    "D=0": sizes(width=0),
}


@pytest.mark.smoke
@each_dtype
@pytest.mark.parametrize(
    ("name", "n"),
    [
        pytest.param(name, n, id=f"{name}-{odd}")
        for name in KERNELS
        for odd, n in ODD_SIZES.items()
        if n["B"] or not KERNELS[name].needs_rows
    ],
)
def test_odd_sizes(name, dtype, n):
    check_precision(name, n, dtype)


@pytest.mark.smoke(24)
@each_kernel
def test_memory_order_does_not_matter(name):
    n = sizes(batch=5, width=19)
    arrays = inputs(KERNELS[name], n, np.float32)
    views = {a: strided(x) for a, x in arrays.items()}
    wants, scales = in_float64(name, arrays, n)
    check(name, KERNELS[name].call(name, views, n), wants, scales, np.float32)


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("bernoulli", "D"),
        ("gaussian", "D"),
        ("gaussian_learnt", "D"),
        ("continuous_bernoulli", "D"),
        ("gaussian_scaled", "D"),
        ("laplace", "D"),
        ("student_t", "D"),
        ("poisson", "D"),
        ("negative_binomial", "D"),
        ("beta", "D"),
        ("gaussian_log_prob", "Z"),
        ("standard_normal_log_prob", "Z"),
    ],
)
def test_sums_that_users_see_are_taken_in_float64(name, axis):
    """Of float32 numbers too: a row's sum is that of its parts, to float64's rounding."""
    kernel, n = KERNELS[name], sizes(batch=2, width=2000)
    arrays = inputs(kernel, n, np.float32)
    third = n[axis] // 3
    parts = [
        {a: x[..., part] if kernel.shapes[a].endswith(axis) else x for a, x in arrays.items()}
        for part in (slice(third), slice(third, None))
    ]
    whole = run(name, arrays, n)
    pieces = [run(name, {a: x.copy() for a, x in p.items()}, n) for p in parts]
    summed = [i for i, output in enumerate(whole) if output.shape == (n["K"], n["B"])]
    assert summed
    for i in summed:
        np.testing.assert_allclose(whole[i], pieces[0][i] + pieces[1][i], rtol=1e-12)


@each_kernel
@each_dtype
def test_types(name, dtype):
    """Of the type of what came in, and float64 for a loss or a sum per sample and row, (K, B)."""
    n, doubles = sizes(batch=2, width=3), KERNELS[name].doubles
    outputs = run(name, inputs(KERNELS[name], n, dtype), n)
    summed = [(n[samples], n["B"]) for samples in "KL"] + [(1,)] * KERNELS[name].needs_rows
    wants = [np.float64 if doubles or o.shape in summed else dtype for o in outputs]
    assert [o.dtype for o in outputs] == wants


@pytest.mark.smoke
@each_kernel
@pytest.mark.parametrize("planted", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_goes_the_same_way_in_both_types(name, planted):
    kernel, n = KERNELS[name], sizes(batch=3, width=5)
    for argument in kernel.shapes:
        arrays = inputs(kernel, n, np.float64, seed=3)
        arrays[argument][-1:] = planted
        copies = {a: x.copy() for a, x in arrays.items()}
        ours = kernel.call(name, arrays, n)
        single = {a: x.astype(np.float32) for a, x in copies.items()}
        for one, other in zip(ours, kernel.call(name, single, n), strict=True):
            # Inf may become NaN in one of them: Inf - Inf comes and goes with the order of a sum.
            np.testing.assert_array_equal(np.isfinite(one), np.isfinite(other), argument)
            if np.isnan(planted):
                np.testing.assert_array_equal(np.isnan(one), np.isnan(other), argument)
        if np.isnan(planted) and argument not in kernel.hides:
            assert any(np.isnan(o).any() for o in ours), f"NaN in {argument} got lost"


@pytest.mark.smoke
@each_kernel
def test_inputs_are_never_written(name):
    kernel, n = KERNELS[name], sizes(batch=5, width=19)
    arrays = inputs(kernel, n, np.float32)
    before = {a: x.copy() for a, x in arrays.items()}
    kernel.call(name, arrays, n)
    for argument, x in arrays.items():
        same = np.array_equal(x, before[argument])
        assert same == (argument not in kernel.writes), argument


@each_kernel
def test_read_only_inputs_serve(name):
    """What `np.broadcast_to`, a memory-mapped file and other libraries give."""
    kernel, n = KERNELS[name], sizes(batch=5, width=19)
    arrays = inputs(kernel, n, np.float64)
    for argument in set(arrays) - set(kernel.writes):
        arrays[argument].flags.writeable = False
    kernel.call(name, arrays, n)
