"""Opening a folder or a single safetensors file of this machine."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modeldiff.checkpoints.checkpoint import Checkpoint, Reference
from modeldiff.checkpoints.fingerprints import local_fingerprint, sha256
from modeldiff.checkpoints.formats.config_json import CONFIG_NAME, MAX_CONFIG_BYTES, parse_config
from modeldiff.checkpoints.formats.safetensors import parse_header
from modeldiff.checkpoints.formats.shards import assemble
from modeldiff.checkpoints.formats.weight_files import (
    MAX_INDEX_BYTES,
    Index,
    WeightFiles,
    choose_weights,
    left_aside,
    parse_index,
    require_present,
)
from modeldiff.checkpoints.local.allowed_paths import require_inside
from modeldiff.checkpoints.local.files import (
    LocalStorage,
    read_header,
    read_small_file,
    translating_os_errors,
)
from modeldiff.errors import CheckpointError, CheckpointNotFound, NoWeights
from modeldiff.text.quoting import listed


def open_local(reference: Reference, path: Path) -> Checkpoint:
    """Open the folder or file at ``path``: headers, index and config, no weights.

    Raises ``CheckpointError`` and what stands below it, each naming the file.
    """
    with translating_os_errors(path):
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    if is_folder:
        folder, (chosen, index) = path, _choose(path)
    else:
        folder, chosen, index = path.parent, WeightFiles((path.name,)), None

    headers, states, identities = {}, {}, []
    for file in chosen.files:
        where = str(folder / file)
        raw, state = read_header(folder / file)
        headers[file] = parse_header(raw, file=file, file_size=state.size, where=where)
        states[file] = state
        identities.append(
            (file, sha256(raw), state.size, state.mtime_ns, state.ctime_ns, state.inode)
        )
    assembly = assemble(headers, index, str(path))
    config, config_bytes, config_warnings = _read_config(folder)
    return Checkpoint(
        reference=reference,
        format="safetensors",
        tensors=assembly.tensors,
        files={file: state.size for file, state in states.items()},
        config=config,
        metadata=assembly.metadata,
        fingerprint=local_fingerprint(identities, config_bytes),
        storage=LocalStorage(folder, {file: folder / file for file in states}, states),
        warnings=(*chosen.warnings, *assembly.warnings, *config_warnings),
    )


def _choose(folder: Path) -> tuple[WeightFiles, Index | None]:
    """The folder's weight files, each a name that leads nowhere else, and the index if used."""
    with translating_os_errors(folder):
        names = [path.name for path in folder.iterdir()]
    try:
        chosen = choose_weights(names, str(folder))
    except NoWeights as error:
        raise NoWeights(error.message, hint=_elsewhere(folder) or error.hint) from None
    index = None
    if chosen.index:
        require_inside(folder, chosen.index)
        path = folder / chosen.index
        index = parse_index(read_small_file(path, MAX_INDEX_BYTES), str(path))
        present = [file for file in index.files if os.path.lexists(folder / file)]
        require_present(index.files, present, str(folder))
        chosen = replace(chosen, files=index.files)
    for file in chosen.files:
        require_inside(folder, file)
    warnings = (*chosen.warnings, *left_aside(names, chosen.files))
    return replace(chosen, warnings=warnings), index


def _read_config(
    folder: Path,
) -> tuple[Mapping[str, Any] | None, bytes | None, tuple[str, ...]]:
    """The config, its bytes, and a warning where it is there and can't be used."""
    try:
        require_inside(folder, CONFIG_NAME)
        raw = read_small_file(folder / CONFIG_NAME, MAX_CONFIG_BYTES)
    except CheckpointNotFound:
        return None, None, ()
    except CheckpointError as error:
        return None, None, (f"{error.message} The config was left aside.",)
    config, warnings = parse_config(raw)
    return config, raw, warnings


def _elsewhere(folder: Path) -> str:
    """A hint for a folder without weights: subfolders that hold some, or the config alone."""
    patterns = ("*/*.safetensors", "snapshots/*/*.safetensors")
    found = itertools.chain.from_iterable(folder.glob(pattern) for pattern in patterns)
    names = {str(path.parent.relative_to(folder)) for path in itertools.islice(found, 100)}
    if names:
        return f"Give one of its subfolders that hold some: {listed(sorted(names))}."
    config = folder / CONFIG_NAME
    return f"To see its architecture alone, give {config}." if config.is_file() else ""
