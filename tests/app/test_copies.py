"""What is copied is what is shown, in the form that was asked for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from modeldiff import diff
from modeldiff.text.formatting import format_pct
from tests.app.conftest import OpenPage

LORA = {"base": "demo:base", "target": "demo:lora"}


def copied(app: AppTest, key: str) -> str:
    """The text that a copy button would put on the clipboard."""
    for element in app.get("bidi_component"):
        if element.proto.id.endswith(f"-{key}"):
            return str(json.loads(element.proto.json)["text"])
    raise KeyError(key)


def rows(app: AppTest, key: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(copied(app, f"{key}_csv"))))


def test_every_tensor(open_page: OpenPage, measure: Callable[[str, str], None]) -> None:
    measure(*LORA.values())
    app = open_page("architecture", **LORA, rows="every")
    head, *body = rows(app, "copy_tensors")
    assert len(body) == 75
    at = {name: number for number, name in enumerate(head)}
    changes = {str(c.pair.base.label): c for c in diff(*LORA.values()) if c.pair.base is not None}
    for row in body:
        statistics = changes[row[at["Stored in base as"]]].statistics
        assert statistics is not None
        assert row[at["Median"]] == format_pct(statistics.median_pct)
    app.text_input(key="filter_name").set_value("q_proj").run()
    assert len(rows(app, "copy_tensors")) == 1 + 8


def test_the_layers_table(open_page: OpenPage) -> None:
    app = open_page("architecture", base="catalog:llama-3-8b", target="catalog:qwen2-7b")
    head, *body = rows(app, "copy_layers")
    assert head == ["Layers", "Component", "Llama 3 8B", "Qwen2 7B", "Difference"]
    up = next(row for row in body if row[1] == "mlp.up_proj")
    assert "14336" in up[2].replace(",", "") and "18944" in up[3].replace(",", "")
    assert "≠ shape" in up[4]


def test_sentences_and_what_lies_beside(
    open_page: OpenPage, measure: Callable[[str, str], None]
) -> None:
    measure(*LORA.values())
    text = copied(open_page("heatmap", **LORA), "copy_sentences_text")
    assert "59 are equal as a whole" in text and "\\" not in text
    assert "\\%" in copied(open_page("heatmap", **LORA), "copy_sentences_latex")
    assert "Tokenizer: " in copied(open_page("beyond", **LORA), "copy_companions_markdown")


def test_a_model_alone(open_page: OpenPage) -> None:
    app = open_page("architecture", base="demo:base", alone="1")
    assert len(rows(app, "copy_tensors")) == 76
    assert ["Layers", "8"] in [row[:2] for row in rows(app, "copy_facts")]
