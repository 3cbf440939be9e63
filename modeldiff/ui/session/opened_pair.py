"""From the references in the sidebar to two opened checkpoints, read once and kept.

What is kept is found again by the reference and a stamp of the files behind it, so that a folder
that changed is read anew. Opened checkpoints are frozen values and are shared, not copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from modeldiff.architectures import Architecture, FactPair, compare_facts, understand
from modeldiff.changes import Pair, pair
from modeldiff.checkpoints import Checkpoint, Reference, open_checkpoint, parse_reference
from modeldiff.errors import ModeldiffError

_Stamp = tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True)
class Opened:
    """A reference that was opened and understood. ``text`` is as the user typed it."""

    text: str
    checkpoint: Checkpoint
    architecture: Architecture

    @property
    def identity(self) -> tuple[str, str]:
        """What a value derived from this side may be kept under."""
        return self.checkpoint.reference.text, self.checkpoint.fingerprint


@dataclass(frozen=True)
class NotOpened:
    """A reference that could not be opened, and why."""

    text: str
    error: ModeldiffError


Side = Opened | NotOpened


@dataclass(frozen=True)
class Comparison:
    """Two opened sides and the device that was chosen to measure them on."""

    base: Opened
    target: Opened
    device: str

    @property
    def references(self) -> tuple[str, str]:
        """Both references, as jobs are asked for them."""
        return self.base.checkpoint.reference.text, self.target.checkpoint.reference.text

    @property
    def same_content(self) -> bool:
        """Whether both references hold the same files, as far as can be told unread."""
        return self.base.checkpoint.fingerprint == self.target.checkpoint.fingerprint

    @property
    def has_weights(self) -> bool:
        """Whether there is something to measure on both sides: a config alone has no weights."""
        return all(side.checkpoint.format != "config" for side in (self.base, self.target))


def open_side(text: str) -> Side:
    """Open what was typed; an error is a value, so that one broken side hides nothing else."""
    try:
        reference = parse_reference(text)
        return _open(text, reference.text, _stamp(reference))
    except ModeldiffError as error:
        return NotOpened(text, error)


def forget_openings() -> None:
    """Open everything anew, failures included: for a button that tries again."""
    _open.clear()


def fact_pairs(comparison: Comparison) -> tuple[FactPair, ...]:
    """The two architectures' facts, side by side."""
    return compare_facts(comparison.base.architecture, comparison.target.architecture)


def pairs_of(comparison: Comparison) -> tuple[Pair, ...]:
    """Every tensor of both sides in one row, before anything is measured."""
    return _pairs(comparison.base.identity, comparison.target.identity, comparison)


# A repository's branch may move and a gate may open, hence the time limit.
@st.cache_resource(max_entries=32, ttl="10m", show_spinner="Reading headers …")
def _open(text: str, canonical: str, stamp: _Stamp) -> Side:
    del canonical, stamp
    try:
        checkpoint = open_checkpoint(text)
        return Opened(text, checkpoint, understand(checkpoint))
    except ModeldiffError as error:
        return NotOpened(text, error)


@st.cache_resource(max_entries=32, show_spinner=False)
def _pairs(
    base: tuple[str, str], target: tuple[str, str], _comparison: Comparison
) -> tuple[Pair, ...]:
    return pair(_comparison.base.architecture, _comparison.target.architecture)


def _stamp(reference: Reference) -> _Stamp:
    """Names, sizes and times of the local files behind a reference; empty for the Hub."""
    if reference.kind not in ("folder", "file"):
        return ()
    path = Path(reference.location)
    try:
        entries = sorted(path.iterdir()) if path.is_dir() else [path]
        states = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()  # opening it will say what is wrong
    return tuple(
        (name, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        for name, state in states
    )
