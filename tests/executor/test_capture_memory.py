"""Where buffers lie, where threads wait, and whether operations touch what they say they touch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from capture_cases import LIKELIHOODS, Step, batch, network
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import RandomStep
from test_capture_random import program_of

import npvae as nv
from npvae.executor.memory import ALIGNMENT, Access, Buffer, Operation, Ref, place, synchronise
from npvae.executor.operations import loop as executor
from npvae.executor.operations import machine

sizes = st.integers(0, 600)
always = {value: st.just(value) for value in (0, 1)}


@st.composite
def programs(draw, sharing=always[1], address=always[0]):
    """Operations on buffers of the arena, or with `address` at places of their own."""
    buffers = [Buffer(draw(sizes), draw(address)) for _ in range(draw(st.integers(1, 8)))]
    operations = []
    for _ in range(draw(st.integers(1, 12))):
        n_items, accesses = draw(st.sampled_from([1, 4, 9])), []
        for buffer in draw(st.lists(st.sampled_from(buffers), max_size=3)):
            per_item = draw(st.sampled_from([0, 4, 8, 12])) if buffer.size >= 12 * n_items else 0
            size = n_items * per_item if per_item else buffer.size
            accesses.append(Access(Ref(buffer), size, per_item, draw(st.booleans())))
        operation = Operation("add", {}, n_items, accesses, 0.0, sharing=draw(sharing))
        operation.pieces = draw(st.sampled_from([0, 0, 2])) if operation.sharing > 1 else 0
        operation.extra = draw(st.lists(st.sampled_from(buffers), max_size=1))
        operations.append(operation)
    return operations


def buffers_of(operations):
    """Each buffer with the first and the last operation that use it."""
    used = {}
    for i, operation in enumerate(operations):
        for buffer in [*(a.ref.buffer for a in operation.accesses), *operation.extra]:
            first = used[id(buffer)][1] if id(buffer) in used else i
            used[id(buffer)] = buffer, first, i
    return list(used.values())


@given(programs())
@settings(deadline=None, derandomize=True)
def test_buffers_that_live_at_the_same_time_lie_apart(operations):
    arena = place(operations)
    start, stop = arena.ctypes.data, arena.ctypes.data + arena.size
    used = buffers_of(operations)
    for buffer, _, _ in used:
        assert buffer.address % ALIGNMENT == 0
        assert start <= buffer.address
        assert buffer.address + buffer.size <= stop
    for (one, first, last), (other, other_first, other_last) in itertools.combinations(used, 2):
        if first <= other_last and other_first <= last:
            apart = (
                one.address + one.size <= other.address or other.address + other.size <= one.address
            )
            assert apart or not one.size or not other.size


@pytest.mark.slow
@given(programs(address=st.integers(1, 5).map(lambda n: 4096 * n)))
@settings(deadline=None, derandomize=True)
def test_buffers_at_a_place_of_their_own_stay_there(operations):
    before = [buffer.address for buffer, _, _ in buffers_of(operations)]
    assert place(operations).size <= 2 * ALIGNMENT
    assert [buffer.address for buffer, _, _ in buffers_of(operations)] == before


def test_buffers_that_live_one_after_the_other_share_their_place():
    buffers = [Buffer(1000) for _ in range(50)]
    operations = []
    for a, b in itertools.pairwise(buffers):
        accesses = [Access(Ref(a), 1000, 0, False), Access(Ref(b), 1000, 0, True)]
        operations.append(Operation("add", {}, 1, accesses, 0.0))
    assert place(operations).size < 3 * 1000 + 4 * ALIGNMENT


def footprint(operation, access, thread):
    """The bytes that a thread may touch, from and to."""
    start = access.ref.address
    if thread >= operation.sharing:
        return start, start
    if operation.sharing == 1 or access.per_item == 0 or operation.pieces:
        return start, start + access.size
    first, last = (operation.n_items * t // operation.sharing for t in (thread, thread + 1))
    return start + access.per_item * first, start + access.per_item * last


def assert_no_race(operations, threads):
    """Of two operations without a barrier in between, no two threads touch what one writes."""
    for i, earlier in enumerate(operations):
        for later in operations[i + 1 :]:
            if later.waits:
                break
            for a, b in itertools.product(earlier.accesses, later.accesses):
                if not (a.writes or b.writes):
                    continue
                for t, u in itertools.permutations(range(threads), 2):
                    (a0, a1), (b0, b1) = footprint(earlier, a, t), footprint(later, b, u)
                    overlap = max(a0, b0) < min(a1, b1)
                    assert not overlap, (earlier.name, a, t, later.name, b, u)


@pytest.mark.slow
@given(programs(sharing=st.sampled_from([1, 3]), address=st.integers(1, 9).map(lambda n: 128 * n)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_barrier_stands_between_threads_that_touch_the_same(operations):
    synchronise(operations)
    assert_no_race(operations, 3)


@pytest.mark.slow
@given(programs(sharing=st.sampled_from([1, 3])))
@settings(deadline=None, derandomize=True)
def test_a_barrier_stands_between_uses_of_one_place_by_different_buffers(operations):
    place(operations)
    synchronise(operations)
    assert_no_race(operations, 3)


def test_barriers_stand_only_where_they_are_needed():
    def operation(*accesses, sharing=2, pieces=0):
        return Operation("add", {}, 4, list(accesses), 0.0, sharing=sharing, pieces=pieces)

    a, b, c = (Ref(Buffer(64, 1000 * n)) for n in (1, 2, 3))
    operations = [
        operation(Access(a, 64, 16, True)),  # the first of all
        operation(Access(a, 64, 16, True), Access(b, 64, 16, True)),  # each thread its own items
        operation(Access(c, 64, 0, False)),  # something else
        operation(Access(c, 64, 0, False)),  # both only read
        operation(Access(a, 64, 0, False)),  # reads what others have written
        operation(Access(a, 64, 16, False)),  # both only read
        operation(Access(a, 64, 16, True)),  # writes what others still read
        operation(Access(b, 64, 16, True)),  # its writers are before the last barrier
        operation(Access(b, 64, 16, False), sharing=1),  # one thread reads what all have written
        operation(Access(b, 64, 16, True), sharing=1),  # the same thread
        operation(Access(c, 64, 16, True)),  # something else
        operation(Access(c, 64, 16, True), pieces=2),  # whose items may be another thread's
        operation(Access(c, 64, 16, True)),
    ]
    synchronise(operations)
    assert [op.waits for op in operations] == [
        False, False, False, False, True, False, True, False, True, False, False, True, True,
    ]  # fmt: skip


# The operations of real programs

STEPS = {
    f"{likelihood}, {kind}": (likelihood, objective)
    for likelihood in LIKELIHOODS
    for kind, objective in (("elbo", nv.ELBO(n_samples=2)), ("iwae", nv.IWAE(3)))
}
STEPS |= {
    "zero-inflated, by the decoder": (
        nv.ZeroInflatedNegativeBinomial("decoder", library=5.0), nv.ELBO(n_samples=2),
    ),
    "negative binomial": (nv.NegativeBinomial(), nv.ELBO(n_samples=2)),
    "categorical": (nv.Categorical((3, 2, 4, 2, 5, 2, 3)), nv.ELBO(n_samples=2)),
    "mixture prior": ("gaussian_column_scale", nv.ELBO(n_samples=2), nv.Mixture(3)),
    "VampPrior": ("continuous_bernoulli", nv.ELBO(), nv.VampPrior(4)),
}  # fmt: skip


@pytest.fixture
def program(request, share_all):
    """A program on three threads, whose operations' places are known."""
    if isinstance(request.param, int):
        random = program_of(RandomStep(request.param), 3)[0]
        random.compile()  # whose operations are run here without it
        return random
    likelihood, objective, *prior = STEPS[request.param]
    parts = dict(likelihood=likelihood, prior=prior[0] if prior else "standard")
    model = network(7, 3, hidden=(9, 4), context_dim=2, activation="gelu", **parts)
    step = Step(model, objective, 6, threads=3)
    step.run([batch(model, objective, 6)], rehearsal=True)
    step.program.step = step  # whose memory it works on
    return step.program


