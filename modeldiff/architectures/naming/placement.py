"""Stored names → places: every tensor, or every part of a fused one, on a place of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from dataclasses import field, replace
from functools import cached_property
from itertools import compress, repeat
from operator import not_

from modeldiff.architectures.config.config_values import Settings
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.naming.detection import tower_beside
from modeldiff.architectures.naming.fused_split import Cutter
from modeldiff.architectures.naming.generic import read_component, read_names
from modeldiff.architectures.naming.merged_updates import merged_note
from modeldiff.architectures.naming.orientation import TELLING_COMPONENTS, Orientation
from modeldiff.architectures.naming.placed_slice import PlacedSlice
from modeldiff.architectures.naming.plain_names import PlainNames
from modeldiff.architectures.naming.quantised import Quantisation
from modeldiff.architectures.naming.row_order import RowOrder
from modeldiff.architectures.place import Parameter, ParameterRole, Place
from modeldiff.checkpoints.formats.tied_heads import is_head
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
_COUNTS = ("BOOL", "I64")
"""Types of what no gradient moves."""
_BUFFER_LETTERS = frozenset(name[-1] for name in _BUFFER_NAMES)
"""Most names are told by their last letter alone: most parameters are weights."""
_TURNS = ("rope.freqs",)
"""The rotations of RoPE, as Meta's files store them."""
_MASKS = ("attn.bias", "attention.bias")
"""A causal mask is stored as the bias *of the attention*; a trained bias is one of a projection."""

_Way = tuple[str, str, str, tuple[int, ...], bool]
"""Tower, component, parameter, shape, and whether it is called a module's weight: by these alone is
it told which way a matrix is stored."""

_NUMBER = re.compile(r"\.[0-9]+(?=\.)")

_EMBEDDINGS = (Place(None, "embed_tokens"), Place(None, "embed_tokens", tower="decoder"))


def name_patterns(names: Iterable[str]) -> tuple[str, ...]:
    """One name of each kind: names that differ in their numbers only are the same kind."""
    names = tuple(names)
    text = "\n".join(names)
    if text.count("\n") == len(names) - 1:
        lines = _NUMBER.sub(".#", text).split("\n")  # all at once
    else:
        lines = [_NUMBER.sub(".#", name) for name in names]
    kinds: dict[str, str] = {}
    for line, name in zip(lines, names, strict=True):
        kinds.setdefault(line, name)
    return tuple(kinds.values())


def read_parameters(
    tensors: tuple[TensorInfo, ...],
    names: PlainNames,
    quantised: Quantisation,
    family: Family | None,
    settings: Settings,
) -> Iterator[Parameter]:
    """Every tensor in its place, in the order given, one after the other.

    ``names`` are the tensors' plain names, in the same order, ``quantised`` says which hold codes.
    A fused tensor's parts stand in their own places, one after the other. A second tensor at a
    place that is taken keeps its whole name as its component, so that none is lost and places stay
    unique.
    """
    places = _read_places(tensors, names, quantised, family, settings)
    taken: set[Place] = set()
    role_of = _roles(tensors, quantised)
    said, coded = names.reasons, quantised.codes.keys() | quantised.beside.keys()
    for at, (place, tensor, plain) in enumerate(
        zip(places.places, tensors, names.plain, strict=True)
    ):
        reader = places.theirs if at in places.looking else places.ours
        role = role_of(tensor, plain)
        if tensor.recipe is None and tensor.name not in said and plain not in coded:
            # Nearly all tensors, of which a file may have any number.
            turned, count = reader.takes_as_is(place, tensor), len(taken)
            if turned is not None:
                taken.add(place)
                if len(taken) > count:
                    counted = place.parameter != "bias" or not _corrects(place, settings)
                    yield Parameter(place, tensor, role, turned, None, "", counted)
                    continue
        whole = PlacedSlice(place, tensor, quantised.codes.get(plain))
        whole = whole if whole.codes is None else reader.orientation.with_shape(whole)
        notes = (names.reasons.get(tensor.name), quantised.note(plain))
        yield from _read_closely(whole, role, notes, reader, settings, taken)


def _read_closely(
    whole: PlacedSlice,
    role: ParameterRole,
    notes: tuple[str | None, ...],
    reader: _Reader,
    settings: Settings,
    taken: set[Place],
) -> Iterator[Parameter]:
    """A tensor, or the parts of a fused one, at places that are free, which are ``taken`` then."""
    place, tensor, _ = whole
    if place in taken:
        place = _free(place, tensor.name, taken)
        whole = whole._replace(place=place)
    parts: tuple[PlacedSlice, ...] = ()
    why_whole = ""
    if role != "buffer" and reader.cutter.concerns(place):
        parts = reader.cutter.cut(whole)
        if not parts or any(part.place in taken for part in parts):
            parts, why_whole = (), reader.cutter.why_whole(whole)
    turned, way = reader.orientation.of(whole)
    merged = merged_note(tensor) if tensor.recipe is not None else ""
    notes = (*notes, merged, way, why_whole)
    for part in parts or (whole,):
        order = ""
        if reader.rows.concerns(part.place.component):
            part, order = reader.rows.read(part)
        place, tensor, codes = part
        taken.add(place)
        reason = "; ".join(filter(None, (*notes, order))) if order or any(notes) else ""
        turns = turned and len(tensor.shape) == 2
        counted = place.parameter != "bias" or not _corrects(place, settings)
        yield Parameter(place, tensor, role, turns, codes, reason, counted)


