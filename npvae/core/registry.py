"""The registry: classes that are found by family and name, built from text, and rebuilt.

What stands for an object wherever one is taken:

* the object itself: ``StudentT(df=3)``
* its name: ``"student_t"``
* its name and arguments: ``"student_t:df=3,scale=decoder"``
* the same as a dict: ``{"name": "student_t", "df": 3}``; an object's `config` is one

In text a value is a number, ``true``, ``false``, ``none``, a list as ``[3,2]``, and else text. A
value that has arguments of its own stands in parentheses:
``"elbo:beta=(linear:start=0,stop=1,epochs=20)"``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from .aliases import value_meant
from .errors import ConfigError, nearest
from .public import constructor

REQUIRED = inspect.Parameter.empty
"""What `arguments_of` gives for an argument without a default."""

_DEEPEST = 10
"""How deep brackets may be nested in text, which is read once for each level."""

_NONE = object()

_parameters: WeakKeyDictionary[type, Mapping[str, inspect.Parameter]] = WeakKeyDictionary()
_registry: dict[str, dict[str, type[Registered]]] = {}


class Registered:
    """Base of all that is registered: parts, objectives and schedules.

    A concrete subclass registers itself under its `family` and `name`, which is its class's name
    in lower case unless it says another. Bases say ``abstract=True``. The arguments of a
    constructor are kept as attributes of the same names, so that `config` can read them back.
    """

    family: ClassVar[str] = ""
    name: ClassVar[str] = ""
    not_in_config: tuple[str, ...] = ()
    """Arguments of the constructor that `config` leaves out."""
    not_in_text: tuple[str, ...] = ()
    """Arguments that no text can give: arrays, and what `fit` finds."""
    later: ClassVar[Mapping[str, Any]] = {}
    """Arguments that older files do not know, each with its default, at which `config` leaves it
    out."""

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = constructor(cls.__init__)  # type: ignore[method-assign]
        if abstract:
            return
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        known = _registry.setdefault(cls.family, {})
        other = known.get(cls.name)
        if other is not None and _origin(other) != _origin(cls):
            raise TypeError(
                f"{cls.family or 'part'} names are unique; {cls.name!r} is taken by "
                f"{other.__module__}.{other.__qualname__}. Give {cls.__name__} another `name`."
            )
        known[cls.name] = cls

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments by name, in plain values as JSON can hold them."""
        names = [a for a in parameters(type(self)) if a not in self.not_in_config]
        found = {a: plain(getattr(self, a)) for a in names}
        return {a: v for a, v in found.items() if a not in self.later or v != self.later[a]}

    @property
    def config(self) -> Any:
        """What `resolve` rebuilds this object from: its name, with its arguments if it has any.

        Objects among the arguments, in lists and dicts too, are there with their own config.
        """
        arguments = self.arguments  # asked for once, since each asks its own objects for theirs
        return {"name": self.name, **arguments} if arguments else self.name

    def __repr__(self) -> str:
        arguments = ", ".join(f"{a}={getattr(self, a)!r}" for a in parameters(type(self)))
        return f"{type(self).__name__}({arguments})"


def parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    """Those of a class's constructor, which take long to find."""
    if cls not in _parameters:
        _parameters[cls] = inspect.signature(cls).parameters
    return _parameters[cls]


