"""The heatmap page: what can be chosen of the picture is in the link, and nothing else counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from modeldiff.checkpoints import open_checkpoint
from tests.app.conftest import OpenPage, words
from tests.support.planted import add_noise, llama_values, write_values

Measure = Callable[[str, str], None]
DEMO = {"base": "demo:base", "target": "demo:continued"}


@pytest.fixture
def mixture(tmp_path: Path) -> dict[str, str]:
    """Two mixtures of four experts that differ in one expert of layer 1."""
    base = llama_values(layers=3, experts=4)
    target = add_noise(base, 0.3, "layers.1.mlp.experts.2.")
    return {
        "base": str(write_values(tmp_path / "base", base)),
        "target": str(write_values(tmp_path / "target", target)),
    }


def picture(app: AppTest) -> dict[str, Any]:
    """What the page sends to the heatmap's component."""
    (sent,) = (
        json.loads(one.proto.json)
        for one in app.get("bidi_component")
        if one.proto.component_name.endswith("clickable_heatmap")
    )
    data: dict[str, Any] = sent
    return data


def test_a_link_says_how_the_picture_is_drawn(open_page: OpenPage, measure: Measure) -> None:
    measure("demo:base", "demo:continued")
    plainly = open_page("heatmap", **DEMO)
    assert "Matrices (to 30 %) and norms (to 3 %)" in words(plainly)
    assert plainly.selectbox(key="scale_chooser").value == "kind"
    assert set(picture(plainly)["drawings"]) == {"phone", "small", "page", "screen"}
    app = open_page("heatmap", **DEMO, scale="component", log="1", across="0", order="1")
    assert app.selectbox(key="scale_chooser").value == "component"
    assert "Each component has a scale of its own" in words(app)
    assert "Colours are logarithmic" in words(app)
    drawings = picture(app)["drawings"]
    assert set(drawings) == {"phone", "tall"}
    # The most changed come first.
    drawn = drawings["tall"]
    assert drawn.index(">q_proj<") < drawn.index(">o_proj<") < drawn.index(">v_proj<")
    across = picture(open_page("heatmap", **DEMO, across="1"))["drawings"]
    assert "phone" not in across and "whole layer" in across["page"]


