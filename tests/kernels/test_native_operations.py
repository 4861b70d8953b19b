"""Every kernel's compiled operations, one kernel at a time, to the bounds that its entry states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kernel_cases import KERNELS, VALUES, inputs, sizes
from kernel_cases.likelihoods import negative_binomial_terms as nb_terms
from kernel_cases.likelihoods import poisson_terms
from test_kernels import ODD_SIZES, check, in_float64, run
from test_missing_entries import DENSITIES, N, given, with_gaps

import npvae as nv
from npvae import kernels
from npvae.core import Part, bind, initialise, layout
from npvae.executor import program
from npvae.executor.graph import Graph, Value
from npvae.executor.lower import RULES
from npvae.executor.places import Source
from npvae.executor.program import Program

EAGER = {"adam", "centred_backward"}
"""Kernels that have no compiled operation of a call's: Adam ends a step."""
OF_OUTPUTS = {"sigmoid"}
"""Kernels of what people see, by `nv.compiled`, that have one; they are in no step."""
NATIVE = [name for name in KERNELS if name not in EAGER]
ODD = {
    f"{name}-{odd}": (name, n)
    for name in NATIVE
    for odd, n in ODD_SIZES.items()
    if all(n[axis] for axes in KERNELS[name].shapes.values() for axis in axes)
}

each_kernel = pytest.mark.parametrize("name", NATIVE)


@pytest.fixture(autouse=True)
def _odd_numbers_are_expected():
    with np.errstate(all="ignore"):
        yield


@pytest.fixture(params=[1, 3], ids=["1 thread", "3 threads"])
def threads(request, monkeypatch):
    """Threads that share all that has a row for each of them."""
    monkeypatch.setattr(program, "SHARED", 0.0)
    monkeypatch.setattr(program, "BARRIER", 0.0)
    return request.param


class Weights(Part, abstract=True):
    """Parameters with the given values."""

    def __init__(self, arrays):
        for name, array in arrays.items():
            self.parameter(name, array.shape, lambda rng, shape, array=array: array)
        self.flat = initialise(self, np.random.default_rng(0), np.float32)
        bind(self, self.flat)

    def forward(self, *inputs):
        raise NotImplementedError

    backward = forward


def is_parameter(name, argument):
    """Whether operations read the argument where the model has its parameters."""
    axes = KERNELS[name].shapes[argument]
    return axes in ("OI", "OGJI", "H", "D", "MZ", "M") or (argument == "log_scale" and axes == "1")


GRADIENTS = {"linear_dw": {0: "W"}, "mixture_log_prob_backward": {1: "mu", 2: "logvar"}}
"""Outputs that lie as the parameters do whose gradients they are, and are Adam's alone."""


def operate(name, arrays, n, threads):
    """What the kernel's operations give: Python hands the arguments over, and takes the results."""
    own = {a: x for a, x in arrays.items() if is_parameter(name, a)}
    given = {a: x for a, x in arrays.items() if a not in own}
    if name == "linear_dw":
        own["W"] = np.zeros((arrays["dy"].shape[1], arrays["x"].shape[1]))
    weights = Weights({"unused": np.zeros(1)} | own)
    graph, kept = Graph(), []
    for parameter, slot in layout(weights).items():
        graph.parameters[parameter] = Value(graph, slot.view(weights.flat), parameter)
    constants = {c: v(n) if callable(v) else v for c, v in KERNELS[name].constants.items()}
    beta = np.float64(constants.get("beta", 1.0))
    for key, example in (("x", np.zeros((n["B"], 1), np.float32)), ("beta", beta)):
        graph.inputs[key] = Value(graph, example, key)
    values = dict(
        zip(given, graph.run("in", (), lambda _: list(given.values()), "a test"), strict=True)
    )
    result = graph.call(
        getattr(kernels, name),
        *({**values, **graph.parameters}[a] for a in arrays),
        *(graph.inputs["beta"] if c == "beta" else v for c, v in constants.items()),
    )
    outputs = list(result) if isinstance(result, tuple) else [result]
    if name == "reparameterise_backward":  # the noise's gradient is nobody's
        del outputs[2]
    targets = GRADIENTS.get(name, {})
    graph.gradients += [(parameter, outputs[i]) for i, parameter in targets.items()]
    taken = [o for i, o in enumerate(outputs) if i not in targets]

    def take(state, *found):
        kept[:] = found
        return [np.zeros(())] * 3

    graph.losses = graph.run("out", taken, take, "a test")
    gradient, optimiser = np.full_like(weights.flat, np.nan), nv.Adam()
    update = gradient, optimiser.start(weights.flat), optimiser
    step = Program(graph, weights, update, {"x": Source(1, 1.0, 1)}, threads)
    step.arena.fill(255)  # NaN
    scalars = np.array([[beta, 0.0, 1.0, 0.0]])
    none = np.zeros(n["B"], np.int64), np.zeros(1, np.float32)
    assert step.run(*none, scalars, np.empty((1, 3)), np.zeros(1), rehearsal=True) == 1
    slots, rest = layout(weights), iter(kept)
    found = [
        slots[targets[i]].view(gradient) if i in targets else next(rest)
        for i in range(len(outputs))
    ]
    return [np.asarray(k, o.dtype).reshape(o.shape) for k, o in zip(found, outputs, strict=True)]


