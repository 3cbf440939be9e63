"""The formats that are read, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.checkpoints.formats.config_listing import ConfigListing
from modeldiff.checkpoints.formats.format import FileSet, Format
from modeldiff.checkpoints.formats.gguf.gguf_files import Gguf
from modeldiff.checkpoints.formats.safetensors_files import Safetensors
from modeldiff.checkpoints.formats.unsupported import refuse_foreign_files
from modeldiff.checkpoints.source import Source
from modeldiff.errors import NoWeights

FORMATS: tuple[Format, ...] = (ConfigListing(), Gguf(), Safetensors())


def recognise(source: Source, formats: Sequence[Format] = FORMATS) -> tuple[Format, FileSet]:
    """The first of ``formats`` that knows the source's files, and which these are.

    Raises ``NoWeights`` or ``UnsupportedFormat`` where none does, and what ``Format.recognise``
    raises.
    """
    for format in formats:
        files = format.recognise(source)
        if files is not None:
            return format, files
    refuse_foreign_files(source)
    raise NoWeights(
        f"{source.where()} holds no safetensors or GGUF file.",
        hint="A checkpoint has model.safetensors or model.safetensors.index.json.",
    )
