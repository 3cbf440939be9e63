"""What sets the kinds of layers apart, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from modeldiff.architectures.place import Parameter
from modeldiff.architectures.spec import ModelSpec


def layer_names(
    kinds: Sequence[tuple[str, tuple[int, ...]]],
    layers: Mapping[tuple[str, int], list[Parameter]],
    spec: ModelSpec,
) -> list[str]:
    """A name for each kind: what sets it apart from the tower's others, else its layers."""
    marks = [_marks(tower, numbers[0], layers[tower, numbers[0]], spec) for tower, numbers in kinds]
    # There may be thousands of towers in a made-up file: each is looked through once.
    others: dict[str, tuple[set[str], ...]] = {}
    for (tower, _), own in zip(kinds, marks, strict=True):
        for variants, mark in zip(
            others.setdefault(tower, (set(), set(), set())), own, strict=True
        ):
            variants.add(mark)
    names = []
    for (tower, _), own in zip(kinds, marks, strict=True):
        name = f"{tower} layer" if tower else "layer" if spec.family is None else "decoder layer"
        sides = zip(own, others[tower], strict=True)
        telling = [mark for mark, variants in sides if mark and len(variants) > 1]
        names.append(": ".join([name[:1].upper() + name[1:], *filter(None, [", ".join(telling)])]))
    counts = Counter(names)
    return [
        f"{name} ({_ranges(numbers)})" if counts[name] > 1 else name
        for name, (_, numbers) in zip(names, kinds, strict=True)
    ]


def _marks(
    tower: str, layer: int, parameters: Iterable[Parameter], spec: ModelSpec
) -> tuple[str, str, str]:
    """What may set a layer apart: its kind of attention, what stands in its place, its MLP."""
    components = {parameter.place.component for parameter in parameters}
    kind = attention_kind(spec, layer) if tower == spec.shapes.tower else ""
    mixes = any(component.startswith("mixer.") for component in components)
    routed = any("experts." in component for component in components)
    return (
        kind.replace("_", " "),
        "state space" if mixes else "attention",
        "mixture of experts" if routed else "dense MLP",
    )


def _ranges(layers: tuple[int, ...]) -> str:
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)


def attention_kind(spec: ModelSpec, layer: int) -> str:
    """The layer's word in the config (``sliding_attention``); empty where all layers are alike."""
    kinds = spec.positions.kinds
    return kinds[layer] if layer < len(kinds) and len(set(kinds)) > 1 else ""
