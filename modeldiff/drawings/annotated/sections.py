"""An architecture cut into what the annotated diagram shows: towers, their layers, their ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modeldiff.architectures.architecture import Architecture, LayerKind, Node, Sublayer
from modeldiff.drawings.annotated.colours import Group
from modeldiff.drawings.annotated.tiles import Tile, TileMaker
from modeldiff.drawings.diagram.box_values import BoxValues
from modeldiff.drawings.diagram.layout.layout import (
    drawn_kinds,
    goes_out,
    node_depths,
    tower_ends,
)
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_layers

TileRows = tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class SublayerTiles:
    """A sublayer's rows of tiles; ``norm`` is the norm that its sum passes, if it does."""

    sublayer: Sublayer
    group: Group
    rows: TileRows
    norm: Tile | None = None


@dataclass(frozen=True)
class FrameTiles:
    """A kind of layers. ``about`` says which they are: ``layer 7``, ``one of 32 equal layers``;
    ``main``: of the tower that the facts speak of."""

    kind: LayerKind
    about: str
    main: bool
    sublayers: tuple[SublayerTiles, ...]


@dataclass(frozen=True)
class Section:
    """A tower: what stands before its layers, in and after them, and what comes in and out."""

    stem: TileRows
    frames: tuple[FrameTiles, ...]
    tail: TileRows
    comes_in: str
    goes_out: str


def sections_of(
    architecture: Architecture,
    layer: int | None,
    values: BoxValues,
    numbers: Mapping[str, int],
    *,
    across: bool,
) -> list[Section]:
    """The towers in the order of the data, the main one last. ``numbers`` are the parameters'."""
    maker = TileMaker(architecture, dict(numbers), across)

    def row(nodes: Sequence[Node], layers: Sequence[int | None], group: Group | None) -> TileRows:
        tiles = maker.row(nodes, [values.of(node, layers) for node in nodes], group)
        return (tuple(tiles),)

    def outside(nodes: Sequence[Node]) -> TileRows:
        return tuple(tiles for each in node_depths(nodes) for tiles in row(each, (None,), None))

    towers = list(dict.fromkeys(kind.tower for kind in architecture.layer_kinds)) or [""]
    sections = []
    for tower in (*towers[1:], towers[0]):
        stem, tail = tower_ends(architecture, tower, towers)
        frames = []
        kinds = drawn_kinds(architecture, layer)
        for kind in (one for one in kinds if one.tower == tower):
            layers = kind.layers if layer is None else (layer,)
            parts = []
            for sublayer in kind.sublayers:
                group: Group = "mlp" if _is_mlp(sublayer) else "attention"
                rows = tuple(t for nodes in sublayer.rows for t in row(nodes, layers, group))
                norm = rows[-1][0] if sublayer.norms_sum and rows else None
                parts.append(SublayerTiles(sublayer, group, rows[:-1] if norm else rows, norm))
            frames.append(
                FrameTiles(
                    kind, _about(architecture, kind, layer), tower == towers[0], tuple(parts)
                )
            )
        main = tower == towers[0]
        sections.append(
            Section(
                outside(stem),
                tuple(frames),
                outside(tail),
                "tokens" if main else "picture" if "vision" in tower else "input",
                goes_out(tail, main=main),
            )
        )
    return sections


def _is_mlp(sublayer: Sublayer) -> bool:
    return any(f".{node.id}".find(".mlp.") >= 0 for node in sublayer.nodes())


def _about(architecture: Architecture, kind: LayerKind, layer: int | None) -> str:
    name = kind.name.partition(": ")[2]
    if layer is not None:
        about = f"layer {layer}"
    elif len(architecture.layer_kinds) == 1:
        count = len(kind.layers)
        about = f"one of {count:,} equal layers" if count > 1 else "the only layer"
    else:
        about = format_layers(kind.layers)
    tower = (
        f"{kind.tower} "
        if kind.tower and len({k.tower for k in architecture.layer_kinds}) > 1
        else ""
    )
    return f"{tower}{about}: {name}" if name else f"{tower}{about}"
