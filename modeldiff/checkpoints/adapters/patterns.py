"""PEFT's patterns: regular expressions that end a module's name, matched in bounded time.

They come from a file, and Python's own engine can be made to run for ever. What people write is
literal names, with dots that may be escaped, and now and then ``.*``, ``\\d+``, a set or
alternatives; so much is understood here, all of it in time that grows with the length of name and
pattern alone (as in Thompson, "Regular expression search algorithm", 1968).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from modeldiff.checkpoints.formats.adapters import MERGE_IT
from modeldiff.errors import UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

_LITERAL = re.compile(r"(?:[\w/-]|\\?\.)+", re.ASCII)
_LONGEST, _LONGEST_NAME = 200, 4000
_MOST_ALTERNATIVES = 64
_MOST_STEPS = 5_000_000
"""Patterns times names that are looked at."""
_ATOM = re.compile(
    r"(?P<any>\.)|\\(?P<class>[dw])|\\(?P<escaped>[.\-_/])|\[(?P<set>[\w-]+)\]|(?P<plain>[\w/-])",
    re.ASCII,
)

_Fits = Callable[[str], bool]


@dataclass(frozen=True)
class _Token:
    """A character that ``fits``: once, or as often as ``least`` and ``many`` say."""

    fits: _Fits
    least: int = 1
    many: bool = False


@dataclass(frozen=True)
class _Way:
    """The alternatives that a pattern stands for; ``whole``: it begins where the name does."""

    ways: tuple[tuple[_Token, ...], ...]
    whole: bool

    def fits(self, name: str) -> bool:
        """Whether one of them ends the name."""
        return any(_ends(tokens, name, self.whole) for tokens in self.ways)


class Patterns:
    """A pattern's value for a module, from a config's table of ``values`` by pattern; ``where``
    names the config in messages.

    Raises ``UnsupportedFormat`` for a pattern that is not understood.
    """

    def __init__(self, values: Mapping[str, float], where: str) -> None:
        self._where = where
        self._steps = 0
        self._literal: list[tuple[int, str, float]] = []
        self._others: list[tuple[int, _Way, float]] = []
        for order, (pattern, value) in enumerate(values.items()):
            if len(pattern) <= _LONGEST_NAME and _LITERAL.fullmatch(pattern):
                self._literal.append((order, pattern.replace("\\", ""), value))
            else:
                self._others.append((order, self._understood(pattern), value))

    def value(self, module: str) -> float | None:
        """That of the first pattern that ends the module's name at a dot; None where none does."""
        self._steps += len(self._literal) + len(module) * sum(
            len(tokens) for _, pattern, _ in self._others for tokens in pattern.ways
        )
        if self._steps > _MOST_STEPS:
            raise UnsupportedFormat(
                f"{self._where} has more patterns than can be matched with its modules.",
                hint="Check that the file is what it should be.",
            )
        fitting = [
            (order, value)
            for order, name, value in self._literal
            if module == name or module.endswith(f".{name}")
        ]
        fitting += [
            (order, value) for order, pattern, value in self._others if pattern.fits(module)
        ]
        return min(fitting)[1] if fitting else None

    def _understood(self, pattern: str) -> _Way:
        whole = pattern.startswith("^")
        bare = pattern.removeprefix("^").removesuffix("$")
        ways = _alternatives(bare) if len(pattern) <= _LONGEST else None
        if whole and ways and any("|" in way for way in ways):
            ways = None  # the ^ would be the first one's alone
        ways = [each for way in ways or [] for each in way.split("|")]
        tokens = [_tokens(way) for way in ways]
        if not tokens or None in tokens:
            raise UnsupportedFormat(
                f"{self._where} has the pattern {quoted(pattern)}, which is not understood: names "
                r"with ., .*, \d+, [0-9] and (a|b) are.",
                hint=MERGE_IT,
            )
        return _Way(tuple(tuple(each) for each in tokens if each is not None), whole)


def _alternatives(pattern: str) -> list[str] | None:
    """The patterns without groups that it stands for, which may be alternatives themselves; None
    where there are too many, or groups in groups."""
    ways = [""]
    at = 0
    while at < len(pattern):
        if pattern[at] == "(":
            end = pattern.find(")", at)
            if end < 0 or pattern[end + 1 : end + 2] in {"*", "+", "?", "{"}:
                return None
            inner = pattern[at + 1 : end].removeprefix("?:").split("|")
            ways = [way + each for way in ways for each in inner]
            if len(ways) > _MOST_ALTERNATIVES:
                return None
            at = end + 1
            continue
        size = 2 if pattern[at] == "\\" else 1
        ways = [way + pattern[at : at + size] for way in ways]
        at += size
    return ways


def _tokens(pattern: str) -> list[_Token] | None:
    """What a pattern without groups asks of each character; None where it is not understood."""
    tokens = []
    at = 0
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        if atom is None:
            return None
        at = atom.end()
        many = pattern[at : at + 1]
        at += many in ("*", "+", "?") and len(many)
        try:
            fits = _fits(atom)
        except re.error:  # a range that runs backwards
            return None
        tokens.append(_Token(fits, 0 if many in ("*", "?") and many else 1, many in ("*", "+")))
    return tokens


def _fits(atom: re.Match[str]) -> _Fits:
    if atom["any"]:
        return lambda character: character != "\n"
    if atom["class"] or atom["set"]:
        members = re.compile(f"\\{atom['class']}" if atom["class"] else f"[{atom['set']}]")
        return lambda character: members.fullmatch(character) is not None
    own = atom["escaped"] or atom["plain"]
    return lambda character: character == own


def _ends(tokens: tuple[_Token, ...], name: str, whole: bool) -> bool:
    """Whether the tokens are all of the name or, unless ``whole``, of its end behind a dot."""
    states: set[int] = set()
    for at, character in enumerate(name):
        if at == 0 or (name[at - 1] == "." and not whole):
            states |= _skipped(tokens, 0)
        reached: set[int] = set()
        for state in states:
            if state < len(tokens) and tokens[state].fits(character):
                reached |= _skipped(tokens, state + 1)
                if tokens[state].many:
                    reached |= _skipped(tokens, state)
        states = reached
    return len(tokens) in states


def _skipped(tokens: tuple[_Token, ...], state: int) -> set[int]:
    """The state, and those behind tokens that need no character."""
    states = {state}
    while state < len(tokens) and tokens[state].least == 0:
        state += 1
        states.add(state)
    return states
