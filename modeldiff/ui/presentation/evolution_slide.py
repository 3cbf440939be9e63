"""A row of models on a slide; more than have room go on over the next ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.architectures import Architecture
from modeldiff.architectures.facts.lineage import read_lineage, telling
from modeldiff.comparison import Comparison
from modeldiff.drawings.annotated.main_kind import with_main_kind
from modeldiff.drawings.comparison.evolution import EvolutionModel, evolution_svg, most_models
from modeldiff.drawings.comparison.lineage import stack_lines
from modeldiff.findings.release_dates import release_text
from modeldiff.model import Model
from modeldiff.ui.presentation.slides import FONT, HEADING_FONT, PAINT, WIDTH, Slide, fit

_WIDTHS = (1240.0, 1160.0, 1080.0, 1000.0, 900.0, 800.0, 700.0)


def evolution_slides(models: Sequence[Model]) -> Iterator[Slide]:
    """The row of ``models``, each compared with the one before."""
    most = most_models(WIDTH)
    # A slide begins with the model that the one before ended with.
    starts = range(0, max(len(models) - 1, 1), most - 1)
    for number, start in enumerate(starts):
        row = models[start : start + most]
        yield Slide(
            "evolution" if not number else f"evolution-{number + 1}",
            "Evolution",
            f"{row[0].name} → {row[-1].name}" if len(row) > 1 else row[0].name,
            drawings=(_drawing(row),),
        )


def pair_in_a_row(comparison: Comparison) -> Sequence[Model]:
    """The two models of a pair, where they are built differently enough to be seen in a row."""
    different = telling(comparison.facts)
    return (comparison.base, comparison.target) if different else ()


def _drawing(models: Sequence[Model]) -> str:
    """The row at the width at which it comes out largest; each with the kind of layers that most of
    its layers are where all kinds have no room."""
    own = [model.architecture for model in models]
    whole = _largest(models, own)
    return whole if fit(whole) >= 1 else _largest(models, [with_main_kind(each) for each in own])


def _largest(models: Sequence[Model], architectures: Sequence[Architecture]) -> str:
    steps = [step for step in read_lineage(architectures) if step is not None]
    row = [
        EvolutionModel(model.name, release_text(model), step)
        for model, step in zip(models, steps, strict=True)
    ]
    lines = stack_lines(steps)
    drawn = [
        evolution_svg(row, lines, width=width, palette=PAINT, sans=FONT, serif=HEADING_FONT)
        for width in _WIDTHS
        if most_models(width) >= len(row)
    ]
    return max(drawn, key=fit)
