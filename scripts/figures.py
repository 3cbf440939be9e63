"""The README's figures, made with the library as a paper's would be: PNG and PDF in docs/images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modeldiff.architectures.facts.lineage import read_lineage
from modeldiff.drawings import LIGHT, METRICS
from modeldiff.drawings.annotated.annotated import Drawing
from modeldiff.drawings.comparison.evolution import (
    EVOLUTION_TEXT,
    EvolutionModel,
    evolution_caption,
    evolution_svg,
)
from modeldiff.drawings.comparison.lineage import stack_lines
from modeldiff.drawings.output.figure import TWO_COLUMNS_MM, Figure, FigureSize, figure
from modeldiff.drawings.output.slide import SLIDE_MM
from modeldiff.drawings.style.fonts import SANS, SERIF
from modeldiff.findings.release_dates import release_text
from modeldiff.model import Model

IMAGES = Path(__file__).parent.parent / "docs" / "images"
LINE = ("gpt2-124m", "llama-2-7b", "llama-3-8b", "llama-3.1-8b", "llama-3.2-1b")
_ON_A_SLIDE = 1232.0
_DOTS_PER_INCH = 170


def figures() -> Iterator[tuple[str, Figure]]:
    """Each figure with the name of its files."""
    models = [Model.open(f"catalog:{name}") for name in LINE]
    origin = [model.reference for model in models]
    steps = [step for step in read_lineage([m.architecture for m in models]) if step is not None]
    row = [
        EvolutionModel(model.name, release_text(model), step)
        for model, step in zip(models, steps, strict=True)
    ]
    width = FigureSize(TWO_COLUMNS_MM, 7).drawing_width(EVOLUTION_TEXT)
    svg = evolution_svg(row, stack_lines(steps), width=width, palette=LIGHT, sans=SANS, serif=SERIF)
    yield "evolution", figure(svg, TWO_COLUMNS_MM, evolution_caption(row), origin)
    model = models[3]
    name = model.name
    drawing = Drawing(model.architecture, name, METRICS[0])
    yield "diagram-figure", figure(drawing.svg(_ON_A_SLIDE, LIGHT), SLIDE_MM, name, [origin[3]])


def main() -> None:
    """Write all figures."""
    for name, one in figures():
        (IMAGES / f"{name}.png").write_bytes(one.png(dots_per_inch=_DOTS_PER_INCH))
        (IMAGES / f"{name}.pdf").write_bytes(one.pdf())
        print(f"docs/images/{name}: {one.width_mm:.0f} × {one.height_mm:.0f} mm")


if __name__ == "__main__":
    main()
