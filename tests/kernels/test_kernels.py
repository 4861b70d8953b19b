"""Every kernel, reference and compiled: the same names, values, and treatment of odd input."""

from __future__ import annotations

import inspect
from types import FunctionType

import numpy as np
import pytest
from kernel_cases import KERNELS, VALUES, inputs, sizes, strided

from npvae.kernels import compiled, reference

SETS = {"reference": reference, "compiled": compiled}

each_kernel = pytest.mark.parametrize("name", KERNELS)
each_set = pytest.mark.parametrize("kernels", SETS.values(), ids=SETS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


@pytest.fixture(autouse=True)
def _odd_numbers_are_expected():
    with np.errstate(all="ignore"):
        yield


def exact(name, arrays, n):
    """The reference's outputs for the same numbers in float64, and the scale of each."""
    kernel = KERNELS[name]
    wide = {a: x.astype(np.float64) for a, x in arrays.items()}
    constants = [v(n) if callable(v) else v for v in kernel.constants.values()]
    scales = kernel.scales(*wide.values(), *constants) if kernel.scales else ()
    outputs = kernel.call(reference, name, wide, n)
    scales = (*scales, *[None] * (len(outputs) - len(scales)))
    return outputs, [np.abs(o) if s is None else s for o, s in zip(outputs, scales, strict=True)]


def ulps(got, want, scale, dtype):
    """The greatest error, in units in the last place that `scale` has in `dtype`."""
    assert got.shape == want.shape
    if got.size == 0:
        return 0.0
    unit = np.spacing(np.maximum(scale, np.finfo(dtype).tiny).astype(dtype)).astype(np.float64)
    return np.max(np.abs(got.astype(np.float64) - want) / unit)


def check_values(kernels, name, arrays, n, dtype, slack=1.0):
    wants, scales = exact(name, arrays, n)
    outputs = KERNELS[name].call(kernels, name, {a: x.copy("K") for a, x in arrays.items()}, n)
    for i, (got, want, scale) in enumerate(zip(outputs, wants, scales, strict=True)):
        assert ulps(got, want, scale, dtype) <= slack * KERNELS[name].ulp, f"output {i}"


def public_functions(module):
    """The names of a kernel set: what is defined there, or taken over from the reference."""
    homes = {reference.__name__, compiled.__name__}
    return {
        n
        for n, f in vars(module).items()
        if not n.startswith("_") and getattr(f, "__module__", None) in homes
    }


def test_both_sets_export_the_same_names():
    assert public_functions(reference) == public_functions(compiled)


def test_every_kernel_is_tested_here():
    assert public_functions(reference) == set(KERNELS), "give the new kernel an entry in KERNELS"


@each_kernel
def test_arguments_are_the_same(name):
    ours, twin = getattr(reference, name), getattr(compiled, name)
    twin = twin if isinstance(twin, FunctionType) else twin.py_func
    arguments = list(inspect.signature(ours).parameters)
    assert arguments == list(inspect.signature(twin).parameters)
    assert arguments == [*KERNELS[name].shapes, *KERNELS[name].constants]


@each_kernel
@each_set
def test_float32_is_within_the_stated_ulps_of_float64(kernels, name):
    for seed in range(3):
        n = sizes()
        check_values(kernels, name, inputs(KERNELS[name], n, np.float32, seed=seed), n, np.float32)


@each_kernel
@each_dtype
@pytest.mark.parametrize("values", VALUES)
def test_agreement_on_odd_values(name, dtype, values):
    n = sizes(batch=5, width=19)
    # Above the stated bound: the sums a + b of extremes round, and in float64 the reference is
    # itself a witness that errs.
    check_values(compiled, name, inputs(KERNELS[name], n, dtype, values), n, dtype, slack=2)


@each_kernel
@each_dtype
@pytest.mark.parametrize(
    "n",
    [
        pytest.param(sizes(batch=1, samples=1), id="B=1,K=1"),
        pytest.param(sizes(batch=1), id="B=1,K=3"),
        pytest.param(sizes(batch=5, samples=1), id="K=1"),
        pytest.param(sizes(width=1), id="D=1"),
        pytest.param(sizes(batch=0), id="B=0"),
        pytest.param(sizes(width=0), id="D=0"),
    ],
)
def test_agreement_on_odd_sizes(name, dtype, n):
    arrays = inputs(KERNELS[name], n, dtype)
    for kernels in SETS.values():
        check_values(kernels, name, arrays, n, dtype, slack=2)


@each_kernel
@each_set
def test_memory_order_does_not_matter(kernels, name):
    n = sizes(batch=5, width=19)
    arrays = inputs(KERNELS[name], n, np.float32)
    views = {a: strided(x) for a, x in arrays.items()}
    wants, scales = exact(name, arrays, n)
    outputs = KERNELS[name].call(kernels, name, views, n)
    for got, want, scale in zip(outputs, wants, scales, strict=True):
        assert ulps(got, want, scale, np.float32) <= KERNELS[name].ulp


@each_kernel
@each_dtype
def test_types_are_the_same(name, dtype):
    """Sums that users see are float64, all else is of the type of what came in."""
    n = sizes(batch=2, width=3)
    for kernels in SETS.values():
        outputs = KERNELS[name].call(kernels, name, inputs(KERNELS[name], n, dtype), n)
        summed = name.endswith("log_prob") or name in ("bernoulli", "gaussian")
        wants = [np.float64 if summed and i == 0 else dtype for i in range(len(outputs))]
        assert [o.dtype for o in outputs] == wants


@each_kernel
@pytest.mark.parametrize("planted", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_goes_the_same_way(name, planted):
    kernel, n = KERNELS[name], sizes(batch=3, width=5)
    for argument in kernel.shapes:
        arrays = inputs(kernel, n, np.float64, seed=3)
        arrays[argument][-1:] = planted
        copies = {a: x.copy() for a, x in arrays.items()}
        ours = kernel.call(reference, name, arrays, n)
        for one, other in zip(ours, kernel.call(compiled, name, copies, n), strict=True):
            np.testing.assert_array_equal(np.isnan(one), np.isnan(other), argument)
            infinite = np.isinf(one) & ~np.isnan(one)
            np.testing.assert_array_equal(infinite, np.isinf(other), argument)
            np.testing.assert_array_equal(one[infinite], other[infinite], argument)
        if np.isnan(planted) and argument not in kernel.hides:
            assert any(np.isnan(o).any() for o in ours), f"NaN in {argument} got lost"


@each_kernel
@each_set
def test_inputs_are_never_written(kernels, name):
    kernel, n = KERNELS[name], sizes(batch=5, width=19)
    arrays = inputs(kernel, n, np.float32)
    before = {a: x.copy() for a, x in arrays.items()}
    kernel.call(kernels, name, arrays, n)
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
    kernel.call(reference, name, arrays, n)
