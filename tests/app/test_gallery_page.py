"""The gallery and what it opens, without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import OpenPage, linked, words

SHIPPED = Path(__file__).parents[2] / "gallery"


def links(app: AppTest) -> dict[str, list[str]]:
    """Where the page's links lead, by what they are called."""
    found: dict[str, list[str]] = {}
    for link in app.get("page_link"):
        found.setdefault(link.proto.label, []).append(
            f"{link.proto.page} {link.proto.query_string}"
        )
    return found


def text_of(app: AppTest) -> str:
    """The page's words without the backslashes that keep them from being markup."""
    return words(app).replace("\\", "")


def test_each_entry_says_what_it_is_and_opens(open_page: OpenPage) -> None:
    app = open_page("gallery")
    shown = text_of(app)
    for entry in SHIPPED.glob("*.json"):
        says = json.loads(entry.read_text("utf-8"))
        assert says["title"] in shown and says["note"] in shown
    assert shown.count("licence: Apache-2.0") == 4 and "80.4" in shown
    opened = links(app)["Open the result"]
    assert len(opened) == 4 and all("result=gallery%3Ademo-" in link for link in opened)


@pytest.mark.parametrize("metric", ["rel_frobenius_pct", "unchanged_pct", "cosine_distance"])
def test_any_metric(metric: str, open_page: OpenPage) -> None:
    assert (
        "All pictures share one scale" in words(open_page("gallery", metric=metric))
        or metric == "unchanged_pct"
    )


def test_an_entry_opens_without_its_models(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ending in ("json", "parquet"):
        shutil.copy(SHIPPED / f"demo-lora.{ending}", tmp_path)
    monkeypatch.setenv("MODELDIFF_GALLERY", str(tmp_path))
    app = open_page("result", result="gallery:demo-lora")
    assert app.title[0].value == "Demo base → Demo LoRA"
    assert "All 75 tensors compared" in linked(app, "coverage")
    assert "Demo: merged LoRA, from the gallery" in text_of(app)
    assert "Licence: Apache-2.0" in text_of(app)
    # A report, a poster and the picture are made of the rows alone.
    saved = {button.proto.label for button in app.get("download_button")}
    assert saved == {"Report", "SVG", "PNG", "PDF", "CSV", "JSON", "Parquet"}


def test_a_cell_of_an_entry_tells_its_numbers(open_page: OpenPage) -> None:
    chosen = {"layer": "1", "component": "self_attn.v_proj"}
    app = open_page("result", result="gallery:demo-lora", **chosen)
    shown = text_of(app)
    assert "model.layers.1.self_attn.v_proj.weight" in shown and "Layer 1" in shown
    app = open_page("result", result="gallery:demo-lora", layer="99", component="no.such")
    assert "model.layers" not in text_of(app)


def test_markup_in_an_entry_stays_text(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(SHIPPED / "demo-lora.parquet", tmp_path)
    values = json.loads((SHIPPED / "demo-lora.json").read_text("utf-8"))
    values["title"] = "**Big** [x](javascript:alert(1))"
    (tmp_path / "demo-lora.json").write_text(json.dumps(values), "utf-8")
    monkeypatch.setenv("MODELDIFF_GALLERY", str(tmp_path))
    app = open_page("gallery")
    assert "\\*\\*Big\\*\\*" in app.subheader[0].value and "](java" not in app.subheader[0].value


def test_a_gallery_without_entries(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_GALLERY", str(tmp_path / "nowhere"))
    assert "no entries" in words(open_page("gallery"))
    assert "No such result" in words(open_page("result", result="gallery:demo-lora"))
