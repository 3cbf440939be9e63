"""Opening: reference → checkpoint."""

from __future__ import annotations

from pathlib import Path

from modeldiff.checkpoints.allowed_paths import require_allowed
from modeldiff.checkpoints.checkpoint import Checkpoint, Reference
from modeldiff.checkpoints.references import demo_folder, parse_reference, reference_forms
from modeldiff.errors import UnsupportedFormat


def open_checkpoint(reference: str | Reference) -> Checkpoint:
    """Open what ``reference`` names. Reads headers, index and config, never weights.

    Raises ``InvalidReference`` and ``CheckpointError`` with what stands below it.
    """
    if isinstance(reference, str):
        reference = parse_reference(reference)
    if reference.kind == "catalog":
        raise UnsupportedFormat(
            f"{reference} would be a config without weights; only checkpoints with weights can be "
            "opened.",
            hint=reference_forms(),
        )
    # Imported where they are used: to read references costs nothing but their text, and only those
    # who ask the Hub pay for its client.
    if reference.kind == "hub":
        from modeldiff.checkpoints.hub_checkpoints import open_hub

        return open_hub(reference)

    from modeldiff.checkpoints.local_checkpoints import open_local

    if reference.kind == "demo":
        return open_local(reference, demo_folder(reference.location))
    path = Path(reference.location)
    require_allowed(path)
    return open_local(reference, path)
