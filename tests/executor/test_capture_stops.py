"""Captured steps that end early: losses and gradients that are no numbers, threads, interrupts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest
from capture_cases import Step, batch, network, numbers

import npvae as nv
from npvae.executor.operations import sync

X = numbers((40, 5))

each_number_of_threads = pytest.mark.parametrize("threads", [1, 2, 3])


def planted(what, model, objective, rows):
    """A batch whose loss, or whose gradient alone, is no number."""
    given = batch(model, objective, rows, 3)
    if what == "NaN noise":
        given.eps[-1, -1, -1] = np.nan
    elif what == "NaN data":
        given.x[-1, -1] = np.nan
    elif what == "infinite loss":
        given.x[0] = 1e25  # its square is above the range of float32
    else:
        given.x[0, 0] = 1.8e19  # its square is not, but that of two such gradients is
    return given


@pytest.mark.smoke
@pytest.mark.usefixtures("share_all")
@each_number_of_threads
@pytest.mark.parametrize("what", ["NaN noise", "NaN data", "infinite loss", "gradient"])
@pytest.mark.parametrize("at", [0, 3])
def test_a_step_that_goes_wrong_leaves_no_trace(what, at, threads):
    rows, objective = 1, nv.ELBO(n_samples=2)
    model = network(likelihood="gaussian")
    twin = model.copy()
    batches = [batch(model, objective, rows, seed) for seed in range(6)]
    step, expected = Step(model, objective, rows, threads), Step(twin, objective, rows, threads)
    bad = [*batches[:at], planted(what, model, objective, rows), *batches[at:]]
    done, losses = step.run(bad)
    assert done == at
    assert np.isfinite(losses[:at]).all()
    assert np.isfinite(losses[at, 0]) == (what == "gradient")
    if at:
        assert expected.run(batches[:at])[0] == at
    np.testing.assert_array_equal(model.flat, twin.flat)
    np.testing.assert_array_equal(step.state.m, expected.state.m)
    np.testing.assert_array_equal(step.state.v, expected.state.v)


@pytest.mark.usefixtures("share_all")
@each_number_of_threads
def test_clipping_takes_a_gradient_whose_square_overflows(threads):
    objective, model = nv.ELBO(), network(likelihood="gaussian")
    step = Step(model, objective, 1, threads, nv.Adam(clip_norm=1.0))
    assert step.run([planted("gradient", model, objective, 1)])[0] == 1
    assert np.isfinite(model.flat).all()
    norm = np.linalg.norm(step.state.m.astype(float)) / 0.1
    assert norm == pytest.approx(1.0, rel=1e-5)
    assert step.run([planted("NaN noise", model, objective, 1)])[0] == 0


def ruin_weight(value):
    def ruin(model):
        model.params["decoder.layers.1.b"][0] = value

    return ruin


def ruin_scale(model):
    model.likelihood.log_scale[...] = -25.0  # the gradient grows with 1/scale²


@pytest.mark.smoke
@pytest.mark.usefixtures("share_all")
@each_number_of_threads
@pytest.mark.parametrize("objective", [nv.ELBO(n_samples=2), nv.IWAE(2)], ids=["elbo", "iwae"])
@pytest.mark.parametrize(
    ("ruin", "message"),
    [
        (ruin_weight(np.nan), "loss became nan"),
        (ruin_weight(np.inf), "loss became (inf|nan)"),
        (ruin_scale, "gradient became infinite or too large to square"),
    ],
    ids=["NaN", "inf", "gradient"],
)
def test_fit_stops_before_the_weights_take_it_in(attempts, ruin, message, objective, threads):
    model, kept = network(likelihood="gaussian_learnt_scale"), []

    def callback(given, record):
        if record["epoch"] == 2:
            ruin(given)
            kept.append(given.flat.copy())

    with pytest.raises(nv.NonFiniteLoss, match=rf"^the {message} in epoch 3, step 1\b"):
        nv.fit(model, X, objective=objective, epochs=9, batch_size=7, callbacks=[callback],
               threads=threads)  # fmt: skip
    np.testing.assert_array_equal(model.flat, kept[0])
    assert attempts[0].full.threads == threads
    assert not attempts[0].full.python_calls


@pytest.mark.parametrize("row", [3, 39])
def test_the_step_is_named_in_which_a_row_makes_the_loss_overflow(attempts, row):
    x, model = X.copy(), network(likelihood="gaussian")
    x[row] = 1e25
    order = np.random.default_rng([0, 1, 0]).permutation(40)
    step = np.flatnonzero(order == row)[0] // 7
    with pytest.raises(nv.NonFiniteLoss, match=rf"loss became inf in epoch 1, step {step + 1}\b"):
        nv.fit(model, x, epochs=1, batch_size=7)
    assert attempts[0] is not None
    assert np.isfinite(model.flat).all()


@pytest.mark.parametrize("lr", [1e3, 1e10, 1e30])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian_learnt_scale"])
def test_a_huge_learning_rate_ends_in_that_error_or_in_finite_weights(likelihood, lr):
    model = network(likelihood=likelihood)
    with contextlib.suppress(nv.NonFiniteLoss):
        nv.fit(model, X, epochs=20, batch_size=7, lr=lr)
    assert np.isfinite(model.flat).all()


# Threads


def in_time(code):
    """The words that a script prints, which must end; only compiling would take it long."""
    command = [sys.executable, "-c", START + code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired as ended:
        pytest.fail(f"it hangs after {ended.stdout}")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def said():
    """The words of each of `SCRIPTS`, which one process runs one after the other."""
    ends = [f'{code}\nprint("; ")\ncounters[:] = 0\n' for code in SCRIPTS.values()]
    parts = " ".join(in_time("".join(ends))).split(";")
    return dict(zip(SCRIPTS, map(str.split, parts), strict=False))


START = """
import threading, time, numpy as np, npvae as nv
from npvae.executor import program
from npvae.executor.operations import loop as executor, machine, sync

