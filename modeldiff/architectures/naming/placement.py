"""Stored names → places: every tensor, or every part of a fused one, on a place of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from modeldiff.architectures.config.config_values import Settings
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.naming.detection import tower_beside
from modeldiff.architectures.naming.fused_split import Cutter
from modeldiff.architectures.naming.generic import read_names
from modeldiff.architectures.place import Parameter, ParameterRole, Place
from modeldiff.checkpoints.tensor import TensorInfo

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
    }
)
_MASKS = ("attn.bias", "attention.bias")
"""A causal mask is stored as the bias *of the attention*; a trained bias is one of a projection."""

_NUMBER = re.compile(r"(?<=\.)[0-9]+(?=\.)")

_EMBEDDINGS = (Place(None, "embed_tokens"), Place(None, "embed_tokens", tower="decoder"))


def name_patterns(names: Iterable[str]) -> tuple[str, ...]:
    """One name of each kind: names that differ in their numbers only are the same kind."""
    kinds: dict[str, str] = {}
    for name in names:
        kinds.setdefault(_NUMBER.sub("#", name), name)
    return tuple(kinds.values())


def read_parameters(
    tensors: tuple[TensorInfo, ...], family: Family | None, settings: Settings
) -> tuple[Parameter, ...]:
    """Every tensor in its place, in the order given, then the tied head where there is one.

    A fused tensor's parts stand in their own places, one after the other. A second tensor at a
    place that is taken keeps its whole name as its component, so that none is lost and places stay
    unique.
    """
    places = _described(tensors, family, settings) if family else {}
    beside, looking = None, dict[str, Place]()
    if family:
        left = tuple(tensor for tensor in tensors if tensor.name not in places)
        beside = tower_beside(name_patterns(tensor.name for tensor in left))
        looking = _described(left, beside, settings) if beside else {}
        places.update(looking)
    rest = [tensor.name for tensor in tensors if tensor.name not in places]
    places.update(read_names(rest, main_known=any(p.layer is not None for p in places.values())))
    cutter = Cutter(family, settings, ((places[tensor.name], tensor) for tensor in tensors))
    # What the config says of the model's own layers does not hold for those beside it.
    seen = ((looking[tensor.name], tensor) for tensor in tensors if tensor.name in looking)
    cutter_beside = Cutter(beside, Settings(None), seen)
    turned = family.transposed if family else frozenset()
    taken: set[Place] = set()
    parameters = []
    for tensor in tensors:
        place, role = _free(places[tensor.name], tensor.name, taken), _role(tensor)
        responsible = cutter_beside if tensor.name in looking else cutter
        parts = responsible.cut(place, tensor) if role == "parameter" else ()
        if any(own in taken for own, _ in parts):
            parts = ()
        transposed = place.component in turned and place.parameter == "weight"
        for own, part in parts or ((place, tensor),):
            taken.add(own)
            parameters.append(Parameter(own, part, role, transposed and len(part.shape) == 2))
    return (*parameters, *_tied_head(parameters, settings, family))


def _described(
    tensors: Iterable[TensorInfo], family: Family, settings: Settings
) -> dict[str, Place]:
    """Places of the names that the description knows, or that stand in its layers."""
    places: dict[str, Place] = {}
    looked_up: dict[tuple[str, bool, str], tuple[str, str, int | None]] = {}
    counted = settings.count("num_hidden_layers") if family.beyond else None
    for tensor in tensors:
        tower, layer, path = family.split(tensor.name)
        if counted is not None and layer is not None and layer >= counted.value:
            tower, layer = family.beyond, layer - counted.value
        key = (tower, layer is not None, path)
        found = looked_up.get(key)
        found = found or family.look_up(path, in_layer=layer is not None, tower=tower)
        if found is None:
            if layer is None and not tower:
                continue
            found = _undescribed(path)
        looked_up[key] = found
        component, parameter, expert = found
        places[tensor.name] = Place(layer, component, parameter, expert, tower)
    return places


def _undescribed(path: str) -> tuple[str, str, int | None]:
    place = read_names([path])[path]
    return place.component, place.parameter, place.expert


def _free(place: Place, name: str, taken: set[Place]) -> Place:
    if place in taken:
        place = replace(place, component=name or "unnamed", parameter="weight", expert=None)
    count = 2
    while place in taken:
        place = replace(place, component=f"{name} ({count})")
        count += 1
    return place


def _role(tensor: TensorInfo) -> ParameterRole:
    path = tensor.name.split(".")
    if path[-1] in _BUFFER_NAMES or "rotary_emb" in path:
        return "buffer"
    is_mask = tensor.name.endswith(_MASKS) and (
        len(tensor.shape) > 2 or tensor.dtype in ("BOOL", "U8")
    )
    return "buffer" if is_mask or tensor.dtype in ("BOOL", "I64") else "parameter"


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
