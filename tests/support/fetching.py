"""A checkpoint's file, brought here as a comparison brings it."""

from __future__ import annotations

from pathlib import Path

from modeldiff.checkpoints import Checkpoint, FetchProgress
from modeldiff.checkpoints.local.reader import LocalReader


def fetched(checkpoint: Checkpoint, file: str, progress: FetchProgress | None = None) -> Path:
    """Where the file lies on this machine once it can be read. Raises what fetching raises."""
    reader = checkpoint.source.reader(file, progress)
    assert isinstance(reader, LocalReader)
    return reader.path


def is_here(checkpoint: Checkpoint, file: str) -> bool:
    """Whether nothing has to be downloaded to read the file."""
    return checkpoint.source.bytes_to_download(file) == 0
