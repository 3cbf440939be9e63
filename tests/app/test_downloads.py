"""Drawings in files say where they come from, however little room they have for it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from modeldiff.comparison import Comparison
from modeldiff.drawings import LIGHT, METRICS
from modeldiff.drawings.comparison.side_by_side import side_by_side
from modeldiff.drawings.comparison.side_by_side_svg import side_by_side_svg
from modeldiff.drawings.heatmap.svg.figure import heatmap_figure
from modeldiff.drawings.output.figure import figure
from modeldiff.results import run_diff
from modeldiff.ui.controls.diff_progress import DiffState
from modeldiff.ui.controls.downloads import provenance
from tests.support.heatmaps import heatmap_of
from tests.support.small_models import write_llama


def test_drawings_carry_references_fingerprints_options_and_version(tmp_path: Path) -> None:
    folders = [write_llama(tmp_path / name, noise=0.01 * n) for n, name in enumerate("ab")]
    comparison = Comparison.open(*map(str, folders))
    sides = comparison.base, comparison.target
    result = run_diff(comparison, cache=False)
    header = replace(result.header, options={"overlap": True})
    lines = provenance(comparison, DiffState(replace(result, header=header), None))
    architecture = sides[0].architecture
    heatmap = heatmap_of(result.changes, architecture, architecture, METRICS[0])
    both = side_by_side(architecture, architecture, comparison.facts)
    for svg in (
        side_by_side_svg(both, ("a", "b"), palette=LIGHT),
        heatmap_figure(heatmap, 960, LIGHT),
    ):
        file = figure(svg, 170, "A title", lines)
        image = Image.open(io.BytesIO(file.png()))
        image.load()
        in_png = image.info["Description"]
        for side in sides:
            for text in (side.checkpoint.reference.text, side.checkpoint.fingerprint):
                assert text in file.svg() and text in in_png
        assert header.version in in_png and '"overlap": true' in in_png and "cpu" in in_png
