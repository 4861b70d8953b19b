"""Recording a step, and its replay on the kernels, which is eager training exactly."""

from __future__ import annotations

import copy
import math
import operator
import subprocess
import sys

import numpy as np
import pytest
from capture_cases import (
    ACTIVATIONS,
    LAYOUTS,
    LIKELIHOODS,
    OBJECTIVES,
    WITH_CONSTANTS,
    batch,
    eager,
    network,
    recorded,
)

import npvae as nv
from npvae import kernels as k
from npvae.executor.graph import Gradient, Graph, NotCapturable, Value, replay

each_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


def check(model, objective, rows=5):
    graph, worker, _ = recorded(model, objective, batch(model, objective, rows))
    for seed in (1, 2):
        given = batch(model, objective, rows, seed)
        inputs = dict(given._asdict(), beta=objective.beta(math.inf))
        losses, gradients = replay(graph, inputs, worker.params)
        wanted, truth = eager(model, objective, given)
        assert losses == tuple(wanted.values())
        for name, gradient in truth.items():
            np.testing.assert_array_equal(gradients[name], gradient, name)
    return graph


@pytest.mark.parametrize("activation", [*ACTIVATIONS, *WITH_CONSTANTS])
def test_replay_is_eager_with_each_activation(activation):
    check(network(activation=activation), nv.ELBO())