LONG = ["bernoulli, elbo", "gaussian, iwae", "gaussian_learnt_scale, iwae", *range(2, 12)]
"""Programs whose like is among the others."""

each_program = pytest.mark.parametrize(
    "program",
    [
        pytest.param(one, marks=pytest.mark.slow) if one in LONG else one
        for one in (*STEPS, *range(12))
    ],
    indirect=True,
)


@each_program
def test_no_race_in_real_programs(program):
    assert_no_race(program.operations, 3)
    assert program.operations[-1].waits  # Adam sees the whole norm


class Memory:
    """The arena and the gradient, to be filled, compared and kept."""

    def __init__(self, program):
        self.arrays = [program.arena, program._kept[2][0].view(np.uint8)]

    def fill(self, seed):
        """Numbers between ½ and 1 as float32, which are small and positive as float64."""
        for array in self.arrays:
            n = array.size // 4
            numbers = np.random.default_rng(seed).random(n, dtype=np.float32) / 2 + 0.5
            array[: 4 * n] = numbers.view(np.uint8)

    def keep_only(self, extents):
        """NaN everywhere but there."""
        for array in self.arrays:
            kept = self.inside(array, extents)
            array[~kept] = 255

    def copies(self):
        return [array.copy() for array in self.arrays]

    @staticmethod
    def inside(array, extents):
        kept = np.zeros(array.size, bool)
        for start, stop in extents:
            first, last = (np.clip(p - array.ctypes.data, 0, array.size) for p in (start, stop))
            kept[first:last] = True
        return kept


