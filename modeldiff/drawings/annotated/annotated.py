"""The annotated diagram: a model's name and facts, one layer with its heads, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.architectures.architecture import Architecture
from modeldiff.changes import ChangeTable
from modeldiff.drawings.annotated.colours import GROUPS, Colours
from modeldiff.drawings.annotated.composition import (
    LED_ON,
    MOST_ACROSS,
    STREAM_ASIDE,
    Band,
    bands_of,
    breadth_of,
    parts_of,
)
from modeldiff.drawings.annotated.heads import sharing_words
from modeldiff.drawings.annotated.painting.legend import legend_tags
from modeldiff.drawings.annotated.painting.page_painter import PagePainter
from modeldiff.drawings.annotated.painting.sheet import ARROW, svg_root
from modeldiff.drawings.annotated.painting.tile_painter import TilePainter
from modeldiff.drawings.annotated.parameter_list import (
    ListedParameter,
    list_height,
    list_tags,
    listed_parameters,
)
from modeldiff.drawings.annotated.sections import sections_of
from modeldiff.drawings.annotated.tiles import TEXT
from modeldiff.drawings.diagram.box_values import BoxValues
from modeldiff.drawings.style.fonts import HEADING, REGULAR, SANS, SERIF
from modeldiff.drawings.style.metrics import Metric
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import rectangle, text_tag
from modeldiff.drawings.style.value_scale import ValueScale, choose_value_scale
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted
from modeldiff.text.magnitudes import short_count

LEAST_TEXT = TEXT
"""The size of the smallest text, in pixels."""
_NAME, _HEADING = 30.0, 18.0
_LEAST_BAND, _MOST_BAND = 1080.0, 1500.0


@dataclass(frozen=True)
class Drawing:
    """The annotated diagram of ``architecture``, which people call ``name``.

    ``layer`` None draws each kind of layer once; numbers are then of all of its layers together.
    Without ``changes`` there are no numbers. ``selected`` is a component or a heatmap column.
    """

    architecture: Architecture
    name: str
    metric: Metric
    layer: int | None = None
    changes: ChangeTable | None = None
    selected: str | None = None

    def svg(
        self,
        width: float,
        palette: Palette,
        *,
        sans: str = SANS,
        serif: str = SERIF,
        heading: bool = True,
        listed: bool = True,
    ) -> str:
        """The whole, ``width`` pixels wide: as many bands as it takes, downward where not even a
        sublayer has room to the right. Without ``heading`` its name and facts stand elsewhere;
        without ``listed`` there is no list of its parameters."""
        parameters = self._parameters()
        inner, width, height = self._layers(width, palette, parameters)
        over, y = self._heading(width) if heading else ("", 0.0)
        parts = [over, f'<g transform="translate(0 {y:.1f})">{inner}</g>']
        y += height + 30
        if self.changes:
            key, own = legend_tags(self.scales(), Colours(palette), width, self._signs())
            parts.append(f'<g transform="translate(0 {y - 18:.1f})">{key}</g>')
            y += own + 12
        if not listed or not parameters:
            return self._whole("".join(parts), width, y - 20, palette, sans, serif)
        parts.append(self._list_heading(width, y, len(parameters)))
        y += 22
        tags = list_tags(parameters, width)
        parts.append(f'<g transform="translate(0 {y:.1f})">{tags}</g>')
        return self._whole(
            "".join(parts), width, y + list_height(parameters, width), palette, sans, serif
        )

    def caption(self) -> str:
        """What is drawn, for the text around a figure."""
        which = "Each kind of its layers" if self.layer is None else f"Its layer {self.layer}"
        return f"{self.name}. {which} as data passes through it, and its parameters."

    def layers_svg(self, palette: Palette, *, sans: str = SANS) -> str:
        """The drawing alone, without name and list, as wide as it takes to be one band, but for
        the longest of drawings."""
        values = BoxValues(self.architecture, self.changes or ChangeTable(), self.metric)
        numbers = {id: one.number for one in self._parameters() for id in one.nodes}
        sections = sections_of(self.architecture, self.layer, values, numbers, across=True)
        towers = parts_of(sections, across=True, room=MOST_ACROSS)
        longest = max((Band(parts).length(True) for parts in towers), default=0.0)
        width = min(max(longest + 2 * LED_ON + 1, _LEAST_BAND), _MOST_BAND)
        inner, width, height = self._layers(width, palette, self._parameters())
        return self._whole(inner, width, height, palette, sans, SERIF)

    def not_drawn(self) -> tuple[str, ...]:
        """The columns that only the other architecture has, in the order of data."""
        table = self.changes or ChangeTable()
        return BoxValues(self.architecture, table, self.metric).not_here()

    def _parameters(self) -> list[ListedParameter]:
        return listed_parameters(self.architecture, self.layer)

    def scales(self) -> Mapping[bool, ValueScale]:
        """The scales of matrices (False) and of norms and biases (True), of all layers, so that
        they stay while one layer after the other is looked at."""
        table = self.changes or ChangeTable()
        of_cell = table.merged("cell")
        values: dict[bool, list[float]] = {False: [], True: []}
        floors: dict[bool, set[float]] = {False: set(), True: set()}
        for cell in table.cells:
            statistics = of_cell[cell]
            value = self.metric.value(statistics)
            if statistics is None or value is None:
                continue
            second = is_vector(cell[1])
            values[second].append(value)
            if statistics.resolution_pct is not None:
                floors[second].add(statistics.resolution_pct)
        return {
            second: choose_value_scale(values[second], self.metric, floors[second])
            for second in (False, True)
        }

    def _signs(self) -> tuple[str, ...]:
        """The signs that stand for numbers in some layer, or over all of them."""
        table = self.changes or ChangeTable()
        merges = *table.merged("cell").values(), *table.merged("column").values()
        signs = {self.metric.sign(statistics) for statistics in merges}
        return tuple(sorted(signs - {""}))

    def _layers(
        self, width: float, palette: Palette, parameters: list[ListedParameter]
    ) -> tuple[str, float, float]:
        """The drawing, its width (more than asked for where a row takes more) and its height."""
        values = BoxValues(self.architecture, self.changes or ChangeTable(), self.metric)
        numbers = {id: one.number for one in parameters for id in one.nodes}
        across = True
        sections = sections_of(self.architecture, self.layer, values, numbers, across=True)
        bands = bands_of(parts_of(sections, across=True, room=MOST_ACROSS), width)
        if bands is None:
            across = False
            sections = sections_of(self.architecture, self.layer, values, numbers, across=False)
            room = width - STREAM_ASIDE
            bands = [Band(parts) for parts in parts_of(sections, across=False, room=room)]
            width = max(width, *(breadth_of(band) + STREAM_ASIDE for band in bands))
        tiles = TilePainter(Colours(palette), self.metric, self.scales(), self.selected)
        hidden = self.architecture.number("hidden_size")
        stream = f"residual stream: {hidden:,} numbers per token" if hidden else "residual stream"
        painter = PagePainter(tiles, sharing_words(self.architecture), stream)
        inner, height = painter.paint(bands, width, across=across)
        return inner, width, height

    def _heading(self, width: float) -> tuple[str, float]:
        name = HEADING.shorten(self.name, width, _NAME)
        facts = self.facts()
        beside = HEADING.width(name, _NAME) + 30
        parts = [text_tag(name, "name", 0, 27)]
        if beside + REGULAR.width(facts, TEXT + 1) <= width:
            return parts[0] + text_tag(facts, "facts", round(beside, 1), 26), 46.0
        lines = REGULAR.wrap(facts, width, TEXT + 1)
        parts += [text_tag(line, "facts", 0, 52 + 20 * row) for row, line in enumerate(lines)]
        return "".join(parts), 52.0 + 20 * len(lines)

    def facts(self) -> str:
        """The model in one line, as it stands beside its name."""
        number = self.architecture.number
        layers, hidden = number("layers"), number("hidden_size")
        heads, shared = number("heads"), number("kv_heads")
        count, context, words = number("parameters"), number("context"), number("vocabulary")
        of_heads = f"{heads} heads" if heads else ""
        if heads and shared and heads != shared:
            of_heads = f"{heads} query heads over {shared} KV head{'s' if shared > 1 else ''}"
        experts = number("experts")
        parts = [
            f"{short_count(count)} parameters" if count else "",
            f"{counted(layers, 'layer')} × {hidden:,}" if layers and hidden else "",
            of_heads,
            f"{experts} experts" if experts else "",
            f"context {context:,}" if context else "",
            f"vocabulary {words:,}" if words else "",
        ]
        return " · ".join(filter(None, parts)) or self.architecture.title

    def _list_heading(self, width: float, y: float, count: int) -> str:
        kinds = len(self.architecture.layer_kinds)
        what = "a layer" if kinds == 1 else "the layers"
        title = (
            f"The {_word(count)} parameters of {what}" if count > 1 else f"The parameters of {what}"
        )
        beside = "size of one · share of the model, all layers"
        parts = text_tag(title, "list-heading", 0, round(y, 1))
        room = width - HEADING.width(title, _HEADING) - 20
        if REGULAR.width(beside, TEXT) <= room:
            parts += text_tag(beside, "aside", width, round(y, 1), "end")
        return parts

    def _whole(
        self, inner: str, width: float, height: float, palette: Palette, sans: str, serif: str
    ) -> str:
        where = f"layer {self.layer}" if self.layer is not None else "all layers"
        ground = "" if palette.follows_theme else rectangle("ground", 0, 0, width, round(height), 0)
        root = svg_root(width, height, f"{self.name}, {where}", sans)
        style = f"<style>{_style_sheet(palette, serif)}</style><defs>{ARROW}</defs>"
        return f"{root}{style}{ground}{inner}</svg>"


def is_vector(column: str) -> bool:
    """Whether a heatmap column is of norms or biases, which have the second scale."""
    name = column.removesuffix(".weight")
    return name.endswith(("norm", ".bias")) or "layernorm" in name.rpartition(".")[2]


def _style_sheet(palette: Palette, serif: str) -> str:
    """The rules for everything in the annotated diagram; they touch nothing outside of it."""
    p, colours = palette, Colours(palette)
    rules = {
        "text": f"fill:{p.text};font-size:{TEXT:g}px",
        ".ground": f"fill:{p.surface}",
        ".name": f"font-family:{serif};font-size:{_NAME:g}px;font-weight:600",
        ".facts": f"fill:{p.muted};font-size:{TEXT + 1:g}px",
        ".list-heading": f"font-family:{serif};font-size:{_HEADING:g}px;font-weight:600",
        ".aside": f"fill:{p.muted}",
        ".shape": f"fill:{p.muted}",
        ".along": f"fill:{p.accent}",
        ".title": f"font-size:{TEXT + 1:g}px;font-weight:600",
        ".label": "font-weight:600",
        ".number": "font-weight:600",
        ".sign": "font-size:18px;font-weight:600",
        ".layer": f"fill:none;stroke:{p.muted};stroke-width:1",
        ".panel": f"fill:{p.panel}",
        ".stream": f"fill:none;stroke:{p.accent};stroke-width:5;stroke-linejoin:round",
        ".way": f"fill:none;stroke:{p.muted};stroke-width:1.5",
        ".arrow-head": f"fill:{p.muted}",
        ".sum": f"fill:{p.surface};stroke:{p.accent};stroke-width:2.5",
        ".plus": f"stroke:{p.accent};stroke-width:2.2",
        ".sharing": f"fill:none;stroke:{colours.group('attention')};stroke-width:1.5",
        ".head": f"fill:{colours.group('attention')}",
        ".shared": f"fill:{colours.block('attention')}",
        ".box": "stroke-width:1.5",
        ".operation .box": "stroke-dasharray:4 3",
        ".operation.position .box": "stroke-dasharray:none",
        ".node": "cursor:pointer;outline:none",
        ".node:hover .box": "stroke-width:3",
        ".node:focus-visible .box": f"stroke:{p.accent};stroke-width:3;stroke-dasharray:5 3",
        ".selected .box": f"stroke:{p.accent};stroke-width:4",
        ".badge-number": "font-weight:600",
    }
    for group in GROUPS:
        colour = colours.group(group)
        rules |= {
            f".{group} .box": f"fill:{colours.tint(group)};stroke:{colour}",
            f".{group}-title": f"fill:{colour}",
            f".{group} .badge": f"fill:{colour}",
            f".{group} .badge-number": f"fill:{colours.on_group(group)}",
        }
    rules[".symbol .box"] = f"fill:{p.surface}"
    # The chosen and the focused box show over the group's own rim.
    for name in (".node:focus-visible .box", ".selected .box"):
        rules[name] = rules.pop(name)
    return "".join(f".annotated {name}{{{rule}}}" for name, rule in rules.items())


def _word(number: int) -> str:
    words = [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    return words[number - 2] if 2 <= number <= 12 else str(number)
