"""The formats that are read, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.checkpoints.formats.config_listing import ConfigListing
from modeldiff.checkpoints.formats.format import FileSet, Format
from modeldiff.checkpoints.formats.gguf.gguf_files import Gguf
from modeldiff.checkpoints.formats.pytorch.pytorch_files import PyTorch
from modeldiff.checkpoints.formats.safetensors_files import Safetensors
from modeldiff.checkpoints.formats.sharded.distributed import Distributed
from modeldiff.checkpoints.formats.sharded.tensor_parallel import MetaShards
from modeldiff.checkpoints.formats.sharded.zero import Zero
from modeldiff.checkpoints.formats.unsupported import refuse_foreign_files
from modeldiff.checkpoints.source import Source
from modeldiff.errors import NoWeights

FORMATS: tuple[Format, ...] = (
    ConfigListing(),
    MetaShards(),
    Gguf(),
    Safetensors(),
    Distributed(),
    Zero(),
    PyTorch(),
)
_LONGEST_SIGNATURE = 16


def recognise(source: Source, formats: Sequence[Format] = FORMATS) -> tuple[Format, FileSet]:
    """The first of ``formats`` that knows the source's files, and which these are. Where the
    reference names one file, its first bytes tell.

    Raises ``NoWeights`` or ``UnsupportedFormat`` where none does, and what ``Format.recognise``
    raises.
    """
    for format in _fitting(source, formats):
        files = format.recognise(source)
        if files is not None:
            return format, files
    refuse_foreign_files(source)
    raise NoWeights(
        f"{source.where()} holds no safetensors or GGUF file.",
        hint="A checkpoint has model.safetensors or model.safetensors.index.json.",
    )


def _fitting(source: Source, formats: Sequence[Format]) -> list[Format]:
    """Those that the first bytes of the named file speak for; without one, or where they speak for
    none, all that have no signature, or all."""
    if not source.named:
        return list(formats)
    start, _ = source.read(source.named, 0, _LONGEST_SIGNATURE)
    own = [format for format in formats if start.startswith(format.signatures)]
    return own or [format for format in formats if not format.signatures]
