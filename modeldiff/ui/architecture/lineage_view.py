"""A line of models: drawn in a row, with a card a step on what changed from the one before."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff._version import __version__
from modeldiff.architectures import Fact, FactPair
from modeldiff.architectures.facts.diagram_anchors import in_brief, value_in_brief
from modeldiff.architectures.facts.lineage import LineageStep, read_lineage
from modeldiff.checkpoints import parse_reference
from modeldiff.checkpoints.config_only.catalog import catalog_names
from modeldiff.checkpoints.names import model_name
from modeldiff.drawings import CSS_PALETTE, Palette
from modeldiff.drawings.comparison.evolution import (
    EVOLUTION_TEXT,
    NARROWEST,
    EvolutionModel,
    evolution_caption,
    evolution_svg,
)
from modeldiff.drawings.comparison.lineage import stack_lines
from modeldiff.drawings.style.fonts import SANS, SERIF
from modeldiff.errors import InvalidReference
from modeldiff.findings.release_dates import release_text
from modeldiff.model import Model
from modeldiff.text.file_names import pair_slug
from modeldiff.ui.controls.figure_downloads import figure_downloads
from modeldiff.ui.session.opening import NotOpened, Side, open_side
from modeldiff.ui.session.presenting import present_button
from modeldiff.ui.session.selected_pair import PairChoice, pair_query
from modeldiff.ui.session.url_state import change_view, current_view
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.how_to_read import how_to_read
from modeldiff.ui.widgets.markdown import plain
from modeldiff.ui.widgets.scrollable_svg import scrolled_drawing

STORY = (
    "catalog:gpt2-124m",
    "catalog:llama-2-7b",
    "catalog:llama-3-8b",
    "catalog:llama-3.1-8b",
    "catalog:llama-3.2-1b",
)
MOST_STEPS = 12
_CHOOSER = "evolution_steps"
_LEAST_CARD = 300
_PAGE_WIDTH = 1120.0
_LOUD = 8
"""Differences that a card tells in full; the others are under a lid."""


def lineage_view() -> None:
    """Draw the chooser and the cards of what it says."""
    with st.container(horizontal=True, horizontal_alignment="distribute", key="page_head"):
        st.title("Evolution", anchor=False, width="content")
        if not st.context.is_embedded:
            present_button("evolution")
    line = _choose()
    how_to_read("evolution")
    sides = [open_side(text) for text in line]
    steps = read_lineage([side.architecture if isinstance(side, Model) else None for side in sides])
    opened = [
        (side, step)
        for side, step in zip(sides, steps, strict=True)
        if isinstance(side, Model) and step is not None
    ]
    if opened:
        _figure(opened)
    with st.container(key="evolution"), st.grid(3, min_column_width=_LEAST_CARD):
        place = 0
        for number, (side, step) in enumerate(zip(sides, steps, strict=True), start=1):
            with st.container(border=True, key=f"evolution_{number}"):
                about = plain(step.architecture.title) if step is not None else ""
                st.markdown(f":gray[{number} {'→' if place else '·'} {about}]")
                st.subheader(plain(_name(side)), anchor=False)
                if isinstance(side, NotOpened):
                    show_error(side.error, about="This step cannot be opened.")
                elif step is not None:
                    _words(side, step, opened[place - 1][0] if place else None)
                    place += 1


def _figure(opened: Sequence[tuple[Model, LineageStep]]) -> None:
    """The row of stacks, and its files."""
    models = [EvolutionModel(m.name, release_text(m), step) for m, step in opened]
    lines = stack_lines([step for _, step in opened])

    def draw(width: float, palette: Palette, sans: str = SANS, serif: str = SERIF) -> str:
        return evolution_svg(models, lines, width=width, palette=palette, sans=sans, serif=serif)

    # What goes beyond the page is reached by scrolling sideways.
    width = max(_PAGE_WIDTH, 1.1 * len(models) * NARROWEST + EVOLUTION_TEXT)
    scrolled_drawing(
        draw(width, CSS_PALETTE, "inherit", "var(--st-heading-font)"), key="stacks", least=1.0
    )
    figure_downloads(
        f"{pair_slug((models[0].name, models[-1].name))}-evolution",
        draw,
        text_px=EVOLUTION_TEXT,
        caption=evolution_caption(models),
        origin=[
            *(
                f"{side.checkpoint.reference.text}, {side.checkpoint.fingerprint}"
                for side, _ in opened
            ),
            f"modeldiff {__version__}",
        ],
        key="evolution_drawing",
    )


def written(line: list[str]) -> str:
    """A list of references for the URL: commas between them, those within them escaped."""
    return ",".join(text.replace("%", "%25").replace(",", "%2C") for text in line)


def read(text: str) -> list[str]:
    """The references that ``written`` wrote; the story's line where there are none."""
    parts = (part.strip() for part in text[:10_000].split(","))
    line = [part.replace("%2C", ",").replace("%25", "%") for part in parts if part]
    return list(dict.fromkeys(line))[:MOST_STEPS] or list(STORY)


def chosen_line() -> list[str]:
    """The references of the models in the row."""
    return read(current_view("evolution").steps)


def _choose() -> list[str]:
    st.session_state[_CHOOSER] = line = chosen_line()
    st.multiselect(
        "Models, in their order",
        list(dict.fromkeys([*(f"catalog:{name}" for name in catalog_names()), *line])),
        key=_CHOOSER,
        format_func=_reference_name,
        accept_new_options=True,
        max_selections=MOST_STEPS,
        select_all=False,
        placeholder="A reference: catalog:…, a folder, owner/name",
        on_change=_take_choice,
        help="From the catalog, or any other reference. The row is part of the page's address, so "
        "a link shares it.",
    )
    return line


def _take_choice() -> None:
    line = st.session_state[_CHOOSER]
    change_view(steps=written(line) if line and line != list(STORY) else None)


def _words(side: Model, step: LineageStep, before: Model | None) -> None:
    """What changed, in sentences, and a link to all of it."""
    if before is None:
        st.markdown("\n".join(f"- {_fact(fact)}" for fact in step.start))
        return
    if not step.pairs:
        st.markdown(f"All {step.same} facts are equal.")
    for pair in step.telling[:_LOUD]:
        # Two spaces: a new line in the same paragraph.
        st.markdown(f"{_change(pair)}  \n:small[:gray[{plain(pair.meaning_beside_label)}]]")
    lid = (*step.telling[_LOUD:], *step.rest)
    if lid:
        with st.expander(f"{len(lid)} more, {step.same} the same"):
            st.markdown("\n".join(f"- {_change(pair)}" for pair in lid))
    elif step.pairs:
        st.caption(f"{step.same} facts are the same.")
    if step.one_sided:
        with st.expander(f"{len(step.one_sided)} known of one side only"):
            st.markdown("\n".join(f"- {_change(pair)}" for pair in step.one_sided))
    st.page_link(
        "pages/compare.py",
        label="Compare with the previous model",
        icon=":material/difference:",
        query_params=pair_query(PairChoice(before.text, side.text)),
    )


def _reference_name(text: str) -> str:
    try:
        return model_name(parse_reference(text))
    except InvalidReference:
        return text


def _name(side: Side) -> str:
    return side.name if isinstance(side, Model) else side.text


def _fact(fact: Fact) -> str:
    return f"{plain(fact.label)} **{plain(value_in_brief(fact))}**"


def _change(pair: FactPair) -> str:
    """``**Positions** learned → **RoPE**``."""
    old, new = in_brief(pair)
    return f"**{plain(pair.label)}** {plain(old)} → **{plain(new)}**"
