"""The journal of a diff that runs: what was measured so far, one line a tensor.

It lies beside the result that it will become. Each line is handed to the system as soon as its
tensor is done, so a killed process loses the tensor in flight and nothing else. (A power cut may
also lose the last seconds: lines are not forced to the disk one by one.) The first line says which
question and which version of modeldiff the rest belongs to; a journal of others starts anew. Lines
are JSON, and numbers come back with the bits that they had.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from modeldiff._version import __version__
from modeldiff.changes.change import Histogram, Pair, PairId, Statistics, Sums
from modeldiff.results.store.folder import cannot_write

_BUCKETS, _COUNTS = np.dtype("<u2"), np.dtype("<i8")


@dataclass(frozen=True)
class Entry:
    """One measured pair: its statistics, where it was measured, and for how many seconds the diff
    had then been running, all its runs together."""

    statistics: Statistics
    device: str
    seconds: float


class Journal:
    """An open journal; ``entries`` is what earlier runs left in it, in their order.

    Raises ``ResultError`` where it can't be read or written.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        head = json.dumps({"journal": key, "version": __version__}).encode() + b"\n"
        try:
            self.entries, end = _read(path, head)
            self._file = path.open("ab", buffering=0)
            self._file.truncate(end)  # a torn line would spoil the next one
            if not end:
                self._file.write(head)
        except OSError as error:
            raise cannot_write(path, error) from error

    def append(self, pair: Pair, entry: Entry) -> None:
        """Add a line."""
        line = json.dumps({"pair": pair.id, **_plain(entry)}).encode() + b"\n"
        try:
            self._file.write(line)
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def remove(self) -> None:
        """Close and delete it: its result is stored."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def _read(path: Path, head: bytes) -> tuple[dict[PairId, Entry], int]:
    """The entries up to the first line that is torn or strange, and how many bytes they fill."""
    entries: dict[PairId, Entry] = {}
    if not path.exists():
        return entries, 0
    with path.open("rb") as lines:
        if lines.readline() != head:
            return entries, 0
        end = len(head)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            try:
                pair, entry = _entry(json.loads(line))
                entries[pair] = entry
            except (ValueError, TypeError, KeyError):
                break
            end += len(line)
    return entries, end


def _plain(entry: Entry) -> dict[str, Any]:
    statistics = entry.statistics
    fields = {name: value for name, value in vars(statistics).items() if value is not None}
    if statistics.sums is not None:
        fields["sums"] = asdict(statistics.sums)
    if (histogram := statistics.histogram) is not None:
        arrays = _text(histogram.buckets, _BUCKETS), _text(histogram.counts, _COUNTS)
        fields["histogram"] = (histogram.zero, histogram.infinite, *arrays)
    return {"device": entry.device, "seconds": entry.seconds, "statistics": fields}


def _entry(line: Mapping[str, Any]) -> tuple[PairId, Entry]:
    fields = line["statistics"]
    if "sums" in fields:
        fields["sums"] = Sums(**fields["sums"])
    if "histogram" in fields:
        zero, infinite, buckets, counts = fields["histogram"]
        fields["histogram"] = Histogram(
            zero, infinite, _array(buckets, _BUCKETS), _array(counts, _COUNTS)
        )
    tower, layer, component, parameter, expert, base, target = line["pair"]
    pair = (tower, layer, component, parameter, expert, base, target)
    return pair, Entry(Statistics(**fields), line["device"], line["seconds"])


def _text(array: npt.NDArray[Any], kind: np.dtype[Any]) -> str:
    """An array in base64: many times as fast as its numbers in JSON, and shorter."""
    return base64.b64encode(array.astype(kind).tobytes()).decode()


def _array(text: str, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(text, validate=True), kind).astype(kind.newbyteorder("="))
