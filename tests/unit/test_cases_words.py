"""Situations that people reported, rebuilt small, and the words that are true of them.

Broken weights: axolotl#1191, LLaVA#1278, ludwig#3740. Resized vocabularies: mergekit#425. Layers
cut, doubled, swapped: mergekit#198. Casts and quantised weights: compressed-tensors#832. Names of
another toolkit: vllm#40765. Norms as 1 + w: Gemma.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modeldiff.architectures import Place
from modeldiff.changes import ChangeTable
from modeldiff.cli import main
from modeldiff.drawings import METRICS
from modeldiff.drawings.diagram.box_values import NOT_FINITE_WORDS as BOX_WORDS
from modeldiff.drawings.diagram.box_values import BoxValues
from modeldiff.drawings.heatmap.marks import NOT_FINITE
from modeldiff.drawings.report.rows import read_rows
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.findings.witnesses.witness import Witness
from tests.support.architectures import llama_like
from tests.support.changes import continued, made_changes
from tests.support.heatmaps import heatmap_frame
from tests.support.planted import Values, add_noise, llama_values, measured
from tests.support.planted_truth import Plant, planted_table

NAN = float("nan")
LEVELS = ("Like light", "Like tuning", "Like heavy", "Like continued")


def reading(
    folder: Path, base: Values, target: Values, types: tuple[str, str] = ("BF16", "BF16")
) -> tuple[Narrative, ChangeTable]:
    changes, *_ = measured(folder, base, target, types)
    return narrate(changes), changes


def text(narrative: Narrative) -> str:
    return " ".join((narrative.headline, *narrative.facts, *narrative.likeness))


def no_level(narrative: Narrative) -> bool:
    return not any(level in text(narrative) for level in LEVELS)


def with_nan(values: Values, part: str, share: float = 1.0) -> Values:
    """The same with NaN in the tensors whose name contains ``part``: in all of it, or one value."""
    broken = {}
    for name, value in values.items():
        broken[name] = value
        if part in name:
            broken[name] = value.copy()
            broken[name].reshape(-1)[: max(round(share * value.size), 1)] = NAN
    return broken


@pytest.mark.parametrize(
    ("damage", "headline"),
    [
        (
            lambda v: with_nan(v, ""),
            "Target has non-finite weights: NaN or infinity in 57 of 57 tensors",
        ),
        (lambda v: with_nan(v, "self_attn"), "in 24 of 57 tensors (self_attn.q_proj, "),
        (
            lambda v: with_nan(v, "layers.2.mlp.up_proj", 0.0),
            "in 1 of 57 tensors (mlp.up_proj in layer 2), 1 of 185,152 elements.",
        ),
    ],
)
def test_broken_weights_are_said_first(
    damage: Callable[[Values], Values], headline: str, tmp_path: Path
) -> None:
    base = llama_values()
    tuned, _ = reading(tmp_path / "tuned", base, damage(add_noise(base, 0.02)))
    copied, _ = reading(tmp_path / "copied", base, damage(base))
    for narrative in (tuned, copied):
        assert headline in narrative.headline
        assert no_level(narrative) and "identical" not in text(narrative)


def test_what_is_broken_on_both_sides_is_not_the_same_model(tmp_path: Path) -> None:
    broken = with_nan(llama_values(), "layers.2.mlp.up_proj", 0.0)
    narrative, _ = reading(tmp_path, broken, broken)
    assert narrative.headline.startswith(
        "Base and target have non-finite weights, at the same places:"
    )
    assert "identical" not in text(narrative) and "The same weights" not in text(narrative)


def test_fp16_that_overflowed_is_broken(tmp_path: Path) -> None:
    base = llama_values()
    base["model.layers.1.mlp.down_proj.weight"][7] *= 3e5
    narrative, _ = reading(tmp_path, base, base, ("BF16", "F16"))
    assert "Target has non-finite weights" in narrative.headline
    assert "mlp.down_proj in layer 1" in narrative.headline


def test_values_that_are_not_finite_are_marked_wherever_rows_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = llama_values()
    target = with_nan(add_noise(base, 0.02), "layers.2.mlp.up_proj", 0.0)
    changes, one, other = measured(tmp_path, base, target)
    frame = heatmap_frame(changes, one, other, METRICS[0])
    marked = frame[(frame["mark"] == NOT_FINITE) & (frame["region"] == "grid")]
    assert marked[["layer", "column"]].to_numpy().tolist() == [[2, "mlp.up_proj"]]
    (cell,) = marked.to_dict("records")
    assert "1 elements of target are NaN or infinite" in cell["note"] and cell["shown"] == ""
    rows = [row for row in read_rows(changes, one, other).rows if row.broken]
    assert {(row.region, row.layer, row.column) for row in rows} == {
        ("grid", 2, "mlp.up_proj"),
        ("layer", 2, ""),
        ("column", None, "mlp.up_proj"),
    }
    values = BoxValues(other, changes, METRICS[0])
    boxes = {
        node.id: box.words
        for node in other.nodes()
        for box in values.of(node, [2])
        if box.words == BOX_WORDS
    }
    assert set(boxes) == {"mlp.up_proj"}
    assert main(["diff", str(tmp_path / "base"), str(tmp_path / "target"), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("mlp.up_proj") and line.endswith("0 → 1") for line in lines)


def test_one_norm_in_common_is_no_identity() -> None:
    def plant(place: Place) -> Plant:
        if place == Place(None, "norm"):
            return Plant("same")
        return Plant(status="only_in_base" if place.layer else "only_in_target")

    narrative = narrate(planted_table(plant, layers=4)[0])
    assert narrative.headline.startswith("Only 0.")
    assert "12 tensors are only in base and 6 only in target" in narrative.headline
    assert "identical" not in text(narrative) and "same model" not in text(narrative)


def test_a_resized_vocabulary_is_no_full_coverage(tmp_path: Path) -> None:
    base = llama_values(layers=12)
    target = add_noise(base, 0.02, "")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        target[name] = np.vstack([target[name], target[name][:2]])
    narrative, _ = reading(tmp_path, base, target)
    assert "of target's" in narrative.headline and "all elements" not in narrative.headline
    assert "of what was compared (100 % of base's, 99.9 % of target's" in text(narrative)
    assert "target has 2 others" in text(narrative)
    assert "did not move" not in text(narrative).replace("norms did not move", "")


@pytest.mark.parametrize("layers", [(2, 3), (1, 5)])
def test_swapped_layers_are_no_training(layers: tuple[int, int], tmp_path: Path) -> None:
    base = llama_values()
    one, other = (f"layers.{layer}." for layer in layers)
    swap = {one: other, other: one}
    target = {
        name: base[next((name.replace(a, b) for a, b in swap.items() if a in name), name)]
        for name in base
    }
    narrative, _ = reading(tmp_path, base, target)
    words = f"Layers {layers[0]} and {layers[1]} were swapped"
    assert narrative.headline.startswith(words) and no_level(narrative)
    assert "rearranged" in narrative.likeness[0]


def test_strange_matrices_within_related_layers_are_not_called_moved_layers(tmp_path: Path) -> None:
    base = llama_values()
    # Both axes at once: no witness finds that.
    target = {
        n: v[::-1, ::-1].copy() if "q_proj" in n or "k_proj" in n else v for n, v in base.items()
    }
    narrative, _ = reading(tmp_path, base, target)
    assert "rows, heads or neurons were permuted" in narrative.likeness[0]
    assert no_level(narrative) and "replaced" not in text(narrative)


def test_a_merged_adapter_and_an_edit_are_no_training_of_all_weights(tmp_path: Path) -> None:
    base = llama_values()
    random = np.random.default_rng(4)
    merged = {
        name: value
        + 0.02
        * random.standard_normal((value.shape[0], 2))
        @ random.standard_normal((2, value.shape[1]))
        if "q_proj" in name or "v_proj" in name
        else value
        for name, value in base.items()
    }
    edited = add_noise(base, 0.3, "layers.2.mlp.down_proj", "layers.3.mlp.down_proj")
    adapter, _ = reading(tmp_path / "adapter", base, merged)
    edit, _ = reading(tmp_path / "edit", base, edited)
    assert "adapters (LoRA)" in adapter.likeness[0] and no_level(adapter)
    assert "weights edited" in edit.likeness[0] and no_level(edit)


def test_rounding_and_casts_are_no_training(tmp_path: Path) -> None:
    base = {n: 0.02 * v if v.ndim > 1 else v for n, v in llama_values().items()}
    int8 = {}
    for name, value in base.items():
        step = np.abs(value).max(-1, keepdims=True) / 7
        int8[name] = np.round(value / step) * step if "_proj" in name else value
    rounded, _ = reading(tmp_path / "int", base, int8)
    cast, _ = reading(tmp_path / "fp8", base, base, ("BF16", "F8_E4M3"))
    assert "Like rounding to a coarser grid (int8" in rounded.likeness[0] and no_level(rounded)
    assert "rounding" in cast.likeness[0] and no_level(cast)


def test_norms_stored_as_one_plus_w(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    base = {
        name: 0.3 * random.standard_normal(value.shape) if value.ndim == 1 else value
        for name, value in llama_values().items()
    }
    target = {name: value + 1 if value.ndim == 1 else value for name, value in base.items()}
    narrative, _ = reading(tmp_path, base, target, ("F32", "F32"))
    assert "13 tensors differ by 1 in every element" in text(narrative)
    assert "1 + w" in narrative.likeness[0] and no_level(narrative)


def test_many_light_changes_and_few_large_ones_are_two_groups(tmp_path: Path) -> None:
    base = llama_values()
    target = add_noise(add_noise(base, 0.01), 0.3, "v_proj")
    narrative, _ = reading(tmp_path, base, target, ("F32", "F32"))
    assert "two groups" in narrative.likeness[0] and no_level(narrative)
    assert "self_attn.v_proj in layers 0–5" in narrative.likeness[0]


def test_what_a_witness_explains_is_left_out_of_the_level(tmp_path: Path) -> None:
    base = llama_values()
    target = add_noise(add_noise(base, 0.02, "_proj", "embed", "lm_head"), 2.0, "k_proj")
    alone, changes = reading(tmp_path, base, target, ("F32", "F32"))
    places = frozenset(c.pair.place for c in changes if "k_proj" in c.pair.place.component)
    witness = Witness("The heads of k_proj stand in another order.", places, "Permuted heads.")
    narrative = narrate(changes, [witness])
    assert witness.sentence in narrative.facts and narrative.likeness[0] == witness.likeness
    assert "k_proj" in text(alone) and "k_proj" not in text(narrative).replace(witness.sentence, "")


def test_rows_of_a_blog_are_read_as_it_reads_them() -> None:
    """Continued pretraining of a decoder of 32 layers: q and k of the first layers by far the most,
    all else about alike, norms far less and falling with depth."""
    model = llama_like(32)
    facts = " ".join(narrate(made_changes(model, model, continued)).facts)
    assert (
        "self_attn.q_proj and self_attn.k_proj in layers 0–6 (28.1–39.2 %, otherwise 18.8 %)"
        in facts
    )
    assert "Norms moved far less than the layers' matrices: 1.23 % against 19.5 %" in facts
    assert "The change of all norms falls with depth" in facts
    assert "All matrices moved about alike" not in facts
