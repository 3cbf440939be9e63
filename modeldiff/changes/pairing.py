"""Two architectures' tensors, paired by the place that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.naming.quantised import describe_codes
from modeldiff.architectures.naming.strides import turned
from modeldiff.architectures.place import LayerNumbers, Parameter, Place
from modeldiff.architectures.spec import UNKNOWN
from modeldiff.changes.change import Pair, Status
from modeldiff.changes.layer_chains import BY_POSITION, Alignment
from modeldiff.checkpoints.tensor import TensorInfo


def pair(
    base: Architecture, target: Architecture, alignment: Alignment = BY_POSITION
) -> tuple[Pair, ...]:
    """One row for every stored tensor of both sides: base's in file order, then target's own.

    Tensors pair by place, never by position. Only where one side's family is unknown do tensors
    that found no partner pair by their stored name: between two known families one name may mean
    two places (``post_attention_layernorm`` in Llama and in Gemma 2).

    A head tied to the embedding is a row of its own beside the embedding's:

    - ``tied`` where no side stores a head (or the other has none at all): it is the embedding
      again, which is measured once, at the embedding's place;
    - ``compared`` (or ``different_shape``) where the other side stores a head of its own, because
      that head is measured nowhere else: it is compared with the embedding that stands in for it,
      and ``reason`` says so. This embedding then is in two rows, each against another tensor.

    Where one side stores a matrix as [in, out] and the other as [out, in], the former stands in
    the row as a view that is turned to [out, in], and ``reason`` says so. Where a side holds codes
    in place of values, the row is ``quantised`` and not measured.

    Layers meet as the ``alignment`` says, by number where it says nothing: a tensor of base's layer
    that target has twice is in two rows, one of a layer that target lacks in one without target.
    """
    if base.parameters is target.parameters and not alignment.chains:
        # The same names and shapes on both sides: each tensor's partner is its namesake.
        return tuple(_with_doubt(_beside_itself(one), alignment) for one in base.parameters)
    ours = _in_common_order(base.parameters, alignment, "base")
    theirs = _in_common_order(target.parameters, alignment, "target")
    targets = {parameter.place: parameter for parameter in theirs}
    partners = {
        parameter.place: found
        for parameter in ours
        if (found := targets.get(parameter.place)) is not None
    }
    if UNKNOWN in (base.family, target.family):
        _add_namesakes(partners, ours, theirs)
    rows = [_row(parameter, partners.get(parameter.place)) for parameter in ours]
    taken = {found.place for found in partners.values()}
    rows += [_row(None, found) for found in theirs if found.place not in taken]
    return tuple(_with_doubt(row, alignment) for row in rows)


def _in_common_order(
    parameters: Sequence[Parameter], alignment: Alignment, side: Literal["base", "target"]
) -> Sequence[Parameter]:
    """The parameters with their layers where the alignment's chains have them: nowhere else, or
    several times."""
    if not alignment.chains:
        return parameters
    spots: dict[tuple[str, int | None], list[tuple[int, LayerNumbers]]] = {}
    for tower, chain in alignment.chains.items():
        for at, numbers in enumerate(chain):
            spots.setdefault((tower, getattr(numbers, side)), []).append((at, numbers))
    placed: list[Parameter] = []
    for parameter in parameters:
        place = parameter.place
        if place.layer is None or place.tower not in alignment.chains:
            placed.append(parameter)
            continue
        for at, numbers in spots.get((place.tower, place.layer), ()):
            placed.append(replace(parameter, place=replace(place, layer=at, layers=numbers)))
    return placed


def _with_doubt(row: Pair, alignment: Alignment) -> Pair:
    doubt = alignment.doubts.get(row.place.tower) if alignment.doubts else None
    if doubt is None or row.place.layer not in doubt.layers or row.status == "buffer":
        return row
    return replace(row, reason="; ".join(filter(None, (row.reason, doubt.reason))))


def _add_namesakes(
    partners: dict[Place, Parameter], ours: Sequence[Parameter], theirs: Sequence[Parameter]
) -> None:
    """Pair what is left by stored name; tied second uses have no name of their own, and in layers
    that were aligned a name says nothing."""
    taken = {found.place for found in partners.values()}
    left: Mapping[str, Parameter] = {
        parameter.tensor.label: parameter
        for parameter in theirs
        if parameter.place not in taken and _has_name(parameter)
    }
    for parameter in ours:
        if parameter.place not in partners and _has_name(parameter):
            found = left.get(parameter.tensor.label)
            if found is not None and found.place not in taken:
                partners[parameter.place] = found
                taken.add(found.place)


def _has_name(parameter: Parameter) -> bool:
    return parameter.role != "tied" and parameter.place.layers is None


def _beside_itself(parameter: Parameter) -> Pair:
    """The row of a tensor that both sides have in the same way: nearly all are just compared."""
    if parameter.role == "parameter" and parameter.codes is None:
        return Pair(parameter.place, "compared", parameter.tensor, parameter.tensor)
    return _row(parameter, parameter)


def _row(base: Parameter | None, target: Parameter | None) -> Pair:
    place = base.place if base is not None else target.place if target is not None else None
    assert place is not None, "a row has at least one side"
    sides = (base.tensor if base else None, target.tensor if target else None)
    notes = []
    if base is not None and target is not None and base.transposed != target.transposed:
        turnable = [side for side in (base, target) if side.tensor.recipe is None]
        if not turnable:
            reason = "one side stores it as [in, out], and neither can be turned"
            return Pair(place, "unreadable", *sides, reason=reason)
        # What a recipe makes comes in one order: then the other side is turned.
        side = max(turnable, key=lambda each: each.transposed)
        name, way = ("base" if side is base else "target"), ("[in, out]", "[out, in]")
        sides = (
            turned(base.tensor) if side is base else base.tensor,
            turned(target.tensor) if side is target else target.tensor,
        )
        stored = way[0] if side.transposed else way[1]
        notes.append(f"{name} stores this matrix as {stored}; here it is turned")
    status, why = _status(base, target, sides)
    return Pair(place, status, *sides, reason=why or "; ".join([*notes, *_readings(base, target)]))


def _readings(base: Parameter | None, target: Parameter | None) -> Iterator[str]:
    """What is to be said of how each side was read, where both were not read alike."""
    reasons = (base.reason if base else "", target.reason if target else "")
    if reasons[0] != reasons[1] or None in (base, target):
        for name, reason in zip(("base", "target"), reasons, strict=True):
            if reason:
                yield f"{name}: {reason}"


def _status(
    base: Parameter | None,
    target: Parameter | None,
    tensors: tuple[TensorInfo | None, TensorInfo | None],
) -> tuple[Status, str]:
    sides = [side for side in (base, target) if side is not None]
    if any(side.role == "buffer" for side in sides):
        why = next((s.reason for s in sides if s.role == "buffer" and s.reason), "")
        return "buffer", why or "not a trained parameter"
    if all(side.role == "tied" for side in sides):
        return "tied", f"the same tensor as {sides[0].tensor.name}, measured there"
    codes = _codes(base, target)
    if base is None:
        return "only_in_target", codes
    if target is None:
        return "only_in_base", codes
    if codes:
        return "quantised", f"{codes}: codes are no weights, so they are not measured"
    one, other = tensors
    same = one is not None and other is not None and one.shape == other.shape
    for side, name in ((base, "base"), (target, "target")):
        if side.role == "tied":
            reason = f"{name} stores no head of its own: its embedding stands in for it"
            return "compared" if same else "different_shape", reason
    return "compared" if same else "different_shape", ""


def values_of(pair: Pair, side: Literal["base", "target"]) -> int:
    """How many values a side's tensor stands for, 0 where it is not there: its elements, but of
    codes those that they are packed of. A stored row keeps the words on its codes, so they tell."""
    tensor: TensorInfo | None = getattr(pair, side)
    if tensor is None:
        return 0
    bits = re.search(rf"\b{side} holds (\d+)-bit codes", pair.reason)
    return tensor.nbytes * 8 // int(bits[1]) if bits else tensor.elements


def _codes(base: Parameter | None, target: Parameter | None) -> str:
    """Which side is quantised, and how; empty where none is."""
    held = [
        f"{name} holds {describe_codes(side.codes)}"
        for side, name in ((base, "base"), (target, "target"))
        if side is not None and side.codes is not None
    ]
    return " and ".join(held)
