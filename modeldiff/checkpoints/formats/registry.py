"""The formats that are read, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NoReturn

from modeldiff.checkpoints.addresses.hub_names import is_tag
from modeldiff.checkpoints.formats.config_listing import ConfigListing
from modeldiff.checkpoints.formats.format import FileSet, Format
from modeldiff.checkpoints.formats.gguf.sets import MAGIC, gguf_sets
from modeldiff.checkpoints.formats.safetensors import begins_as_safetensors
from modeldiff.checkpoints.formats.safetensors_files import Safetensors
from modeldiff.checkpoints.formats.unsupported import (
    is_training_state,
    refuse_foreign_files,
    refuse_foreign_name,
)
from modeldiff.checkpoints.formats.weight_files import PYTORCH, SAFETENSORS, set_tags
from modeldiff.checkpoints.source import Source
from modeldiff.errors import NoWeights, UnsupportedFormat
from modeldiff.text.quoting import listed, quoted

_USUAL: tuple[Format, ...] = (ConfigListing(), Safetensors())
"""These come first where there are safetensors files, and are all that most checkpoints need."""
_LONGEST_SIGNATURE = 16


def all_formats() -> tuple[Format, ...]:
    """One of each; those of other files are imported by the first who needs them."""
    from modeldiff.checkpoints.formats.gguf.gguf_files import Gguf
    from modeldiff.checkpoints.formats.pytorch.pytorch_files import PyTorch
    from modeldiff.checkpoints.formats.sharded.distributed import Distributed
    from modeldiff.checkpoints.formats.sharded.tensor_parallel import MetaShards
    from modeldiff.checkpoints.formats.sharded.zero import Zero

    listing, safetensors = _USUAL
    return (listing, MetaShards(), Gguf(), safetensors, Distributed(), Zero(), PyTorch())


def recognise(source: Source, formats: Sequence[Format] = ()) -> tuple[Format, FileSet]:
    """The first of ``formats``, by default of all, that knows the source's files, and which these
    are. Where the reference names one file, its first bytes tell.

    Raises ``NoWeights`` or ``UnsupportedFormat`` where none does, and what ``Format.recognise``
    raises.
    """
    if not formats and _has_safetensors(source):
        for format in _USUAL:
            if (files := format.recognise(source)) is not None:
                return format, files
    for format in _fitting(source, formats):
        if (files := format.recognise(source)) is not None:
            return format, files
    if source.reference.tag and not source.named:
        _refuse_tag(source)
    refuse_foreign_files(source)
    raise NoWeights(
        f"{source.where()} holds no weights that are read.",
        hint="A checkpoint is a folder with model.safetensors or its index and shards, a .gguf, a "
        "pytorch_model.bin, a run's distributed checkpoint or an adapter, or one such file.",
    )


def weight_tags(names: Collection[str]) -> tuple[str, ...]:
    """What may stand behind the colon of a reference to the folder or repository that has files of
    these ``names``: its quantisations, its variants, and other sets of weights by their names."""
    quantised = tuple(each.tag for each in gguf_sets(names))
    others = (tag for naming in (SAFETENSORS, PYTORCH) for tag in set_tags(names, naming))
    return tuple(filter(is_tag, dict.fromkeys((*quantised, *others))))


def _has_safetensors(source: Source) -> bool:
    """Whether they come before files of all other formats: in a folder, where no tag says more."""
    if source.named or source.reference.tag:
        return False
    return any("/" not in name and name.endswith(".safetensors") for name in source.list())


def _refuse_tag(source: Source) -> NoReturn:
    tags = weight_tags([name for name in source.list() if not is_training_state(name)])
    there = f"it holds {listed(tags, limit=20)}" if tags else "it holds no weights that are read"
    raise UnsupportedFormat(
        f"{source.where()} has no weights called {quoted(source.reference.tag)}: {there}.",
        hint="Put one of these behind the colon." if tags else "Leave the tag out.",
        choices=tuple(f":{tag}" for tag in tags),
    )


def _fitting(source: Source, formats: Sequence[Format]) -> list[Format]:
    """Those that the first bytes of the named file speak for; without one, or where they speak for
    none, all that have no signature, or all. No ``formats``: all of them."""
    if not source.named:
        return list(formats or all_formats())
    start, _ = source.read(source.named, 0, _LONGEST_SIGNATURE)
    if not formats and not begins_as_safetensors(start):
        refuse_foreign_name(source)
    if not formats and start.startswith(MAGIC):
        from modeldiff.checkpoints.formats.gguf.gguf_files import Gguf

        return [Gguf()]  # to import the others would take as long as to open it
    formats = formats or all_formats()
    own: list[Format] = []
    if not begins_as_safetensors(start):
        own = [format for format in formats if start.startswith(format.signatures)]
    return own or [format for format in formats if not format.signatures]