def extents(operation, thread, writes):
    return [footprint(operation, a, thread) for a in operation.accesses if a.writes or not writes]


@pytest.mark.smoke(3)
@each_program
def test_operations_touch_what_they_say_they_touch(program):
    """Each thread's part of each operation, alone: it writes nowhere but where it says so, and
    what it writes does not depend on anything else."""
    memory, table = Memory(program), program.table.copy()
    table[:, executor.WAITS] = 0  # no barriers
    order, losses = np.arange(program.batch), np.zeros((1, 3))
    noise = np.ones(program.noise_size, np.float32)
    scalars, counters = np.array([[0.5, 0.0, 1.0, 0.0]]), program.counters.copy()
    execute = machine.execute()

    def run(i, thread):
        counters[:] = 0
        execute(
            thread, 1, table.ctypes.data, program.constants.ctypes.data, i, i + 1, 0, 1,
            order.ctypes.data, noise.ctypes.data, scalars.ctypes.data, losses.ctypes.data, 3,
            counters.ctypes.data, program.scratch.ctypes.data, program.scratch.shape[1],
        )  # fmt: skip

    for i, operation in enumerate(program.operations[:-2]):
        for thread in range(operation.sharing):
            written = extents(operation, thread, writes=True)
            touched = extents(operation, thread, writes=False)
            results = []
            for seed in (0, 1):
                memory.fill(seed)
                before = memory.copies()
                memory.fill(0)
                memory.keep_only(touched)
                if seed:  # other numbers where nothing is to be read or written
                    for array, other in zip(memory.arrays, before, strict=True):
                        outside = ~memory.inside(array, touched)
                        array[outside] = other[outside]
                before = memory.copies()
                run(i, thread)
                for array, old in zip(memory.arrays, before, strict=True):
                    changed = (array != old) & ~memory.inside(array, written)
                    assert not changed.any(), f"{operation.name} writes elsewhere"
                results.append([a[memory.inside(a, written)].copy() for a in memory.arrays])
            for one, other in zip(*results, strict=True):
                np.testing.assert_array_equal(one, other, f"{operation.name} reads elsewhere")
