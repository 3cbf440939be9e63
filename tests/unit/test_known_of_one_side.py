"""What nobody knows of one of two models is no difference between them: a checkpoint without a
config against one that has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modeldiff.architectures.facts.alike import how_many_differ, own_facts
from modeldiff.architectures.facts.diagram_anchors import in_brief
from modeldiff.checkpoints.references import demo_folder
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.drawings.comparison.side_by_side import side_by_side, similarity_text
from modeldiff.drawings.poster.words import _same
from modeldiff.findings.architecture_headline import architecture_headline


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """The demo's base as a run saves it, without a config."""
    state = load_file(demo_folder("base") / "model.safetensors")
    torch.save({"model": state}, tmp_path / "run.pt")
    return str(tmp_path / "run.pt")


def test_what_is_not_known_is_neither_none_nor_a_difference(bare: str) -> None:
    comparison = Comparison.open("demo:base", bare)
    facts = {pair.key: pair for pair in own_facts(comparison.facts)}
    assert not facts["heads"].same and not facts["heads"].differs
    assert in_brief(facts["context"]) == ("512 tokens", "not known")
    said = how_many_differ(own_facts(comparison.facts))
    assert "known of one side only" in said
    headline = architecture_headline(comparison.facts, comparison.pairs)
    assert headline == "Same architecture, as far as it is known of both."
    models = comparison.base.architecture, comparison.target.architecture
    drawing = side_by_side(*models, comparison.facts)
    assert not drawing.differences.boxes
    assert "as far as it is known of both" in similarity_text(drawing)


def test_what_a_known_model_lacks_is_a_difference() -> None:
    """Gemma 2 soft-caps, and Llama's config would say so if it did."""
    facts = {p.key: p for p in Comparison.open("catalog:gemma-2-9b", "catalog:llama-3-8b").facts}
    assert facts["attention_softcap"].differs
    assert in_brief(facts["attention_softcap"])[1] == "none"


def test_the_command_line_marks_them_apart(bare: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "demo:base", bare]) == 0
    out = capsys.readouterr().out
    assert "? known of one side only" in out
    assert "?  Attention heads" in out and "? Attention heads: The base: 8; not known of" in out


def test_scripts_and_posters_do_not_count_them_as_differences(
    bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "demo:base", bare, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    comparison = Comparison.open("demo:base", bare)
    assert summary["facts_different"] == sum(pair.differs for pair in comparison.facts)
    assert f"of {len(comparison.facts)} facts are known to be the same" in _same(
        comparison.facts, "a model"
    )


def test_metas_names_say_what_their_code_computes(tmp_path: Path) -> None:
    """Their config names no activation, and the rotations that they store are no parameter."""
    folder = shutil.copytree(demo_folder("base"), tmp_path / "base")
    names = {
        "model.embed_tokens": "tok_embeddings",
        "model.norm": "norm",
        "lm_head": "output",
        "self_attn.q_proj": "attention.wq",
        "self_attn.k_proj": "attention.wk",
        "self_attn.v_proj": "attention.wv",
        "self_attn.o_proj": "attention.wo",
        "mlp.gate_proj": "feed_forward.w1",
        "mlp.down_proj": "feed_forward.w2",
        "mlp.up_proj": "feed_forward.w3",
        "input_layernorm": "attention_norm",
        "post_attention_layernorm": "ffn_norm",
        "model.layers": "layers",
    }
    state = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        state[name] = tensor
    meta = tmp_path / "meta"
    meta.mkdir()
    torch.save({**state, "rope.freqs": torch.zeros(8)}, meta / "consolidated.00.pth")
    params = {"dim": 128, "n_layers": 8, "n_heads": 8, "n_kv_heads": 2, "vocab_size": 1024}
    (meta / "params.json").write_text(json.dumps(params))
    comparison = Comparison.open(str(folder), str(meta))
    facts = {pair.key: pair for pair in comparison.facts}
    assert facts["activation"].same and facts["mlp"].same and facts["family"].same
    statuses = {p.target.name: p.status for p in comparison.pairs if p.target is not None}
    assert statuses["rope.freqs"] not in ("only_in_target", "compared")
