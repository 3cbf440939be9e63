"""Which targets are meant: references, lists of them in files, and folders of checkpoints."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from modeldiff.changes import Shard
from modeldiff.checkpoints import parse_reference
from modeldiff.checkpoints.local.surroundings import MOST_FOLDERS, holds_weights, weights_below
from modeldiff.errors import InvalidOption, InvalidReference
from modeldiff.text.quoting import quoted

MOST_TARGETS = 10_000
_LARGEST_LIST = 4 << 20
_LONGEST_LINE = 4_096


def read_targets(arguments: Sequence[str], base: str) -> tuple[str, ...]:
    """The references that ``arguments`` mean, each once, in their order.

    ``@FILE`` is a file with a reference a line; blank lines and those that begin with ``#`` are
    passed over. A folder without weights stands for the folders directly below it that hold some,
    in natural order (``checkpoint-500`` before ``checkpoint-1000``), but for ``base``, the
    reference that they are all compared with. Whatever else is a reference as it stands; whether
    it can be opened is not looked at.

    Raises ``InvalidOption`` for a list that can't be read or has no lines of text, a folder with
    too many folders, more than ``MOST_TARGETS`` and none at all.
    """
    targets: dict[str, None] = {}
    for reference in itertools.chain.from_iterable(map(_meant_by, arguments)):
        for each in _below(reference, base):
            targets.setdefault(each)
            if len(targets) > MOST_TARGETS:
                raise InvalidOption(
                    f"More than {MOST_TARGETS:,} targets are named.",
                    hint="Divide them among several runs: what was measured is kept.",
                )
    if not targets:
        raise InvalidOption(
            "No target is named.", hint="Name checkpoints, a folder of them, or @FILE."
        )
    return tuple(targets)


def shard_of_targets(targets: Sequence[str], shard: Shard) -> tuple[str, ...]:
    """The ``shard``'s run of neighbours among ``targets``, in runs of about equal length; empty
    where there are more shards than targets."""
    first, last = (
        len(targets) * number // shard.count for number in (shard.number - 1, shard.number)
    )
    return tuple(targets[first:last])


def _meant_by(argument: str) -> Iterator[str]:
    if not argument.startswith("@"):
        yield argument
        return
    path = Path(argument[1:])
    for number, line in enumerate(_lines(path), 1):
        reference = line.strip()
        if len(reference) > _LONGEST_LINE or not reference.isprintable():
            raise InvalidOption(
                f"Line {number:,} of {quoted(str(path))} is no reference.",
                hint="A list is a text file with one reference a line.",
            )
        if reference and not reference.startswith("#"):
            yield reference


def _lines(path: Path) -> list[str]:
    """The lines of a list, of a file that is one: no device, which would never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(None, "it is no regular file")
            content = file.read(_LARGEST_LIST + 1)
        if len(content) > _LARGEST_LIST:
            raise OSError(None, f"it has more than {_LARGEST_LIST:,} bytes")
        return content.decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InvalidOption(
            f"The list {quoted(str(path))} can't be read: {reason}.",
            hint="A list is a text file with one reference a line.",
        ) from error


def _below(reference: str, base: str) -> list[str]:
    """The checkpoints in a folder that is none itself; else the reference alone."""
    folder = Path(os.path.expanduser(reference))  # noqa: PTH111 - "~nobody" is a name like any other
    if not _is_folder(folder) or holds_weights(folder):
        return [reference]
    names = dict.fromkeys(name.rpartition("/")[0] for name in weights_below(folder))
    if not names:
        return [reference]
    if len(names) >= MOST_FOLDERS:
        raise InvalidOption(
            f"{quoted(reference)} has {MOST_FOLDERS:,} folders with weights or more.",
            hint="Write those that are meant into a file, one a line, and name it as @FILE.",
        )
    below = [str(folder / name) for name in names]
    return [each for each in below if _text(each) != _text(base)]


def _is_folder(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False


def _text(reference: str) -> str:
    try:
        return parse_reference(reference).text
    except InvalidReference:
        return reference
