"""``dataclass`` as the standard library has it, for a tenth of its time at import.

For each class ``dataclasses`` writes up to six functions as text and compiles them: half a
millisecond, and a diff that starts knows a hundred classes, most of which it makes nothing of. Here
``__init__`` alone is written, when somebody first asks for it; the others are common closures.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

Class = Any
"""A class whose attributes are set."""
Init = Callable[..., None]


class _Factory:
    """Stands as the default of what gets a new value each time."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


class LateInit:
    """An ``__init__`` that ``write`` makes of its class when it is first asked for."""

    def __init__(self, cls: Class, write: Callable[[Class], Init]) -> None:
        self._cls = cls
        self._write = write

    def __get__(self, instance: object, owner: Class | None = None) -> Init:
        written = self._write(self._cls)
        self._cls.__init__ = written
        bound: Init = written.__get__(instance, owner)
        return bound


def _dataclass(
    cls: Class | None = None,
    /,
    *,
    frozen: bool = False,
    eq: bool = True,
    slots: bool = False,
    weakref_slot: bool = False,
) -> Any:
    """Make ``cls`` a dataclass; the other arguments are as ``dataclasses`` has them.

    ``fields``, ``replace``, ``asdict`` and ``field`` of ``dataclasses`` work with it; ``InitVar``
    is not known. Raises what ``dataclasses`` raises for fields that can't be; but a field without a
    default behind one that has one is a ``SyntaxError`` when ``__init__`` is first asked for.
    """
    if cls is None:
        return lambda given: _dataclass(
            given, frozen=frozen, eq=eq, slots=slots, weakref_slot=weakref_slot
        )
    own = set(vars(cls))
    made: Class = cls
    # Asked for no function, dataclasses looks at the fields, and is done in twenty microseconds.
    # A class without words would get its signature in their place, which is slow.
    if not made.__doc__:
        made.__doc__ = made.__name__
    # What inherits is asked for as it is: a frozen class and one that is not do not go together.
    inherits = any("__dataclass_fields__" in vars(base) for base in cls.__mro__[1:])
    made = dataclasses.dataclass(
        init=False,
        repr=False,
        eq=False,
        slots=slots,
        weakref_slot=weakref_slot,
        frozen=frozen and inherits,
    )(made)
    made.__dataclass_params__.frozen = frozen
    if "__init__" not in own:
        made.__init__ = LateInit(made, _write_frozen_init if frozen else _write_init)
    if "__repr__" not in own:
        made.__repr__ = _repr_of(made)
    if eq:
        _compare_by_values(made, own, hashable=frozen)
    if frozen:
        _freeze(made)
        if slots:
            made.__getstate__, made.__setstate__ = _get_state, _set_state
    return made


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


def write_function(cls: Class, name: str, given: list[str], lines: list[str], **names: Any) -> Any:
    """A method of ``cls``, of its ``name``, its parameters after ``self`` as text and the lines of
    its body; ``names`` are what they mean beside what the class's module has. As in ``dataclasses``
    the text is made of the fields' names alone."""
    text = (
        f"def make({', '.join(names)}):\n"
        f" def {name}({', '.join(['self', *given])}):\n  "
        + "\n  ".join(lines or ["pass"])
        + f"\n return {name}"
    )
    found: dict[str, Any] = {}
    exec(text, vars(sys.modules[cls.__module__]), found)
    made = found["make"](**names)
    made.__qualname__ = f"{cls.__qualname__}.{name}"
    return made


def _write_init(cls: Class, set_field: str = "self.{0} = {1}") -> Init:
    given: dict[bool, list[str]] = {False: [], True: []}
    lines = []
    names: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": _FACTORY}
    for one in dataclasses.fields(cls):
        name = value = one.name
        makes_default = one.default_factory is not dataclasses.MISSING
        if makes_default:
            names[f"_make_{name}"] = one.default_factory
            value = f"_make_{name}()"
        if not one.init:
            if makes_default:
                lines.append(set_field.format(name, value))
            continue
        parameter = name
        if makes_default:
            parameter += "=_FACTORY"
            value = f"{value} if {name} is _FACTORY else {name}"
        elif one.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = one.default
            parameter += f"=_default_{name}"
        given[one.kw_only is True].append(parameter)
        lines.append(set_field.format(name, value))
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    keywords = ["*", *given[True]] if given[True] else []
    made: Init = write_function(cls, "__init__", [*given[False], *keywords], lines, **names)
    made.__annotations__ = {one.name: one.type for one in dataclasses.fields(cls) if one.init}
    made.__annotations__["return"] = None
    return made


def _write_frozen_init(cls: Class) -> Init:
    return _write_init(cls, "_set(self, '{0}', {1})")


def _repr_of(cls: Class) -> Callable[[Any], str]:
    shown = [one.name for one in dataclasses.fields(cls) if one.repr]

    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    return __repr__


def _compare_by_values(cls: Class, own: set[str], hashable: bool) -> None:
    names = [one.name for one in dataclasses.fields(cls) if one.compare]
    # Of one name it would be the bare value, and of none nothing.
    of: Callable[[Any], Any] = attrgetter(*names) if names else lambda self: ()

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        return of(self) == of(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(of(self))

    if "__eq__" not in own:
        cls.__eq__ = __eq__
    # A class that has an __eq__ of its own and no __hash__ has None of it from Python.
    if "__hash__" not in own or ("__eq__" in own and cls.__hash__ is None):
        cls.__hash__ = __hash__ if hashable else None


def _freeze(cls: Class) -> None:
    names = {one.name for one in dataclasses.fields(cls)}

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    cls.__setattr__, cls.__delattr__ = __setattr__, __delattr__


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
