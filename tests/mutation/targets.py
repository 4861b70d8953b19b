"""What is mutated: found in the package, so that whatever is added there is mutated too."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import npvae
from npvae.core import Objective, Part
from npvae.kernels import seam
from npvae.optim import Adam

WHOLE = ("npvae.kernels.", "npvae.core.numerics")
"""Modules of which every function is mathematics."""

METHODS = {
    Part: (
        "forward",
        "backward",
        "draw",
        "draw_backward",
        "every",
        "every_backward",
        "expected",
        "expected_backward",
        "nearest",
        "_through",
        "_back",
        "_weight_gradient",
        "_normalised",
        "_backward",
    ),
    Objective: ("__call__", "_kl"),
    Adam: ("step", "factors", "accepts"),
}
"""The methods that are, of the subclasses of a class."""

IGNORED = (
    "npvae.__main__", "npvae.kernels.seam", "npvae.kernels.choice", "npvae.executor",
    "npvae.cli", "npvae.plots", "npvae.datasets", "npvae.sklearn", "npvae.pyod",
)  # fmt: skip
"""Modules that are not imported in the search: the rest is searched for parts."""

REACHED = "__mutation_test_reached__"


@dataclass(frozen=True)
class Target(ABC):
    """A function, or a constant that one reads, with its source."""

    module: ModuleType
    qualname: str
    tree: Any

    @property
    def name(self) -> str:
        return f"{self.module.__name__.removeprefix('npvae.')}.{self.qualname}"

    @property
    def file(self) -> str:
        path = Path(str(self.module.__file__)).relative_to(Path(npvae.__file__).parents[1])
        return path.as_posix()

    @abstractmethod
    def install(self, tree: Any) -> None:
        """Put changed source in the place of the target's own, in this process."""

    @abstractmethod
    def watch(self) -> None:
        """Install the target's own source, with a note of its use."""


class Function(Target):
    @property
    def function(self) -> FunctionType:
        """The one in use, without what it may be wrapped in."""
        owner: Any = self.module
        for name in self.qualname.split("."):
            owner = inspect.getattr_static(owner, name)
        return inspect.unwrap(getattr(owner, "__func__", owner))

    def install(self, tree: ast.FunctionDef) -> None:
        """Make the function run this source: everybody who holds it runs the new code."""
        new: Any = self._compiled(tree)
        old: Any = self.function
        old.__code__ = new.__code__
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__

    def watch(self) -> None:
        """Install the function's own source, with a note that it was called."""
        tree = ast.parse(ast.unparse(self.tree)).body[0]
        assert isinstance(tree, ast.FunctionDef)
        tree.body[:0] = ast.parse(f"{REACHED}({self.name!r})").body
        self.install(tree)

    def reads(self, constant: Target) -> bool:
        """Whether the function uses this constant, of its own module or imported there."""
        name = constant.qualname
        own, other = vars(self.module), vars(constant.module)
        return name in _names(self.function.__code__) and own.get(name) is other[name]

    def _compiled(self, tree: ast.FunctionDef) -> FunctionType:
        *owners, name = self.qualname.split(".")
        body: list[ast.stmt] = [tree]
        for owner in reversed(owners):  # so that `super()` compiles as it does in a class
            body = [ast.ClassDef(owner, [], [], body, [], type_params=[])]  # type: ignore[call-arg]
        future = ast.parse("from __future__ import annotations").body
        module = ast.fix_missing_locations(ast.Module([*future, *body], []))
        scope: Any = dict(vars(self.module))
        exec(compile(module, str(self.module.__file__), "exec"), scope)
        found = scope[owners[0]] if owners else scope[name]
        for part in [*owners[1:], name] if owners else []:
            found = inspect.getattr_static(found, part)
        return inspect.unwrap(getattr(found, "__func__", found))


class Constant(Target):
    def watch(self) -> None:
        """Install the constant's own source; who uses it is known from the functions."""
        self.install(self.tree)

    def install(self, tree: ast.Assign) -> None:
        """Give the constant a new value, in its module and wherever that was imported."""
        old = getattr(self.module, self.qualname)
        expression = ast.fix_missing_locations(ast.Expression(tree.value))
        new = eval(compile(expression, self.name, "eval"), dict(vars(self.module)))
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("npvae"):
                for name, value in list(vars(module).items()):
                    if name == self.qualname and value is old:
                        setattr(module, name, new)


def discover() -> list[Target]:
    """All targets, in the order of the package's files and lines."""
    return [target for module in _modules() for target in _in_module(module)]


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(npvae.__path__, "npvae."):
        if not info.name.startswith(IGNORED):
            yield importlib.import_module(info.name)


def _in_module(module: ModuleType) -> list[Target]:
    tree = ast.parse(inspect.getsource(module))
    nodes = dict(_functions(tree))
    chosen = _with_helpers(nodes, {name for name in nodes if _is_mathematics(module, name)})
    functions = [Function(module, name, nodes[name]) for name in chosen]
    constants = [
        Constant(module, node.targets[0].id, node)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and any(isinstance(n, ast.Constant) for n in ast.walk(node.value))
    ]
    read = [c for c in constants if any(function.reads(c) for function in functions)]
    return sorted([*read, *functions], key=lambda target: target.tree.lineno)


def _with_helpers(nodes: dict[str, ast.FunctionDef], chosen: set[str]) -> set[str]:
    """The functions chosen, and those of their module that they call."""
    names = {n.id for name in chosen for n in ast.walk(nodes[name]) if isinstance(n, ast.Name)}
    called = names & set(nodes)
    return chosen if called <= chosen else _with_helpers(nodes, chosen | called)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", member


def _is_mathematics(module: ModuleType, qualname: str) -> bool:
    if module.__name__.startswith(WHOLE):
        return True
    wrapper = getattr(getattr(module, qualname, None), "__code__", None)
    if wrapper is not None and wrapper.co_filename == seam.__file__:  # a kernel
        return True
    owner, _, method = qualname.rpartition(".")
    cls = getattr(module, owner, None) if owner else None
    if not isinstance(cls, type) or cls in (Part, Objective):
        return False
    return any(issubclass(cls, base) and method in methods for base, methods in METHODS.items())


def _names(code: CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(_names, inner))
