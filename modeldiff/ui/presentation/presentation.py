"""The presentation of what the pages show: of a pair, one model, a row of models, or a saved
result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import streamlit as st

from modeldiff.comparison import Comparison
from modeldiff.drawings import METRICS, Heatmap, gather_cells
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.findings.selection import ChosenCell
from modeldiff.model import Model
from modeldiff.results import Result
from modeldiff.ui.architecture.lineage_view import chosen_line
from modeldiff.ui.compare.first_screen import answer_of, measured_sentences
from modeldiff.ui.compare.saved_result import named_result, names_of
from modeldiff.ui.controls.diff_progress import (
    DiffState,
    any_measured,
    begin_run,
    changes_so_far,
    follow,
)
from modeldiff.ui.controls.follow_job import SECONDS_BETWEEN_PICTURES
from modeldiff.ui.heatmap.cell_choice import cell_in_view, keep_cell
from modeldiff.ui.heatmap.heatmap_options import chosen_options, step_ceiling
from modeldiff.ui.heatmap.pictures import Picture, picture_of
from modeldiff.ui.presentation.answer_slide import (
    answer_slide,
    config_answer_slide,
    message_slide,
    saved_answer_slide,
)
from modeldiff.ui.presentation.cell_story import cell_story
from modeldiff.ui.presentation.diagram_slide import diagram_slides
from modeldiff.ui.presentation.evolution_slide import evolution_slides, pair_in_a_row
from modeldiff.ui.presentation.facts_slide import (
    facts_slide,
    model_facts_slide,
    saved_facts_slide,
)
from modeldiff.ui.presentation.heatmap_slide import heatmap_slide
from modeldiff.ui.presentation.slides import Slide
from modeldiff.ui.presentation.stage import stage
from modeldiff.ui.session.opening import NotOpened, open_side
from modeldiff.ui.session.presenting import PresentedView, presented_view
from modeldiff.ui.session.url_state import change_view, current_view


def presentation(page: str, first: PresentedView) -> None:
    """Draw the presentation of ``page``, by its name in the address, which begins with the view
    ``first``."""
    if page == "result":
        _saved(named_result(), first)
    elif page == "evolution":
        _row(chosen_line(), first)
    else:
        _chosen(first)


def _chosen(first: PresentedView) -> None:
    """The pair, or the one model, that is chosen."""
    chosen = begin_run()
    for side in (chosen.base, chosen.target):
        if isinstance(side, NotOpened):
            slide = message_slide(side.text, side.error.message, side.error.hint)
            stage([slide], first=slide.name)
            return
    if chosen.alone and isinstance(chosen.base, Model):
        _alone(chosen.base, first)
    elif chosen.comparison is not None:
        comparison = chosen.comparison
        follow(
            comparison,
            lambda state: _pair(comparison, state, first),
            every=SECONDS_BETWEEN_PICTURES,
        )


def _pair(comparison: Comparison, state: DiffState, first: PresentedView) -> None:
    # This is a part of the page that is drawn anew by itself, which the way out ends.
    if presented_view() is None:
        st.rerun()
    view = current_view("presentation")
    changes = changes_so_far(comparison, state)
    options = chosen_options(changes.experts)
    side = comparison.target if view.side == "target" else comparison.base
    table = changes.seen_from("target" if side is comparison.target else "base")
    numbers = table if any_measured(state) else None
    layer = _layer(view.layer, side)
    drawing = Drawing(side.architecture, side.name, view.metric, layer, numbers)
    row = _opened(chosen_line()) if view.steps else pair_in_a_row(comparison)
    after = (*diagram_slides(drawing), *_evolution(row), facts_slide(comparison))
    if not comparison.has_weights:
        stage(
            [config_answer_slide(comparison), *after],
            first=first,
            layer=layer,
            layers=side.architecture.layer_count,
            on_layer=_to_layer,
        )
        return
    picture = picture_of(comparison, state, changes, view.metric, options)
    answer = answer_of(comparison, state, changes)
    chosen = cell_in_view(view, options, changes)
    stage(
        [
            answer_slide(comparison, state, changes, picture),
            heatmap_slide(comparison.names_text, answer, picture),
            *after,
        ],
        first=first,
        words=_words(picture),
        layered=_layered(picture),
        at=None if chosen is None else picture.position(chosen),
        panel="" if chosen is None else cell_story(changes, chosen, comparison.base.architecture),
        on_choose=lambda at: keep_cell(_cell(picture, at)),
        on_ceiling=lambda at, step: step_ceiling(picture.heatmap, at, step),
        layer=layer,
        layers=side.architecture.layer_count,
        on_layer=_to_layer,
    )


def _alone(model: Model, first: PresentedView) -> None:
    view = current_view("presentation")
    layer = _layer(view.layer, model)
    drawing = Drawing(model.architecture, model.name, METRICS[0], layer, None)
    row = _opened(chosen_line()) if view.steps else ()
    stage(
        [*diagram_slides(drawing), *_evolution(row), model_facts_slide(model)],
        first=first,
        layer=layer,
        layers=model.architecture.layer_count,
        on_layer=_to_layer,
    )


def _row(references: Sequence[str], first: PresentedView) -> None:
    models = _opened(references)
    slides = [*_evolution(models)]
    for number, model in enumerate(models):
        drawing = Drawing(model.architecture, model.name, METRICS[0], None, None)
        slides += [slide.renamed(f"diagram-{number + 1}") for slide in diagram_slides(drawing)]
    if not slides:
        slides = [message_slide("Evolution", "None of these models can be opened.", "")]
    stage(slides, first=first)


def _saved(result: Result | None, first: PresentedView) -> None:
    if result is None:
        hint = "It was never saved on this machine, or has been deleted."
        stage([message_slide("No such result", "There is no such result here.", hint)], first=first)
        return
    names = names_of(result)
    view = current_view("presentation")
    options = chosen_options(result.changes.experts)
    cells = gather_cells(result.changes, experts=options.experts)
    picture = Picture(Heatmap.of_cells(cells, view.metric, options))
    chosen = cell_in_view(view, options, result.changes)
    stage(
        [
            saved_answer_slide(names, result, picture),
            heatmap_slide(names, measured_sentences(result), picture),
            saved_facts_slide(names, result),
        ],
        first=first,
        words=_words(picture),
        layered=_layered(picture),
        at=None if chosen is None else picture.position(chosen),
        panel="" if chosen is None else cell_story(result.changes, chosen, None),
        on_choose=lambda at: keep_cell(_cell(picture, at)),
        on_ceiling=lambda at, step: step_ceiling(picture.heatmap, at, step),
    )


def _evolution(models: Sequence[Model]) -> Iterator[Slide]:
    return evolution_slides(models) if models else iter(())


def _opened(references: Sequence[str]) -> list[Model]:
    return [side for side in map(open_side, references) if isinstance(side, Model)]


def _layer(layer: int | None, model: Model) -> int | None:
    return layer if layer is not None and layer < model.architecture.layer_count else None


def _cell(picture: Picture, at: int | None) -> ChosenCell | None:
    return None if at is None else picture.cells[at][0]


def _to_layer(layer: int | None) -> None:
    change_view(layer=layer, component=None)


def _words(picture: Picture) -> list[str]:
    return [words for _, words in picture.cells]


def _layered(picture: Picture) -> list[bool]:
    return [cell.layer is not None and bool(cell.column) for cell, _ in picture.cells]