@dataclass(frozen=True)
class _Reader:
    """How tensors of one description are read, once they are placed."""

    orientation: Orientation
    cutter: Cutter
    rows: RowOrder
    _ways: dict[_Way, bool | None] = field(default_factory=dict)

    def takes_as_is(self, place: Place, tensor: TensorInfo) -> bool | None:
        """Whether a tensor of values at this place, which is one parameter and of which there is
        nothing to say, is stored [in, out]; None where more is to be looked at."""
        component = place.component
        if component not in self._of_note:
            # A stack of experts, perhaps.
            return None if place.expert is None and "experts" in component else False
        # Matrices of experts are many, and of few shapes.
        shape, of_a_module = tensor.shape, tensor.name.endswith(".weight")
        key = place.tower, component, place.parameter, shape, of_a_module
        if key not in self._ways:
            turned, way = self.orientation.of(PlacedSlice(place, tensor))
            concerned = self.rows.concerns(component) or self.cutter.concerns(place)
            self._ways[key] = None if way or concerned else turned and len(shape) == 2
        return self._ways[key]

    @cached_property
    def _of_note(self) -> Set[str]:
        """The components that may be stored otherwise than they are shown."""
        return self.orientation.components | self.rows.components | self.cutter.components


def _reader(family: Family | None, settings: Settings, placed: Iterable[PlacedSlice]) -> _Reader:
    placed = tuple(placed)
    plain = [one for one in placed if one.codes is None or not one.is_packed]
    orientation = Orientation(family, plain)
    cutter = Cutter(family, settings, orientation, placed)
    return _Reader(orientation, cutter, RowOrder(family, settings, plain))


@dataclass(frozen=True)
class _Places:
    """The place of each tensor, and what reads it: the family's description, or for those at the
    positions ``looking`` that of what looks beside the model."""

    places: Sequence[Place]
    looking: Set[int]
    ours: _Reader
    theirs: _Reader


def _read_places(
    tensors: tuple[TensorInfo, ...],
    names: PlainNames,
    quantised: Quantisation,
    family: Family | None,
    settings: Settings,
) -> _Places:
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
    placed: Iterable[PlacedSlice] = map(PlacedSlice, places, tensors, codes)
    if family is None:
        # Of names that no description knows, few tell anything of the others.
        placed = compress(placed, [place.component in TELLING_COMPONENTS for place in places])
    theirs: Iterable[PlacedSlice] = ()
    if looking:
        every, looks = list(placed), [at in looking for at in range(len(places))]
        placed, theirs = compress(every, map(not_, looks)), compress(every, looks)
    # What the config says of the model's own layers does not hold for those beside it.
    return _Places(
        places,
        looking,
        _reader(family, settings, placed),
        _reader(beside, Settings(None), theirs),
    )


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


def _roles(
    tensors: Iterable[TensorInfo], quantised: Quantisation
) -> Callable[[TensorInfo, str], ParameterRole]:
    """What tells the role of each of these tensors, with its plain name."""
    # What is in none of the names has not to be looked for name by name.
    text = "\n".join([tensor.name for tensor in tensors])
    ends = tuple(end for end in (*_BUFFER_NAMES, *_TURNS, *_MASKS) if end in text)
    closely = "rotary_emb" in text or bool(quantised.codes or quantised.beside)

    def role_of(tensor: TensorInfo, plain: str) -> ParameterRole:
        if not closely and tensor.dtype not in _COUNTS and not tensor.name.endswith(ends):
            return "parameter"
        return _role(tensor, plain, quantised)

    return role_of


def _role(tensor: TensorInfo, plain: str, quantised: Quantisation) -> ParameterRole:
    if quantised.codes and plain in quantised.codes:
        return "quantised"
    if quantised.beside and plain in quantised.beside:
        return "buffer"
    name, dtype = tensor.name, tensor.dtype
    if dtype in _COUNTS:
        return "buffer"
    if name[-1:] in _BUFFER_LETTERS and name.rpartition(".")[2] in _BUFFER_NAMES:
        return "buffer"
    if "rotary_emb" in name and "rotary_emb" in name.split("."):
        return "buffer"
    if name.endswith(_TURNS):
        return "buffer"
    is_mask = name.endswith(_MASKS) and (len(tensor.shape) > 2 or dtype == "U8")
    return "buffer" if is_mask else "parameter"


def tied_head(
    parameters: Iterable[Parameter],
    settings: Settings,
    family: Family | None,
    tied: Collection[str] = (),
) -> tuple[Parameter, ...]:
    """The embedding's second use as the head, if the config ties them, or the files do, which call
    its bytes by the names ``tied``, and none of a checkpoint's ``parameters`` is a head."""
    flag = settings.flag("tie_word_embeddings")
    if not any(map(is_head, tied)) and (flag is None or not flag.value):
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
