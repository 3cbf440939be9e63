"""Models nobody has measured yet."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.serving import ROOT


def another_model(folder: Path, number: int) -> Path:
    """The demo base with one bit of one weight flipped, another one for each number, saved in
    ``folder``."""
    model = shutil.copytree(ROOT / "demo" / "base", folder / f"model-{number}")
    weights = model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2 * (number + 1)] ^= 1
    weights.write_bytes(content)
    return model
