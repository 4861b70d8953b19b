"""Which small change of a line would make a gradient right: the slip, named by its mending."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from .arguments import arrays_of

CONSTANTS = (0, 1, 2, 0.5, -1, 3)
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
COMPARISONS = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)
METHODS = {"sum": "mean", "mean": "sum", "max": "sum", "std": "var", "var": "std"}
FACTORS = ("* {}", "* (1 - {}**2)", "* {} * (1 - {})", "* ({} > 0)", "/ {}", "+ {}", "- {}")
"""What a value may lack, as Python has it, of other variables."""


class Mended(NamedTuple):
    """A line, and how it would be right."""

    line: int
    old: ast.stmt
    new: ast.stmt

    @property
    def full(self) -> str:
        return f"line {self.line}, `{ast.unparse(self.old)}`, should be `{ast.unparse(self.new)}`"

    @property
    def short(self) -> str:
        return f"it should be `{ast.unparse(self.new)}`"


class Repairs:
    """All changes that are tried for one target: half of them on the lines of one gradient."""

    def __init__(self, at_most: int) -> None:
        self.at_most = self.left = at_most
        self.found: list[tuple[Any, CodeType, Mended]] = []

    def mend(self, function: Any, lines: range, mends: Callable[[], bool]) -> Mended | None:
        """The first change with which `mends` holds, of these lines or else of the whole function.

        While `mends` is asked, the function runs with the change.
        """
        if not isinstance(function, FunctionType):
            return None
        original = function.__code__
        try:
            for code, mended in self._changes(function, lines):
                function.__code__ = code
                if _holds(mends):
                    self.found.append((function, code, mended))
                    return mended
        finally:
            function.__code__ = original
        return None

    def _changes(self, function: Any, lines: range) -> Iterator[tuple[CodeType, Mended]]:
        """The changes that mended another gradient, then those of the lines, then all others."""
        yield from ((code, mended) for of, code, mended in self.found if of is function)
        tree = _tree(function)
        if tree is None:
            return
        original = function.__code__
        module = _module(tree, original.co_freevars)
        places = {s: (body, i) for body in _bodies(tree) for i, s in enumerate(body)}
        for some, at_most in ((lines, self.at_most // 2), (_all_lines(tree), self.at_most)):
            for old, new in islice(_edits(tree, some), min(self.left, at_most)):
                self.left -= 1
                body, i = places[old]
                body[i] = ast.fix_missing_locations(ast.copy_location(new, old))
                code = _code(module, original)
                body[i] = old
                if code is not None:
                    yield code, Mended(old.lineno, old, new)


def _all_lines(tree: ast.FunctionDef) -> range:
    return range(tree.lineno, (tree.end_lineno or tree.lineno) + 1)


def function_with(code: CodeType, functions: tuple[Any, ...]) -> FunctionType | None:
    """The function that has this code: one of these, or one that their files define."""
    seen = [unwrapped(f) for f in functions]
    for f in list(seen):
        for x in getattr(f, "__globals__", {}).values():
            seen += [x] if isinstance(x, FunctionType) else []
            seen += list(vars(x).values()) if isinstance(x, type) else []
    return next((f for f in seen if getattr(f, "__code__", None) is code), None)


@contextmanager
def frozen(functions: Iterable[Any]) -> Iterator[None]:
    """Nothing can write into the arrays that these functions know from outside."""
    arrays = [x for x in _known_outside(functions) if x.flags.writeable]
    for x in arrays:
        x.flags.writeable = False
    try:
        yield
    finally:
        for x in arrays:
            x.flags.writeable = True


def _known_outside(functions: Iterable[Any], depth: int = 3) -> Iterator[np.ndarray]:
    """The arrays in the closures and globals of functions, and of the functions that they call."""
    for function in map(unwrapped, functions):
        if not isinstance(function, FunctionType):
            continue
        known = inspect.getclosurevars(function)
        outside = {**known.globals, **known.nonlocals}
        yield from arrays_of(list(outside.values()), "outside").values()
        if depth:
            yield from _known_outside(outside.values(), depth - 1)


def unwrapped(function: Any) -> Any:
    """The function in a method or a decorated one."""
    return inspect.unwrap(getattr(function, "__func__", function))


def _holds(mends: Callable[[], bool]) -> bool:
    try:
        return mends()
    except Exception:  # most changes make no sense
        return False


def _tree(function: FunctionType) -> ast.FunctionDef | None:
    """The function's definition, with the line numbers of its file."""
    try:
        lines, first = inspect.getsourcelines(function)
        body = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(body, ast.FunctionDef):
        return None
    body.decorator_list = []
    return ast.increment_lineno(body, first - 1)


def _module(tree: ast.FunctionDef, outside: tuple[str, ...]) -> ast.Module:
    """The function in one that has the variables which it knows from outside."""
    module = ast.parse(f"def outer({', '.join(outside)}): pass")
    outer = module.body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [tree]
    return ast.fix_missing_locations(module)


