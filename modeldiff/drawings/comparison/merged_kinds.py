"""An architecture made ready to be drawn beside others, as briefly as what it stores allows.

Kinds of layers that store the same and only compute otherwise (sliding and full attention) are one
frame, whose operations say in how many layers each holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from modeldiff.architectures.architecture import Architecture, LayerKind, Node, Sublayer


def comparable(architecture: Architecture) -> Architecture:
    """The same architecture with kinds of layers that only compute otherwise as one."""
    kinds: dict[object, list[LayerKind]] = {}
    for kind in architecture.layer_kinds:
        kinds.setdefault(_build(kind), []).append(kind)
    return architecture.with_kinds(tuple(map(_folded, kinds.values())))


def without_repeats(architecture: Architecture, kinds: Collection[LayerKind]) -> Architecture:
    """The same with these kinds' sublayers left out where another kind of layers has them too."""
    others = [kind for kind in architecture.layer_kinds if kind not in kinds]
    known = {sublayer.rows for kind in others for sublayer in kind.sublayers}

    def briefly(sublayer: Sublayer) -> Sublayer:
        if sublayer.rows not in known:
            return sublayer
        return Sublayer(f"{sublayer.name}: as in the other layers", (), adds=False)

    shown = (
        replace(kind, sublayers=tuple(map(briefly, kind.sublayers))) if kind in kinds else kind
        for kind in architecture.layer_kinds
    )
    return architecture.with_kinds(tuple(shown))


def _build(kind: LayerKind) -> object:
    """What kinds of layers share that are drawn as one."""
    nodes = (
        (sublayer.name, node.id, node.label, node.shape, node.inputs)
        for sublayer in kind.sublayers
        for node in sublayer.nodes()
    )
    return kind.tower, kind.parallel, tuple(nodes)


def _folded(kinds: Sequence[LayerKind]) -> LayerKind:
    if len(kinds) == 1:
        return kinds[0]
    first = kinds[0]
    head, _, mark = first.name.partition(": ")
    marks = [mark, *(kind.name.partition(": ")[2] for kind in kinds[1:])]
    counts = [len(kind.layers) for kind in kinds]
    parts = (f"{count} {mark}" for count, mark in zip(counts, marks, strict=True) if mark)
    sublayers = tuple(
        replace(
            sublayer,
            rows=tuple(
                tuple(
                    replace(
                        node, detail=_details([_node(k, s, r, n).detail for k in kinds], counts)
                    )
                    for n, node in enumerate(row)
                )
                for r, row in enumerate(sublayer.rows)
            ),
        )
        for s, sublayer in enumerate(first.sublayers)
    )
    layers = tuple(sorted(layer for kind in kinds for layer in kind.layers))
    return replace(
        first, name=": ".join([head, ", ".join(parts)]), layers=layers, sublayers=sublayers
    )


def _node(kind: LayerKind, sublayer: int, row: int, number: int) -> Node:
    return kind.sublayers[sublayer].rows[row][number]


def _details(details: Sequence[str], counts: Sequence[int]) -> str:
    """Several kinds' details as one: what holds for some of the layers only says for how many.

    >>> _details(["16 heads, window of 4,096", "16 heads"], [21, 21])
    '16 heads, window of 4,096 in 21 of 42'
    """
    layers: Counter[str] = Counter()
    for detail, count in zip(details, counts, strict=True):
        layers.update(dict.fromkeys(filter(None, detail.split(", ")), count))
    whole = sum(counts)
    return ", ".join(
        part if count == whole else f"{part} in {count} of {whole}"
        for part, count in layers.items()
    )
