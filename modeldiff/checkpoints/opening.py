"""Opening: reference → checkpoint.

What opens each kind is imported where it is used: to read references costs nothing but their text,
and only those who ask the Hub, or build a config's model, pay for the libraries behind that.
"""

from __future__ import annotations

from pathlib import Path

from modeldiff.checkpoints.checkpoint import Checkpoint, Reference
from modeldiff.checkpoints.local.allowed_paths import require_allowed
from modeldiff.checkpoints.references import demo_folder, parse_reference
from modeldiff.errors import DamagedCheckpoint


def open_checkpoint(reference: str | Reference) -> Checkpoint:
    """Open what ``reference`` names. Reads headers, index and config, never weights.

    Raises ``InvalidReference`` and ``CheckpointError`` with what stands below it.
    """
    if isinstance(reference, str):
        reference = parse_reference(reference)
    if reference.kind == "hub":
        from modeldiff.checkpoints.hub.opening import open_hub

        return open_hub(reference)
    if reference.kind == "catalog":
        from modeldiff.checkpoints.config_only.opening import catalog_config, open_config
        from modeldiff.files.cache_folder import cache_folder

        return open_config(reference, catalog_config(reference.location), cache_folder("configs"))
    if reference.kind == "demo":
        path = demo_folder(reference.location)
    else:
        path = Path(reference.location)
        require_allowed(path)
    if reference.kind == "file" and path.suffix == ".json":
        return _open_config_file(reference, path)

    from modeldiff.checkpoints.local.opening import open_local

    return open_local(reference, path)


def _open_config_file(reference: Reference, path: Path) -> Checkpoint:
    from modeldiff.checkpoints.config_only.opening import open_config
    from modeldiff.checkpoints.formats.config_json import MAX_CONFIG_BYTES, parse_config
    from modeldiff.checkpoints.local.files import read_small_file
    from modeldiff.files.cache_folder import cache_folder

    config, _ = parse_config(read_small_file(path, MAX_CONFIG_BYTES))
    if config is None or "weight_map" in config:
        raise DamagedCheckpoint(
            f"{path} is not the config of a model.",
            hint="Give the folder that holds the .safetensors files.",
        )
    return open_config(reference, config, cache_folder("configs"))
