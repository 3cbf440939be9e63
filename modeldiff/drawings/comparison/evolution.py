"""The evolution of models as a figure: a stack of boxes each, side by side, marked against the one
at its left, over what was new in words. For a paper, a slide and the page."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.architectures.facts.lineage import LineageStep
from modeldiff.architectures.facts.lineage_words import step_words
from modeldiff.drawings.comparison.evolution_stack import StackPainter
from modeldiff.drawings.comparison.lineage import StackLine
from modeldiff.drawings.style.fonts import HEADING, REGULAR, SEMIBOLD, Font
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.svg import escape, rectangle, text_tag
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.magnitudes import short_count

EVOLUTION_TEXT = 14.0
"""The size of all text but the names, in pixels."""
NARROWEST = 11.6 * EVOLUTION_TEXT
"""The least width of a model's column: less, and its words would be cut."""
_NAME, _LINE = 1.25 * EVOLUTION_TEXT, 1.25 * EVOLUTION_TEXT
_GUTTER = 1.07 * EVOLUTION_TEXT
_HEAD = 3.6 * EVOLUTION_TEXT
_KEY = (
    ("built", "another idea"),
    ("number", "another size or number"),
    ("same", "as before"),
    ("gone", "dropped"),
)
_KEY_BESIDE = "each compared with the model at its left"


@dataclass(frozen=True)
class EvolutionModel:
    """A model of the row: ``name`` and ``released`` as they are written over its stack."""

    name: str
    released: str
    step: LineageStep


def most_models(width: float) -> int:
    """How many models have room in a figure of this width in pixels."""
    return int((width + _GUTTER) // (NARROWEST + _GUTTER))


def evolution_svg(
    models: Sequence[EvolutionModel],
    lines: Sequence[StackLine],
    *,
    width: float,
    palette: Palette,
    sans: str,
    serif: str,
) -> str:
    """The row of ``models``, whose stacks are ``lines``, in a figure of ``width`` pixels.

    ``sans`` and ``serif`` are families of fonts. Raises ``InvalidOption`` where so many models have
    no room at this width.
    """
    most = most_models(width)
    if len(models) > most:
        raise InvalidOption(
            f"{len(models)} models have no room side by side at this width and size of text.",
            hint=f"There is room for {most}: choose fewer, a wider figure or smaller text."
            if most
            else "Choose a wider figure or smaller text.",
        )
    column = (width - (len(models) - 1) * _GUTTER) / len(models)
    painter = StackPainter(lines, column, EVOLUTION_TEXT)
    below = [_words(model, column) for model in models]
    words_at = _HEAD + painter.height + 2.85 * EVOLUTION_TEXT
    key_at = words_at + max(map(len, below)) * _LINE + 0.1 * EVOLUTION_TEXT
    key, key_height = _key(width)
    height = key_at + key_height + 0.4 * EVOLUTION_TEXT
    parts = []
    for number, model in enumerate(models):
        x = number * (column + _GUTTER)
        parts.append(f'<g data-stop="" transform="translate({x:.1f} 0)">')
        parts.append(_heading(model, column))
        parts.append(f'<g transform="translate(0 {_HEAD:g})">{painter.stack(number)}</g>')
        parts.append(_context(lines, number, _HEAD + painter.height + 1.25 * EVOLUTION_TEXT))
        rule = _HEAD + painter.height + 1.85 * EVOLUTION_TEXT
        parts.append(f'<path class="rule" d="M0,{rule:.1f}h{column:.1f}"/>')
        parts += [
            text_tag(text, css, 0, round(words_at + row * _LINE + 0.3 * EVOLUTION_TEXT, 1))
            for row, (text, css) in enumerate(below[number])
        ]
        parts.append("</g>")
    parts.append(f'<g transform="translate(0 {key_at:.1f})">{key}</g>')
    ground = "" if palette.follows_theme else rectangle("ground", 0, 0, width, round(height, 1), 0)
    label = f"From {models[0].name} to {models[-1].name}: what is new, what is another size"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="evolution" role="img"'
        f' viewBox="0 0 {width:.1f} {height:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f' font-family="{escape(sans)}" aria-label="{escape(label)}">'
        f"<style>{_style_sheet(palette, serif)}</style>{ground}{''.join(parts)}</svg>"
    )


def evolution_caption(models: Sequence[EvolutionModel]) -> str:
    """The caption of the figure, for the text around it."""
    names = [
        f"{model.name} ({model.released})" if model.released else model.name for model in models
    ]
    row = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (
        f"The architectures of {row}. Each is compared with the model at its left: filled boxes "
        "are computed otherwise, outlined boxes have another size or number, dashed ones were "
        "dropped. Data runs upward."
    )


def _heading(model: EvolutionModel, column: float) -> str:
    count = model.step.architecture.number("parameters")
    about = " · ".join(filter(None, (model.released, short_count(count) if count else "")))
    name = HEADING.shorten(model.name, column, _NAME)
    return text_tag(name, "name", 0, round(1.1 * EVOLUTION_TEXT, 1)) + text_tag(
        about, "quiet", 0, round(2.5 * EVOLUTION_TEXT, 1)
    )