def execute(counters, thread, threads, waits=True):
    table, constants = np.zeros((1, executor.N_COLUMNS), np.int64), np.zeros(executor.N_CONSTANTS)
    table[0, :4] = machine.addresses(["fill"])["fill"], waits, threads, 0
    scalars, losses = np.zeros((5, 4)), np.zeros((5, 3))
    return machine.execute()(
        thread, threads, table.ctypes.data, constants.ctypes.data, 0, 1, 0, 5, 0, 0,
        scalars.ctypes.data, losses.ctypes.data, 3, counters.ctypes.data, scratch.ctypes.data, 8,
    )

scratch = np.zeros((8, 8), np.float32)
counters = np.zeros(sync.SIZE, np.int64)

def two_of_three():
    # threads that wait for a third, and what they will have returned
    ended = []
    others = [
        threading.Thread(target=lambda t=t: ended.append(execute(counters, t, 3))) for t in (0, 2)
    ]
    for other in others:
        other.start()
    time.sleep(0.2)
    return ended, others
"""


SCRIPTS = {
    "told": """
counters[sync.STOP] = 1
print(*(execute(counters, t, 3) for t in range(3)))
print(*(execute(counters, t, 3, 0) for t in range(3)))
print(execute(counters, 0, 1))
""",
    "waiting": """
execute(counters.copy(), 0, 1)
ended, others = two_of_three()
print(len(ended))
counters[sync.STOP] = 1
for other in others:
    other.join()
print(*ended)
""",
    "asleep": """
counters[sync.LONGEST] = 60
ended, others = two_of_three()
print(len(ended), counters[sync.ASLEEP] if sync._FUTEX else 2)
print(execute(counters, 1, 3))
for other in others:
    other.join()
print(*ended, counters[sync.ASLEEP])
""",
    "together": """
