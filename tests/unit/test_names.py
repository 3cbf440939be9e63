"""What models are called: in one place, short, and never by a path or a hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from modeldiff.checkpoints import Reference
from modeldiff.checkpoints.config_only.catalog import catalog_names, catalog_title
from modeldiff.checkpoints.names import MAX_LABEL, model_label, model_name
from modeldiff.comparison import Comparison
from modeldiff.drawings.report import report_html
from modeldiff.model import Model
from modeldiff.results import run_diff


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/models/llama-tuned", "llama-tuned"),
        ("/models/llama-tuned/model.safetensors", "llama-tuned"),
        ("/models/llama-tuned/config.json", "llama-tuned"),
        ("/models/one.safetensors", "one"),
        ("/hub/models--meta-llama--Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        (
            "/hub/models--meta-llama--Llama-3.1-8B/snapshots/d04e592bb4f6aa9cfee91e2e20afa771667e1d4b",
            "meta-llama/Llama-3.1-8B",
        ),
        ("/", "/"),
    ],
)
def test_a_path_is_called_by_its_last_part_that_says_something(path: str, name: str) -> None:
    assert model_name(Reference("folder", path, path)) == name


def test_each_model_of_the_catalog_has_a_title_of_its_own() -> None:
    titles = [catalog_title(name) for name in catalog_names()]
    assert len(set(titles)) == len(titles)
    assert all(title != name for title, name in zip(titles, catalog_names(), strict=True))


def test_a_label_is_one_short_line() -> None:
    assert model_label("  ours,\n before ") == "ours, before"
    assert len(model_label("x" * 500)) == MAX_LABEL


def test_a_label_goes_into_the_report_and_the_reference_into_its_lines(tmp_path: Path) -> None:
    pair = Comparison(
        Model.open("demo:base").labelled("Ours"), Model.open("demo:lora").labelled("Theirs")
    )
    html = report_html(run_diff(pair, cache=False), pair)
    assert "<title>Ours → Theirs</title>" in html
    assert "demo:base" in html
    assert pair.key == Comparison.open("demo:base", "demo:lora").key, "a label changes no number"
