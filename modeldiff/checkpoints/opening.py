"""Opening: reference → source → the first format that knows its files → checkpoint.

What each kind of reference needs is imported where it is used: to read references costs nothing but
their text, and only those who ask the Hub, or build a config's model, pay for the libraries behind
that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.dtypes import CODE_TYPES
from modeldiff.checkpoints.fingerprints import with_tag
from modeldiff.checkpoints.formats.adapters import is_adapter
from modeldiff.checkpoints.formats.config_json import (
    CONFIG_NAME,
    MAX_CONFIG_BYTES,
    PARAMS_NAME,
    is_of_same_model,
    parse_config,
)
from modeldiff.checkpoints.formats.format import Format
from modeldiff.checkpoints.formats.registry import recognise
from modeldiff.checkpoints.local.allowed_paths import require_allowed
from modeldiff.checkpoints.local.files import read_small_file
from modeldiff.checkpoints.references import Reference, demo_folder, parse_reference
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.sources.config_only import ConfigOnly
from modeldiff.checkpoints.sources.local import LocalFolder
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import (
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    HubUnreachable,
    placing_errors,
)

if TYPE_CHECKING:
    from modeldiff.checkpoints.hub.access import HubLogin
    from modeldiff.checkpoints.quantised.named_tensors import Peek


def open_checkpoint(
    reference: str | Reference, *, download: bool = True, login: HubLogin | None = None
) -> Checkpoint:
    """Open what ``reference`` names. Reads headers, index and config, never weights.

    ``download``: weights at the Hub will be downloaded, file by file, when they are measured;
    without, they will be read over the network range by range and nothing stays on the disk.
    ``login`` is in whose name the Hub is asked; None for this machine's.

    Raises ``InvalidReference`` and ``CheckpointError`` with what stands below it.
    """
    if isinstance(reference, str):
        reference = parse_reference(reference)
    repository = reference.location if reference.kind == "hub" else None
    with placing_errors(reference=reference.text, repository=repository):
        own = reference.parts[-1] if reference.parts else reference
        source = _source_of(own, download, login)
        if reference.parts or is_adapter(source):
            from modeldiff.checkpoints.adapters.opening import open_adapted

            base = reference.parts[0] if reference.parts else None
            open_base = partial(_open_model, download=download, login=login)
            return open_adapted(reference, base, source, open_base)
        return open_source(source)


def _open_model(reference: Reference, *, download: bool, login: HubLogin | None) -> Checkpoint:
    """What ``reference`` names, which has to be a model of its own."""
    return open_source(_source_of(reference, download, login))


def open_source(source: Source, formats: Sequence[Format] = ()) -> Checkpoint:
    """Open the files of ``source`` as the first of ``formats`` that knows them.

    Raises ``CheckpointError`` and what stands below it.
    """
    with placing_errors(path=source.path(source.named)):
        try:
            format, files = recognise(source, formats)
        except CheckpointError as error:
            explained = source.explain(error)
            if explained is error:
                raise
            raise explained from error
        assembly = format.read_headers(source, files)
    config, config_bytes, config_warnings = _read_config(source)
    if assembly.config and config is not None and is_of_same_model(config, assembly.config):
        config = {**assembly.usual, **config, **assembly.config}
    elif assembly.config:
        config, config_bytes, config_warnings = {**assembly.usual, **assembly.config}, None, ()
    tensors, unfit = _values(assembly.tensors, config, assembly.metadata, source)
    return Checkpoint(
        reference=source.reference,
        format=format.name,
        tensors=tensors,
        files={file: head.stat.size for file, head in assembly.heads.items()},
        config=config,
        metadata=assembly.metadata,
        fingerprint=with_tag(
            source.fingerprint(assembly.heads, config_bytes), source.reference.tag
        ),
        source=source.pinned(assembly.heads),
        warnings=(*source.warnings, *files.warnings, *assembly.warnings, *config_warnings, *unfit),
        unread=files.unread,
        tied=assembly.tied,
    )


def _values(
    tensors: tuple[TensorInfo, ...],
    config: Mapping[str, Any] | None,
    metadata: Mapping[str, str],
    source: Source,
) -> tuple[tuple[TensorInfo, ...], tuple[str, ...]]:
    """The tensors, quantised ones as their values, and warnings of those whose codes do not fit."""
    if not any(each.values in CODE_TYPES and each.recipe is None for each in tensors):
        return tensors, ()
    from modeldiff.checkpoints.quantised.reading import with_values

    return with_values(tensors, config, metadata, _peek(source))


def _peek(source: Source) -> Peek:
    def peek(tensor: TensorInfo, count: int) -> bytes:
        piece = tensor.pieces[0]
        return source.read(piece.file, piece.offset, min(count, piece.nbytes))[0]

    return peek


def _source_of(reference: Reference, download: bool, login: HubLogin | None) -> Source:
    if reference.kind == "hub":
        from modeldiff.checkpoints.sources.hub import HubFiles

        return HubFiles.of(reference, download=download, login=login)
    if reference.kind == "store":
        from modeldiff.checkpoints.sources.object_store import StoreFiles

        return StoreFiles.of(reference)
    if reference.kind == "catalog":
        from modeldiff.checkpoints.config_only.catalog import catalog_file

        return _config_only(reference, catalog_file(reference.location))
    if reference.kind == "demo":
        return LocalFolder.at(reference, demo_folder(reference.location))
    path = Path(reference.location)
    require_allowed(path, reference.text)
    if reference.kind == "file" and path.suffix == ".json":
        config = _config_only(reference, path)
        if reference.text.startswith("given:"):
            _require_as_given(reference, path, config.config)
        return config
    return LocalFolder.at(reference, path)


def _config_only(reference: Reference, path: Path) -> ConfigOnly:
    return ConfigOnly(reference, read_small_file(path, MAX_CONFIG_BYTES), path)


def _require_as_given(reference: Reference, path: Path, content: bytes) -> None:
    from modeldiff.checkpoints.given_configs import given_fault

    if fault := given_fault(path, content):
        raise DamagedCheckpoint(f"{reference.text}: {fault}.", hint="Bring the config again.")


def _read_config(
    source: Source,
) -> tuple[Mapping[str, Any] | None, bytes | None, tuple[str, ...]]:
    """The config, its bytes, and a warning where it is there and can't be used."""
    name = next((name for name in (CONFIG_NAME, PARAMS_NAME) if source.has(name)), None)
    if name is None:
        return None, None, ()
    try:
        raw = source.read_small(name, MAX_CONFIG_BYTES)
    except CheckpointNotFound:  # a link to nowhere
        return None, None, ()
    except HubUnreachable:
        raise
    except CheckpointError as error:
        return None, None, (f"{error.message} The config was left aside.",)
    config, warnings = parse_config(raw, name)
    return config, raw, warnings