results = {}
def run(t):
    results[t] = execute(counters, t, 5)
others = [threading.Thread(target=run, args=(t,)) for t in range(5)]
for other in others:
    other.start()
for other in others:
    other.join()
print(*results.values(), counters[sync.GENERATION], counters[sync.ARRIVED])
""",
    "bad gradient": """
program.BARRIER = 0.0
x = np.random.default_rng(0).random((4000, 3), dtype="float32")
for threads in (1, 2, 3):
    model = nv.VAE(3, 1, hidden=(4,), likelihood=nv.Gaussian(1e-15))
    try:
        nv.fit(model, x, batch_size=2000, threads=threads)
    except nv.NonFiniteLoss as error:
        print(*str(error).split()[:2])
""",
    "refused": """
program.SHARED = program.BARRIER = 0.0
start, begun = threading.Thread.start, []
def refuse(thread):
    if getattr(thread, "_target", None) is not None and thread._target.__name__ == "run":
        begun.append(thread)
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = refuse
model = nv.VAE(5, 2, hidden=(6,))
before = model.flat.copy()
try:
    nv.fit(model, np.ones((40, 5), "float32"), threads=3, lr=0.0)
except RuntimeError as error:
    print(str(error).replace(" ", "-"), begun[0].is_alive())
""",
}


def test_threads_that_wait_sleep_until_the_last_one_wakes_them(said):
    """They would sleep for a minute, were they not woken at each of the five steps' barriers."""
    assert said["asleep"] == ["0", "2", "5", "5", "5", "0"]


def test_threads_that_were_told_to_stop_do_not_wait(said):
    assert said["told"] == ["0"] * 7


def test_threads_that_wait_stop_when_they_are_told_to(said):
    """Two of three are there, so nobody gets through the first barrier."""
    assert said["waiting"] == ["0", "0", "0"]


def test_threads_pass_their_barriers_together(said):
    assert said["together"] == ["5"] * 5 + ["10", "0"]


def test_a_bad_gradient_stops_threads_that_have_no_share_in_adam(said):
    """Few weights and many rows: Adam is the first thread's alone."""
    assert said["bad gradient"] == ["the", "gradient"] * 3


def test_a_thread_that_can_not_be_started_ends_the_run(said):
    """The other one that was started waits for it, and is told to stop."""
    assert said["refused"] == ["can't-start-new-thread", "False"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores can't be chosen here")
def test_two_threads_on_one_core_go_on():
    """They give each other the core: a step takes no more than 20 times that of one thread.

    It is the process's time on the core that counts, whatever else runs there.
    """
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
x = np.random.default_rng(0).random((640, 200), dtype="float32")
def seconds(threads):
    model, times = nv.VAE(200, 5, hidden=(100,)), [time.process_time()]
    note = lambda *_: times.append(time.process_time())
    nv.fit(model, x, epochs=6, batch_size=64, threads=threads, callbacks=[note])
    return min(np.diff(times))
program.BARRIER = 0.0
one, two = seconds(1), seconds(2)
print(two < 20 * one, two / one)
"""
    within, ratio = in_time(code)
    assert within == "True", f"{ratio} times the time of one thread"


def test_an_interrupt_is_answered():
    """Within a run that would take days."""
    code = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
x = np.random.default_rng(0).random((1000, 50), dtype="float32")
model = nv.VAE(50, 5, hidden=(30,))
def interrupt(model, record):
    if record["epoch"] == 1:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    nv.fit(model, x, epochs=10**9, callbacks=[interrupt], threads=2)
except KeyboardInterrupt:
    print(np.isfinite(model.flat).all(), threading.active_count() < 3)
"""
    assert in_time(code) == ["True", "True"]


def test_counters_lie_in_cache_lines_of_their_own():
    places = sorted((sync.ARRIVED, sync.GENERATION, sync.STOP, sync.SIZE))
    assert np.diff(places).min() * 8 >= 64
