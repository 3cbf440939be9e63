"""Where the parameters are and what storing and running them takes: counts and bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from modeldiff.architectures.components import NORMS
from modeldiff.architectures.place import Parameter, Place, trained_elements
from modeldiff.processes.late_dataclass import dataclass

PARTS: dict[str, str] = {
    "embedding": "embeddings",
    "attention": "attention",
    "mixer": "state spaces",
    "mlp": "MLPs",
    "experts": "experts",
    "norms": "norms",
    "head": "the head",
    "other": "other parts",
}
"""What a parameter can be a part of, in the order in which data passes, with its name as people
read it. ``experts`` are the routed ones of a mixture of experts."""

_MLP_WORDS = frozenset({"mlp", "ffn", "moe", "feed", "fc1", "fc2"})
_HEADS = ("lm_head", "classifier", "score")


class TowerSize(NamedTuple):
    """The trained elements of a tower, and the numbers of its layers (buffers in neither). A named
    tuple, as made-up files have a tower every few tensors."""

    elements: int
    layers: frozenset[int]


@dataclass(frozen=True)
class Composition:
    """Trained elements by part, and bytes by stored type (buffers in neither). ``stacks`` are the
    towers that have layers, in file order; ``experts`` is how many numbers experts have."""

    parts: dict[str, int]
    types: dict[str, int]
    nbytes: int
    stacks: dict[str, TowerSize]
    experts: int

    @property
    def parameters(self) -> int:
        """All trained elements; those used twice count once."""
        return sum(self.parts.values())


def read_composition(parameters: Iterable[Parameter]) -> Composition:
    """Add up all stored parameters. ``nbytes`` is of everything stored, buffers too."""
    parts: Counter[str] = Counter()
    types: Counter[str] = Counter()
    nbytes = 0
    elements: Counter[str] = Counter()
    layers: dict[str, set[int]] = {}
    experts: set[int | None] = {None}
    in_layers: dict[str, str] = {}
    for parameter in parameters:
        role, place = parameter.role, parameter.place
        layer, tower = place.layer, place.tower
        experts.add(place.expert)
        own_layers = None
        if layer is not None:
            own_layers = layers.get(tower)
            if own_layers is None:
                own_layers = layers[tower] = set()
        if role == "tied":
            continue
        tensor = parameter.tensor
        own = tensor.nbytes
        nbytes += own
        if role != "buffer":
            types[tensor.dtype] += own
            if layer is None:  # nothing repeats here
                part = part_of(place)
            else:
                part = in_layers.get(place.component) or part_of(place)
                in_layers[place.component] = part
            count = trained_elements(parameter)
            parts[part] += count
            elements[tower] += count
            if own_layers is not None and layer is not None:
                own_layers.add(layer)
    return Composition(
        {part: parts[part] for part in PARTS if parts[part]},
        dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        nbytes,
        {tower: TowerSize(elements[tower], frozenset(own)) for tower, own in layers.items()},
        len(experts) - 1,
    )


def part_of(place: Place) -> str:
    """Which of ``PARTS`` a place belongs to, by the words of its component."""
    return part_of_component(place.component, outside=place.layer is None)


def _is_table(name: str) -> bool:
    """Whether the last word is what GPT-2 calls its embeddings."""
    return name[-3:] in ("wte", "wpe") and name[-4:-3] in ("", ".", "_")


def part_of_component(component: str, *, outside: bool) -> str:
    """As ``part_of``, of a component in layers or ``outside`` of them."""
    name = component.lower()
    if "norm" in name or component in NORMS:
        return "norms"
    # Cut into words only where one of them may tell: made-up files have a component a tensor.
    words: list[str] = []
    if not outside or "ln" in name:
        words = name.replace("_", ".").split(".")
    if "ln" in words:
        return "norms"
    if outside:
        if component.startswith(_HEADS):
            return "head"
        return "embedding" if "emb" in name or _is_table(name) else "other"
    if "experts" in words and "shared" not in name and "correction" not in name:
        return "experts"
    if words[0] == "mixer":
        return "mixer"
    if "attn" in name or "attention" in name:
        return "attention"
    return "other" if _MLP_WORDS.isdisjoint(words) else "mlp"
