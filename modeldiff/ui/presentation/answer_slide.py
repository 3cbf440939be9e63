"""The answer on a slide: the sentence, the small heatmap and what differs."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from modeldiff.changes import ChangeTable
from modeldiff.comparison import Comparison
from modeldiff.drawings.comparison.rope_turns import read_turns, rope_turns_svg
from modeldiff.drawings.heatmap.options import PHONE, HeatmapSize
from modeldiff.findings.architecture_headline import architecture_headline
from modeldiff.findings.words import enumeration
from modeldiff.results import Result
from modeldiff.ui.compare.first_screen import (
    answer_of,
    coverage_words,
    differences_of,
    likeness_gist,
    measured_sentences,
    one_sided_companions,
    same_words,
    saved_differences,
    structure_entries,
)
from modeldiff.ui.controls.diff_progress import DiffState
from modeldiff.ui.heatmap.pictures import Picture
from modeldiff.ui.presentation.slides import (
    DRAWING,
    FONT,
    PAINT,
    Slide,
    entries,
    finding,
    in_columns,
    reading_line,
    sentences,
)
from modeldiff.ui.widgets.linked_html import LinkedEntry

_HIGH = HeatmapSize(790, font=15, rows=380, margins=False, numbers=False, most_row=56)
_SIZES = {
    "high": _HIGH,
    "low": replace(_HIGH, rows=290, most_row=44),
    "phone": PHONE,
}
"""As much as the sentences above leave: one line of them, or more; and for a phone."""
_MOST_STRUCTURE = 5


def answer_slide(
    comparison: Comparison, state: DiffState, changes: ChangeTable, picture: Picture
) -> Slide:
    """The answer of a pair with weights, as far as it is measured."""
    shown = differences_of(comparison, changes)
    lines = [*answer_of(comparison, state, changes)]
    if state.error is not None:
        lines = [state.error.message]
    findings = [finding("=", *same_words(comparison))]
    for side, names in one_sided_companions(comparison):
        findings.append(finding("?", f"Known of {side} only:", f"{enumeration(names)}."))
    if state.result is not None:
        sign, text = coverage_words(state.result)
        findings.append(finding(sign, "", text))
    return _slide(
        comparison.names_text,
        lines,
        likeness_gist(state.result),
        _with_picture(shown),
        findings,
        picture,
    )


def saved_answer_slide(names: str, result: Result, picture: Picture) -> Slide:
    """The same of a saved result whose models are not here."""
    sign, text = coverage_words(result)
    return _slide(
        names,
        [*measured_sentences(result)],
        likeness_gist(result),
        _with_picture(saved_differences(result)),
        [finding(sign, "", text)],
        picture,
    )


def config_answer_slide(comparison: Comparison) -> Slide:
    """What differs between two models of which one has no weights here."""
    shown = [*structure_entries(comparison)][:_MOST_STRUCTURE]
    lacking = [side.name for side in (comparison.base, comparison.target) if not side.has_weights]
    who = " and ".join(dict.fromkeys(lacking))
    turns = read_turns(comparison.base, comparison.target)
    listed = f"<h2>What differs</h2>{entries(shown)}" if shown else ""
    drawings: tuple[str, ...] = ()
    body = listed
    if turns is not None:
        drawings = (rope_turns_svg(*turns, palette=PAINT, font=FONT),)
        body = in_columns(listed, f"<h2>RoPE: tokens for one turn</h2>{DRAWING}", even=True)
    return Slide(
        "answer",
        "Compare",
        comparison.names_text,
        sentences(architecture_headline(comparison.facts, comparison.pairs))
        + reading_line(
            f"From the configs only: without the weights of {who}, how far they moved is not known."
        )
        + body
        + finding("=", *same_words(comparison)),
        drawings=drawings,
    )


def message_slide(title: str, message: str, hint: str) -> Slide:
    """Why there is nothing to present, and what to do next."""
    return Slide("answer", "Compare", title, sentences(message) + f"<p>{escape(hint)}</p>")


def _with_picture(shown: tuple[LinkedEntry, ...]) -> str:
    listed = entries(shown) or "<p>Nothing in the architecture.</p>"
    return in_columns(DRAWING, f"<h2>What differs</h2>{listed}")


def _slide(
    title: str, lines: list[str], likeness: str, body: str, findings: list[str], picture: Picture
) -> Slide:
    said = sentences(*lines) + reading_line(likeness)
    return Slide(
        "answer",
        "Compare",
        title,
        said + body + "".join(findings),
        drawings=tuple(picture.drawn(_SIZES).values()),
    )
