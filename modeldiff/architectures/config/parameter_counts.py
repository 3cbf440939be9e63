"""Where the parameters are and what storing and running them takes: counts and bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

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


@dataclass(frozen=True)
class Composition:
    """Trained elements by part, and bytes by stored type (buffers in neither)."""

    parts: dict[str, int]
    types: dict[str, int]
    nbytes: int

    @property
    def parameters(self) -> int:
        """All trained elements; those used twice count once."""
        return sum(self.parts.values())


def read_composition(parameters: Iterable[Parameter]) -> Composition:
    """Add up all stored parameters. ``nbytes`` is of everything stored, buffers too."""
    parts: Counter[str] = Counter()
    types: Counter[str] = Counter()
    nbytes = 0
    part_of_component: dict[tuple[bool, str], str] = {}
    for parameter in parameters:
        if parameter.role == "tied":
            continue
        own = parameter.tensor.nbytes
        nbytes += own
        if parameter.role != "buffer":
            types[parameter.tensor.dtype] += own
            place = parameter.place
            component = place.layer is None, place.component
            part = part_of_component.get(component)
            if part is None:
                part = part_of_component[component] = part_of(place)
            parts[part] += trained_elements(parameter)
    by_bytes = dict(sorted(types.items(), key=lambda item: (-item[1], item[0])))
    return Composition({part: parts[part] for part in PARTS if parts[part]}, by_bytes, nbytes)


def part_of(place: Place) -> str:
    """Which of ``PARTS`` a place belongs to, by the words of its component."""
    return part_of_component(place.component, outside=place.layer is None)


def part_of_component(component: str, *, outside: bool) -> str:
    """As ``part_of``, of a component in layers or ``outside`` of them."""
    name = component.lower()
    if component in NORMS or "norm" in name:
        return "norms"
    words = name.replace("_", ".").split(".")
    if "ln" in words:
        return "norms"
    if outside:
        if component.startswith(_HEADS):
            return "head"
        return "embedding" if "emb" in name or words[-1] in ("wte", "wpe") else "other"
    if "shared" not in name and "experts" in words and "correction" not in name:
        return "experts"
    if words[0] == "mixer":
        return "mixer"
    if "attn" in name or "attention" in name:
        return "attention"
    return "other" if _MLP_WORDS.isdisjoint(words) else "mlp"
