"""Dataclasses that are written late are what the standard library makes of the same classes."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any, ClassVar

import pytest

from modeldiff.processes import late_dataclass

_dataclass: Any = late_dataclass.dataclass  # to mypy it is the standard one
Decorator = Callable[..., Any]


def plain(decorate: Decorator, **options: Any) -> Any:
    @decorate(**options)
    class Plain:
        """Has words."""

        kind: ClassVar[str] = "plain"
        name: str
        size: int = 3
        parts: list[int] = field(default_factory=list)
        hidden: int = field(default=5, repr=False)
        seen: int = field(default=0, compare=False)
        made: tuple[int, ...] = field(default_factory=tuple, init=False)
        late: int = field(default=7, kw_only=True)

        def double(self) -> int:
            return 2 * self.size

    return Plain


def heir(decorate: Decorator, **options: Any) -> Any:
    @decorate(**options)
    class Heir(plain(decorate, **options)):  # type: ignore[misc]
        size: int = 4
        more: str = "more"

        def __post_init__(self) -> None:
            object.__setattr__(self, "made", (self.size,))

        def __repr__(self) -> str:
            return "an heir"

        def __hash__(self) -> int:
            return 1

    return Heir


def lone(decorate: Decorator, **options: Any) -> Any:
    @decorate(**options)
    class Lone:
        only: float

    return Lone


def empty(decorate: Decorator, **options: Any) -> Any:
    return decorate(**options)(type("Empty", (), {"__module__": __name__}))


def alike(decorate: Decorator, **options: Any) -> Any:
    @decorate(**options)
    class Alike:
        one: int
        other: int = 0

        def __eq__(self, other: object) -> bool:
            return True

    return Alike


@_dataclass(frozen=True, slots=True)
class Slotted:
    one: int
    many: tuple[int, ...] = (1, 2)


CASES = [
    (body, arguments, options)
    for body, arguments in (
        (plain, ("a",)),
        (plain, ("a", 1, [2], 3, 4)),
        (heir, ("b", 9)),
        (lone, (0.5,)),
        (empty, ()),
        (alike, (1,)),
    )
    for options in ({}, {"frozen": True}, {"eq": False}, {"frozen": True, "eq": False})
]


def said(act: Callable[..., Any], *arguments: Any, **named: Any) -> object:
    """What comes out as text, or the error that does."""
    try:
        return str(act(*arguments, **named))
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


@pytest.mark.parametrize(("body", "arguments", "options"), CASES)
def test_they_do_what_the_standard_ones_do(
    body: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    ours, theirs = body(_dataclass, **options), body(dataclasses.dataclass, **options)
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert [one.name for one in fields(ours)] == [one.name for one in fields(theirs)]
    assert answers(ours, arguments) == answers(theirs, arguments)


def answers(cls: Any, arguments: tuple[Any, ...]) -> list[object]:
    """All that one can ask of a class and of what it makes."""
    value, twin = cls(*arguments), cls(*arguments)
    first = next(iter(vars(value)), "none")
    own_repr = cls.__repr__ is not object.__repr__
    return [
        repr(value) if own_repr else None,
        asdict(value),
        (value == twin, value == object(), copy(value) == value),
        (deepcopy(value) == value, replace(value) == value),
        cls.__hash__ is None,
        said(lambda: hash(value) == hash(twin)),
        said(setattr, value, first, 9),
        said(setattr, value, "unknown", 9),
        said(delattr, value, first),
        said(delattr, value, "unheard"),
        dict(vars(value)),
        said(lambda: vars(cls())),
        said(cls, *arguments, unheard=1),
        cls.__match_args__,
    ]


def test_default_of_a_field_can_be_a_new_list_each_time() -> None:
    made = plain(_dataclass)
    assert made("a").parts is not made("b").parts
    given: list[int] = []
    assert made("a", parts=given).parts is given


def test_slots() -> None:
    value: Any = Slotted(3)  # type: ignore[call-arg]
    assert not hasattr(value, "__dict__")
    for again in (pickle.loads(pickle.dumps(value)), deepcopy(value), replace(value)):
        assert (again, hash(again), repr(again)) == (value, hash(value), repr(value))
    with pytest.raises(FrozenInstanceError):
        setattr(value, "one", 4)  # noqa: B010


@pytest.mark.parametrize("decorators", [(_dataclass, dataclasses.dataclass), (_dataclass,) * 2])
def test_frozen_classes_inherit_from_frozen_ones_alone(decorators: tuple[Decorator, ...]) -> None:
    for ours, theirs in (decorators, decorators[::-1]):
        for frozen in (False, True):
            base = lone(ours, frozen=frozen)
            heir = theirs(frozen=frozen)(type("Heir", (base,), {"__module__": __name__}))
            assert heir(1.0) == heir(1.0)
            assert said(setattr, heir(1.0), "only", 2.0) == said(setattr, base(1.0), "only", 2.0)
            with pytest.raises(TypeError, match="frozen"):
                theirs(frozen=not frozen)(type("Heir", (base,), {}))


def test_what_contains_itself_has_a_short_text() -> None:
    value = plain(_dataclass)("a")
    value.parts.append(value)
    assert "parts=[...]" in repr(value)


def test_what_the_fields_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="mutable default"):
        _dataclass(type("Wrong", (), {"__annotations__": {"a": "list"}, "a": []}))


def test_fields_in_an_order_that_cannot_be_are_refused_when_one_is_made() -> None:
    wrong = _dataclass(type("Wrong", (), {"__annotations__": {"a": "int", "b": "int"}, "a": 1}))
    with pytest.raises(SyntaxError):
        wrong(1, 2)
