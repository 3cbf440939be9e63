"""Names for files that people save, made of models' names, which anybody may have chosen."""

from __future__ import annotations

import re
import unicodedata

_MOST = 40
"""Letters of one model's name: two of them and a word stay far below what a file system takes."""
_READ = 400
"""Of a name no more is looked at."""


def file_slug(name: str) -> str:
    """``name`` in letters, digits, dots and dashes, safe on any system: ``Llama 3.1 8B`` →
    ``llama-3.1-8b``; ``model`` where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", name[:_READ]).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9.]+", "-", plain)
    slug = re.sub(r"\.{2,}", ".", slug).strip("-.")[:_MOST].rstrip("-.")
    return slug or "model"


def pair_slug(names: tuple[str, str]) -> str:
    """Both names of a pair, base first: ``demo-base-to-demo-lora``."""
    return "-to-".join(map(file_slug, names))
