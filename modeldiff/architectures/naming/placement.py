"""Stored names → places: every tensor, or every part of a fused one, on a place of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from itertools import compress, repeat

from modeldiff.architectures.config.config_values import Settings
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.naming.detection import tower_beside
from modeldiff.architectures.naming.fused_split import Cutter
from modeldiff.architectures.naming.generic import read_component, read_names
from modeldiff.architectures.naming.merged_updates import merged_note
from modeldiff.architectures.naming.orientation import Orientation
from modeldiff.architectures.naming.placed_slice import PlacedSlice
from modeldiff.architectures.naming.plain_names import PlainNames
from modeldiff.architectures.naming.quantised import Quantisation
from modeldiff.architectures.naming.row_order import RowOrder
from modeldiff.architectures.place import Parameter, ParameterRole, Place
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass

_BUFFER_NAMES = frozenset(
    {
        "inv_freq",
        "original_inv_freq",
        "cos_cached",
        "sin_cached",
        "masked_bias",
        "position_ids",
        "num_batches_tracked",
        "final_logits_bias",
        "_extra_state",
    }
)
_BUFFER_LETTERS = frozenset(name[-1] for name in _BUFFER_NAMES)
"""Most names are told by their last letter alone: most parameters are weights."""
_MASKS = ("attn.bias", "attention.bias")
"""A causal mask is stored as the bias *of the attention*; a trained bias is one of a projection."""

_NUMBER = re.compile(r"\.[0-9]+(?=\.)")

_EMBEDDINGS = (Place(None, "embed_tokens"), Place(None, "embed_tokens", tower="decoder"))


def name_patterns(names: Iterable[str]) -> tuple[str, ...]:
    """One name of each kind: names that differ in their numbers only are the same kind."""
    kinds: dict[str, str] = {}
    for name in names:
        kinds.setdefault(_NUMBER.sub(".#", name), name)
    return tuple(kinds.values())


def read_parameters(
    tensors: tuple[TensorInfo, ...],
    names: PlainNames,
    quantised: Quantisation,
    family: Family | None,
    settings: Settings,
) -> tuple[Parameter, ...]:
    """Every tensor in its place, in the order given, then the tied head where there is one.

    ``names`` are the tensors' plain names, in the same order, ``quantised`` says which hold codes.
    A fused tensor's parts stand in their own places, one after the other. A second tensor at a
    place that is taken keeps its whole name as its component, so that none is lost and places stay
    unique.
    """
    taken: set[Place] = set()
    parameters = []
    nothing_said = not names.reasons and not quantised.beside
    for reader, whole, plain in _readers(tensors, names, quantised, family, settings):
        place, tensor, codes = whole
        if nothing_said and codes is None and tensor.recipe is None and reader.takes_as_is(place):
            # Nearly all tensors whose names no description knows, of which a file may have any
            # number; and the experts' biases and norms of those that are known.
            count = len(taken)
            taken.add(place)
            if len(taken) > count:
                role = _role(tensor, plain, quantised)
                counted = place.parameter != "bias" or not _corrects(place, settings)
                parameters.append(Parameter(place, tensor, role, False, None, "", counted))
                continue
        name = tensor.name
        if place in taken:
            place = _free(place, name, taken)
            whole = whole._replace(place=place)
        role = _role(tensor, plain, quantised)
        parts: tuple[PlacedSlice, ...] = ()
        why_whole = ""
        if role != "buffer" and reader.cutter.concerns(place):
            parts = reader.cutter.cut(whole)
            if not parts or any(part.place in taken for part in parts):
                parts, why_whole = (), reader.cutter.why_whole(whole)
        turned, way = reader.orientation.of(whole)
        merged = merged_note(tensor) if tensor.recipe is not None else ""
        notes = (names.reasons.get(name), quantised.note(plain), merged, way, why_whole)
        for part in parts or (whole,):
            order = ""
            if reader.rows.concerns(part.place.component):
                part, order = reader.rows.read(part)
            place, tensor, codes = part
            taken.add(place)
            reason = "; ".join(filter(None, (*notes, order))) if order or any(notes) else ""
            turns = turned and len(tensor.shape) == 2
            counted = place.parameter != "bias" or not _corrects(place, settings)
            parameters.append(Parameter(place, tensor, role, turns, codes, reason, counted))
    return (*parameters, *_tied_head(parameters, settings, family))


@dataclass(frozen=True)
class _Reader:
    """How tensors of one description are read, once they are placed."""

    orientation: Orientation
    cutter: Cutter
    rows: RowOrder

    def takes_as_is(self, place: Place) -> bool:
        """Whether a tensor at this place is one parameter, stored as it is shown."""
        component = place.component
        return not (
            self.orientation.concerns(component)
            or self.rows.concerns(component)
            or self.cutter.concerns(place)
        )


def _reader(family: Family | None, settings: Settings, placed: Iterable[PlacedSlice]) -> _Reader:
    placed = tuple(placed)
    plain = [one for one in placed if one.codes is None or not one.is_packed]
    orientation = Orientation(family, plain)
    cutter = Cutter(family, settings, orientation, placed)
    return _Reader(orientation, cutter, RowOrder(family, settings, plain))


def _readers(
    tensors: tuple[TensorInfo, ...],
    names: PlainNames,
    quantised: Quantisation,
    family: Family | None,
    settings: Settings,
) -> Iterator[tuple[_Reader, PlacedSlice, str]]:
    """Each tensor at its place, with what reads it (the family's description, or that of what
    looks beside the model) and its plain name."""
    plain = names.plain
    values = quantised.value_names(plain)
    # Where values have other names than what is stored, so may their layers begin elsewhere.
    starts = names.starts if values is plain else None
    places, beside, looking = _places(values, starts, family, settings)
    if quantised.beside:
        for at, name in enumerate(plain):
            if name in quantised.beside:
                places[at] = replace(places[at], parameter=quantised.beside[name][1])
    codes = map(quantised.codes.get, plain) if quantised.codes else repeat(None)
    placed = list(map(PlacedSlice, places, tensors, codes))
    looks = [at in looking for at in range(len(placed))] if looking else [False] * len(placed)
    ours = _reader(family, settings, compress(placed, (not each for each in looks)))
    # What the config says of the model's own layers does not hold for those beside it.
    theirs = _reader(beside, Settings(None), compress(placed, looks))
    for one, name, beside_it in zip(placed, plain, looks, strict=True):
        reader = theirs if beside_it else ours
        yield reader, one if one.codes is None else reader.orientation.with_shape(one), name


def _places(
    names: Sequence[str], starts: Sequence[int] | None, family: Family | None, settings: Settings
) -> tuple[list[Place], Family | None, Set[int]]:
    """The place of each name, with its ``layer_starts`` where they are known; the description of
    what looks beside the model, and which of the names are its."""
    if family is None:
        return read_names(names, starts=starts), None, frozenset()
    places = _described(names, family, settings)
    left = [at for at, place in enumerate(places) if place is None]
    beside = tower_beside(name_patterns([names[at] for at in left]))
    looking: set[int] = set()
    if beside is not None:
        for at, place in zip(
            left, _described([names[at] for at in left], beside, settings), strict=True
        ):
            if place is not None:
                places[at] = place
                looking.add(at)
        left = [at for at in left if at not in looking]
    main_known = any(place is not None and place.layer is not None for place in places)
    rest = read_names([names[at] for at in left], main_known=main_known)
    others = iter(rest)
    return [place or next(others) for place in places], beside, looking


def _described(names: Iterable[str], family: Family, settings: Settings) -> list[Place | None]:
    """Places of the names that the description knows, or that stand in its layers; None for
    others."""
    places: list[Place | None] = []
    entries: dict[tuple[str, bool, str], tuple[str, str, int | None]] = {}
    counted = settings.count("num_hidden_layers") if family.beyond else None
    for name in names:
        tower, layer, path = family.split(name)
        if counted is not None and layer is not None and layer >= counted.value:
            tower, layer = family.beyond, layer - counted.value
        key = (tower, layer is not None, path)
        entry = entries.get(key)
        entry = entry or family.look_up(path, in_layer=layer is not None, tower=tower)
        if entry is None:
            if layer is None and not tower:
                places.append(None)
                continue
            entry = read_component(path)
        entries[key] = entry
        component, parameter, expert = entry
        places.append(Place(layer, component, parameter, expert, tower))
    return places


def _free(place: Place, name: str, taken: set[Place]) -> Place:
    place = replace(place, component=name or "unnamed", parameter="weight", expert=None)
    count = 2
    while place in taken:
        place = replace(place, component=f"{name} ({count})")
        count += 1
    return place


def _corrects(place: Place, settings: Settings) -> bool:
    """Whether it is a correction of a router's scores under a bias's name: where scores are no
    softmax, a rule moves it to spread the load (DeepSeek-V3, section 2.1.2), and no gradient."""
    if place.parameter != "bias" or place.component.rpartition(".")[2] not in ("gate", "router"):
        return False
    scores = settings.word("scoring_func")
    return scores is not None and scores.value != "softmax"


def _role(tensor: TensorInfo, plain: str, quantised: Quantisation) -> ParameterRole:
    if quantised.codes:
        if plain in quantised.codes:
            return "quantised"
        if plain in quantised.beside:
            return "buffer"
    name, dtype = tensor.name, tensor.dtype
    if dtype in ("BOOL", "I64"):
        return "buffer"
    if name[-1:] in _BUFFER_LETTERS and name.rpartition(".")[2] in _BUFFER_NAMES:
        return "buffer"
    if "rotary_emb" in name and "rotary_emb" in name.split("."):
        return "buffer"
    is_mask = name.endswith(_MASKS) and (len(tensor.shape) > 2 or dtype == "U8")
    return "buffer" if is_mask else "parameter"


def _tied_head(
    parameters: list[Parameter], settings: Settings, family: Family | None
) -> tuple[Parameter, ...]:
    """The embedding's second use as the head, if the config ties them and no head is stored."""
    tied = settings.flag("tie_word_embeddings")
    if tied is None or not tied.value:
        return ()
    embedding, headless = None, family is not None and family.head_optional
    for parameter in parameters:
        place = parameter.place
        headless = headless and not place.component.startswith("lm_head")
        if place.layer is None and place.component == "lm_head" and place.parameter == "weight":
            return ()
        if place in _EMBEDDINGS:
            embedding = embedding or parameter
    if embedding is None or headless:
        return ()
    return (Parameter(Place(None, "lm_head"), embedding.tensor, role="tied"),)