def check_operations(name, arrays, n, threads):
    got = [np.atleast_1d(output) for output in operate(name, arrays, n, threads)]
    wants, scales = in_float64(name, arrays, n)
    used = slice(len(got))
    check(name, got, wants[used], scales[used], np.float32)


def test_every_kernel_has_a_rule():
    assert set(RULES) - OF_OUTPUTS == set(NATIVE)


@pytest.mark.smoke
@each_kernel
def test_operations_are_within_the_stated_ulps_of_float64(name, threads):
    n = sizes()
    for seed in range(3):
        check_operations(name, inputs(KERNELS[name], n, np.float32, seed=seed), n, threads)


@pytest.mark.smoke
@pytest.mark.parametrize(("name", "n"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("values", [v for v in VALUES if v != "denormal"])
def test_operations_at_odd_values_and_sizes(name, n, values):
    check_operations(name, inputs(KERNELS[name], n, np.float32, values), n, 1)


WITH_TWO = [name for name in NATIVE if any(a.startswith("log_") for a in KERNELS[name].shapes)
            and "D" in KERNELS[name].shapes.values()]  # fmt: skip


@pytest.mark.smoke
@pytest.mark.parametrize("name", WITH_TWO)
def test_a_second_parameter_for_each_entry(name, threads, monkeypatch):
    shapes = {a: "KBD" if axes == "D" else axes for a, axes in KERNELS[name].shapes.items()}
    monkeypatch.setitem(KERNELS, name, replace(KERNELS[name], shapes=shapes))
    for n in (sizes(), sizes(batch=1, samples=1, width=1)):
        for values in ("ordinary", "extreme"):
            check_operations(name, inputs(KERNELS[name], n, np.float32, values), n, threads)


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_library_sizes(name, threads, monkeypatch):
    def terms(log_mean, x, *rest):
        log_mean = log_mean + np.log(np.maximum(x.sum(-1, keepdims=True), 1) / 3)
        found = (poisson_terms if name == "poisson" else nb_terms)(log_mean, x, *rest)
        # What rounding leaves of a large offset changes log p by so many times r.
        return found[0] + found[1].sum(-1), *found[1:]

    kernel = replace(KERNELS[name], constants=dict(library=3.0), scales=terms)
    monkeypatch.setitem(KERNELS, name, kernel)
    for n in (sizes(), sizes(batch=1, samples=1, width=1)):
        check_operations(name, inputs(kernel, n, np.float32), n, threads)


@pytest.mark.smoke
@pytest.mark.parametrize("name", DENSITIES)
def test_missing_entries(name, threads):
    """Their slopes are 0; all else is as it is without them."""
    arrays, missing = given(name, np.float32)
    gaps = with_gaps(arrays, missing)
    got = operate(name, gaps, N, threads)
    wants, _ = in_float64(name, gaps, N)
    _, scales = in_float64(name, arrays, N)
    check(name, got, wants, scales, np.float32)
    for one in got[1:]:
        if one.ndim == 3:
            assert not one[..., np.tile(missing, one.shape[-1] // N["D"])].any()


@pytest.mark.parametrize("name", DENSITIES)
def test_nan_in_a_parameter_is_seen_where_x_is_known(name):
    arrays, missing = given(name, np.float32)
    arrays = with_gaps(arrays, missing)
    first = next(iter(arrays))
    arrays[first][0, 2, 3] = np.nan  # row 2 knows all
    arrays[first][0, 1] = np.nan  # row 1 knows nothing
    log_px, r, *_ = operate(name, arrays, N, 1)
    assert np.isnan(log_px[0, 2])
    assert np.isnan(r[0, 2, 3])
    assert log_px[0, 1] == 0
    assert not r[0, 1].any()
    assert np.isfinite(np.delete(log_px, 2, axis=1)).all()


@each_kernel
def test_denormal_numbers(name):
    """They may be taken for 0; what remains is float64's rounding of the terms that are summed."""
    if name == "decomposed_kl":  # whose parts are differences of float32's sums
        return
    n, tiny = sizes(batch=5, width=19), float(200 * np.finfo(np.float32).tiny)
    arrays = inputs(KERNELS[name], n, np.float32, "denormal")
    got = operate(name, arrays, n, 1)
    _, scales = in_float64(name, arrays, n)
    for one, other, scale in zip(got, run(name, arrays, n), scales, strict=False):
        error, place = np.abs(np.atleast_1d(one) - other), np.finfo(np.float64).eps * scale
        assert (error <= 1e-6 * np.abs(other) + tiny + place / 2).all()


@pytest.mark.smoke
@each_kernel
@pytest.mark.parametrize("planted", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_lost(name, planted):
    kernel, n = KERNELS[name], sizes(batch=3, width=5)
    for argument in kernel.shapes:
        arrays = inputs(kernel, n, np.float32, seed=3)
        arrays[argument][-1:] = planted
        got = operate(name, arrays, n, 1)
        for one, other in zip(got, run(name, arrays, n), strict=False):
            lost = np.isfinite(np.atleast_1d(one)) & ~np.isfinite(other)
            assert not lost.any(), argument
        if np.isnan(planted) and argument not in kernel.hides:
            assert any(np.isnan(o).any() for o in got), f"NaN in {argument} got lost"
