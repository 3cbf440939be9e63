"""When a model was published, where that is known."""

from __future__ import annotations

from modeldiff.checkpoints.config_only.catalog import released_month
from modeldiff.model import Model

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def release_text(model: Model) -> str:
    """When a model of the catalog was published: ``Jul 2024``; "" where that is not known."""
    reference = model.checkpoint.reference
    month = released_month(reference.location) if reference.kind == "catalog" else None
    if month is None:
        return ""
    year, number = month.split("-")
    return f"{_MONTHS[int(number) - 1]} {year}"
