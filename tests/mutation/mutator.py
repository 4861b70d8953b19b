"""Every small change of a function or constant, one at a time, on its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Changes = Iterator[ast.AST]

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.Sub),
    ast.FloorDiv: (ast.Mult, ast.Add),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult, ast.Add),
    ast.MatMult: (ast.Mult,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NAMES = {
    "exp": "expm1", "expm1": "exp", "log": "log1p", "log1p": "log", "sum": "mean", "mean": "sum",
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all",
    "all": "any", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like",
    "soft_minimum": "soft_maximum", "soft_maximum": "soft_minimum", "sin": "cos", "cos": "sin",
    "floor": "ceil", "ceil": "floor",
}  # fmt: skip
"""Functions that are easily taken for each other."""

REDUCTIONS = {"sum", "mean", "min", "max", "any", "all", "prod", "squeeze"}
"""Of these the axis may also be forgotten."""

SYMMETRIC = {
    "add", "minimum", "maximum", "min", "max", "soft_minimum", "soft_maximum", "logaddexp",
    "result_type", "swapaxes",
}  # fmt: skip
"""Whose arguments may be swapped."""

UNSIGNED = {
    "len", "abs", "magnitude", "isnan", "isfinite", "all_finite", "result_type", "zeros_like",
    "ones_like", "empty_like", "iscomplexobj", "isinf", "reshape",
}  # fmt: skip
"""Which are the same of -x as of x; `reshape` infers a length that is negative."""

SIGNLESS = {"zeros", "zeros_like", "empty", "empty_like", "result_type"}
"""What these give is no number but 0, or none yet."""

COMMUTATIVE = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)

AFFIRMED = {"strict"}
"""What an argument of this name does is to refuse what never comes."""

MODULES = {"np", "k", "math"}
"""What is no receiver of a call but the place of a function."""


@dataclass(frozen=True)
class Mutation:
    """One change: the statement before and after, and the whole tree with the change in it."""

    line: int
    before: str
    after: str
    tree: Any

    @property
    def names(self) -> tuple[str, str]:
        """What it is called: the statement after it, or the whole change."""
        return self.after, f"{self.before} -> {self.after}"


def mutations(tree: ast.stmt) -> Iterator[Mutation]:
    """Every change of a function definition or an assignment; no two read the same."""
    tree = copy.deepcopy(tree)
    seen: dict[tuple[int, str], set[str]] = {}
    for statement, holder, field, index in _places(tree, tree):
        before = _head(statement)
        known = seen.setdefault((id(statement), before), {before})
        node = _get(holder, field, index)
        for changed in _changes(node):
            _put(holder, field, index, changed)
            after = _head(changed if node is statement else statement)
            if after not in known:
                known.add(after)
                yield Mutation(statement.lineno, before, after, copy.deepcopy(tree))
        _put(holder, field, index, node)


def _places(node: ast.AST, statement: Any) -> Iterator[tuple[Any, ast.AST, str, int | None]]:
    """Where a node hangs that may be changed: (its statement, parent, field, index)."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            own = child if isinstance(child, ast.stmt) else statement
            yield own, node, field, index
            yield from _places(child, own)


