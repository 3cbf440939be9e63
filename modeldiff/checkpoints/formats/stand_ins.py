"""What may lie where a file should be: a pointer to it, or an error that was saved under its name.

Of use for every file of a checkpoint, be it weights, an index, a config or a tokenizer: a clone
without Git LFS leaves pointers, a download without a token leaves what the server answered.
"""

from __future__ import annotations

import re

from modeldiff.errors import CheckpointError, DamagedCheckpoint, NoWeights
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted

LOOKED_AT = 512
"""Bytes of a file's beginning that tell."""
_SHORT = 16_384
"""Longest error, in bytes, that a server writes in plain words."""


@dataclass(frozen=True)
class StandIn:
    """What a file is instead of what it should be.

    ``kind`` is the error that fits where weights are wanted, ``what`` goes behind the file's name
    ("is a Git LFS pointer …"), ``hint`` says what to do.
    """

    kind: type[CheckpointError]
    what: str
    hint: str


_OPENED = re.compile(rb"^\{\s+")
_PAGE = "is a web page, perhaps an error that was saved as if it were the file"
_AGAIN = (
    "Download the file again, with a token that may read it (hf auth login) if it is gated or "
    "private."
)
_BEGINNINGS: tuple[tuple[StandIn, tuple[bytes, ...]], ...] = (
    (
        StandIn(
            NoWeights,
            "is a Git LFS pointer, a short text that stands for the file itself",
            "Run `git lfs install` and `git lfs pull` in the folder to bring the file itself.",
        ),
        (b"version https://git-lfs", b"version https://hawser"),
    ),
    (
        StandIn(
            NoWeights,
            "is a Xet pointer, a short text that stands for the file itself",
            "Install git-xet and run `git xet checkout` in the folder, or download the files with "
            "`hf download`.",
        ),
        (b"# xet version",),
    ),
    (StandIn(DamagedCheckpoint, _PAGE, _AGAIN), (b"<!doctype", b"<html", b"<head", b"<?xml")),
    (
        StandIn(DamagedCheckpoint, "is an error that was saved as if it were the file", _AGAIN),
        (b'{"error', b'{"message"', b'{"detail"', b'{"status"'),
    ),
)


def stand_in(start: bytes, size: int | None = None) -> StandIn | None:
    """What a file that begins with ``start`` stands in for, None where it may be what it should.

    ``size`` is the whole file's, in bytes: given for a file that holds no text when it is sound,
    so that any short text is taken for an error that was saved.
    """
    text = start[:LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip()
    folded = _OPENED.sub(b"{", text.lower())
    for what, beginnings in _BEGINNINGS:
        if folded.startswith(beginnings):
            return what
    if size is not None and size <= _SHORT and _is_words(text):
        words = " ".join(text.decode().split())
        return StandIn(DamagedCheckpoint, f"is a text that says {quoted(words)}", _AGAIN)
    return None


def refuse_stand_in(start: bytes, where: str) -> None:
    """Raise ``DamagedCheckpoint`` if a file that lies beside the weights, and begins with
    ``start``, stands in for it; ``where`` names it in messages."""
    if instead := stand_in(start):
        raise DamagedCheckpoint(f"{where} {instead.what}.", hint=instead.hint)


def _is_words(text: bytes) -> bool:
    try:
        return bool(text[:1].isalpha() and b" " in text) and all(
            letter.isprintable() or letter.isspace() for letter in text.decode()
        )
    except UnicodeDecodeError:
        return False
