"""What the panel says of each component."""

from __future__ import annotations

import pytest

from modeldiff.architectures import explain, understand
from modeldiff.architectures.components import ORDER
from modeldiff.architectures.glossary import EXPLAINED
from tests.support.named_shapes import (
    checkpoint,
    gpt2_shapes,
    invented,
    named_nodes,
    published,
    tiny,
    tiny_names,
)


def test_every_component_and_operation_of_the_skeleton_is_explained() -> None:
    assert set(ORDER) - set(EXPLAINED) == set()


@pytest.mark.parametrize("name", tiny_names())
def test_every_step_and_column_of_every_family_has_an_explanation(name: str) -> None:
    architecture = understand(tiny(name))
    asked = {node.id for _, node in named_nodes(architecture)}
    for component in asked | set(architecture.columns) | set(architecture.outside):
        explanation = explain(component, architecture)
        assert explanation.title and explanation.why.endswith(".")
        assert explanation.what.endswith(".")
        assert "None" not in explanation.what and "  " not in explanation.what


def test_numbers_of_the_architecture_are_in_the_sentences() -> None:
    llama = understand(published("llama-3-8b"))
    key = explain("self_attn.k_proj", llama)
    assert "Here 4 query heads share each of the 8 KV heads." in key.what
    assert "Shape: 4096 → 1024 (1024 = 8 KV heads × 128)." in key.what
    scaled = explain("self_attn.rope", understand(published("llama-3.1-8b")))
    assert "Here θ is 500,000, stretched: llama3 ×8 from 8,192." in scaled.what
    assert "2 of 4 experts" in explain("mlp.router", understand(tiny("mixtral"))).what
    assert explain("self_attn.k_proj").what.startswith("Turns each token's vector")


def test_stored_names_are_told_where_they_are_others() -> None:
    gpt2 = understand(checkpoint(gpt2_shapes()))
    assert "In the file it is called c_attn (v)." in explain("self_attn.v_proj", gpt2).what
    llama = explain("self_attn.q_proj", understand(published("llama-3-8b")))
    assert "In the file" not in llama.what


def test_a_norms_formula_is_its_own() -> None:
    assert "mean(x²)" in explain("norm").formula
    gpt2 = understand(checkpoint(gpt2_shapes()))
    assert "var(x)" in explain("norm", gpt2).formula
    assert "(1 + w)" in explain("norm", understand(tiny("gemma2"))).formula


def test_a_bias_is_explained_as_one() -> None:
    bias = explain("self_attn.q_proj.bias")
    assert (bias.title, bias.formula) == ("Query: bias", "y = W x + b")
    assert explain("norm.bias").formula.endswith("+ b")


def test_what_nobody_knows_is_said_to_be_unknown() -> None:
    unknown = explain("attention.wq", understand(invented()))
    assert unknown.title == "attention.wq" and unknown.formula == ""
    assert "not known" in unknown.what and "Shape: 16 → 16." in unknown.what
    for odd in ("", ".", "<b>", "a" * 10_000, "bias", ".bias"):
        assert explain(odd).title