def _is_left_alone(node: ast.AST) -> bool:
    """Docstrings, error messages, and what only affirms."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    affirms = isinstance(node, ast.keyword) and node.arg in AFFIRMED
    return docstring or affirms or isinstance(node, (ast.Raise, ast.JoinedStr))


def _get(holder: Any, field: str, index: int | None) -> Any:
    value = getattr(holder, field)
    return value if index is None else value[index]


def _put(holder: Any, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(holder, field, node)
    else:
        getattr(holder, field)[index] = node


def _head(statement: ast.AST) -> str:
    """The statement's source on one line; of a compound one only the line that opens it."""
    if getattr(statement, "body", None):
        statement = copy.copy(statement)
        statement.body = [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(ast.fix_missing_locations(statement)).split("\n")[0]


def _changes(node: ast.AST) -> Changes:
    rule = _RULES.get(type(node))
    if rule is not None and not isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
        yield from rule(node)


def _with(node: Any, **fields: Any) -> Any:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _with_item(node: Any, field: str, index: int, item: ast.AST) -> Any:
    items = list(getattr(node, field))
    items[index] = item
    return _with(node, **{field: items})


def _negated(node: Any) -> Any:
    """-node, or nothing where that is no number or is treated elsewhere."""
    numbers = (ast.Name, ast.Attribute, ast.Call, ast.BinOp, ast.Subscript)
    if isinstance(node, ast.Call) and _called(node) in SIGNLESS:
        return None
    return ast.UnaryOp(ast.USub(), node) if isinstance(node, numbers) else None


def _called(node: ast.Call) -> str:
    """The name of the function or method that is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _swapped(items: list[Any]) -> Iterator[list[Any]]:
    for i in range(len(items)):
        for j in range(i + 1, len(items)):
            changed = list(items)
            changed[i], changed[j] = items[j], items[i]
            yield changed


def _arithmetic(node: ast.BinOp) -> Changes:
    """Another operator, a dropped operand, swapped operands, an added transpose."""
    for other in OPERATORS.get(type(node.op), ()):
        yield _with(node, op=other())
    yield node.left
    yield node.right
    if not isinstance(node.op, COMMUTATIVE):
        yield _with(node, left=node.right, right=node.left)
    if isinstance(node.op, ast.MatMult):
        yield _with(node, left=ast.Attribute(node.left, "T", ast.Load()))
        yield _with(node, right=ast.Attribute(node.right, "T", ast.Load()))


def _sign(node: ast.UnaryOp) -> Changes:
    if isinstance(node.op, (ast.USub, ast.Not)):
        yield node.operand


def _constant(node: ast.Constant) -> Changes:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, float):
        for other in (2 * value, -value, value + 1):
            if other != value:
                yield ast.Constant(other)


def _comparison(node: ast.Compare) -> Changes:
    for i, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            yield _with_item(node, "ops", i, other())


def _logic(node: ast.BoolOp) -> Changes:
    yield _with(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    yield from node.values


def _choice(node: ast.IfExp) -> Changes:
    yield node.body
    yield node.orelse


def _branch(node: ast.If) -> Changes:
    yield _with(node, test=ast.Constant(True))
    yield _with(node, test=ast.Constant(False))


def _name(node: ast.Name) -> Changes:
    if node.id in NAMES:
        yield _with(node, id=NAMES[node.id])


def _attribute(node: ast.Attribute) -> Changes:
    """A removed transpose, or another function."""
    if node.attr == "T":
        yield node.value
    if node.attr in NAMES:
        yield _with(node, attr=NAMES[node.attr])


def _call(node: ast.Call) -> Changes:
    """No call but one of its arguments; swapped, negated and forgotten arguments."""
    function = node.func
    name = _called(node)
    if isinstance(function, ast.Attribute) and getattr(function.value, "id", "") not in MODULES:
        yield function.value
    yield from (a for a in node.args if not isinstance(a, ast.Starred))
    if name not in SYMMETRIC:
        yield from (_with(node, args=args) for args in _swapped(node.args))
    for i, argument in enumerate(node.args):
        if _negated(argument) and name not in UNSIGNED:
            yield _with_item(node, "args", i, _negated(argument))
    if name in REDUCTIONS and node.args:
        yield _with(node, args=node.args[:-1])
    for i, keyword in enumerate(node.keywords):
        if keyword.arg not in AFFIRMED:
            yield _with(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])


def _subscript(node: ast.Subscript) -> Changes:
    yield node.value


def _slice(node: ast.Slice) -> Changes:
    """The other side of the cut, or none; another direction."""
    if node.lower is None or node.upper is None:
        yield _with(node, lower=node.upper, upper=node.lower)
    for bound in ("lower", "upper", "step"):
        yield _with(node, **{bound: None})


def _return(node: ast.Return) -> Changes:
    """Another sign of a result, and results in another order."""
    if not isinstance(node.value, ast.Tuple):
        if _negated(node.value):
            yield _with(node, value=_negated(node.value))
        return
    for i, item in enumerate(node.value.elts):
        if _negated(item):
            yield _with(node, value=_with_item(node.value, "elts", i, _negated(item)))
    for items in _swapped(node.value.elts):
        yield _with(node, value=_with(node.value, elts=items))


def _assignment(node: ast.Assign) -> Changes:
    if _negated(node.value) and not isinstance(node.targets[0], ast.Tuple):
        yield _with(node, value=_negated(node.value))
    if isinstance(node.value, ast.Tuple):
        for items in _swapped(node.value.elts):
            yield _with(node, value=_with(node.value, elts=items))
    if all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
        yield ast.Pass()


def _update(node: ast.AugAssign) -> Changes:
    """Another operator, overwriting (in place, or by a new object), or nothing at all."""
    for other in OPERATORS.get(type(node.op), ()):
        yield _with(node, op=other())
    yield ast.Assign([node.target], node.value, lineno=node.lineno)
    if isinstance(node.target, (ast.Name, ast.Attribute)):
        whole = ast.Subscript(_with(node.target, ctx=ast.Load()), ast.Constant(...), ast.Store())
        yield ast.Assign([whole], node.value, lineno=node.lineno)
    if _negated(node.value) and not isinstance(node.op, (ast.Add, ast.Sub)):
        yield _with(node, value=_negated(node.value))
    yield ast.Pass()


def _statement(node: ast.Expr) -> Changes:
    yield ast.Pass()


def _comprehension(node: Any) -> Changes:
    if _negated(node.elt):
        yield _with(node, elt=_negated(node.elt))


_RULES: dict[type[ast.AST], Callable[[Any], Changes]] = {
    ast.BinOp: _arithmetic,
    ast.UnaryOp: _sign,
    ast.Constant: _constant,
    ast.Compare: _comparison,
    ast.BoolOp: _logic,
    ast.IfExp: _choice,
    ast.If: _branch,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Return: _return,
    ast.Assign: _assignment,
    ast.AugAssign: _update,
    ast.Expr: _statement,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
}
