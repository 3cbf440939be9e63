"""The catalog: published configs, by the names behind ``catalog:``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CATALOG = Path(__file__).parents[1] / "catalog"


def catalog_names() -> tuple[str, ...]:
    """The names behind ``catalog:``, in alphabetical order."""
    return tuple(sorted(path.stem for path in CATALOG.glob("*.json") if path.stem != "provenance"))


def catalog_file(name: str) -> Path:
    """Where the config of a name that is in the catalog lies."""
    return CATALOG / f"{name}.json"


def catalog_config(name: str) -> Mapping[str, Any]:
    """The published config of a name that is in the catalog."""
    config: dict[str, Any] = json.loads(catalog_file(name).read_text(encoding="utf-8"))
    return config


def released_month(name: str) -> str | None:
    """The month in which a model of the catalog was published, as ``2024-07``; None where nobody
    noted it."""
    provenance: dict[str, Any] = json.loads(
        (CATALOG / "provenance.json").read_text(encoding="utf-8")
    )
    released = provenance.get(name, {}).get("released")
    return str(released["month"]) if released else None
