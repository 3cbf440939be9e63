"""What the first screen says: what is the same, what differs, and what stands out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from modeldiff.architectures.config.config_values import Settings
from modeldiff.architectures.config.rope_turns import tokens_a_turn
from modeldiff.architectures.facts.alike import alike_in_one_line
from modeldiff.changes import Pair
from modeldiff.comparison import Comparison
from modeldiff.findings.architecture_headline import architecture_headline
from modeldiff.findings.main_differences import (
    stand_out_sentence,
    structure_differences,
    weight_differences,
)
from modeldiff.findings.narrative import narrate
from modeldiff.text.table_formats import csv_table, latex_table, markdown_table
from tests.support.changes import made_changes


def test_llama_3_to_3_1_is_the_same_model_for_longer_texts() -> None:
    pair = Comparison.open("catalog:llama-3-8b", "catalog:llama-3.1-8b")
    headline = architecture_headline(pair.facts, pair.pairs)
    assert headline == "Same architecture, made for texts 16 times as long."
    assert {each.fact for each in structure_differences(pair.facts)} == {"context", "rope_scaling"}
    same = alike_in_one_line(pair.facts)
    assert "32 layers × 4,096, GQA 32/8" in same
    assert "context" not in same, "what differs is not called the same"


@pytest.mark.parametrize(
    ("base", "target", "headline"),
    [
        ("catalog:llama-3-8b", "catalog:llama-3-8b", "Same architecture."),
        ("catalog:llama-3.1-8b", "catalog:llama-3.1-405b", "Same architecture in another size"),
        ("catalog:gpt2-124m", "catalog:llama-3-8b", "Built differently: attention, positions"),
    ],
)
def test_the_headline_of_a_pair_of_configs(base: str, target: str, headline: str) -> None:
    pair = Comparison.open(base, target)
    assert architecture_headline(pair.facts, pair.pairs).startswith(headline)


def test_models_of_equal_facts_and_other_tensors_are_not_called_the_same() -> None:
    converted = Path(__file__).parents[1] / "data" / "converted"
    pair = Comparison.open(
        *(str(converted / f"{name}.gguf") for name in ("qwen3next", "qwen35moe"))
    )
    assert architecture_headline(pair.facts, pair.pairs) == (
        "Built differently: 6 tensors on one side alone or of another shape."
    )


def test_layers_that_stand_out_are_said_first_and_norms_apart() -> None:
    architecture = Comparison.open("catalog:llama-3-8b", "catalog:llama-3-8b").base.architecture

    def median(one: Pair) -> float:
        early = one.place.layer is not None and one.place.layer < 4
        if "norm" in one.place.component:
            return 1.0
        if early and one.place.component.endswith(("q_proj", "k_proj")):
            return 40.0
        return 20.0

    changes = made_changes(architecture, architecture, median)
    assert stand_out_sentence(changes) == (
        "q_proj and k_proj of layers 0–3 stand out: 40.0 %, in other layers 20.0 %."
    )
    first, *_, norms = weight_differences(changes)
    assert (first.kind, first.column) == ("matrices", "self_attn.q_proj")
    assert (norms.kind, norms.value) == ("norms", "moved far less")


@pytest.mark.parametrize(
    ("moved", "title", "value", "note"),
    [
        (
            {(2, "q_proj"): 7.0, (5, "up_proj"): 6.0, (5, "down_proj"): 6.5},
            "3 matrices",
            "moved by 6.50 % typically",
            "self_attn.q_proj in layer 2; mlp.up_proj and mlp.down_proj in layer 5",
        ),
        ({(2, "q_proj"): 7.0}, "1 matrix", "moved by 7.00 %", "self_attn.q_proj in"),
    ],
)
def test_where_few_matrices_moved_they_are_named(
    moved: dict[tuple[int, str], float], title: str, value: str, note: str
) -> None:
    architecture = Comparison.open("catalog:llama-3-8b", "catalog:llama-3-8b").base.architecture

    def median(one: Pair) -> float:
        name = one.place.component.rpartition(".")[2]
        return moved.get((-1 if one.place.layer is None else one.place.layer, name), 0.0)

    first = weight_differences(made_changes(architecture, architecture, median))[0]
    assert (first.title, first.value) == (title, value)
    assert first.note.startswith(note) and (first.layer, first.column) == (2, "self_attn.q_proj")


def test_what_is_typical_is_one_number_on_the_page() -> None:
    """Of an even number of matrices, too, where two stand in the middle."""
    architecture = Comparison.open("catalog:llama-3-8b", "catalog:llama-3-8b").base.architecture

    def median(one: Pair) -> float:
        in_layer = one.place.layer is not None and "norm" not in one.place.component
        return (8.0 if one.place.layer in range(16) else 9.0) if in_layer else 0.0

    changes = made_changes(architecture, architecture, median)
    (matrices,) = (one for one in weight_differences(changes) if one.kind == "matrices")
    assert matrices.value == "moved by 8.00 % typically"
    assert matrices.value in " ".join(narrate(changes).facts)


def test_nothing_stands_out_where_all_moved_alike() -> None:
    architecture = Comparison.open("catalog:llama-3-8b", "catalog:llama-3-8b").base.architecture
    changes = made_changes(architecture, architecture, lambda one: 20.0)
    assert stand_out_sentence(changes) == ""


def test_tokens_a_turn_are_transformers_own_frequencies() -> None:
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scalings = {
        "llama3": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "linear": {"rope_type": "linear", "factor": 4.0},
        "yarn": {
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    }
    for kind, scaling in scalings.items():
        config = LlamaConfig(
            hidden_size=1024,
            num_attention_heads=8,
            max_position_embeddings=131072,
            rope_parameters={"rope_theta": 500000.0, **scaling},
        )
        frequencies, _ = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
        turns = tokens_a_turn(Settings({"rope_scaling": scaling}), 500000.0, 128)
        expected = [2 * math.pi / float(frequency) for frequency in frequencies]
        assert turns == pytest.approx(expected, rel=1e-5), kind


def test_copied_tables_hold_names_from_files_as_text() -> None:
    head, rows = ("name", "median %"), [("a_b|c & \\d", "1.5"), ("=HYPERLINK(1)", "2")]
    assert markdown_table(head, rows).splitlines()[2] == "| a_b\\|c & \\d | 1.5 |"
    assert r"a\_b|c \& \textbackslash{}d & 1.5 \\" in latex_table(head, rows)
    assert csv_table(head, rows).splitlines()[2].startswith("'=HYPERLINK")
