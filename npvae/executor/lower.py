"""From a recorded step to a program for the compiled executor: one function per kernel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from .graph import Call, NotCapturable, Value
from .memory import Ref
from .places import Places

RULES: dict[str, Callable[[Lowering, Call], None]] = {}
"""What lowers each kernel's calls; `rules` fills it."""

CHECKED = ("loss", "second", "third")
"""The losses that the check of the first one writes down as well: the ELBO's, and so most."""


class Lowering(Places):
    """Turns a graph into operations, call by call."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked = False
        self.used = {*self.last_use, *(id(value.base) for _, value in self.graph.gradients)}
        self.batch = self.graph.inputs["x"].per_feature

    def run(self) -> None:
        """Lower every call."""
        for name in sorted(self.graph.zeroed):
            self._zero(self._slot(name))
        for i, call in enumerate(self.graph.calls):
            self.now = i
            self._lower(call)
            self._check_losses()
        self.now = len(self.graph.calls)
        self._add_gradients()

    def _lower(self, call: Call) -> None:
        """A call's operations; where it has none, Python makes the call."""
        why, rule = call.why, self._rule(call)
        if rule is not None:
            mark = self.mark()
            try:
                rule(self, call)
                self._check_outputs(call)
                return
            except NotCapturable as refusal:
                self.rewind(mark)
                why = str(refusal)
        self.python(call, why or f"kernel {call.kernel} has no compiled operation")

    def _rule(self, call: Call) -> Any:
        """What lowers a call, if it is one of npvae's kernels: a user's may have such a name."""
        kernel = getattr(kernels, call.kernel, None)
        if kernel is None or inspect.unwrap(kernel) is not inspect.unwrap(call.function):
            return None
        return RULES.get(call.kernel)

    def _check_outputs(self, call: Call) -> None:
        """Refuse where something is asked for that the operations do not give."""
        for i, value in enumerate(call.outputs):
            if id(value) in self.used and not self.is_there(value):
                raise NotCapturable(f"output {i} of {call.kernel} is asked for")

    def _check_losses(self) -> None:
        """Look at the losses as soon as they are there, before the way back is taken.

        Where they are no numbers but arrays, they are written down alone.
        """
        losses = self.graph.losses
        if self.checked or not all(self.is_there(v) for v in losses if isinstance(v, Value)):
            return
        self.checked = True
        refs = [
            self.as_doubles(value)
            if isinstance(value, Value)
            else self.constant([value], np.float64)
            for value in losses
        ]
        sizes = [value.size if isinstance(value, Value) else 1 for value in losses]
        n_checked = len(CHECKED) if max(sizes) == 1 else 0
        if n_checked:
            checked = dict.fromkeys(CHECKED, 0) | dict(zip(CHECKED, refs, strict=False))
            self.emit("check", 1, checked, [(ref, 8, 0) for ref in refs[:n_checked]])
        columns = np.cumsum([0, *sizes])
        for ref, n, column in list(zip(refs, sizes, columns, strict=False))[n_checked:]:
            self.emit("report", 1, dict(value=ref, n=n, column=column), [(ref, 8 * n, 0)])

    def _add_gradients(self) -> None:
        """Add what was not computed straight into the gradient; a parameter's first is copied."""
        begun = set(self._placed.values()) | self.graph.zeroed
        for name, value in self.graph.gradients:
            if self._placed.get(id(value)) == name:
                continue
            out = self._slot(name)
            if name not in begun:
                begun.add(name)
                self._zero(out)
            self._add(self.by_row(value), out, value.size)

    def _add(self, given: Ref, out: Ref, n: int) -> None:
        operands, size = dict(a=out, b=given, out=out, n=n), 4 * n
        self.emit("add", 1, operands, [(out, size, 0), (given, size, 0)], [(out, size, 0)], 0.1 * n)

    def _zero(self, out: Ref) -> None:
        size = out.buffer.size
        self.emit("fill", 1, dict(out=out, n=size // 4), writes=[(out, size, size)])
