"""Places and counts as sentences name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modeldiff.architectures import Place
from modeldiff.text.formatting import counted, format_layers, format_pct

MOST_NAMED = 3
AS_FAR = "as far as was looked at"
"""What a sentence says that rests on samples, where what these missed could make it false."""


def place_words(place: Place) -> str:
    """A place as people say it: ``layer 3 · self_attn.v_proj``, with its expert."""
    label = place.layer_label
    words = f"layer {label} · {place.column}" if label else place.column
    return words if place.expert is None else f"{words}, expert {place.expert}"


def places_words(places: Sequence[Place]) -> str:
    """Several places by their columns and layers, in a few words; of many the first, and how many
    more."""
    counts = Counter(place.column for place in places)
    layers_of: dict[str, list[int]] = {}
    for place in places:
        layers = layers_of.setdefault(place.column, [])
        if place.layer_number is not None:
            layers.append(place.layer_number)
    alike: dict[tuple[int, ...], list[str]] = {}
    for column, layers in layers_of.items():
        alike.setdefault(tuple(sorted(set(layers))), []).append(column)
    parts = [
        columns_words(columns) + (f" in {format_layers(layers)}" if layers else "")
        for layers, columns in alike.items()
    ]
    if len(parts) > MOST_NAMED:
        rest = sum(counts[name] for names in [*alike.values()][MOST_NAMED - 1 :] for name in names)
        parts = [*parts[: MOST_NAMED - 1], counted(rest, "more place")]
    return "; ".join(parts)


def columns_words(columns: Sequence[str]) -> str:
    """Columns by name, of many the first and how many more."""
    if len(columns) > MOST_NAMED:
        columns = [*columns[: MOST_NAMED - 1], f"{len(columns) - MOST_NAMED + 1:,} more"]
    return enumeration(columns)


def enumeration(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def but_for(rest_pct: float) -> str:
    """``but for at most 2.03 %``: what is left beside something that explains the rest, in
    percent."""
    return (
        f"but for {f'at most {format_pct(rest_pct)}' if rest_pct >= 0.01 else 'less than 0.01 %'}"
    )
