"""Two models beside each other, row by row, with what differs outlined and named between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from modeldiff.architectures.architecture import Architecture, FactPair, LayerKind, Node
from modeldiff.changes import ChangeTable
from modeldiff.drawings.comparison.difference_marks import Mark
from modeldiff.drawings.comparison.differences import Differences, find_differences
from modeldiff.drawings.comparison.merged_kinds import comparable, without_repeats
from modeldiff.drawings.comparison.notes_column import GUTTER, notes_height
from modeldiff.drawings.comparison.row_alignment import Gap, Slot, Span, slots_of
from modeldiff.drawings.comparison.vertical_stretch import beside, level
from modeldiff.drawings.diagram.box_values import BoxValues
from modeldiff.drawings.diagram.boxes import Card, make_card
from modeldiff.drawings.diagram.layout.elements import Frame, FrameLevel, Layout
from modeldiff.drawings.diagram.layout.layout import CardMaker, Layers, drawn_kinds, lay_out
from modeldiff.drawings.style.metrics import METRICS
from modeldiff.processes.late_dataclass import dataclass

HEAD = 56.0
"""Room for the models' names over the drawing."""
_NARROWEST = 372.0

_MARK_WORDS: Mapping[Mark, str] = {
    "built": "built otherwise",
    "only": "on one side only",
    "number": "of other sizes",
}
_PANEL_WORDS: Mapping[FrameLevel, tuple[str, str]] = {
    "layer": ("kind of layers", "kinds of layers"),
    "sublayer": ("sublayer", "sublayers"),
}


@dataclass(frozen=True)
class SideBySide:
    """Two models' layouts as one, without colours: ``side_by_side_svg`` paints it.

    ``placed`` are the slots' upper and lower edges in the drawing, ``titles`` what the models are.
    """

    layout: Layout
    sides: tuple[Layout, ...]
    slots: tuple[Slot, ...]
    gaps: tuple[Gap, ...]
    placed: tuple[Span, ...]
    differences: Differences
    titles: tuple[str, str]

    @property
    def lefts(self) -> tuple[float, float]:
        """Where each side begins."""
        return 0.0, self.sides[0].width + GUTTER


def side_by_side(base: Architecture, target: Architecture, pairs: Sequence[FactPair]) -> SideBySide:
    """Lay out two architectures; ``pairs`` are their facts, compared."""
    makers = [brief_cards(architecture) for architecture in (base, target)]
    ready = [comparable(architecture) for architecture in (base, target)]
    layouts = [_layout(*side) for side in zip(ready, makers, strict=True)]
    slots, gaps = slots_of(layouts)
    alone = [_kinds_alone(*side, gaps) for side in zip(ready, layouts, strict=True)]
    if any(alone):
        # What stands across from nothing is drawn as briefly as it can be.
        for side, kinds in enumerate(alone):
            if kinds:
                ready[side] = without_repeats(ready[side], kinds)
                layouts[side] = _layout(ready[side], makers[side])
        slots, gaps = slots_of(layouts)
    lacking = [gap for gap in gaps if gap.panel is not None and not gap.elsewhere]
    bare = [number for gap in lacking for number in range(gap.first, gap.last + 1)]
    differences = find_differences(slots, pairs, bare)
    least = {number: notes_height(notes) for number, notes in differences.notes.items()}
    sides, placed = level(layouts, slots, least, head=HEAD)
    titles = (base.title, target.title)
    both = beside(sides, GUTTER)
    return SideBySide(both, sides, slots, gaps, placed, differences, titles)


def _layout(ready: Architecture, cards: CardMaker) -> Layout:
    layout = lay_out(ready, None, cards, narrowest=_NARROWEST)
    kinds = dict(zip(_frames(layout), _drawn(ready), strict=False))
    panels = (_titled(p, kinds[p]) if p in kinds else p for p in layout.panels)
    return replace(layout, panels=tuple(panels))


def _frames(layout: Layout) -> list[Frame]:
    """The layers' frames from the lowest to the highest."""
    frames = [panel for panel in layout.panels if panel.level == "layer"]
    return sorted(frames, key=lambda panel: -panel.y)


def _drawn(ready: Architecture) -> list[LayerKind]:
    """The kinds of layers in the order of their frames: the main tower, named first, is on top."""
    towers = list(dict.fromkeys(kind.tower for kind in ready.layer_kinds))
    order = {tower: number for number, tower in enumerate((*towers[1:], *towers[:1]))}
    return sorted(drawn_kinds(ready, None), key=lambda kind: order[kind.tower])


