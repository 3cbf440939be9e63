"""A pickle read as data. Nothing in it is imported, called or set: see ``records``.

The machine knows the opcodes of protocols 0 to 5 (the reference is CPython's ``pickletools``) and
builds plain containers. So it opens what ``torch.load`` refuses as unsafe, a training run's file
that holds an ``argparse.Namespace`` as well as a plain state dict, and nothing in it can act. Steps
are counted, as a few bytes of a pickle may make large things of small ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from modeldiff.checkpoints.formats.pytorch.records import TORCH_TYPES, Call, Global, Storage

MAX_PICKLE = 64 << 20
"""Bytes of the longest pickle that is read: 100,000 tensors take about 20 MB."""
MAX_STEPS = 6_000_000
"""Opcodes; a tensor takes about 40."""
MAX_OBJECTS = 800_000
"""Containers, texts and records that are made; a tensor takes about 8."""
_MAX_LINE = 1 << 20
_MAX_DIGITS = 4096
_MARK = object()


class NotReadable(Exception):
    """A pickle that torch would not write. The text goes behind "its pickle"."""


class TooShort(NotReadable):
    """The pickle goes on behind the bytes that were given."""

    def __init__(self) -> None:
        super().__init__("ends too early")


class Machine:
    """Runs one pickle that begins at byte ``at`` of ``data``; afterwards ``at`` is its end, and
    ``names`` are the paths of all that it would import."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self.at = data, at
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._objects = 0
        self.names: set[str] = set()

    def run(self) -> Any:
        """What the pickle describes. Raises ``NotReadable`` and ``TooShort``."""
        data, steps = self._data, MAX_STEPS
        try:
            for _ in range(steps):
                if self.at >= len(data):
                    raise TooShort
                opcode = data[self.at]
                self.at += 1
                if opcode == _STOP:
                    return self._stack.pop()
                _ACTIONS[opcode](self)
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise NotReadable(f"is none that torch writes ({type(error).__name__})") from error
        raise NotReadable(f"takes more than {steps:,} steps")

    # What is read.

    def take(self, count: int) -> bytes:
        begin, end = self.at, self.at + count
        if count < 0 or count > MAX_PICKLE:
            raise NotReadable("names a length that no checkpoint has")
        if end > len(self._data):
            raise TooShort
        self.at = end
        return self._data[begin:end]

    def number(self, form: str) -> Any:
        packed = struct.Struct(form)
        return packed.unpack(self.take(packed.size))[0]

    def line(self, most: int = _MAX_LINE) -> bytes:
        end = self._data.find(b"\n", self.at, self.at + most)
        if end < 0:
            if len(self._data) - self.at < most:
                raise TooShort
            raise NotReadable("holds too long a line")
        line = self._data[self.at : end]
        self.at = end + 1
        return line

    # What is done with it.

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def make(self, value: Any) -> None:
        """Push something that takes memory."""
        self._objects += 1
        if self._objects > MAX_OBJECTS:
            raise NotReadable(f"makes more than {MAX_OBJECTS:,} objects")
        self._stack.append(value)

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise NotReadable("is none that torch writes (a mark stands where a value should)")
        return value

    def top(self) -> Any:
        return self._stack[-1]

    def replace(self, count: int) -> None:
        """Make a tuple of the last ``count`` values."""
        values = tuple(self._stack[-count:])
        if len(values) < count or any(value is _MARK for value in values):
            raise NotReadable("is none that torch writes (too few values for a tuple)")
        del self._stack[-count:]
        self.make(values)

    def marked(self) -> list[Any]:
        """Pop what stands behind the last mark."""
        stack, at = self._stack, len(self._stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise NotReadable("is none that torch writes (a mark is missing)")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    def put(self, key: int) -> None:
        self._memo[key] = self._stack[-1]
        if len(self._memo) > MAX_OBJECTS:
            raise NotReadable(f"remembers more than {MAX_OBJECTS:,} objects")

    def memoize(self) -> None:
        self.put(len(self._memo))

    def get(self, key: int) -> None:
        self._stack.append(self._memo[key])

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Call):
            if target.items is None:
                target.items = []
            target = target.items
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        entries = self.top()
        if isinstance(entries, Call):
            if entries.entries is None:
                entries.entries = {}
            entries = entries.entries
        for key, value in zip(values[::2], values[1::2], strict=True):
            entries[_key(key)] = value

    def call(self) -> None:
        arguments, what = self.pop(), self.pop()
        self.make(_record(what, arguments))

    def call_with_keywords(self) -> None:
        keywords, arguments, what = self.pop(), self.pop(), self.pop()
        self.make(Call(what, arguments, keywords))

    def call_marked(self, what: Any = None) -> None:
        values = self.marked()
        if what is None:
            what, values = values[0], values[1:]
        self.make(_record(what, tuple(values)))

    def build(self) -> None:
        state = self.pop()
        if isinstance(target := self.top(), Call):
            target.state = state

    def name(self) -> Global:
        module = self.line(_MAX_DIGITS).decode("utf-8", "replace")
        return self.named(module, self.line(_MAX_DIGITS).decode("utf-8", "replace"))

    def stacked_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise NotReadable("names something by what is no text")
        self.make(self.named(module, name))

    def named(self, module: str, name: str) -> Global:
        known = Global(module, name)
        self.names.add(known.path)
        return known

    def integer_line(self) -> None:
        text = self.line(_MAX_DIGITS).strip()
        self.push({b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text))

    def refuse(self) -> None:
        opcode = self._data[self.at - 1]
        raise NotReadable(f"holds what torch never writes (opcode {opcode:#04x})")


