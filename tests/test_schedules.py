"""Schedules at their ends and middles, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from npvae.core.errors import ConfigError
from npvae.core.schedules import Constant, Cosine, Cyclical, Linear, schedule, warm_up


def test_constant():
    for epoch in (0, 0.5, 100, math.inf):
        assert Constant(0.3)(epoch) == 0.3


@pytest.mark.parametrize(
    ("epoch", "value"), [(0, 0.5), (2, 0.875), (4, 1.25), (8, 2.0), (9, 2.0), (math.inf, 2.0)]
)
def test_linear(epoch, value):
    assert Linear(0.5, 2, epochs=8)(epoch) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("epoch", "value"),
    [
        (0, 2.0),
        (2, 1.25 + 0.75 * math.sqrt(0.5)),
        (4, 1.25),
        (6, 1.25 - 0.75 * math.sqrt(0.5)),
        (8, 0.5),
        (9, 0.5),
        (math.inf, 0.5),
    ],
)
def test_cosine(epoch, value):
    assert Cosine(2, 0.5, epochs=8)(epoch) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    ("epoch", "value"),
    [(0, 0.5), (1, 1.0), (2, 1.5), (3, 2.0), (3.9, 2.0), (4, 0.5), (5, 1.0), (11, 2.0),
     (math.inf, 2.0)],
)  # fmt: skip
def test_cyclical(epoch, value):
    made = Cyclical(0.5, 2, epochs=4, rising=0.75)
    assert made(epoch) == pytest.approx(value, rel=1e-14)
    assert schedule("beta", made.config)(epoch) == made(epoch)


def test_warm_ups():
    found = [warm_up(s) for s in (Linear(0, 1, 7), Cosine(0, 1, 5), Cyclical(0, 1, 10, 0.3))]
    assert found == [7, 5, 3]
    assert warm_up(Constant(1)) == warm_up(lambda epoch: epoch) == warm_up(None) == 0


@pytest.mark.parametrize("rising", [0, -1, 1.5, "x"])
def test_a_cycle_rises_for_a_share_of_it(rising):
    with pytest.raises(ConfigError, match="rising"):
        Cyclical(0, 1, 10, rising)


@pytest.mark.parametrize("kind", [Linear, Cosine])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 0)])
def test_ends_are_exact_and_the_way_is_monotone(kind, start, stop):
    values = [kind(start, stop, epochs=3)(epoch) for epoch in np.linspace(0, 4, 81)]
    assert values[0] == start
    assert set(values[60:]) == {float(stop)}
    steps = np.diff(values[:61]) * (stop - start)
    assert (steps > 0).all()


def test_cosine_is_flat_at_both_ends():
    warm_up = Cosine(0, 1, epochs=1)
    assert warm_up(1e-4) < 1e-7
    assert 1 - warm_up(1 - 1e-4) < 1e-7


def test_a_length_need_not_be_whole():
    assert Linear(0, 1, epochs=0.5)(0.25) == 0.5


def test_numbers_and_functions_become_schedules():
    assert schedule("beta", 2)(7.0) == 2.0
    assert schedule("beta", np.float32(0.5))(0) == 0.5
    linear = Linear(0, 1, 10)
    assert schedule("beta", linear) is linear
    assert schedule("lr", abs) is abs


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "0.1", None, True, [1]])
def test_other_values_are_refused(value):
    with pytest.raises(ConfigError) as caught:
        schedule("lr", value)
    assert str(caught.value) == f"lr is a finite number, 0 or more; got {value!r}."


@pytest.mark.parametrize("kind", [Linear, Cosine])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 1, 5), "a schedule's start is a finite number, 0 or more; got -1."),
        ((0, math.inf, 5), "a schedule's stop is a finite number, 0 or more; got inf."),
        ((0, 1, 0), "a schedule's length in epochs is a finite number above 0; got 0."),
        ((0, 1, math.nan), "a schedule's length in epochs is a finite number above 0; got nan."),
        ((0, "1", 5), "a schedule's stop is a finite number, 0 or more; got '1'."),
    ],
)
def test_arguments_are_checked(kind, arguments, message):
    with pytest.raises(ConfigError) as caught:
        kind(*arguments)
    assert str(caught.value) == message
