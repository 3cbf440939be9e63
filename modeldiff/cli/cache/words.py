"""Words that ``modeldiff cache`` says of this machine's cache and of the shared store alike."""

from __future__ import annotations


def days_text(days: float) -> str:
    """A number of days: ``1 day``, ``90 days``."""
    return "1 day" if round(days) == 1 else f"{days:,.0f} days"


def files_text(count: int) -> str:
    """A number of files: ``1 file``, ``1,000 files``."""
    return "1 file" if count == 1 else f"{count:,} files"
