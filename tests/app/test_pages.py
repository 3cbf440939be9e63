"""Each page, before and after a diff, for pairs of all kinds and for links of all kinds."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modeldiff import diff
from modeldiff.comparison import Comparison
from modeldiff.findings.words import place_words
from modeldiff.results import job_manager
from modeldiff.results.store.folder import ready_results_folder
from modeldiff.results.store.lock import held_alone
from tests.app.conftest import PAGES, OpenPage, chosen_text, linked, words
from tests.support.local_hub import LocalHub
from tests.support.small_checkpoints import write_checkpoint
from tests.support.small_models import write_llama

Measure = Callable[[str, str], None]


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    """Two models of one shape; target differs by about 5 %."""
    base = write_llama(tmp_path / "base")
    target = write_llama(tmp_path / "target", noise=0.05)
    return {"base": str(base), "target": str(target)}


@pytest.mark.parametrize("page", PAGES)
def test_before_a_diff(page: str, open_page: OpenPage, pair: dict[str, str]) -> None:
    app = open_page(page, **pair)
    assert app.title[0].value == "base → target"
    assert chosen_text(app, "Base") == pair["base"]
    assert app.button(key="start_diff").label == "Measure 45.7 kB"


@pytest.mark.parametrize("page", PAGES)
def test_after_a_diff(
    page: str, open_page: OpenPage, measure: Measure, pair: dict[str, str]
) -> None:
    measure(pair["base"], pair["target"])
    app = open_page(page, **pair)
    measured = linked(app, "coverage") if page == "compare" else words(app).replace("`", "")
    assert "Measured on cpu" in measured
    assert all(button.key != "start_diff" for button in app.button)


def test_compare_says_what_changed(
    open_page: OpenPage, measure: Measure, pair: dict[str, str]
) -> None:
    measure(pair["base"], pair["target"])
    app = open_page("compare", **pair)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert "All 21 tensors compared" in linked(app, "coverage")
    assert metrics["Median change"].startswith("3.")
    assert metrics["Relative Frobenius"].startswith("5.")
    changes = diff(pair["base"], pair["target"], device="cpu")
    medians = {
        place_words(change.pair.place): change.statistics.median_pct
        for change in changes
        if change.statistics is not None
    }
    descending = sorted(medians, key=lambda name: medians[name] or 0.0, reverse=True)
    for key, norms in (("matrices", False), ("vectors", True)):
        shown = re.findall(
            r"(?:layer \d+ · )?[\w.]*[a-z_]{4}[\w.]*", linked(app, f"most_changed_{key}")
        )
        of_kind = [name for name in descending if ("norm" in name) == norms]
        assert [name for name in shown if name in medians] == of_kind[:6]


def test_a_model_against_itself(
    open_page: OpenPage, measure: Measure, pair: dict[str, str]
) -> None:
    measure(pair["base"], pair["base"])
    app = open_page("compare", base=pair["base"], target=pair["base"])
    assert "The weights that were read are identical" in words(app)
    assert "Both references hold the same files" in words(app)
    assert "All facts are the same" in words(
        open_page("architecture", base=pair["base"], target=pair["base"])
    )


@pytest.mark.parametrize("page", PAGES)
def test_models_of_other_depth_and_vocabulary(
    page: str, open_page: OpenPage, measure: Measure, pair: dict[str, str], tmp_path: Path
) -> None:
    other = str(write_llama(tmp_path / "other", layers=3, vocabulary=40, noise=0.1))
    measure(pair["base"], other)
    link = {"layer": "2", "component": "mlp.up_proj", "side": "target", "rows": "every"}
    app = open_page(page, base=pair["base"], target=other, **link)
    if page == "compare":
        assert "9 only in target" in words(app)
        assert "the 32 rows that both have were compared" in words(app).replace("\\", "")
    if page == "architecture":
        table = app.dataframe[0].value
        assert (table["status"] == "only in target").sum() == 9
        assert app.table[0].value["Base"].str.contains(r"\*\*2\*\*").any()
    if page in ("heatmap", "diagram"):
        assert "Base has nothing at this place." in words(app)


def test_the_tensor_table_filters(open_page: OpenPage, pair: dict[str, str]) -> None:
    app = open_page("architecture", **pair, rows="every")
    assert len(app.dataframe[0].value) == 21
    app.selectbox(key="filter_layer").select(1)
    app.text_input(key="filter_name").set_value("Q_PROJ").run()
    table = app.dataframe[0].value
    assert table[["layer", "component"]].values.tolist() == [[1, "self_attn.q_proj"]]
    app.text_input(key="filter_name").set_value("no such tensor").run()
    assert len(app.dataframe[0].value) == 0
    assert not app.exception


@pytest.mark.parametrize("page", ["heatmap", "diagram"])
def test_a_link_opens_what_its_sender_saw(
    page: str, open_page: OpenPage, measure: Measure, pair: dict[str, str]
) -> None:
    measure(pair["base"], pair["target"])
    app = open_page(page, **pair, metric="cosine_distance", layer="1", component="self_attn.k_proj")
    assert "Layer 1 · `self_attn.k_proj`" in words(app)
    assert "`model.layers.1.self_attn.k_proj.weight`" in words(app)
    assert app.session_state["metric_chooser"].key == "cosine_distance"
    assert app.query_params["layer"] == "1"


def test_a_component_of_the_diagram_is_found_on_the_heatmap_and_back(
    open_page: OpenPage, pair: dict[str, str]
) -> None:
    assert "Outside the layers · `lm_head`" in words(
        open_page("heatmap", **pair, layer="1", component="lm_head")
    )
    assert "Outside the layers · `lm_head`" in words(
        open_page("diagram", **pair, layer="1", component="lm_head")
    )


@pytest.mark.parametrize("page", ["heatmap", "diagram"])
@pytest.mark.parametrize(
    "query",
    [
        {"layer": "abc", "metric": "<script>alert(1)</script>", "component": "<img src=x>"},
        {"layer": "-1", "metric": "", "component": ""},
        {"layer": "99999999999999999999", "component": "../../x", "side": "nobody"},
        {"layer": "٣", "component": "self_attn.q_proj", "device": "toaster"},
    ],
)
def test_hostile_links(
    page: str, query: dict[str, str], open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page(page, **pair, **query)
    assert app.title[0].value == "base → target"


@pytest.mark.parametrize(
    "broken", ["../../x", "", "<b>bold</b>", "/etc/passwd", "a\nb", "x" * 5000]
)
def test_a_broken_reference_is_a_message(
    broken: str, open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page("compare", base=broken, target=pair["target"])
    assert "Base cannot be opened" in app.error[0].value
    assert chosen_text(app, "Target") == pair["target"]


@pytest.mark.parametrize("page", PAGES)
def test_one_broken_side_hides_nothing(
    page: str, open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page(page, base=pair["base"], target="demo:nothing")
    assert len(app.error) == 1
    assert "Target cannot be opened" in app.error[0].value
    assert "Llama" in words(app), "the side that can be opened is shown"


def test_a_kept_result_is_offered_where_a_side_is_gone(
    open_page: OpenPage, pair: dict[str, str], measure: Measure
) -> None:
    measure(pair["base"], pair["target"])
    shutil.rmtree(pair["target"])
    app = open_page("compare", **pair)
    assert "Target cannot be opened" in app.error[0].value
    [link] = [link.proto for link in app.get("page_link") if "kept on" in link.proto.label]
    opened = open_page("result", result=link.query_string.removeprefix("result="))
    assert opened.title[0].value == "base → target" and "No such result" not in words(opened)
    swapped = open_page("compare", base=pair["target"], target=pair["base"])
    assert not [each for each in swapped.get("page_link") if "kept on" in each.proto.label]


def test_names_from_files_are_text(open_page: OpenPage, tmp_path: Path) -> None:
    name = "model.layers.1.<img src=x onerror=alert(1)>[a](http://b).weight"
    folder = str(write_llama(tmp_path / "hostile", extra={name: (4, 4)}))
    for page in PAGES:
        app = open_page(page, base=folder, target=folder, layer="1")
        assert not any(element.proto.allow_html for element in app.markdown)
    column = next(
        c
        for c in open_page("architecture", base=folder, target=folder, rows="every")
        .dataframe[0]
        .value["component"]
        if "<img" in c
    )
    app = open_page("heatmap", base=folder, target=folder, layer="1", component=column)
    assert f"`{name}`" in words(app)


@pytest.mark.parametrize("page", ["architecture", "diagram"])
def test_what_nobody_could_read_is_not_drawn(
    page: str, open_page: OpenPage, tmp_path: Path
) -> None:
    names = [f"{random.Random(i).getrandbits(90):x}q.weight" for i in range(600)]
    folder = write_checkpoint(tmp_path / "model", {n: ("U8", np.zeros(1, "u1")) for n in names})
    app = open_page(page, base=str(folder), target=str(folder))
    [reason] = [info.value for info in app.info if info.value.startswith("Not drawn")]
    assert "more than 500 boxes" in reason


@pytest.mark.parametrize("page", PAGES)
def test_a_model_alone_is_compared_with_nothing(
    page: str, open_page: OpenPage, pair: dict[str, str]
) -> None:
    app = open_page(page, base=pair["base"], alone="1")
    assert app.title[0].value == "base"
    assert all(button.key not in ("start_diff", "swap") for button in app.button)
    assert job_manager().find(Comparison.open(pair["base"], pair["base"])) is None
    if page == "architecture":
        assert len(app.dataframe[0].value) == 21


def test_a_saved_result_is_shown_without_its_models(
    open_page: OpenPage, measure: Measure, pair: dict[str, str]
) -> None:
    measure(pair["base"], pair["target"])
    key = Comparison.open(pair["base"], pair["target"]).key
    for folder in pair.values():
        shutil.rmtree(folder)
    app = open_page("result", result=key)
    assert app.title[0].value == "base → target"
    assert "All 21 tensors compared" in linked(app, "coverage")
    assert "layer" in linked(app, "most_changed_matrices")
    for hostile in ("0" * 64, "../../etc/passwd", ""):
        assert open_page("result", result=hostile).title[0].value == "No such result"


def test_a_diff_is_started_and_cancelled(open_page: OpenPage, pair: dict[str, str]) -> None:
    key = Comparison.open(pair["base"], pair["target"]).key
    # While somebody else holds the pair's lock the diff waits, for as long as this test likes.
    with held_alone(ready_results_folder() / f"{key}.lock", lambda: None):
        app = open_page("compare", **pair)
        app.button(key="start_diff").click().run()
        wait_for(pair, "waiting")
        app.run()
        assert "Another process has taken this pair" in app.get("progress")[0].text
        app.button(key="cancel_diff").click().run()
        wait_for(pair, "cancelled")
    app.run()
    assert "Stopped." in words(app)
    app.button(key="start_diff").click().run()
    wait_for(pair, "done")
    app.run()
    assert "Numbers" in words(app)


def test_a_diff_that_fails_says_why(
    open_page: OpenPage, pair: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "in the way"
    in_the_way.touch()
    monkeypatch.setenv("MODELDIFF_CACHE", str(in_the_way))
    app = open_page("compare", **pair)
    app.button(key="start_diff").click().run()
    wait_for(pair, "failed")
    app.run()
    assert "in the way" in app.error[0].value
    assert app.button(key="start_diff").label == "Go on"


def wait_for(pair: dict[str, str], state: str) -> None:
    """Wait until the newest job of the pair is in this state."""
    comparison = Comparison.open(pair["base"], pair["target"])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = job_manager().find(comparison)
        if job is not None and job.state == state:
            return
        time.sleep(0.02)
    raise TimeoutError(f"{state}: {job}")


def test_a_search_of_the_hub_names_models_to_take(
    open_page: OpenPage, pair: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalHub(tmp_path / "hub") as hub:
        for name in ("us/llama-one", "us/llama-two"):
            (hub.root / name).mkdir(parents=True)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        app = open_page("compare", **pair)
        asked = len(hub.requests)
        app.text_input(key="hub_search").set_value("llama").run()
        assert len(hub.requests) == asked + 1
        app.selectbox(key="hub_model").set_value("us/llama-two").run()
        hub.status = 503
        app.text_input(key="hub_search").set_value("**other**").run()
        assert "did not answer" in words(app) or "status 503" in words(app)
    monkeypatch.setenv("MODELDIFF_HUB", "off")
    app = open_page("compare", **pair)
    assert all(box.key != "hub_search" for box in app.text_input)
