"""Whether an architecture can be drawn at all: what nobody could read is told in words instead."""

from __future__ import annotations

from modeldiff.architectures import Architecture

MOST_BOXES = 500
"""No known model's drawing has a fifth of it. Names that no pattern folds into layers can give tens
of thousands, which would take minutes to lay out."""


def why_not_drawn(*architectures: Architecture) -> str:
    """A sentence that says why these are not drawn; "" where they are."""
    most = max(sum(1 for _ in architecture.nodes()) for architecture in architectures)
    if most <= MOST_BOXES:
        return ""
    return (
        f"Not drawn: its names do not say which tensors belong together, and {most:,} boxes could "
        "not be read. Table and heatmap have all of them."
    )