def _bodies(tree: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    """The lists of statements in a function."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(body := getattr(node, name, None), list):
                yield body


def _code(module: ast.Module, original: CodeType) -> CodeType | None:
    """The function's code; None where it is none, or does not fit in the original's place."""
    try:
        outer = compile(module, original.co_filename, "exec").co_consts[0]
    except (SyntaxError, ValueError):
        return None
    code: CodeType = next(c for c in outer.co_consts if isinstance(c, CodeType))
    return code if code.co_freevars == original.co_freevars else None


def _edits(tree: ast.FunctionDef, lines: range) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Statements on these lines, and what they might have been meant to be, the likely first."""
    simple = (ast.Assign, ast.AugAssign, ast.Return)
    statements = [s for s in ast.walk(tree) if isinstance(s, simple) and s.lineno in lines]
    names = _names(tree, lines)
    for kind in (_signs_and_operators, _pieces, _other_names, _insertions):
        for statement in sorted(statements, key=lambda s: -s.lineno):
            yield from ((statement, new) for new in kind(statement, names))


def _names(tree: ast.FunctionDef, lines: range) -> list[str]:
    """The variables that are known by then, the newest first."""
    stored = [
        (node.lineno, node.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and node.lineno < lines.stop
    ]
    given = [a.arg for a in (*tree.args.posonlyargs, *tree.args.args) if a.arg != "self"]
    own = [ast.unparse(node) for node in ast.walk(tree) if _is_own(node)]
    return list(dict.fromkeys([*(name for _, name in sorted(stored, reverse=True)), *given, *own]))


def _is_own(node: ast.AST) -> bool:
    """Whether it is like ``self.x``."""
    return isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self"


def _with(statement: ast.stmt, node: ast.AST, new: ast.AST) -> ast.stmt:
    """A copy of the statement, with another node in place of one."""
    memo = {id(node): new}
    return copy.deepcopy(statement, memo)


def _loads(statement: ast.stmt) -> Iterator[ast.expr]:
    value = getattr(statement, "value", None)
    if value is not None:
        yield from (n for n in ast.walk(value) if isinstance(n, ast.expr))


def _signs_and_operators(statement: ast.stmt, names: list[str]) -> Iterator[ast.stmt]:
    """+ for -, * for /, the order of factors, = for +=, a sign too many or too few."""
    if isinstance(statement, ast.AugAssign):
        yield ast.Assign([statement.target], statement.value)
        for op in OPERATORS.get(type(statement.op), ()):
            yield ast.AugAssign(statement.target, op(), statement.value)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, (ast.Name, ast.Subscript)):
            yield ast.AugAssign(target, ast.Add(), statement.value)
    for node in _loads(statement):
        if isinstance(node, ast.BinOp):
            for op in OPERATORS.get(type(node.op), ()):
                yield _with(statement, node, ast.BinOp(node.left, op(), node.right))
            if isinstance(node.op, (ast.MatMult, ast.Sub, ast.Div)):
                yield _with(statement, node, ast.BinOp(node.right, node.op, node.left))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield _with(statement, node, node.operand)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], COMPARISONS):
            for compare in COMPARISONS:
                other = ast.Compare(node.left, [compare()], node.comparators)
                yield _with(statement, node, other)


def _pieces(statement: ast.stmt, names: list[str]) -> Iterator[ast.stmt]:
    """A transpose, a factor or a term too many or too few; constants, axes, sum for mean."""
    for node in _loads(statement):
        if isinstance(node, ast.Attribute):
            if node.attr == "T":
                yield _with(statement, node, node.value)
            elif node.attr in METHODS:
                other = ast.Attribute(node.value, METHODS[node.attr], node.ctx)
                yield _with(statement, node, other)
        if isinstance(node, ast.BinOp):
            yield _with(statement, node, node.left)
            yield _with(statement, node, node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            for side in (node.left, node.right):
                yield _with(statement, side, ast.Attribute(side, "T", ast.Load()))
            left, right = (ast.Attribute(s, "T", ast.Load()) for s in (node.left, node.right))
            yield _with(statement, node, ast.BinOp(right, node.op, left))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
            for op in (ast.Add, ast.Sub):
                moved = ast.BinOp(node.slice, op(), ast.Constant(1))
                yield _with(statement, node.slice, moved)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            for value in CONSTANTS:
                if value != node.value:
                    yield _with(statement, node, ast.Constant(value))
        if isinstance(node, ast.Call) and len(node.args) == 1:
            yield _with(statement, node, node.args[0])


def _other_names(statement: ast.stmt, names: list[str]) -> Iterator[ast.stmt]:
    for node in _loads(statement):
        if isinstance(node, ast.Name) or _is_own(node):
            text = ast.unparse(node)
            for name in names if text in names else ():
                if name != text:
                    yield _with(statement, node, ast.parse(name, mode="eval").body)


def _insertions(statement: ast.stmt, names: list[str]) -> Iterator[ast.stmt]:
    """A factor or a term of another variable, behind any value."""
    for node in _loads(statement):
        if isinstance(node, (ast.Name, ast.BinOp, ast.Call)) or _is_own(node):
            for name in names:
                for factor in FACTORS:
                    more = ast.parse(f"HERE {factor.replace('{}', name)}", mode="eval").body
                    here = next(n for n in ast.walk(more) if getattr(n, "id", "") == "HERE")
                    yield _with(statement, node, copy.deepcopy(more, {id(here): node}))
