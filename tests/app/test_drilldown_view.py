"""What lies behind a chosen cell, as the page shows it."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from safetensors.numpy import load_file, save_file
from streamlit.testing.v1 import AppTest

from modeldiff.changes import Pair, Progress
from modeldiff.changes.change import ReportProgress
from modeldiff.changes.drilldown.spectrum.singular_values import Plan
from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointError
from modeldiff.results.drilldowns import kind as kinds
from modeldiff.results.drilldowns import spectrum
from modeldiff.results.jobs import lanes
from modeldiff.ui.drilldown.view import DrillDownView
from modeldiff.ui.drilldown.views import VIEWS
from tests.app.conftest import OpenPage, words
from tests.support.drilldowns import ColumnChanges, offering_columns
from tests.support.small_models import write_llama

Measure = Callable[[str, str], None]


@pytest.fixture
def pair(tmp_path: Path, measure: Measure) -> dict[str, str]:
    """Two measured models; query head 2 of layer 1 and token 7 are all that differs."""
    base = write_llama(tmp_path / "base")
    tensors = load_file(base / "model.safetensors")
    tensors["model.layers.1.self_attn.q_proj.weight"][8:12] *= 1.5
    tensors["model.embed_tokens.weight"][7] *= -1
    target = tmp_path / "target"
    target.mkdir()
    save_file(tensors, target / "model.safetensors")
    shutil.copy(base / "config.json", target)
    measure(str(base), str(target))
    return {"base": str(base), "target": str(target)}


def write_tokenizer(folder: str, tokens: dict[str, int]) -> None:
    document = {"decoder": {"type": "ByteLevel"}, "model": {"vocab": tokens}}
    (Path(folder) / "tokenizer.json").write_text(json.dumps(document))


def says(app: AppTest, text: str) -> bool:
    """Whether the page says so in the end: what it waits for is done on another thread."""
    until = time.monotonic() + 60
    while text not in words(app.run()):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def offered(app: AppTest) -> list[str]:
    return [option.content for option in app.button_group(key="drill_down_chooser").proto.options]


def test_heads_are_shown_at_once(open_page: OpenPage, pair: dict[str, str]) -> None:
    app = open_page("heatmap", **pair, layer="1", component="self_attn.q_proj")
    assert offered(app) == ["Heads", "Image", "Singular values"]
    assert "Changed most: **query head 2**, 50.0 %" in words(app)
    alts = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert any("spread over the elements" in alt for alt in alts)
    assert any("largest in query head 2 (50.0 %)" in alt for alt in alts)


def test_a_link_names_the_drill_down_and_another_place_has_what_it_has(
    open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page("heatmap", **pair, layer="1", component="self_attn.q_proj", look="spectrum")
    assert "All 16 were computed" in words(app)
    app.button_group(key="drill_down_chooser").set_value("image").run()
    assert app.query_params["look"] == "image"
    assert "16 × 16 blocks of the 16 × 16 matrix" in words(app)
    # A norm has no image, and an unknown name is none.
    for component, name in (("input_layernorm", "image"), ("mlp.up_proj", "<b>")):
        app = open_page("heatmap", **pair, layer="1", component=component, look=name)
        assert "blocks of the" not in words(app)


def test_tokens(open_page: OpenPage, pair: dict[str, str]) -> None:
    write_tokenizer(pair["base"], {"Ġseven": 7, "<|reserved_3|>": 3, "Ġe": 8})
    app = open_page("heatmap", **pair, component="embed_tokens")
    most = app.dataframe[0].value
    assert most.iloc[0].to_dict()["token"] == "␣seven"
    assert most.iloc[0].to_dict()["change"] == pytest.approx(200)
    assert set(most.iloc[1:]["change"]) == {0}
    groups = app.table[-1].value
    assert dict(zip(groups["Rows"], groups["Count"], strict=True)) == {
        "All": "32",
        "Ordinary": "2",
        "Reserved": "1",
        "No token": "29",
    }
    app.text_input(key="row_search").set_value("SEVEN").run()
    assert app.dataframe[0].value["row"].tolist() == [7]
    app.text_input(key="row_search").set_value("31").run()
    assert app.dataframe[0].value["row"].tolist() == [31]
    app.text_input(key="row_search").set_value("").run()
    app.button_group(key="row_group").set_value("Reserved").run()
    assert app.dataframe[0].value["row"].tolist() == [3]


def test_without_a_tokenizer_rows_have_their_numbers(
    open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page("heatmap", **pair, component="lm_head")
    assert "Rows by number only." in words(app)
    assert "token" not in app.dataframe[0].value
    (Path(pair["base"]) / "tokenizer.json").write_text("[" * 100_000)
    app = open_page("heatmap", **pair, component="embed_tokens")
    assert app.dataframe[0].value["row"].tolist()[0] == 7


def test_what_takes_long_says_so_and_waits(
    open_page: OpenPage, pair: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectrum, "spectrum_plan", lambda _: Plan(True, False, 1))
    query = {**pair, "layer": "1", "component": "self_attn.q_proj"}
    app = open_page("heatmap", **query, look="spectrum")
    assert "up to 30 seconds" in words(app)
    app.button(key="start_drill_down").click().run()
    assert says(app, "All 16 were computed")
    monkeypatch.setattr(kinds, "STARTS_UNASKED_BELOW", 100)
    app = open_page("heatmap", **query, look="image")
    assert "This reads 2.05 kB again" in words(app)
    assert "blocks of the" not in words(app)


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (Progress("measuring", 1, 4, 0, 1), r"\*\*Reading, 25%\*\* 1 B of 4 B"),
        (Progress("measuring", 4, 4, 0, 1), r"\*\*Computing, \d+ s so far\*\* 4 B of 4 B"),
        (
            Progress("fetching", 2, 4, 0, 1, current="a*b"),
            r"\*\*Downloading the file that holds it, 50%\*\* 2 B of 4 B · :gray\[a\\\*b\]",
        ),
    ],
)
def test_one_that_runs_says_how_far_it_is_and_can_be_stopped(
    report: Progress,
    text: str,
    open_page: OpenPage,
    pair: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped = threading.Event()

    def endless(*_: object, progress: ReportProgress, **__: object) -> None:
        try:
            while not stopped.wait(0.01):
                progress(report)
        finally:
            stopped.set()

    monkeypatch.setattr(lanes, "run_drill_down", endless)
    app = open_page("heatmap", **pair, layer="1", component="self_attn.q_proj")
    (bar,) = app.get("progress")
    assert re.fullmatch(text, bar.proto.text)
    app.button(key="cancel_drill_down").click().run()
    assert stopped.wait(60)
    assert says(app, "Stopped")
    assert app.button(key="start_drill_down").label == "Try again"


def test_one_that_fails_says_why_and_can_be_tried_again(
    open_page: OpenPage, pair: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise CheckpointError("The disk *fell* out.", hint="Put it back.")

    with monkeypatch.context() as patch:
        patch.setattr(lanes, "run_drill_down", broken)
        app = open_page("heatmap", **pair, layer="1", component="self_attn.q_proj")
    assert "The disk \\*fell\\* out" in app.error[0].value
    assert "Put it back" in app.error[0].value
    app.button(key="start_drill_down").click().run()
    assert says(app, "Changed most: **query head 2**")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"component": "input_layernorm", "layer": "1"}, "A vector has no heads"),
        ({"component": "self_attn.q_proj"}, "choose one tensor"),
    ],
)
def test_where_there_is_no_drill_down(
    query: dict[str, str], text: str, open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page("heatmap", **pair, **query)
    assert text in words(app)
    assert not [group for group in app.button_group if group.key == "drill_down_chooser"]


def test_another_shape_and_one_side_alone(
    open_page: OpenPage, measure: Measure, tmp_path: Path
) -> None:
    base = write_llama(tmp_path / "a", extra={"model.other.weight": (4, 4)})
    target = write_llama(
        tmp_path / "b", extra={"model.extra.weight": (4, 4), "model.other.weight": (4, 6)}
    )
    measure(str(base), str(target))
    pair = {"base": str(base), "target": str(target)}
    assert "same shape" in words(open_page("heatmap", **pair, component="other"))
    assert "one side alone" in words(open_page("heatmap", **pair, component="extra"))


def test_a_longer_vocabulary_is_compared_by_the_rows_that_both_have(
    open_page: OpenPage, measure: Measure, tmp_path: Path
) -> None:
    base = write_llama(tmp_path / "a")
    target = write_llama(tmp_path / "b", vocabulary=40)
    measure(str(base), str(target))
    pair = {"base": str(base), "target": str(target)}
    app = open_page("heatmap", **pair, component="embed_tokens", look="rows")
    shown = words(app).replace("\\", "")
    assert "first 32 of 40 rows, by row number" in shown
    assert "8 rows that only target has" in shown


def test_a_tied_head_is_drilled_into_where_it_is_stored(
    open_page: OpenPage, measure: Measure, tmp_path: Path
) -> None:
    folders = []
    for name, sign in (("base", 1), ("target", -1)):
        folder = write_llama(tmp_path / name)
        tensors = load_file(folder / "model.safetensors")
        del tensors["lm_head.weight"]
        tensors["model.embed_tokens.weight"][5] *= np.float32(sign)
        save_file(tensors, folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
        folders.append(str(folder))
    measure(*folders)
    app = open_page("heatmap", base=folders[0], target=folders[1], component="lm_head")
    assert "At `embed_tokens`, where the tensor is stored." in words(app)
    assert app.dataframe[0].value["row"].tolist()[0] == 5


def test_a_further_kind_is_shown_by_its_view(
    open_page: OpenPage, pair: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(comparison: Comparison, row: Pair, result: ColumnChanges) -> None:
        st.markdown(f"{row.place.column} moved by {result.largest.max():.1f} at most")

    query = {**pair, "layer": "0", "component": "self_attn.k_proj"}
    with offering_columns():
        assert offered(open_page("heatmap", **query)) == ["KV heads", "Image", "Singular values"]
        view = DrillDownView(label=lambda *_: "Columns", show=show)
        monkeypatch.setitem(VIEWS, "columns", view)
        app = open_page("heatmap", **query, look="columns")
        assert offered(app)[-1] == "Columns"
        assert "self_attn.k_proj moved by 0.0 at most" in words(app)
