"""The same seed and threads give the same bits, however the work is cut or interrupted."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from capture_cases import network, numbers

import npvae as nv
from npvae.executor import program
from npvae.executor.operations import sync
from npvae.training import captured as steps
from npvae.training import sources as table

X = numbers((93, 5))
OPTIONS = dict(epochs=4, batch_size=10, lr=nv.Cosine(0.01, 0.001, epochs=4), seed=3)

pytestmark = pytest.mark.usefixtures("share_all")


class Python(nv.ELBO, abstract=True):
    """Not ours, so Python calls it between two segments of each step."""


def train(x=X, model=None, objective=None, **options):
    """The weights and the records, without their times, of a captured run."""
    model = network() if model is None else model
    objective = nv.ELBO(nv.Linear(0, 2, epochs=3), n_samples=3) if objective is None else objective
    history = nv.fit(model, x, objective=objective, **{**OPTIONS, **options})
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in history.records]
    return model.flat, records


def assert_same(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]


each_form = pytest.mark.parametrize("x", [X, X.astype("float64")], ids=["in place", "staged"])


@pytest.mark.smoke(1)
@each_form
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_again(attempts, x, threads):
    assert_same(train(x, threads=threads), train(x, threads=threads))
    assert all(found.full.threads == threads for found in attempts)
    assert not np.array_equal(train(x, seed=4)[0], train(x)[0])


def test_pieces_that_threads_take_from_each_other(attempts, monkeypatch):
    """With four threads on fewer cores some get none of theirs, and the bits are the same."""
    x, options = numbers((60, 300)), dict(epochs=2, batch_size=20, objective=nv.ELBO())
    alone, _ = train(x, network(300, hidden=(390,)), threads=1, **options)
    monkeypatch.setattr(program, "PIECE", 1.0)
    for threads in (2, 4):
        together, _ = train(x, network(300, hidden=(390,)), threads=threads, **options)
        np.testing.assert_array_equal(together, alone)
        assert max(operation.pieces for operation in attempts[-1].full.operations) > 1
        assert (attempts[-1].full.counters[sync.SIZE :] == 0).all()


@pytest.mark.filterwarnings("ignore:beta reaches its end after")
@pytest.mark.smoke(1)
@each_form
@pytest.mark.parametrize("objective", [None, nv.IWAE(2), Python()], ids=["elbo", "iwae", "python"])
def test_chunks_of_any_length(monkeypatch, x, objective):
    expected = train(x, objective=objective, threads=2)
    for module, name, value in (
        (steps, "CHUNK_SECONDS", 0.0), (steps, "CHUNK_SECONDS", 1e9), (table, "STAGED_ROWS", 30),
        (steps, "NOISE_NUMBERS", 150),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert_same(train(x, objective=objective, threads=2), expected)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("first", [1, 3, 1000])
def test_chunks_that_start_at_any_length(monkeypatch, first):
    expected = train()
    make = steps.CapturedSteps.__init__

    def start(self, *arguments):
        make(self, *arguments)
        self.steps_per_chunk = first

    monkeypatch.setattr(steps.CapturedSteps, "__init__", start)
    assert_same(train(), expected)


@pytest.mark.parametrize(("batch_size", "z_dim", "n_samples"), [(10, 1, 1), (7, 3, 1), (1, 1, 3)])
def test_noise_drawn_for_many_steps_is_that_drawn_step_by_step(batch_size, z_dim, n_samples):
    """Odd counts of float32 as well, of which the generator makes two at a time."""
    model, rng = network(z_dim=z_dim), np.random.default_rng(5)
    one_by_one = [model.draw_noise(batch_size, n_samples, rng) for _ in range(6)]
    at_once = model.draw_noise(batch_size, 6 * n_samples, np.random.default_rng(5))
    np.testing.assert_array_equal(at_once, np.concatenate(one_by_one))


@pytest.mark.filterwarnings("ignore:beta reaches its end after")
@pytest.mark.smoke(1)
@each_form
@pytest.mark.parametrize("objective", [None, nv.IWAE(2), Python()], ids=["elbo", "iwae", "python"])
@pytest.mark.parametrize("stops", [[1], [2, 3]])
def test_resuming_is_the_same_as_never_stopping(tmp_path, attempts, x, objective, stops):
    path = tmp_path / "model.npz"
    optimiser = nv.Adam(weight_decay=0.1, clip_norm=5)
    options = dict(objective=objective, threads=2, valid=X[:9], optimiser=optimiser)
    expected = train(x, **options)
    for epochs in stops:
        train(x, **options, epochs=epochs, checkpoint=path, resume=True)
    again = train(x, **options, model=network(seed=9), checkpoint=path, resume=True)
    assert_same(again, expected)
    assert None not in attempts


def test_what_the_default_sharing_does_is_repeatable(monkeypatch):
    monkeypatch.setattr(program, "SHARED", 400.0)
    monkeypatch.setattr(program, "BARRIER", 700.0)
    x = numbers((300, 200))
    one, other = (
        train(x, network(200, 5, hidden=(150,)), threads=2, batch_size=100) for _ in range(2)
    )
    assert_same(one, other)


def test_runs_at_the_same_time_do_not_meet():
    expected, found = [train(seed=seed, threads=2) for seed in range(3)], {}

    def run(seed):
        found[seed] = train(seed=seed, threads=2)

    others = [threading.Thread(target=run, args=(seed,)) for seed in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    for seed in range(3):
        assert_same(found[seed], expected[seed])


# Flags of the processor


def denormals():
    """Whether the least numbers of both types survive, in this thread."""
    factors = np.array([1, 1.5, -1] * 3)
    return all(
        (np.full(9, least) * factors.astype(least.dtype)).all()
        for least in (np.float32(1e-45), np.float64(5e-324))
    )


def test_denormal_numbers_of_the_caller_survive():
    seen = [denormals()]

    class Objective(nv.ELBO, abstract=True):
        def __call__(self, terms, epoch=np.inf):
            seen.append(denormals())
            return super().__call__(terms, epoch)

    for threads in (1, 2):
        train(threads=threads, callbacks=[lambda *_: seen.append(denormals())])
        train(threads=threads, objective=Objective(), epochs=1)
        other = threading.Thread(target=lambda: seen.append(denormals()))
        other.start()
        other.join()
        seen.append(denormals())
    assert len(seen) > 20
    assert all(seen)
