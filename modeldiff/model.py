"""A model: a checkpoint that was opened, and its architecture."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from modeldiff.architectures import Architecture, understand
from modeldiff.checkpoints import (
    Checkpoint,
    Reference,
    open_checkpoint,
    parse_reference,
    without_credentials,
)
from modeldiff.checkpoints.names import model_label, model_name
from modeldiff.processes.late_dataclass import dataclass

if TYPE_CHECKING:
    from modeldiff.checkpoints.hub.access import HubLogin

FileStamp = tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, eq=False)
class Model:
    """An opened ``checkpoint`` and what it is, its ``architecture``.

    ``text`` is the reference as somebody typed it, without credentials. ``stamp`` is the state of
    the local files when they were opened, see ``file_stamp``. ``label`` is what somebody calls it;
    empty leaves that to its reference, see ``name``. Each opening is a model of its own.
    """

    checkpoint: Checkpoint
    architecture: Architecture
    text: str
    stamp: FileStamp = ()
    label: str = ""

    @classmethod
    def open(
        cls,
        reference: str | Reference,
        *,
        text: str | None = None,
        download: bool = True,
        login: HubLogin | None = None,
    ) -> Model:
        """Open what ``reference`` names: headers, index and config are read, never weights.

        ``text`` is what to call it, by default the reference. ``download``: weights at the Hub are
        downloaded when they are measured; without, they are read over the network. ``login`` is in
        whose name the Hub is asked; None for this machine's. Raises ``InvalidReference`` and
        ``CheckpointError`` with what stands below it.
        """
        if isinstance(reference, str):
            text = text or reference
            reference = parse_reference(reference)
        # Before the files are read: what changes meanwhile shows as a change.
        stamp = file_stamp(reference)
        checkpoint = open_checkpoint(reference, download=download, login=login)
        text = without_credentials(text or reference.text)
        return cls(checkpoint, understand(checkpoint), text, stamp + _base_stamp(checkpoint))

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Model:
        """The model of a ``checkpoint`` that is open already."""
        text = checkpoint.reference.text
        stamp = file_stamp(checkpoint.reference) + _base_stamp(checkpoint)
        return cls(checkpoint, understand(checkpoint), text, stamp)

    def __repr__(self) -> str:
        return f"<Model {self.text}: {self.architecture.title}>"

    def _repr_html_(self) -> str:
        """For a notebook: the model's architecture, drawn."""
        from modeldiff.drawings.output.notebook import model_html

        return model_html(self)

    @property
    def reference(self) -> str:
        """The reference in its canonical spelling."""
        return self.checkpoint.reference.text

    @property
    def name(self) -> str:
        """What figures, reports and pages call it: its label, or the name of its reference."""
        return self.label or model_name(self.checkpoint.reference)

    def labelled(self, label: str) -> Model:
        """The same model called ``label`` (one line, cut where it is long); with an empty one, by
        its own name."""
        label = model_label(label)
        return self if label == self.label else replace(self, label=label)

    @property
    def identity(self) -> tuple[str, str]:
        """What a value derived from this model may be kept under."""
        return self.reference, self.checkpoint.fingerprint

    @property
    def has_weights(self) -> bool:
        """Whether there is something to measure: a config alone has no weights."""
        return self.checkpoint.format != "config"

    @property
    def bytes_away(self) -> int:
        """Bytes of the files that have to be downloaded before they can be read."""
        return sum(map(self.checkpoint.source.bytes_to_download, self.checkpoint.files))

    def reopened(self) -> Model:
        """The model as its files are now: itself, unless one of them changed."""
        reference = self.checkpoint.reference
        if file_stamp(reference) + _base_stamp(self.checkpoint) == self.stamp:
            return self
        return Model.open(reference, text=self.text).labelled(self.label)


def file_stamp(reference: Reference) -> FileStamp:
    """Names, sizes, times and inodes of the local files behind a reference: what changes when they
    do. Empty for what is not local, or cannot be looked at."""
    if reference.parts:
        return tuple(chain.from_iterable(map(file_stamp, reference.parts)))
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


def _base_stamp(checkpoint: Checkpoint) -> FileStamp:
    """The state of the model under an adapter, where the reference names the adapter alone."""
    if checkpoint.adapter is None or checkpoint.reference.parts:
        return ()
    return file_stamp(checkpoint.adapter.base)
