"""Checkpoints of a config alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modeldiff.checkpoints import Checkpoint, Reference
from modeldiff.checkpoints.formats.config_listing import ConfigListing
from modeldiff.checkpoints.opening import open_source
from modeldiff.checkpoints.sources.config_only import ConfigOnly


def of_config(name: str, config: Mapping[str, Any], cache: Path | None = None) -> Checkpoint:
    """What ``catalog:NAME`` would open if the catalog had this config; its listing is kept in
    ``cache``."""
    reference = Reference("catalog", f"catalog:{name}", name)
    source = ConfigOnly(reference, json.dumps(config).encode())
    return open_source(source, (ConfigListing(cache),))
