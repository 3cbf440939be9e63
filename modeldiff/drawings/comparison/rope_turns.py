"""Two models' RoPE as one picture: the tokens that a whole turn of each rotation takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.config.config_values import Settings
from modeldiff.architectures.config.rope_turns import tokens_a_turn
from modeldiff.drawings.style.palette import Palette
from modeldiff.drawings.style.text_metrics import shorten, text_width
from modeldiff.model import Model
from modeldiff.processes.late_dataclass import dataclass

WIDTH, HEIGHT = 380.0, 236.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 8.0, 14.0, 30.0
_FONT = 13


@dataclass(frozen=True)
class RopeTurns:
    """One model's rotations: its ``name``, tokens a turn by rotation, fastest first, and how many
    tokens its context has (None: not known)."""

    name: str
    tokens: tuple[float, ...]
    context: int | None


def read_turns(base: Model, target: Model) -> tuple[RopeTurns, RopeTurns] | None:
    """Both models' rotations, where both have some that are known and they differ; else None."""
    one, other = _turns(base), _turns(target)
    if not one.tokens or not other.tokens or one.tokens == other.tokens:
        return None
    return one, other


def rope_turns_svg(base: RopeTurns, target: RopeTurns, *, palette: Palette, font: str) -> str:
    """Draw both: the base's line quiet, the target's loud, on a logarithmic scale of tokens."""
    scale = _Scale.over((*base.tokens, *target.tokens))
    parts = [
        *_grid(scale, palette),
        *(_context(scale, base.context, palette) if base.context else ()),
        _line(scale, base.tokens, palette.muted, 2.0),
        _line(scale, target.tokens, palette.accent, 2.5),
        *_names(scale, base, target, palette),
        _text(_LEFT, HEIGHT - 8, "rotation 0", palette.muted),
        _text(WIDTH - _RIGHT, HEIGHT - 8, str(len(target.tokens) - 1), palette.muted, "end"),
    ]
    described = (
        f"Tokens that one turn of each rotation takes: {base.name} from {base.tokens[0]:,.0f} to "
        f"{base.tokens[-1]:,.0f}, {target.name} from {target.tokens[0]:,.0f} to "
        f"{target.tokens[-1]:,.0f}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{HEIGHT:g}"'
        f' viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-family="{escape(font)}" font-size="{_FONT}"'
        f' role="img" aria-label="{escape(described)}">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> _Scale:
        return cls(math.log10(min(values)) - 0.3, math.log10(max(values)) + 0.4)

    def y(self, tokens: float) -> float:
        share = (math.log10(tokens) - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def x(self, rotation: int, count: int) -> float:
        return _LEFT + rotation / max(count - 1, 1) * (WIDTH - _LEFT - _RIGHT)


def _turns(model: Model) -> RopeTurns:
    architecture = model.architecture
    position, theta = architecture.fact("position"), architecture.fact("rope_theta")
    width = _rotated(architecture)
    tokens: tuple[float, ...] = ()
    if position is not None and position.value == "RoPE" and theta is not None and width:
        value = theta.value
        if isinstance(value, int | float):
            tokens = tokens_a_turn(Settings(model.checkpoint.config), float(value), width)
    return RopeTurns(model.name, tokens, architecture.number("context"))


def _rotated(architecture: Architecture) -> int:
    """How many of a head's dimensions turn."""
    width, share = architecture.number("head_dim"), architecture.fact("rope_share")
    if width is None:
        return 0
    part = share.value if share is not None and isinstance(share.value, float) else 1.0
    return int(width * part)


def _grid(scale: _Scale, palette: Palette) -> Iterator[str]:
    first, last = math.ceil(scale.low), math.floor(scale.high)
    step = 2 if last - first > 3 else 1
    for power in range(first, last + 1, step):
        y = scale.y(10.0**power)
        yield f'<path d="M{_LEFT:g} {y:.1f}H{WIDTH - _RIGHT:g}" stroke="{palette.line}"/>'
        label = f"{10**power:,}" if power < 6 else f"{10 ** (power - 6):,} M"
        yield _text(_LEFT - 6, y + 4, label, palette.muted, "end")


def _context(scale: _Scale, tokens: int, palette: Palette) -> Iterator[str]:
    if scale.low < math.log10(tokens) < scale.high:
        yield (
            f'<path d="M{_LEFT:g} {scale.y(tokens):.1f}H{WIDTH - _RIGHT:g}"'
            f' stroke="{palette.muted}" stroke-dasharray="3 3"/>'
        )


def _line(scale: _Scale, tokens: Sequence[float], colour: str, width: float) -> str:
    points = "L".join(
        f"{scale.x(rotation, len(tokens)):.1f} {scale.y(value):.1f}"
        for rotation, value in enumerate(tokens)
    )
    return f'<path fill="none" stroke="{colour}" stroke-width="{width:g}" d="M{points}"/>'


def _names(scale: _Scale, base: RopeTurns, target: RopeTurns, palette: Palette) -> Iterator[str]:
    """Each name beside its line: the upper one over it, the lower one under it; and that of the
    base's context. Lines that they cross are kept off their letters."""
    yield f'<g stroke="{palette.surface}" stroke-width="4" paint-order="stroke">'
    if base.context and scale.low < math.log10(base.context) < scale.high:
        yield _context_name(scale, base.context, base, target, palette)
    upper = target if target.tokens[-1] > base.tokens[-1] else base
    for one in (base, target):
        place = round(0.86 * (len(one.tokens) - 1))
        x, y = scale.x(place, len(one.tokens)), scale.y(one.tokens[place])
        name, colour = shorten(one.name, 170, _FONT), palette.accent
        if one is base:
            colour = palette.muted
        if one is upper:
            yield _text(x, y - 12, name, colour, "end", bold=one is target)
        else:
            yield _text(WIDTH - _RIGHT, y + 24, name, colour, "end", bold=one is target)
    yield "</g>"


def _context_name(
    scale: _Scale, context: int, base: RopeTurns, target: RopeTurns, palette: Palette
) -> str:
    """What the level of the base's context is: above it where no line has come to it yet, else
    below it at its end, where all lines have passed it; in fewer words where there is less room."""
    name, y = f"context of {shorten(base.name, 150, _FONT)}", scale.y(context)
    crossings = [
        next((scale.x(at, len(one)) for at, each in enumerate(one) if each >= context), WIDTH)
        for one in (base.tokens, target.tokens)
    ]
    start, end = _LEFT + 6, WIDTH - _RIGHT
    for words in (f"{context:,}: {name}", name):
        width = text_width(words, _FONT) + 8
        if start + width <= min(crossings):
            return _text(start, y - 5, words, palette.muted)
        if end - width >= max(crossings):
            return _text(end, y + 15, words, palette.muted, "end")
    return _text(start, y - 5, name, palette.muted)


def _text(
    x: float, y: float, words: str, colour: str, anchor: str = "start", *, bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>'
        f"{escape(words)}</text>"
    )
