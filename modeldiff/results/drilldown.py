"""A closer look at one pair of a comparison: what has to be read again is read once and kept."""

from __future__ import annotations

from collections.abc import Callable

from modeldiff.architectures import Architecture, Place, understand
from modeldiff.changes import (
    Pair,
    Progress,
    measure_image,
    measure_rows,
    measure_singular_values,
    measure_units,
    pair,
    units_between,
)
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo
from modeldiff.errors import InvalidOption
from modeldiff.results.drilldown_kinds import DrillDown, DrillDownKind, DrillDownResult
from modeldiff.results.result import result_key
from modeldiff.results.store.drilldown_files import load_drill_down, save_drill_down

_ROWS_ARE_TOKENS = ("embed_tokens", "lm_head", "embed_positions", "embed_token_types")


def possible_drill_downs(
    found: Pair, base: Architecture, target: Architecture
) -> tuple[DrillDownKind, ...]:
    """The looks that there are at a pair, as far as headers tell; none where it isn't measured."""
    tensor = found.base
    if found.status != "compared" or tensor is None or found.target is None:
        return ()
    sides = (tensor, found.target)
    if not tensor.elements or not all(_is_float(side) for side in sides):
        return ()
    looks: list[DrillDownKind] = []
    if units_between(found, base, target) is not None:
        looks.append("units")
    matrix = len(tensor.shape) == 2 and min(tensor.shape) > 1
    if matrix and found.place.component.rpartition(".")[2] in _ROWS_ARE_TOKENS:
        looks.append("rows")
    if matrix:
        looks += ["image", "spectrum"]
    return tuple(looks)


def drill_down(
    base: Checkpoint,
    target: Checkpoint,
    look: DrillDown,
    *,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> DrillDownResult:
    """What a look shows: the stored one if there is, else measured now and kept.

    ``device`` is where singular values are computed; all else is reading. ``progress`` is called
    often and may raise ``Cancelled``.

    Raises ``InvalidOption`` where the comparison has no such pair or the pair no such look,
    ``ResultError`` where the cache folder can't be written to, and the errors of reading.
    """
    key = result_key(base, target)
    stored = load_drill_down(key, look)
    if stored is not None:
        return stored
    sides = understand(base), understand(target)
    chosen = _pair_at(pair(*sides), look.place)
    found = _measure(chosen, look.kind, (base, target), sides, device, progress)
    save_drill_down(key, look, found)
    return found


def _measure(
    chosen: Pair,
    kind: DrillDownKind,
    checkpoints: tuple[Checkpoint, Checkpoint],
    architectures: tuple[Architecture, Architecture],
    device: str,
    progress: Callable[[Progress], None] | None,
) -> DrillDownResult:
    if kind == "rows":
        return measure_rows(chosen, *checkpoints, progress=progress)
    if kind == "image":
        return measure_image(chosen, *checkpoints, progress=progress)
    if kind == "spectrum":
        return measure_singular_values(chosen, *checkpoints, device=device, progress=progress)
    units = units_between(chosen, *architectures)
    if units is None:
        raise InvalidOption(
            f"{chosen.place.column} has no heads and no neurons to tell apart.",
            hint="Choose an attention or MLP matrix whose model's config says its heads.",
        )
    return measure_units(chosen, units, *checkpoints, progress=progress)


def _pair_at(pairs: tuple[Pair, ...], place: Place) -> Pair:
    for each in pairs:
        if each.place == place:
            return each
    where = "outside the layers" if place.layer is None else f"in layer {place.layer}"
    raise InvalidOption(
        f"The two checkpoints have no {place.column} {where}.",
        hint="Choose a place that the comparison's table has.",
    )


def _is_float(tensor: TensorInfo) -> bool:
    stored = STORED_TYPES.get(tensor.values)
    return stored is not None and stored.kind == "float"
