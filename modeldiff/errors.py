"""What can go wrong, as one tree. Each error says what was wrong and where, and carries a hint.

ModeldiffError
├── InvalidReference        the text is no reference that we know
├── CheckpointError         a reference that cannot be opened or read
│   ├── CheckpointNotFound      no such folder, file, repository or revision
│   ├── AccessDenied            a gated or private repository, a file that may not be read
│   ├── HubUnreachable          the Hub did not answer, or we are offline
│   ├── NoWeights               nothing in there holds weights
│   ├── UnsupportedFormat       weights, but in a format that we do not read
│   ├── DamagedCheckpoint       truncated, contradictory or lying files
│   └── CheckpointChanged       the files changed after they were opened
├── InvalidOption           a device, metric or file type that does not exist here
├── UnknownName             no tensor of this name, nothing at this place; also a KeyError
├── MissingExtra            libraries that are needed for this are not installed
├── ResultError             a stored result that cannot be written or read back
└── Cancelled               somebody asked to stop; not a failure
"""

from __future__ import annotations


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
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[ModeldiffError], message: str, hint: str) -> ModeldiffError:
    return kind(message, hint=hint)


class InvalidReference(ModeldiffError):
    """The text is no reference that we know."""


class CheckpointError(ModeldiffError):
    """A reference that cannot be opened or read."""


class CheckpointNotFound(CheckpointError):
    """No such folder, file, repository or revision."""


class AccessDenied(CheckpointError):
    """The Hub repository is gated or private, the token is not accepted, or a local file may not
    be read or leads out of its folder."""


class HubUnreachable(CheckpointError):
    """The Hub did not answer, or the machine is offline."""


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


class ResultError(ModeldiffError):
    """A stored result that cannot be written or read back."""


class Cancelled(ModeldiffError):
    """Somebody asked to stop. Not a failure: the journal keeps what was measured."""
