"""What an operation is, said once, beside its function: operands, cost, how threads share it.

From the declarations come the operations' columns in the executor's table, the way from that to
their arguments (`build.py`), and how the calls of the kernel of the same name are lowered
(`rules.declared`). An operation's parameters are

* operands, which stand in the table: addresses, and sizes as whole numbers;
* constants, float64, which stand in a table of their own;
* what the executor knows: `lo` and `hi`, the items that this thread has of all `n_items`, and the
  rest of `EXECUTOR` and `SCALARS`.

The axes of an operand say where it lies and which part of it a thread touches:

* "NF" and "KBF": float32 by feature, (F, N) with N = K·B; a thread has its features alone;
* "BF": the same without samples, (F, B); "N2F": (2F, N), of which threads share all;
* "NX" and "BX": by feature, with as many features as there may be, of which threads share all;
* "F": a float32 for each feature; "B": one for each row of data; "P": as a parameter lies;
* "N" and "KB": a float64 for each sample and row; "1": one float64.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

EXECUTOR = (
    "lo", "hi", "n_items", "thread", "sharing", "scratch", "step", "order", "noise", "losses"
)  # fmt: skip
"""What the executor's loop tells each operation: whole numbers and addresses. At `losses` stand
those of this step."""
SCALARS = ("beta", "step_size", "root", "decay")
"""What changes from step to step, float64: the columns of `scalars`."""

PREFIX = "npvae_"
"""Of the names of C functions, and of those that are not merged into them."""
LOOP = "execute"
"""The name of the loop's own code, beside the operations'."""


def symbol(name: str) -> str:
    """What the C function of an operation, or of the loop, is called."""
    return PREFIX + name


NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Declaration:
    """An operation.

    Attributes
    ----------
    name : str, the kernel's whose calls it is, where it is one's
    function : compiled function
    reads, writes : dict of axes by operand, in the order of the kernel's arguments and results
    over : dict, the operand that lies where each result may lie, if nobody else reads it
    constants : dict of default values
    cost : float, nanoseconds on one thread for each of N·F numbers
    sums : int
        How many rows of N float64 each thread leaves in `partial`: sums over its own features.
    factor : float, what the kernel's result is of these sums
    alone : bool, whether one thread does it all
    piece : int
        The least items of a piece of a thread's share that another may do; 0 where it does it all.
    ends : bool, whether it returns False where the steps are to end
    """

    name: str
    function: Any
    reads: Mapping[str, str]
    writes: Mapping[str, str]
    over: Mapping[str, str]
    constants: Mapping[str, float]
    cost: float
    sums: int
    factor: float
    alone: bool
    piece: int
    ends: bool

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.function.py_func).parameters)

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """Its columns of the table."""
        other = {*EXECUTOR, *SCALARS, *self.constants}
        return tuple(name for name in self.parameters if name not in other)

    @cached_property
    def leaves_sums(self) -> bool:
        """Whether each thread leaves its own sums, instead of adding up what all have left."""
        return "partial" in self.operands and "parts" not in self.operands


OPERATIONS: dict[str, Declaration] = {}


def operation(
    name: str = "",
    *,
    reads: Mapping[str, str] = NOTHING,
    writes: Mapping[str, str] = NOTHING,
    over: Mapping[str, str] = NOTHING,
    constants: Mapping[str, float] = NOTHING,
    cost: float = 0.0,
    sums: int = 1,
    factor: float = 1.0,
    alone: bool = False,
    piece: int = 0,
    ends: bool = False,
) -> Callable[[Any], Any]:
    """Declare the compiled function beneath as an operation: see `Declaration`."""

    def declare(function: Any) -> Any:
        declared = Declaration(
            name or function.py_func.__name__, function, reads, writes, over, constants, cost,
            sums, factor, alone, piece, ends,
        )  # fmt: skip
        if declared.name in OPERATIONS:
            raise ValueError(f"there are two operations {declared.name!r}")
        OPERATIONS[declared.name] = declared
        return function

    return declare