def test_a_scale_is_fixed_by_the_link_until_another_metric_is_chosen(
    open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:continued")
    app = open_page("heatmap", **DEMO, top="80,5")
    assert "Matrices (to 80 %) and norms (to 5 %)" in words(app)
    app.selectbox(key="top_0").select(50.0).run()
    assert app.query_params["top"] == "50,5"
    assert "Matrices (to 50 %) and norms (to 5 %)" in words(app)
    app.selectbox(key="top_1").select(None).run()
    assert app.query_params["top"] == "50"
    other = next(m for m in app.selectbox(key="metric_chooser").options if "Frobenius" in m)
    app.selectbox(key="metric_chooser").select(other).run()
    assert "top" not in app.query_params
    for hostile in ("nan,inf", "-1,0", "x", "1e99,,,", "9" * 5000):
        assert "Matrices (to 30 %) and norms (to 3 %)" in words(
            open_page("heatmap", **DEMO, top=hostile)
        )


def test_choosing_writes_the_link_and_a_default_leaves_it(
    open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:continued")
    app = open_page("heatmap", **DEMO)
    app.selectbox(key="scale_chooser").select("group").run()
    assert app.query_params["scale"] == "group"
    assert "embedding and head (to 30 %)" in words(app).lower()
    app.selectbox(key="scale_chooser").select("kind").run()
    assert "scale" not in app.query_params
    app.segmented_control(key="across_switch").set_value("Across").run()
    assert app.query_params["across"] == "1"
    assert not app.exception


def test_experts_are_folded_and_unfolded(
    open_page: OpenPage, measure: Measure, mixture: dict[str, str]
) -> None:
    measure(mixture["base"], mixture["target"])
    app = open_page("heatmap", **mixture)
    app.selectbox(key="experts_chooser").select("mlp.experts.up_proj").run()
    assert app.query_params["experts"] == "mlp.experts.up_proj"
    chosen = {"experts": "mlp.experts.up_proj", "component": "mlp.experts.up_proj", "layer": "1"}
    app = open_page("heatmap", **mixture, **chosen, expert="2")
    assert "Layer 1, expert 2 · `mlp.experts.up_proj`" in words(app)
    assert "experts.2.up_proj" in words(app) and "experts.1.up_proj" not in words(app)
    folded = open_page("heatmap", **mixture, **{**chosen, "experts": ""}, expert="2")
    # An expert is one cell only where it is unfolded.
    assert "4 tensors taken together" in words(folded)


def test_a_margin_leads_to_a_whole_layer_or_component(
    open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:continued")
    app = open_page("heatmap", **DEMO, layer="3")
    assert "Layer 3 as a whole" in words(app)
    assert "9 tensors taken together" in words(app)
    app = open_page("heatmap", **DEMO, component="self_attn.v_proj")
    assert "All layers · `self_attn.v_proj`" in words(app)
    assert "8 tensors taken together" in words(app)


@pytest.mark.parametrize(
    "query",
    [
        {"scale": "<script>", "log": "yes", "across": "-1", "order": "9", "experts": "../.."},
        {"experts": "self_attn.q_proj", "expert": "99999999999", "layer": "99"},
        {"experts": "mlp.experts.up_proj", "expert": "77", "component": "mlp.experts.up_proj"},
    ],
)
def test_hostile_choices_are_none(
    query: dict[str, str], open_page: OpenPage, measure: Measure, mixture: dict[str, str]
) -> None:
    measure(mixture["base"], mixture["target"])
    app = open_page("heatmap", **mixture, **query)
    assert app.selectbox(key="scale_chooser").value == "kind"
    assert app.title[0].value == "base → target"


def test_the_picture_fills_while_it_is_measured(
    open_page: OpenPage, mixture: dict[str, str]
) -> None:
    app = open_page("heatmap", **mixture)
    sent = picture(app)
    assert all("not measured yet" in each for each in sent["words"])
    assert "not measured yet" in sent["drawings"]["page"]


def test_what_was_clicked_is_chosen_and_what_a_browser_makes_up_is_not(
    open_page: OpenPage, measure: Measure
) -> None:
    measure("demo:base", "demo:continued")
    app = open_page("heatmap", **DEMO, layer="3", component="self_attn.v_proj")
    sent = picture(app)
    assert sent["words"][sent["at"]].startswith("layer 3 · self_attn.v_proj: ")


def test_layers_that_met_by_content_can_be_compared_by_position(
    open_page: OpenPage, measure: Measure, tmp_path: Path
) -> None:
    base = llama_values(layers=6)
    cut = {
        name.replace(".layers.5.", ".layers.3.").replace(".layers.4.", ".layers.2."): value
        for name, value in base.items()
        if ".layers.2." not in name and ".layers.3." not in name
    }
    pair = {
        "base": str(write_values(tmp_path / "base", base)),
        "target": str(write_values(tmp_path / "target", add_noise(cut, 0.02, ""))),
    }
    measure(pair["base"], pair["target"])
    app = open_page("heatmap", **pair)
    assert "2 ← 4: the target's layer 2 is the base's layer 4." in words(app)
    assert "layers 2–3: removed" in picture(app)["words"]
    app.button(key="other_matching").click().run()
    assert app.query_params["layers"] == "position"
    assert app.button(key="other_matching").label == "Compare by content instead"
    assert not app.exception


def test_a_cell_of_the_decoder_leads_to_the_decoders_box(
    open_page: OpenPage, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps(
            {
                "model_type": "t5",
                "architectures": ["T5ForConditionalGeneration"],
                "d_model": 8,
                "d_ff": 16,
                "d_kv": 4,
                "num_heads": 2,
                "num_layers": 2,
                "vocab_size": 32,
                "num_decoder_layers": 2,
            }
        )
    )
    tensors = {
        tensor.name: np.zeros(tensor.shape, np.float32)
        for tensor in open_checkpoint(str(config)).tensors
    }
    save_file(tensors, tmp_path / "model.safetensors")
    pair = {"base": str(tmp_path), "target": str(tmp_path)}
    app = open_page("heatmap", **pair, layer="1", component="decoder.self_attn.q_proj")
    (link,) = (link for link in app.page_link if link.label == "See it in the diagram")
    assert "component=decoder.self_attn.q_proj" in link.proto.query_string.split("&")
    assert r"Query \(decoder\)" in {heading.value for heading in app.subheader}