@pytest.mark.smoke
@each_objective
@pytest.mark.parametrize("context_dim", [0, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_replay_is_eager_with_each_likelihood_and_objective(likelihood, context_dim, objective):
    check(network(likelihood=likelihood, context_dim=context_dim), objective)


@pytest.mark.parametrize("hidden", LAYOUTS, ids=str)
@pytest.mark.parametrize("rows", [1, 4])
def test_replay_is_eager_with_each_layout(hidden, rows):
    check(network(hidden=hidden), nv.ELBO(n_samples=2), rows)
    check(network(3, 1, hidden=hidden, context_dim=1), nv.IWAE(2), rows)


def test_replay_is_eager_in_float64():
    check(network(dtype="float64"), nv.IWAE(3))


def test_weights_that_change_are_read_anew():
    model, objective = network(), nv.ELBO()
    graph, worker, _ = recorded(model, objective, batch(model, objective, 4))
    model.flat *= 1.5
    given = batch(model, objective, 4, 1)
    losses, _ = replay(graph, dict(given._asdict(), beta=1.0), worker.params)
    assert losses == tuple(eager(model, objective, given)[0].values())


def test_beta_is_no_recorded_constant():
    model, objective = network(), nv.ELBO(beta=0.25, n_samples=2)
    graph, worker, _ = recorded(model, objective, batch(model, objective, 4))
    given = batch(model, nv.ELBO(n_samples=2), 4, 1)
    for beta in (0.0, 1.0, 7.0):
        losses, gradients = replay(graph, dict(given._asdict(), beta=beta), worker.params)
        wanted, truth = eager(model, nv.ELBO(beta, n_samples=2), given)
        assert losses == tuple(wanted.values())
        for name, gradient in truth.items():
            np.testing.assert_array_equal(gradients[name], gradient, name)


def test_recording_changes_neither_model_nor_gradient_nor_the_seam():
    model, objective = network(likelihood="gaussian_learnt_scale"), nv.IWAE(2)
    layer = model.encoder.layers[0]
    before, attributes = model.flat.copy(), dict(vars(layer))
    _, worker, gradient = recorded(model, objective, batch(model, objective, 3))
    np.testing.assert_array_equal(model.flat, before)
    np.testing.assert_array_equal(gradient, 0)
    assert all(vars(layer)[name] is value for name, value in attributes.items())
    assert vars(layer).keys() == attributes.keys()
    assert isinstance(worker.encoder.layers[0].dW, np.ndarray)
    assert k.add(1.0, 2.0) == 3.0


def test_a_failed_recording_leaves_the_seam_as_it_was():
    model = network()
    with pytest.raises(nv.DataError, match=r"layer 0 \(Dense\) of a Sequential takes rows of 5"):
        recorded(model, nv.ELBO(), batch(network(4), nv.ELBO(), 3))
    assert k.add(1.0, 2.0) == 3.0


def test_a_graph_can_be_read():
    model, objective = network(), nv.ELBO()
    text = str(recorded(model, objective, batch(model, objective, 3))[0])
    first, *_, last = text.splitlines()
    weight = "<encoder.layers.0.W: float32 (6, 5)>"
    assert first == f"<linear: float32 (3, 6)> = linear(<x: float32 (3, 5)>, {weight})"
    assert last.startswith("dencoder.layers.0.b += <bias_tanh_backward: ")


def test_the_gradient_of_the_data_is_dropped():
    """The first layer's dx is nobody's, so the step does not compute it."""
    model, objective = network(hidden=()), nv.ELBO()
    calls = recorded(model, objective, batch(model, objective, 3))[0].calls
    assert [c.kernel for c in calls].count("linear_dx") == 1


# What a recorded value refuses

VALUE_USES = {
    "pos": operator.pos, "neg": operator.neg, "abs": abs, "invert": operator.invert,
    "round": round, "int": int, "float": float, "complex": complex, "bool": bool,
    "index": operator.index, "trunc": math.trunc, "iter": list, "max": max, "sum": sum,
    "hash": hash, "copy": copy.copy, "deepcopy": copy.deepcopy, "format": "{:.3f}".format,
    "exp": np.exp, "asarray": np.asarray, "mean": np.mean,
    "where": lambda v: np.where(v > 0, 1.0, 0.0),
    "where equal": lambda v: np.where(v == 1, 1.0, 0.0),
    "stack": lambda v: np.stack([v]),
    "method": lambda v: v.sum(),
    "hasattr": lambda v: hasattr(v, "real"),
    "number left": lambda v: np.float32(2) * v,
    "array left": lambda v: np.ones(2, np.float32) * v,
    "out": lambda v: np.add(v.example, 1, out=v),
    "contains": lambda v: 1.0 in v,
    "set": lambda v: operator.setitem(v, ..., 0.0),
    "mask": lambda v: v[v.example > 0],
    "some rows": lambda v: v[[0, 2]],
    "string": lambda v: v["x"],
}  # fmt: skip
OPERATORS = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor",
    "lt", "le", "gt", "ge", "eq", "ne",
)  # fmt: skip


def refuses(use):
    value = Value(Graph(), np.ones((3, 2), np.float32), "x")
    with pytest.raises(NotCapturable, match=r"^x"):
        use(value)


@pytest.mark.parametrize("use", VALUE_USES.values(), ids=VALUE_USES)
def test_a_recorded_value_lets_nothing_but_kernels_at_it(use):
    refuses(use)


@pytest.mark.parametrize("name", OPERATORS)
def test_a_recorded_value_is_no_operand(name):
    use = getattr(operator, name)
    refuses(lambda value: use(value, 2))
    refuses(lambda value: use(value, value))
    if name not in ("and_", "or_", "xor", "matmul"):  # of which no number is the left one
        refuses(lambda value: use(2, value))


def test_a_recorded_value_has_the_form_of_its_array():
    array = np.arange(24.0).reshape(3, 2, 4)
    value = Value(Graph(), array, "x")
    assert (value.shape, value.ndim, value.size, value.dtype) == ((3, 2, 4), 3, 24, np.float64)
    assert (value.n_features, value.per_feature, len(value)) == (4, 6, 3)
    for view, wanted in (
        (value.reshape(-1, 4), array.reshape(-1, 4)),
        (value.reshape((6, 1, 4)), array.reshape(6, 1, 4)),
        (value[..., 1:], array[..., 1:]),
        (value[..., :-1], array[..., :-1]),
        (value[..., 1:][..., 1:3].reshape(6, 2), array[..., 2:4].reshape(6, 2)),
    ):
        np.testing.assert_array_equal(view.example, wanted)
        assert view.base is value
        assert view.example.ravel()[0] == view.start


VIEWS = {
    "transposed": lambda v: v.T,
    "axes": lambda v: v.transpose(0, 2, 1),
    "axes as a tuple": lambda v: v.transpose((1, 0, 2)),
    "first": lambda v: v[0],
    "last": lambda v: v[-1, ..., 1],
    "every second": lambda v: v[..., ::2],
    "column": lambda v: v[..., 0],
    "backwards": lambda v: v[:, ::-1],
    "some of the first axis": lambda v: v[1:, :],
    "new axis": lambda v: v[None, :, None],
    "other features": lambda v: v.reshape(4, 6),
    "flat": lambda v: v.reshape(-1),
    "chained": lambda v: v[..., 1:].transpose(2, 0, 1).reshape(3, 6)[:, 2:].reshape(4, 3).T[1],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_recorded_value_can_be_looked_at_in_any_way(view):
    array = np.arange(24.0).reshape(3, 2, 4)
    value = Value(Graph(), array, "x")
    seen = view(value)
    np.testing.assert_array_equal(seen.example, view(array))
    np.testing.assert_array_equal(seen.of(-array), view(-array))
    assert seen.base is value
    assert seen.start is None
    assert (seen.shape, seen.size) == (view(array).shape, view(array).size)


def test_a_view_of_all_is_the_value_itself():
    value = Value(Graph(), np.ones((3, 2)), "x")
    assert value[:] is value[...] is value.reshape(3, 2) is value.transpose(0, 1) is value


GRADIENT_USES = {
    "plain array": lambda g: operator.iadd(g, np.ones(2)),
    "number": lambda g: operator.iadd(g, 1.0),
    "set": lambda g: operator.setitem(g, 0, 1.0),
    "get": lambda g: g[0],
    "shape": lambda g: g.shape,
    "asarray": np.asarray,
    "fill": lambda g: g.fill(0),
    "scale": lambda g: operator.imul(g, 2),
    "subtract": lambda g: operator.isub(g, Value(g.graph, np.ones(2), "d")),
    "sum": lambda g: g + Value(g.graph, np.ones(2), "d"),
}


@pytest.mark.parametrize("use", GRADIENT_USES.values(), ids=GRADIENT_USES)
def test_a_gradient_is_only_added_to(use):
    with pytest.raises(NotCapturable):
        use(Gradient(Graph(), "W"))


def test_an_array_that_is_not_recorded_is_refused_by_name():
    graph = Graph()
    with pytest.raises(NotCapturable, match=r"^add was given an array that is neither"):
        graph.call(k.add, Value(graph, np.ones(2), "x"), np.ones(2))


def test_capture_needs_no_numba_to_record():
    code = (
        "import sys; sys.modules['numba'] = None; import numpy as np, npvae as nv; "
        "from npvae.executor.record import record; from npvae.executor.rehearsal import Rehearsal; "
        "m = nv.VAE(4, 2, hidden=(3,)); w = m.with_gradients(0 * m.flat); "
        "x = np.ones((2, 4), 'f4'); e = m.draw_noise(2, 1, np.random.default_rng(0)); "
        "print(len(record(Rehearsal(w, nv.ELBO()), x, e).gradients))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "8", done.stderr