def _key(key: Any) -> Any:
    """A key that costs nothing to hash: tuples may be nested without end. Records are themselves,
    each another key."""
    plain = isinstance(key, str | int | float | bytes | Call | Global | None)
    return key if plain else f"<{type(key).__name__}>"


def _record(what: Any, arguments: Any) -> Any:
    """The call as a record, or what it would return where that is a plain container."""
    path = what.path if isinstance(what, Global) else ""
    if path == "collections.OrderedDict" and isinstance(arguments, tuple):
        pairs = arguments[0] if arguments else ()
        return {_key(key): value for key, value in pairs}
    if path in ("torch.Size", "builtins.tuple") and isinstance(arguments, tuple) and arguments:
        return tuple(arguments[0])
    return Call(what, arguments)


def _outside(identity: Any) -> Any:
    """What a persistent id stands for: with torch, a storage."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        return Call(Global("", "persistent_load"), identity)
    _, kind, key, _, elements = identity[:5]
    name = kind.name if isinstance(kind, Global) else ""
    dtype = TORCH_TYPES.get(name.removesuffix("Storage").lower(), name)
    if any(part is not None for part in identity[5:]):
        raise NotReadable("holds views of storages, as torch wrote them before 0.4")
    if not isinstance(key, str | int) or not isinstance(elements, int | None):
        raise NotReadable("names a storage by what is no key")
    return Storage(dtype, str(key), elements or 0)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_Action = Callable[[Machine], None]
_STOP = ord(".")
_NAMED: dict[bytes, _Action] = {
    b"(": lambda m: m.push(_MARK),
    b"0": lambda m: _ignore(m._stack.pop()),
    b"1": lambda m: _ignore(m.marked()),
    b"2": lambda m: m.push(m.top()),
    b"\x80": lambda m: _ignore(m.take(1)),
    b"\x95": lambda m: _ignore(m.take(8)),
    # constants
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.take(1)[0]),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"G": lambda m: m.push(m.number(">d")),
    b"I": Machine.integer_line,
    b"L": lambda m: m.push(int(m.line(_MAX_DIGITS).strip().rstrip(b"L"))),
    b"F": lambda m: m.push(float(m.line(_MAX_DIGITS))),
    b"\x8a": lambda m: m.make(_signed(m.take(m.take(1)[0]))),
    b"\x8b": lambda m: m.make(_signed(m.take(min(m.number("<i"), _MAX_DIGITS)))),
    # texts and bytes
    b"X": lambda m: m.make(_text(m.take(m.number("<I")))),
    b"\x8c": lambda m: m.make(_text(m.take(m.take(1)[0]))),
    b"\x8d": lambda m: m.make(_text(m.take(m.number("<Q")))),
    b"V": lambda m: m.make(m.line().decode("raw-unicode-escape", "replace")),
    b"S": lambda m: m.make(m.line()[1:-1].decode("latin-1")),
    b"U": lambda m: m.make(m.take(m.take(1)[0]).decode("latin-1")),
    b"T": lambda m: m.make(m.take(m.number("<i")).decode("latin-1")),
    b"C": lambda m: m.make(m.take(m.take(1)[0])),
    b"B": lambda m: m.make(m.take(m.number("<I"))),
    b"\x8e": lambda m: m.make(m.take(m.number("<Q"))),
    b"\x96": lambda m: m.make(m.take(m.number("<Q"))),
    # containers
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.replace(1),
    b"\x86": lambda m: m.replace(2),
    b"\x87": lambda m: m.replace(3),
    b"t": lambda m: m.make(tuple(m.marked())),
    b"]": lambda m: m.make([]),
    b"l": lambda m: m.make(m.marked()),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.marked()),
    b"}": lambda m: m.make({}),
    b"d": lambda m: _made_dict(m, m.marked()),
    b"s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    b"u": lambda m: m.set_items(m.marked()),
    b"\x8f": lambda m: m.make(Call(Global("builtins", "set"))),
    b"\x90": lambda m: m.extend(m.marked()),
    b"\x91": lambda m: m.make(Call(Global("builtins", "frozenset"), tuple(m.marked()))),
    # what was met before
    b"q": lambda m: m.put(m.take(1)[0]),
    b"r": lambda m: m.put(m.number("<I")),
    b"p": lambda m: m.put(int(m.line(_MAX_DIGITS))),
    b"\x94": Machine.memoize,
    b"h": lambda m: m.get(m.take(1)[0]),
    b"j": lambda m: m.get(m.number("<I")),
    b"g": lambda m: m.get(int(m.line(_MAX_DIGITS))),
    # names, calls and what lies outside
    b"c": lambda m: m.make(m.name()),
    b"\x93": Machine.stacked_name,
    b"R": Machine.call,
    b"\x81": Machine.call,
    b"\x92": Machine.call_with_keywords,
    b"o": Machine.call_marked,
    b"i": lambda m: m.call_marked(m.name()),
    b"b": Machine.build,
    b"Q": lambda m: m.make(_outside(m.pop())),
}


def _ignore(_: object) -> None:
    """For opcodes whose bytes say nothing that is needed."""


def _made_dict(machine: Machine, values: list[Any]) -> None:
    machine.make({})
    machine.set_items(values)


_ACTIONS: list[_Action] = [_NAMED.get(bytes((code,)), Machine.refuse) for code in range(256)]