def _origin(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def plain(value: Any) -> Any:
    """A value as JSON can hold it: objects by their config, arrays and tuples as lists.

    A function, such as a schedule of a user's own, is given by its name in angle brackets: that
    can be read and compared, but nothing is rebuilt from it.
    """
    config = getattr(value, "config", _NONE)
    if config is not _NONE:
        return config
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return f"<{getattr(value, '__qualname__', type(value).__name__)}>" if callable(value) else value


def registered(family: str | None = None) -> dict[str, type[Any]]:
    """All that is registered, by ``family.name``, or one family's by name.

    Parameters
    ----------
    family : str, optional
        Such as "likelihood"; by default all of them.

    Returns
    -------
    dict
        Of classes, by name.
    """
    if family is not None:
        return dict(_registry.get(family, {}))
    return {f"{f}.{n}": cls for f, known in sorted(_registry.items()) for n, cls in known.items()}


def arguments_of(family: str, name: str) -> dict[str, Any]:
    """The arguments that a registered class takes, each with its default or `REQUIRED`."""
    taken = parameters(_named(family, name))
    return {argument: parameter.default for argument, parameter in taken.items()}


def _shown(choice: Any) -> str:
    """What came where a name or an object is due; of a class, how to make an object of it."""
    if isinstance(choice, type):
        return f"the class {choice.__name__}, of which {choice.__name__}(...) makes an object"
    return f"{choice!r:.200}"


def resolve(family: str, choice: Any) -> Any:
    """The object of that family that `choice` stands for: see the module for what it may be.

    Raises
    ------
    ConfigError
        If the name or an argument is unknown (the nearest known ones are given), or if `choice` is
        something else.
    """
    if isinstance(choice, Registered) and choice.family == family:
        return choice
    given = parsed(choice) if isinstance(choice, str) else choice
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ConfigError(
            f"{family} takes a name or an object of that family; got {_shown(choice)}"
            f"{nearest('', registered(family))}"
        )
    arguments = {key: value for key, value in given.items() if key != "name"}
    name = given["name"]
    cls = _named(family, name)
    takes = arguments_of(family, name)
    wrong = [a for a in arguments if a not in takes]
    missing = [a for a, default in takes.items() if default is REQUIRED and a not in arguments]
    if wrong or missing:
        came = f"got {wrong[0]!r}" if wrong else f"{missing[0]!r} is missing"
        hint = _parentheses(arguments, wrong) if isinstance(choice, str) else ""
        told = {a: default for a, default in takes.items() if a not in cls.not_in_text}
        raise ConfigError(f"{family} {name!r} takes {listed(told)}; {came}.{hint}")
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(
            f"{family} {name!r} can't be built from {arguments!r:.200}: {error}."
        ) from error


def _parentheses(arguments: dict[str, Any], wrong: list[str]) -> str:
    """A hint where a value that has arguments of its own lacks its parentheses."""
    nested = [a for a, value in arguments.items() if isinstance(value, str) and ":" in value]
    if not nested or not wrong:
        return ""
    own = ",".join([arguments[nested[0]], *(f"{a}={_nested(arguments[a])}" for a in wrong)])
    return f" Put parentheses around what belongs together: {nested[0]}=({own})."


def _named(family: str, name: str) -> type[Any]:
    known = registered(family)
    if name not in known:
        known_names = nearest(value_meant(name, known), known)
        raise ConfigError(
            f"{family} must be a registered name; got {name!r:.200}{known_names} "
            "(A part of your own is known once the module that defines it is imported.)"
        )
    return known[name]


def listed(takes: dict[str, Any]) -> str:
    """Arguments as a sentence lists them: those with a default as they are written in text."""
    texts = [a if default is REQUIRED else f"{a}={text(default)}" for a, default in takes.items()]
    return ", ".join(texts) or "no arguments"


def parsed(choice: str) -> dict[str, Any]:
    """``"student_t:df=3"`` as ``{"name": "student_t", "df": 3}``: see the module."""
    name, _, rest = choice.partition(":")
    arguments = {}
    for item in _split(rest, choice):
        argument, equals, value = map(str.strip, item.partition("="))
        if not equals or argument in arguments:
            rule = "once each" if equals else "as name:argument=value,argument=value"
            raise ConfigError(f"arguments are given {rule}; got {item!r:.200} in {choice!r:.200}.")
        if argument == "name":
            raise ConfigError(f"the name stands before the colon; got {item!r:.200} behind it too.")
        arguments[argument] = _value(value, choice)
    return {"name": name.strip(), **arguments}


def text(config: Any) -> str:
    """A config in one line, as `resolve` takes it: the way back from `parsed`."""
    if isinstance(config, dict) and "name" in config:
        items = [f"{key}={_nested(v)}" for key, v in config.items() if key != "name"]
        return config["name"] + (":" + ",".join(items) if items else "")
    if isinstance(config, (list, tuple)):
        return f"[{','.join(map(_nested, config))}]"
    constants = {None: "none", True: "true", False: "false"}
    return constants[config] if config is None or isinstance(config, bool) else str(config)


def _nested(value: Any) -> str:
    """A value among others: in parentheses where it has arguments of its own."""
    compound = isinstance(value, dict) or (isinstance(value, str) and ":" in value)
    return f"({text(value)})" if compound else text(value)


def _value(given: str, choice: str) -> Any:
    if given[:1] == "(" and given[-1:] == ")":
        return given[1:-1]  # who takes it resolves it
    if given[:1] == "[" and given[-1:] == "]":
        return [_value(item.strip(), choice) for item in _split(given[1:-1], choice)]
    constants = {"none": None, "true": True, "false": False}
    if given.lower() in constants:
        return constants[given.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(given)
    return given


def _split(given: str, choice: str) -> list[str]:
    """The items between the commas that stand in no bracket."""
    items, start, depth = [], 0, 0
    for i, letter in enumerate(given + ","):
        depth += (letter in "([") - (letter in ")]")
        if not 0 <= depth <= _DEEPEST:
            break
        if letter == "," and depth == 0:
            items.append(given[start:i])
            start = i + 1
    if depth:
        rule = "come in pairs" if depth <= _DEEPEST else f"are nested up to {_DEEPEST} deep"
        raise ConfigError(f"brackets {rule}; got {choice!r:.200}.")
    return items if given.strip() else []
