"""Safetensors files made byte by byte, right or wrong on purpose."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Header = Mapping[str, Any]


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    """One tensor's entry in a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def encode(header: Header | bytes, data: bytes = b"") -> bytes:
    """A file with this header (as JSON, or as bytes that may be none) and this data."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def simple(*names: str, fill: int = 0) -> bytes:
    """A sound file with a bf16 tensor of shape [2, 2] for each name."""
    header = {name: entry("BF16", [2, 2], 8 * i, 8 * i + 8) for i, name in enumerate(names)}
    return encode(header, bytes([fill]) * 8 * len(names))


def write_sharded(folder: Path, shards: Mapping[str, tuple[str, ...]], **index: Any) -> Path:
    """A folder of sound shards (file → its tensors' names) and their index, which ``index`` may
    bend: ``weight_map`` entries to add or replace, ``drop`` names, ``metadata``."""
    folder.mkdir(parents=True, exist_ok=True)
    weight_map = {}
    for file, names in shards.items():
        (folder / file).write_bytes(simple(*names))
        weight_map.update(dict.fromkeys(names, file))
    weight_map.update(index.get("weight_map", {}))
    for name in index.get("drop", ()):
        del weight_map[name]
    metadata = index.get("metadata", {"total_size": 8 * sum(map(len, shards.values()))})
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": metadata, "weight_map": weight_map})
    )
    return folder