def _context(lines: Sequence[StackLine], number: int, y: float) -> str:
    """How long a text may be, under the stack."""
    line = next((line for line in lines if line.kind == "input"), None)
    tokens = line.titles[number].removeprefix("up to ").removesuffix(" tokens") if line else ""
    if not line or not tokens:
        return ""
    css = "value-new" if line.changed[number] else "label"
    return f'<text x="0" y="{y:.1f}">context <tspan class="{css}">{escape(tokens)}</tspan></text>'


def _words(model: EvolutionModel, column: float) -> list[tuple[str, str]]:
    """What a model brought, in lines with their classes: ideas first, then sizes."""
    words = step_words(model.step)
    if model.step.before is not None and not words.ideas and not words.sizes:
        so_far = ", as far as it is known of both" if model.step.one_sided else ""
        lines = REGULAR.wrap(f"built the same{so_far}", column, EVOLUTION_TEXT)
        return [(line, "quiet") for line in lines]
    between = "," if model.step.before is None else ";"
    return [
        *((text, "idea") for text in _flow(words.ideas, column, SEMIBOLD, "")),
        *((text, "plain") for text in _flow(words.sizes, column, REGULAR, between)),
    ]


def _flow(phrases: Sequence[str], column: float, font: Font, end: str) -> list[str]:
    """Phrases in lines; short ones share one, and only one that is longer than a line is broken.

    ``end`` is what stands behind a phrase at the end of a line; between two there is one anyhow.
    """
    lines: list[str] = []
    for phrase in phrases:
        longer = f"{lines[-1]}{end or ';'} {phrase}" if lines else phrase
        if lines and font.width(longer + end, EVOLUTION_TEXT) <= column:
            lines[-1] = longer
        else:
            lines[-1:] = [lines[-1] + end] if lines else []
            lines += font.wrap(phrase, column, EVOLUTION_TEXT)
    return lines


def _key(width: float) -> tuple[str, float]:
    """The key and its height: in one line, or in as many as it takes."""
    parts, x, y = [], 0.0, 0.0
    for kind, words in _KEY:
        room = 2.5 * EVOLUTION_TEXT + REGULAR.width(words, EVOLUTION_TEXT)
        if x and x + room > width:
            x, y = 0.0, y + 1.7 * EVOLUTION_TEXT
        parts.append(
            f'<g class="{kind}">'
            + rectangle(
                "box",
                round(x + 0.7, 1),
                y,
                2 * EVOLUTION_TEXT,
                1.2 * EVOLUTION_TEXT,
                0.25 * EVOLUTION_TEXT,
            )
            + "</g>"
            + text_tag(
                words,
                "plain",
                round(x + 2.5 * EVOLUTION_TEXT, 1),
                round(y + 0.93 * EVOLUTION_TEXT, 1),
            )
        )
        x += room + 1.2 * EVOLUTION_TEXT
    beside = REGULAR.width(_KEY_BESIDE, EVOLUTION_TEXT)
    if x + beside > width:
        y += 1.7 * EVOLUTION_TEXT
        parts.append(text_tag(_KEY_BESIDE, "quiet", 0, round(y + 0.93 * EVOLUTION_TEXT, 1)))
    else:
        at = round(y + 0.93 * EVOLUTION_TEXT, 1)
        parts.append(text_tag(_KEY_BESIDE, "quiet", width, at, "end"))
    return "".join(parts), y + 1.2 * EVOLUTION_TEXT


def _style_sheet(palette: Palette, serif: str) -> str:
    p = palette
    rules = {
        "text": f"fill:{p.text};font-size:{EVOLUTION_TEXT:g}px",
        ".ground": f"fill:{p.surface}",
        ".name": f"font-family:{serif};font-size:{_NAME:g}px;font-weight:600",
        ".quiet": f"fill:{p.muted}",
        ".rule": f"stroke:{p.line};stroke-width:1.2;fill:none",
        ".frame": f"fill:{p.panel};stroke:{p.line};stroke-width:1.2",
        ".stream": f"fill:none;stroke:{p.muted};stroke-width:2.2",
        ".box": f"fill:{p.surface};stroke:{p.muted};stroke-width:0.8",
        ".label": "font-weight:600",
        ".value": f"fill:{p.muted}",
        ".number .box": f"stroke:{p.accent};stroke-width:2",
        ".number .value": f"fill:{p.accent};font-weight:600",
        ".built .box": f"fill:{p.accent};stroke:{p.accent};stroke-width:2",
        ".built text": f"fill:{p.surface}",
        ".built .value": f"fill:{p.surface}",
        ".gone .box": f"fill:none;stroke:{p.accent};stroke-width:1.6;stroke-dasharray:4.5 3",
        ".gone text": f"fill:{p.accent};font-weight:400",
        ".value-new": f"fill:{p.accent};font-weight:600",
        ".idea": f"fill:{p.accent};font-weight:600",
    }
    return "".join(f".evolution {name}{{{rule}}}" for name, rule in rules.items())
