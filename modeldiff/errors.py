"""What can go wrong, as one tree. Each error says what was wrong and where, and carries a hint.

Those of checkpoints also carry where it was as attributes: ``reference``, ``path``, ``repository``.

ModeldiffError
├── InvalidReference        the text is no reference that we know
├── CheckpointError         a reference that cannot be opened or read
│   ├── CheckpointNotFound      no such folder, file, repository or revision
│   ├── AccessDenied            a gated or private repository, a file that may not be read
│   ├── HubUnreachable          the Hub did not answer, or we are offline
│   ├── StoreUnreachable        an object store or web server did not answer as it should
│   ├── NoWeights               nothing in there holds weights
│   ├── UnsupportedFormat       weights, but in a format that we do not read
│   ├── DamagedCheckpoint       truncated, contradictory or lying files
│   └── CheckpointChanged       the files changed after they were opened
├── InvalidOption           a device, metric or file type that does not exist here
├── UnknownName             no tensor of this name, nothing at this place; also a KeyError
├── MissingExtra            libraries that are needed for this are not installed
├── ClusterError            a cluster that does not answer, is open to everybody, or was lost
├── ResultError             a stored result that cannot be written or read back
└── Cancelled               somebody asked to stop; not a failure
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ModeldiffError(Exception):
    """Base of all errors that a user can understand and mend.

    ``message`` says what was wrong and where, ``hint`` what to do next. Both are plain text: names
    from files may stand in them unescaped, so whoever shows them in HTML escapes them.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Python's own would lose the hint: it calls the class with ``args``, the message alone.
        return _rebuild, (type(self), self.message), self.__dict__


def _rebuild(kind: type[ModeldiffError], message: str) -> ModeldiffError:
    return kind(message)


class InvalidReference(ModeldiffError):
    """The text is no reference that we know."""


class CheckpointError(ModeldiffError):
    """A reference that cannot be opened or read.

    ``reference`` is what was to be opened, as its canonical text; ``path`` the file or folder of
    this machine that is at fault, ``repository`` the one at the Hub (``owner/name``). Each is None
    where it is not known or there is none. ``choices`` are endings of which one has to stand behind
    the reference (``:Q4_K_M``, ``/vae``), where it names several things.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        path: Path | None = None,
        reference: str | None = None,
        repository: str | None = None,
        choices: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.choices = choices
        self.path = path
        self.reference = reference
        self.repository = repository

    def place(
        self,
        *,
        path: Path | None = None,
        reference: str | None = None,
        repository: str | None = None,
    ) -> None:
        """Fill in what is not known yet: whoever is nearer to what went wrong knows better."""
        self.path = self.path or path
        self.reference = self.reference or reference
        self.repository = self.repository or repository


@contextmanager
def placing_errors(
    *, path: Path | None = None, reference: str | None = None, repository: str | None = None
) -> Iterator[None]:
    """``CheckpointError.place`` for those that pass."""
    try:
        yield
    except CheckpointError as error:
        error.place(path=path, reference=reference, repository=repository)
        raise


class CheckpointNotFound(CheckpointError):
    """No such folder, file, repository or revision."""


class AccessDenied(CheckpointError):
    """The Hub repository is gated or private, the token is not accepted, or a local file may not
    be read or leads out of its folder."""


class HubUnreachable(CheckpointError):
    """The Hub did not answer, or the machine is offline."""


class StoreUnreachable(CheckpointError):
    """An object store or web server did not answer, or not as it should."""


class NoWeights(CheckpointError):
    """The place exists, but nothing in it holds weights."""


class UnsupportedFormat(CheckpointError):
    """There are weights, but in a format that is not read."""


class DamagedCheckpoint(CheckpointError):
    """Truncated, contradictory or lying files."""


class CheckpointChanged(CheckpointError):
    """The files changed, shrank or vanished after they were opened."""


class InvalidOption(ModeldiffError):
    """A device, metric, output type or setting that does not exist here."""


class UnknownName(ModeldiffError, KeyError):
    """No tensor of this name, or nothing at this place."""

    def __str__(self) -> str:
        return self.message  # a KeyError's own would be in quotation marks


class MissingExtra(ModeldiffError):
    """What was asked for needs libraries that are not installed; the hint names the extra."""


class ClusterError(ModeldiffError):
    """A cluster that was to measure does not answer, is open to everybody, or was lost."""


class ResultError(ModeldiffError):
    """A stored result that cannot be written or read back."""


class Cancelled(ModeldiffError):
    """Somebody asked to stop. Not a failure: the journal keeps what was measured."""
