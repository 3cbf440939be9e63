"""What models are called in figures, and when they were published."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from modeldiff.checkpoints.config_only.catalog import CATALOG, catalog_names
from modeldiff.findings.release_dates import release_text
from modeldiff.model import Model
from tests.support.small_models import write_llama


@pytest.mark.parametrize(
    ("reference", "name", "released"),
    [
        ("catalog:gpt2-124m", "GPT-2 124M", "Feb 2019"),
        ("catalog:llama-3.1-8b", "Llama 3.1 8B", "Jul 2024"),
        ("catalog:mixtral-8x7b", "Mixtral 8x7B", "Dec 2023"),
        ("catalog:qwen3-30b-a3b", "Qwen3 30B-A3B", "Apr 2025"),
        ("demo:base", "Demo base", ""),
    ],
)
def test_a_model_has_a_name_and_a_month(reference: str, name: str, released: str) -> None:
    model = Model.open(reference)
    assert (model.name, release_text(model)) == (name, released)


def test_a_folder_is_called_by_its_last_part(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "runs" / "step-500")
    assert Model.open(f"{folder}/").name == "step-500"


@pytest.mark.parametrize("name", catalog_names())
def test_every_month_says_where_it_is_from(name: str) -> None:
    released = json.loads((CATALOG / "provenance.json").read_text())[name]["released"]
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", released["month"])
    year = released["month"][:4]
    assert year in released["source"] and len(released["source"]) > 15
