"""Colours: once as the app's CSS variables, twice as concrete colours for files."""

from __future__ import annotations

from modeldiff.processes.late_dataclass import dataclass

FILE_FONT = "'Source Sans 3', 'Source Sans Pro', Helvetica, Arial, 'Liberation Sans', sans-serif"
"""The fonts of drawings in files: the app's own where it is installed, else what is everywhere."""


@dataclass(frozen=True)
class Palette:
    """What a drawing is painted with.

    ``panel`` fills boxes on ``surface``; ``track`` is the empty part of a bar; ``accent`` is for
    what differs in structure, and for links; ``bar`` is kept for what moved. ``ramp`` is the
    sequential scale from no change to the most, its lightness rising or falling without a turn, so
    that it reads without colour vision. ``second`` is another such scale, for norms and biases,
    told apart from ``ramp`` by all kinds of colour vision. ``edge`` is drawn round what has no
    colour. ``follows_theme``: the colours are CSS variables of a page, which is in the reader's
    theme and has a ground of its own.
    """

    text: str
    muted: str
    surface: str
    panel: str
    line: str
    track: str
    accent: str
    bar: str
    ramp: tuple[str, ...]
    second: tuple[str, ...]
    edge: str
    follows_theme: bool = False


LIGHT = Palette(
    text="#1d2328",
    muted="#5d656b",
    surface="#ffffff",
    panel="#faf8f3",
    line="#cfcabd",
    track="#e6e2d7",
    accent="#0f5c6e",
    bar="#c2501a",
    ramp=(
        "#f5f0e3",
        "#f0ddb7",
        "#efc88a",
        "#eaa95b",
        "#e2832c",
        "#d0600f",
        "#b4430e",
        "#962a11",
        "#721e15",
        "#4f1313",
    ),
    second=(
        "#e2e8f6",
        "#c2d2ee",
        "#a5bcea",
        "#8aa4e5",
        "#738add",
        "#6070ce",
        "#5158b5",
        "#424294",
        "#342f6f",
        "#251e4a",
    ),
    edge="#8b877c",
)
DARK = Palette(
    text="#e8e6e1",
    muted="#98a2a9",
    surface="#101417",
    panel="#1a2024",
    line="#3a444b",
    track="#30383e",
    accent="#6cc3d5",
    bar="#f0894a",
    ramp=(
        "#2f241e",
        "#4d2b1d",
        "#6c2f21",
        "#8f3924",
        "#b4481e",
        "#d16117",
        "#e48225",
        "#f1a544",
        "#f5c778",
        "#fbe7ab",
    ),
    second=(
        "#222638",
        "#2d335b",
        "#374284",
        "#4355ab",
        "#506cca",
        "#6386dc",
        "#7aa0e6",
        "#96b8ed",
        "#b4d0f3",
        "#d4e8fb",
    ),
    edge="#6d777e",
)
CSS_PALETTE = Palette(
    text="var(--st-text-color)",
    muted="var(--st-gray-color)",
    surface="var(--st-background-color)",
    panel="var(--st-secondary-background-color)",
    line="color-mix(in srgb, var(--st-text-color) 22%, var(--st-background-color))",
    track="color-mix(in srgb, var(--st-text-color) 13%, var(--st-background-color))",
    accent="var(--st-link-color)",
    bar="var(--st-orange-color)",
    # A chart takes its scale from the app's theme: nothing is painted with this one in the app.
    ramp=LIGHT.ramp,
    second=LIGHT.second,
    edge="color-mix(in srgb, var(--st-text-color) 55%, var(--st-background-color))",
    follows_theme=True,
)
