"""Mutants that change no value: no test can tell them from the original, for the reason given.

Under each reason stand targets, and the statements that they may be changed to; or, where such a
statement leaves open what was changed, as ``if True:`` does, the whole change as ``--list`` shows
it. An entry whose mutant no longer exists, or on which a test fails, is reported as an error.

Each room of the package has a file here; where the same reason holds in several, it has one text.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import core, kernels, layers_and_flows, likelihoods, models, objectives

ROOMS = core, kernels, likelihoods, layers_and_flows, models, objectives


def reason(target: str, names: tuple[str, ...]) -> str:
    """Why the change of a target that has these names changes no value, or an empty text."""
    return next((r for r, t, listed in _all() if t == target and set(names) & set(listed)), "")


def entries() -> set[tuple[str, str]]:
    """(target, name of the change) of everything that is listed."""
    return {(target, name) for _, target, listed in _all() for name in listed}


def _all() -> Iterator[tuple[str, str, list[str]]]:
    """(reason, target, names) of every room."""
    for room in ROOMS:
        for why, targets in room.EQUIVALENTS.items():
            for target, listed in targets.items():
                yield why, target, listed
