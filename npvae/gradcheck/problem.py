"""The one form to which everything that can be checked is brought.

Parts and forward/backward pairs have arrays as outputs. With fixed random weights u of the
outputs' shapes, L = Σ u · outputs is a scalar whose gradient is what backward gives for
d_outputs = u; a wrong entry anywhere in the Jacobian changes it, unless u happens to hide it, which
has probability 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .report import Row, Verdict

Array = np.ndarray
Values = dict[str, Array]


@dataclass
class Problem:
    """A scalar function of named float64 arrays, with the gradient that somebody claims it has."""

    name: str
    values: Values
    loss: Callable[[Values], Any]
    gradient: Callable[[Values], dict[str, Any]]
    trusted_complex: bool = True
    """Whether the forward is known to be analytic, so that complex step must agree."""
    not_analytic: str = ""
    """Why complex step does not apply."""
    outputs: Outputs | None = None
    """Where the target has them, so that a wrong gradient can be traced to single outputs."""
    functions: tuple[Any, ...] = ()
    """Those of somebody's own that it is made of, whose variables may be looked at."""
    violations: list[Row] = field(default_factory=list)
    """Breaches of the contract other than a wrong number."""

    def note(self, argument: str, note: str, verdict: Verdict = "wrong") -> None:
        """Say something of an argument, once."""
        row = Row(self.name, argument, "contract", verdict, note=note)
        if row not in self.violations:
            self.violations.append(row)

    def paired(self, names: Sequence[str], gradients: Sequence[Any]) -> dict[str, Any]:
        """The gradients by the names of the inputs; none, and a word, where their number is off."""
        if len(gradients) == len(names):
            return dict(zip(names, gradients, strict=True))
        self.note(
            "(all inputs)",
            f"backward returns {len(gradients)} gradients for {len(names)} inputs "
            f"({', '.join(names)}): return one for each, None for data",
        )
        return {}


class Outputs(NamedTuple):
    """The arrays of which the loss is the sum weighted with `weights`."""

    forward: Callable[[Values], list[Array]]
    backward: Callable[[Values, list[Array]], dict[str, Any]]
    weights: list[Array]

    def loss(self, values: Values) -> Any:
        return sum((w * o).sum() for w, o in zip(self.weights, self.forward(values), strict=True))

    def gradient(self, values: Values) -> dict[str, Any]:
        return self.backward(values, self.weights)


class Watch:
    """Notices when a function changes the arrays that its caller gave it."""

    def __init__(self, problem: Problem, arguments: dict[str, Any], weights: list[Array]) -> None:
        self.problem = problem
        self.weights = [w.copy() for w in weights]
        self.live = arguments | {f"d_outputs[{i}]": w for i, w in enumerate(self.weights)}
        self.before = {n: np.array(x) for n, x in self.live.items()}

    def compare(self, who: str = "backward", d_outputs: Verdict = "wrong") -> None:
        for name, x in self.live.items():
            if not same(x, self.before[name]):
                verdict = d_outputs if name.startswith("d_outputs") else "wrong"
                note = f"{who} changes its caller's array: work on a copy of it"
                self.problem.note(name, note, verdict)


def forward_is_clean(
    problem: Problem, forward: Callable[[Values], list[Array]], values: Values
) -> None:
    """The forward leaves its inputs alone, and gives the same outputs twice."""
    copies = {n: v.copy() for n, v in values.items()}
    watched = Watch(problem, copies, [])
    first = [np.array(o) for o in forward(copies)]
    watched.compare("forward")
    again = forward({n: v.copy() for n, v in values.items()})
    if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(first, again, strict=True)):
        problem.note(
            "(outputs)",
            "forward gives other outputs for the same inputs: draw the noise outside and pass it "
            "in as an argument",
        )


def is_data(x: Any) -> bool:
    """Only floating arrays have a gradient; integers, booleans, text and settings have none."""
    return np.asarray(x).dtype.kind != "f"


def flat(outputs: Any) -> list[Array]:
    """Outputs as arrays, whatever tuples they are in."""
    if isinstance(outputs, (tuple, list)):
        return [array for item in outputs for array in flat(item)]
    return [np.asarray(outputs)]


def same(a: Any, b: Any) -> bool:
    """Whether two things of arrays are equal, NaN being equal to itself."""
    if isinstance(a, dict):
        return same(list(a.values()), list(b.values()))
    if isinstance(a, (tuple, list)):
        return all(map(same, a, b))
    a, b = np.asarray(a), np.asarray(b)
    return np.array_equal(a, b, equal_nan={a.dtype.kind, b.dtype.kind} <= set("fc"))


def random_weights(outputs: list[Array], rng: np.random.Generator) -> list[Array]:
    return [rng.normal(size=o.shape) for o in outputs]