def _kinds_alone(ready: Architecture, layout: Layout, gaps: Sequence[Gap]) -> list[LayerKind]:
    """The kinds of layers that have no counterpart."""
    lacking = [gap.panel for gap in gaps]
    pairs = zip(_frames(layout), _drawn(ready), strict=False)
    return [kind for frame, kind in pairs if frame in lacking]


def _titled(panel: Frame, kind: LayerKind) -> Frame:
    """A frame named by how many layers it stands for, and by what sets these apart."""
    name, _, mark = kind.name.partition(": ")
    title = f"{len(kind.layers)} × {name[:1].lower()}{name[1:]}"
    aside = mark if len(mark) > 30 else " · ".join(filter(None, (mark, panel.title.lower())))
    return replace(panel, title=title, aside=aside)


def brief_cards(architecture: Architecture) -> CardMaker:
    """Cards all of one size, with what a comparison needs: label, shape, meaning, bias."""
    box_values = BoxValues(architecture, ChangeTable(), METRICS[0])

    def cards(row: Sequence[Node], layers: Layers) -> list[Card]:
        labels = Counter(node.label for node in row)
        return [
            make_card(
                replace(node, label=_label(node, labels), detail=_detail(node)),
                _label(node, labels),
                box_values.of(node, layers[:1]),
                alone=len(row) == 1,
            )
            for node in row
        ]

    return cards


def _label(node: Node, labels: Mapping[str, int]) -> str:
    alone = labels[node.label] == 1
    return node.label if alone and "shared_expert" not in node.id else _longer_label(node)


def _longer_label(node: Node) -> str:
    """A label for one of several of the same name: with the network that it belongs to."""
    parts = node.id.split(".")
    # The many experts are the ones drawn as a stack.
    if len(parts) < 2 or len(node.label) == 1 or parts[-2] == "experts":
        return node.label
    return f"{parts[-2].removesuffix('_expert')} {node.label}"


def _detail(node: Node) -> str:
    """What a node's numbers mean, but not how its file stores them, nor what the router says."""
    parts = node.detail.replace("stored [in, out]", "").split(", ")
    if ".experts." in node.id:
        parts = [part for part in parts if not part.endswith((" experts", " a token"))]
    return ", ".join("+ bias" if part == "with bias" else part for part in parts if part)


def similarity_text(drawing: SideBySide) -> str:
    """How far the two are alike, in a sentence or two."""
    marks = drawing.differences.boxes
    labels = dict.fromkeys(
        note.label for notes in drawing.differences.notes.values() for note in notes
    )
    named = ", ".join(labels)
    if not marks and not labels and not drawing.gaps:
        so_far = ", as far as it is known of both" if drawing.differences.unclear else ""
        return f"Both are built the same, step by step and in every size{so_far}."
    if _stores_alike(drawing):
        return (
            "Every parameter has the same place and the same shape in both. "
            f"Set otherwise: {named}."
        )
    # A mark on both sides of a row is one difference.
    by_mark = Counter(
        mark for _, _, mark in {(at, id, mark) for (_, at, id), mark in marks.items()}
    )
    lacking = Counter(gap.panel.level for gap in drawing.gaps if gap.panel and not gap.elsewhere)
    parts = [f"{by_mark[mark]} {words}" for mark, words in _MARK_WORDS.items() if by_mark[mark]]
    more = [
        f"{lacking[level]} {words[lacking[level] > 1]}"
        for level, words in _PANEL_WORDS.items()
        if lacking[level]
    ]
    sentences = [f"Steps that differ: {', '.join(parts)}."] if parts else []
    if more:
        sentences.append(f"One side alone has {' and '.join(more)}.")
    return " ".join(sentences) or f"Each step is built the same. What differs: {named}."


def _stores_alike(drawing: SideBySide) -> bool:
    """Whether both store the same parameters, of the same shapes, in as many layers."""
    kinds = {
        (side, number, box.card.node.id): box.card.kind
        for number, slot in enumerate(drawing.slots)
        for side, boxes in enumerate(slot.boxes)
        for box in boxes
    }
    differs = any(kinds[key] == "parameters" for key in drawing.differences.boxes)
    titles = [{panel.title if panel else "" for panel in slot.panels} for slot in drawing.slots]
    return not differs and not drawing.gaps and all(len(each) == 1 for each in titles)
