"""The heatmap's lines before they have a size: its layers, runs of layers that one side alone has,
its components, and the tensors outside the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from modeldiff.architectures.place import LayerNumbers
from modeldiff.drawings.heatmap.colour_scales import MATRIX_SCALE
from modeldiff.drawings.heatmap.names import short_names
from modeldiff.drawings.heatmap.readings import Reading
from modeldiff.drawings.style.metrics import Metric
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_layers

_Key = tuple[str, int | None]


@dataclass(frozen=True)
class LayerLine:
    """One layer: what the table calls it, its number on each side, and whether cells stand in it
    (they do not where one side alone has the layer)."""

    layer: int
    numbers: LayerNumbers
    has_cells: bool = True


@dataclass(frozen=True)
class LayerBlock:
    """Layers one after the other that one side alone has: the first of them, how many they are, and
    the words for them."""

    layer: int
    count: int
    words: str
    layers: str
    sign: str

    @property
    def description(self) -> str:
        """The block in a sentence."""
        return f"{self.layers}: {self.words}"


@dataclass(frozen=True)
class ComponentLine:
    """One component, or one expert of it: what it is called, the name of its group, and the part of
    the model that it belongs to. ``small``: its cells are norms, biases or other vectors."""

    column: str
    expert: int | None
    name: str
    group: str
    part: str
    small: bool


@dataclass(frozen=True)
class Lines:
    """Everything that is to be placed. ``cells`` are the readings' positions by layer and
    component; those of the margins have None for one of these. ``before`` and ``after`` are the
    positions of what stands outside the layers."""

    layers: tuple[LayerLine, ...]
    blocks: tuple[LayerBlock, ...]
    components: tuple[ComponentLine, ...]
    cells: Mapping[tuple[int | None, _Key | None], int]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def renumbered(self) -> bool:
        """Whether some layer has another number in target than in base."""
        return any(line.numbers.base != line.numbers.target for line in self.layers)

    @property
    def experts(self) -> bool:
        """Whether the components are experts of one of them."""
        return any(line.expert is not None for line in self.components)


def arrange_lines(readings: Sequence[Reading], metric: Metric, *, by_change: bool) -> Lines:
    """The lines of these readings; with ``by_change`` the components that changed most first."""
    cells: dict[tuple[int | None, _Key | None], int] = {}
    of_layer: dict[int, list[Reading]] = {}
    before, after = [], []
    for at, reading in enumerate(readings):
        cell = reading.cell
        key = cell.column, cell.expert
        if cell.region == "above":
            before.append(at)
        elif cell.region == "below":
            after.append(at)
        elif cell.region == "layer":
            cells[cell.layer, None] = at
        else:
            cells[cell.layer, key] = at
            if cell.layer is not None:
                of_layer.setdefault(cell.layer, []).append(reading)
    layers = tuple(_line(layer, of_layer[layer]) for layer in sorted(of_layer))
    margins = [reading for reading in readings if reading.cell.region == "column"]
    return Lines(
        layers,
        tuple(_blocks(layers, of_layer)),
        _components(margins, metric, by_change=by_change),
        cells,
        tuple(before),
        tuple(after),
    )


def _line(layer: int, readings: Sequence[Reading]) -> LayerLine:
    sides = {row.pair.status for reading in readings for row in reading.cell.rows}
    alone = sides in ({"only_in_base"}, {"only_in_target"})
    numbers = readings[0].cell.numbers
    if alone and not readings[0].cell.aligned:
        # By position, a layer that the shallower model lacks has no number there.
        numbers = (
            LayerNumbers(layer, None) if "only_in_base" in sides else LayerNumbers(None, layer)
        )
    return LayerLine(layer, numbers, not alone)


def _blocks(
    layers: Sequence[LayerLine], of_layer: Mapping[int, Sequence[Reading]]
) -> Iterable[LayerBlock]:
    run: list[LayerLine] = []
    for line in (*layers, None):
        same_side = (
            line is not None
            and not line.has_cells
            and bool(run)
            and (run[-1].numbers.target is None) == (line.numbers.target is None)
        )
        if run and not same_side:
            yield _block(run, aligned=of_layer[run[0].layer][0].cell.aligned)
            run = []
        if line is not None and not line.has_cells:
            run.append(line)


def _block(run: Sequence[LayerLine], *, aligned: bool) -> LayerBlock:
    removed = run[0].numbers.target is None
    numbers = [(line.numbers.base if removed else line.numbers.target) or 0 for line in run]
    words = ("removed" if removed else "inserted") if aligned else ""
    words = words or ("only in base" if removed else "only in target")
    return LayerBlock(
        run[0].layer, len(run), words, format_layers(numbers), "−" if removed else "+"
    )


def _components(
    margins: Sequence[Reading], metric: Metric, *, by_change: bool
) -> tuple[ComponentLine, ...]:
    ordered = sorted(margins, key=lambda one: (one.cell.rank, one.cell.expert or 0))
    if by_change:
        sign = -1.0 if metric.rises else 1.0
        # What has no value goes last; equals stay in data order.
        ordered.sort(key=lambda one: (one.value is None, sign * (one.value or 0.0)))
    groups: dict[str, list[str]] = {}
    for one in ordered:
        groups.setdefault(one.cell.group, []).append(one.cell.column)
    everywhere = short_names(list(dict.fromkeys(one.cell.column for one in ordered)))
    names = everywhere
    if not by_change:
        # Within its group a name may be shorter.
        names = {}
        for columns in groups.values():
            names |= short_names(list(dict.fromkeys(columns)))
    return tuple(
        ComponentLine(
            one.cell.column,
            one.cell.expert,
            names[one.cell.column] if one.cell.expert is None else str(one.cell.expert),
            "" if by_change else one.cell.group,
            one.cell.part,
            one.cell.kind != MATRIX_SCALE,
        )
        for one in ordered
    )
