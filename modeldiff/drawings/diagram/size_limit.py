"""Whether an architecture can be drawn at all: what nobody could read is told in words instead."""

from __future__ import annotations

from itertools import islice

from modeldiff.architectures import Architecture

MOST_BOXES = 500
"""No known model's drawing has a fifth of it. Names that no pattern folds into layers can give tens
of thousands, which would take minutes to lay out."""


def why_not_drawn(*architectures: Architecture) -> str:
    """A sentence that says why these are not drawn; "" where they are."""
    if all(_is_readable(architecture) for architecture in architectures):
        return ""
    return (
        "Not drawn: its names do not say which tensors belong together, and more than "
        f"{MOST_BOXES:,} boxes could not be read. Table and heatmap have all of them."
    )


def _is_readable(architecture: Architecture) -> bool:
    # Each component has a box at least. So those of whom the names alone say that there are too
    # many need not be made for being counted.
    components: set[tuple[str, str]] = set()
    for parameter in architecture.parameters:
        if parameter.role != "buffer":
            components.add((parameter.place.tower, parameter.place.component))
            if len(components) > MOST_BOXES:
                return False
    return next(islice(architecture.nodes(), MOST_BOXES, None), None) is None
