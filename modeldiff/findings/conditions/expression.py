"""A small language of conditions: ``median_pct > 5 and not component like '*norm*'``.

::

    condition   = all { "or" all }
    all         = single { "and" single }
    single      = "not" single | comparison
    comparison  = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum | ["not"] "like" TEXT ]
    sum         = product { ("+" | "-") product }
    product     = atom { ("*" | "/") atom }
    atom        = NUMBER | TEXT | NAME | "-" atom | "(" condition ")"

Nothing is executed but this. What is not known (None: nothing was measured) makes whatever depends
on it unknown, as in SQL: a condition is true, false, or not decided. What is known to be absent (a
layer's number outside the layers) is NaN, and equals, exceeds and undercuts nothing.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal, NoReturn

from modeldiff.errors import InvalidOption
from modeldiff.findings.conditions.patterns import matcher
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import did_you_mean, quoted

ColumnValue = float | str | None
ColumnValues = Mapping[str, ColumnValue]
ColumnKind = Literal["number", "text"]
_PartKind = Literal["number", "text", "truth"]

_LONGEST = 2_000
_DEEPEST = 40
_MOST_TOKENS = 300
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][\w.]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<sign><=|>=|==|!=|[<>()+*/-])|(?P<end>$))",
    re.ASCII,
)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_WORDS = ("and", "or", "not", "like", "inf")


@dataclass(frozen=True)
class Condition:
    """A condition as it was written (``text``), and the ``names`` that it asks for."""

    text: str
    names: frozenset[str]
    _decide: Callable[[ColumnValues], Any] = field(repr=False, compare=False)

    def decide(self, values: ColumnValues) -> bool | None:
        """Whether it holds for these ``values`` by name; None where what is known does not say."""
        truth: bool | None = self._decide(values)
        return truth


def parse_condition(text: str, columns: Mapping[str, ColumnKind]) -> Condition:
    """Understand a condition. ``columns`` are the names that it may ask for.

    Raises ``InvalidOption``, which says what was not understood and where.
    """
    return _Parser(text, columns).condition()


@dataclass(frozen=True)
class _Part:
    kind: _PartKind
    value: Callable[[ColumnValues], Any]


class _Parser:
    """One text, from left to right."""

    def __init__(self, text: str, columns: Mapping[str, ColumnKind]) -> None:
        self._text, self._columns = text, columns
        self._names: set[str] = set()
        self._depth = self._count = 0
        if len(text) > _LONGEST:
            raise InvalidOption(
                f"A condition has at most {_LONGEST:,} characters, not {len(text):,}.",
                hint="Use several conditions.",
            )
        self._at = self._next_at = 0
        self._type = self._token = ""
        self._advance()

    def condition(self) -> Condition:
        """The whole text as a condition."""
        whole = self._either()
        if self._type != "end":
            self._refuse(f"{quoted(self._token)} was not expected")
        if whole.kind != "truth":
            self._refuse(f"a {whole.kind} alone is no condition: compare it, as in median_pct > 5")
        if not self._names:
            self._refuse("it uses no measured column")
        return Condition(self._text.strip(), frozenset(self._names), whole.value)

    def _either(self) -> _Part:
        return self._chain("or", self._all, _or)

    def _all(self) -> _Part:
        return self._chain("and", self._single, _and)

    def _chain(
        self, word: str, inner: Callable[[], _Part], join: Callable[[Any, Any], bool | None]
    ) -> _Part:
        left = inner()
        while self._token == word:
            self._advance()
            right = inner()
            self._require("truth", left, right)
            left = _joined("truth", left, right, join)
        return left

    def _single(self) -> _Part:
        if self._token != "not":
            return self._comparison()
        self._deeper()
        inner = self._single()
        self._depth -= 1
        self._require("truth", inner)
        return _Part("truth", lambda values: _not(inner.value(values)))

    def _comparison(self) -> _Part:
        left = self._sum()
        sign = self._token
        if self._type == "sign" and sign in _COMPARISONS:
            self._advance()
            right = self._sum()
            if "truth" in (left.kind, right.kind) or left.kind != right.kind:
                self._refuse(f"a {left.kind} cannot be compared with a {right.kind}")
            if left.kind == "text" and sign not in ("==", "!="):
                self._refuse(f"texts are compared with ==, != and like, not with {sign}")
            return _joined("truth", left, right, _known(_COMPARISONS[sign]))
        negated = sign == "not"
        if negated:
            self._advance()
        if self._token != "like":
            if negated:
                self._refuse("like is missing behind not")
            return left
        self._advance()
        self._require("text", left)
        if self._type != "text":
            self._refuse("a pattern in quotes is missing behind like")
        match = matcher(self._token[1:-1])
        self._advance()
        return _Part("truth", lambda values: _like(left.value(values), match, negated))

    def _sum(self) -> _Part:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> _Part:
        return self._arithmetic(("*", "/"), self._atom)

    def _arithmetic(self, signs: tuple[str, ...], inner: Callable[[], _Part]) -> _Part:
        left = inner()
        while self._type == "sign" and self._token in signs:
            sign = self._token
            self._advance()
            right = inner()
            self._require("number", left, right)
            left = _joined("number", left, right, _calculation(_ARITHMETIC[sign]))
        return left

    def _atom(self) -> _Part:
        kind, token = self._type, self._token
        if kind == "sign" and token in ("-", "("):
            self._deeper()
            inner = self._atom() if token == "-" else self._either()
            self._depth -= 1
            if token == "(":
                if self._token != ")":
                    self._refuse("a closing parenthesis is missing")
                self._advance()
                return inner
            self._require("number", inner)
            return _joined("number", _constant(0.0), inner, _calculation(operator.sub))
        if kind == "number" or token == "inf":
            self._advance()
            return _constant(float(token))
        if kind == "text":
            self._advance()
            return _constant(token[1:-1])
        if kind != "name" or token in _WORDS:
            what = "it ends too early" if kind == "end" else f"{quoted(token)} was not expected"
            self._refuse(what)
        if token not in self._columns:
            self._refuse(
                f"there is no column {quoted(token)}",
                did_you_mean(token, self._columns)
                or f"The columns are {', '.join(self._columns)}.",
            )
        self._advance()
        self._names.add(token)
        return _Part(self._columns[token], lambda values: values[token])

    def _deeper(self) -> None:
        """Go into what the token opens."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(f"it is nested more than {_DEEPEST} deep")
        self._advance()

    def _require(self, kind: _PartKind, *parts: _Part) -> None:
        for part in parts:
            if part.kind != kind:
                wanted = "condition" if kind == "truth" else kind
                stands = "condition" if part.kind == "truth" else part.kind
                self._refuse(f"a {stands} stands where a {wanted} should")

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._next_at)
        if match is None:
            rest = self._text[self._next_at :].lstrip()
            self._at = len(self._text) - len(rest)
            self._refuse(f"{quoted(rest[:1])} was not understood")
        self._type = match.lastgroup or "end"
        self._token = match.group(self._type)
        self._at, self._next_at = match.start(self._type), match.end()
        self._count += 1
        if self._count > _MOST_TOKENS:
            self._refuse(f"it has more than {_MOST_TOKENS} words, numbers and signs")

    def _refuse(self, why: str, hint: str = "") -> NoReturn:
        raise InvalidOption(
            f"The condition {quoted(self._text, 200)} was not understood: {why} "
            f"(at character {self._at + 1}).",
            hint=hint or "A condition is written like: median_pct > 5 and component like '*proj'.",
        )


def _constant(value: float | str) -> _Part:
    kind: ColumnKind = "text" if isinstance(value, str) else "number"
    return _Part(kind, lambda values: value)


def _joined(kind: _PartKind, left: _Part, right: _Part, join: Callable[[Any, Any], Any]) -> _Part:
    return _Part(kind, lambda values: join(left.value(values), right.value(values)))


def _known(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    return lambda left, right: None if left is None or right is None else compare(left, right)


def _calculation(apply: Callable[[float, float], float]) -> Callable[[Any, Any], float | None]:
    """Arithmetic whose result is not known where an operand is not, or where it has none."""

    def calculate(left: float | None, right: float | None) -> float | None:
        if left is None or right is None:
            return None
        try:
            result = apply(left, right)
        except (ZeroDivisionError, OverflowError):
            return None
        absent = math.isnan(left) or math.isnan(right)
        return result if absent or not math.isnan(result) else None

    return calculate


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    return _not(_and(_not(left), _not(right)))


def _not(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _like(text: str | None, match: Callable[[str], object], negated: bool) -> bool | None:
    return None if text is None else bool(match(text)) is not negated
