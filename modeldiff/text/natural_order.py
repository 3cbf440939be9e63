"""Names in the order that people expect of numbers in them."""

from __future__ import annotations

import re


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key by which the ``name`` ``checkpoint-500`` comes before ``checkpoint-1000``."""
    parts = re.split(r"(\d{1,18})", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]
