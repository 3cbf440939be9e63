"""The narrative of a change table: right for what was really trained, and for what was planted."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes import Change, ChangeTable, Pair
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.findings.likeness.likeness import REFERENCE_POINTS
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.results import result_document, run_diff
from tests.support.architectures import ALL, llama_like
from tests.support.changes import made_changes, made_statistics
from tests.support.planted import HEADS, HIDDEN, Values, add_noise, llama_values, measured


def words(narrative: Narrative) -> str:
    return " ".join((narrative.headline, *narrative.facts, *narrative.likeness))


def read(folder: Path, target: Values, base: Values | None = None, **options: object) -> str:
    changes, *_ = measured(folder, base or llama_values(), target, **options)  # type: ignore[arg-type]
    return words(narrate(changes))


@pytest.mark.parametrize(
    ("target", "expected", "wrong"),
    [
        ("continued", "Like heavy tuning, distillation or continued pretraining", "light"),
        ("tuned", "Like light tuning", "instructions"),
        ("lora", "adapters (LoRA)", "unrelated"),
        ("unrelated", "Like unrelated weights", "pretraining"),
        ("base", "The same weights in all tensors", "Like"),
    ],
)
def test_the_demo_pairs_are_read_for_what_they_are(target: str, expected: str, wrong: str) -> None:
    result = run_diff(Comparison.open("demo:base", f"demo:{target}"), device="cpu")
    narrative = narrate(result.changes)
    inference = " ".join(narrative.likeness)
    assert expected in inference
    assert wrong not in inference
    document = result_document(result)["reading"]
    assert document["headline"] == narrative.headline
    assert document["inference"] == list(narrative.likeness)


def test_the_terminal_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "demo:base", "demo:lora", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    result = run_diff(Comparison.open("demo:base", "demo:lora"), device="cpu")
    narrative = narrate(result.changes)
    facts, inference = printed.split("What they may mean")
    assert all(f"- {sentence}" in facts for sentence in (narrative.headline, *narrative.facts))
    assert all(f"- {sentence}" in inference for sentence in narrative.likeness)


def test_the_facts_of_a_continued_pretraining() -> None:
    result = run_diff(Comparison.open("demo:base", "demo:continued"), device="cpu")
    facts = " ".join(narrate(result.changes).facts)
    assert "All 75 tensors were compared" in facts
    # The README's middle matrix: 20 %.
    assert re.search(r"By median, the 56 weight matrices of the layers moved by 20\.\d %", facts)
    assert "the change is dense" in facts.lower()
    assert "the 17 norms moved by 0.86 % typically" in facts and "at most by 2.65 % (norm)" in facts
    assert "Norms moved far less than the layers' matrices: 0.86 % against 20.1 %" in facts
    assert "layer 1 · self_attn.o_proj (27.9 %)" in facts
    # Layer 0 moved by far less in five components: not alike at all depths without it.
    assert (
        "mlp.up_proj, self_attn.k_proj and 3 more in layer 0 (12.1–15.9 %, otherwise 20.4 %)"
        in facts
    )
    assert "Otherwise matrices moved about equally at all depths of layers 0–7" in facts


def test_one_layer(tmp_path: Path) -> None:
    text = read(tmp_path, add_noise(llama_values(), 0.2, "layers.4."))
    assert "9 of 57 tensors moved" in text
    assert "in layer 4" in text and "layer 3" not in text
    assert "as if a part had been frozen" in text


def test_early_layers(tmp_path: Path) -> None:
    target = add_noise(llama_values(), 0.05)
    text = read(tmp_path, add_noise(target, 0.3, "layers.0.", "layers.1."))
    assert re.search(
        r"More change .*: all matrices in layers 0–1 \(\d\d\.\d–\d\d\.\d %, otherwise", text
    )
    assert "Otherwise matrices moved about equally at all depths of layers 2–5" in text


def test_one_expert(tmp_path: Path) -> None:
    base = llama_values(layers=3, experts=4)
    text = read(tmp_path, add_noise(base, 0.2, "layers.1.mlp.experts.2."), base)
    assert "3 of " in text and "in layer 1" in text
    assert re.search(r"Most changed by median: layer 1 · mlp\.experts\.\w+, expert 2 \(", text)


def test_one_head(tmp_path: Path) -> None:
    target = llama_values()
    query = target["model.layers.2.self_attn.q_proj.weight"].copy()
    query[: HIDDEN // HEADS] *= 1.5
    target["model.layers.2.self_attn.q_proj.weight"] = query
    text = read(tmp_path, target)
    assert "1 of 57 tensors moved (self_attn.q_proj in layer 2)" in text
    assert "sparse: 25.0 % of the elements moved, by a median of 50" in text
    assert "a single matrix moved" in text


def test_one_token_row(tmp_path: Path) -> None:
    target = llama_values()
    rows = target["model.embed_tokens.weight"].copy()
    rows[17] = np.random.default_rng(3).standard_normal(HIDDEN)
    target["model.embed_tokens.weight"] = rows
    text = read(tmp_path, target)
    assert "1 of 57 tensors moved (embed_tokens)" in text
    assert re.search(r"sparse: 1\.0\d % of the elements moved", text), text


def test_one_percent_of_all_elements_is_sparse_and_not_light(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    target = {
        name: np.where(random.random(v.shape) < 0.01, 3 * v, v) if v.ndim > 1 else v
        for name, v in llama_values().items()
    }
    text = read(tmp_path, target)
    assert re.search(
        r"sparse: (0\.9\d|1\.\d\d) % of the elements moved, by a median of 20\d %", text
    )
    assert "99.0 % of all elements are exactly equal" in text
    assert "rounds away" not in text


def test_noise_below_the_floor_is_no_sparse_change(tmp_path: Path) -> None:
    text = read(tmp_path, add_noise(llama_values(), 0.0008))
    assert "sparse" not in text
    assert "a small dense update that rounds away" in text
    assert "Like light tuning (DPO, RL) or less" in text


def test_the_same_weights_in_another_type_are_rounding(tmp_path: Path) -> None:
    base = llama_values()
    text = read(tmp_path, base, base, types=("F32", "BF16"))
    assert "No more than rounding" in text and "Like" not in text


def test_a_change_of_scale_is_told_from_one_of_content(tmp_path: Path) -> None:
    base = llama_values()
    text = read(tmp_path, {name: 2 * value for name, value in base.items()}, base)
    assert "57 tensors are base's times 2, but for less than 0.01 %: " in text
    assert "All that moved is explained" in text and "Like" not in text


def test_what_is_missing_or_of_another_shape_is_named() -> None:
    base, target = llama_like(3, hidden=64), llama_like(4, hidden=64, qkv_bias=True)
    text = words(narrate(made_changes(base, target, lambda pair: 5.0)))
    assert re.search(r"21 only in target: .*self_attn\.q_proj\.bias", text), text
    assert "in layer 3" in text


def test_nothing_compared_and_not_finished() -> None:
    base, target = llama_like(2, hidden=64), llama_like(2, hidden=96)
    nothing = narrate(
        ChangeTable(c for c in made_changes(base, target, lambda _: 1.0) if c.statistics is None)
    )
    assert nothing.headline == "No tensor could be compared: 6 tensors are of another shape."
    assert nothing.likeness == ()
    changes = made_changes(base, base, lambda _: 5.0)
    half = ChangeTable([changes[0], *(Change(c.pair) for c in changes[1:])])
    unfinished = narrate(half)
    assert f"{len(changes) - 1:,} tensors are not measured yet." in unfinished.facts
    assert unfinished.headline.startswith("So far ") and "so far" in unfinished.likeness[0]


def test_a_tensor_from_zero_is_said_apart() -> None:
    model = llama_like(4)

    def from_zero(pair: Pair) -> float:
        zero = pair.place.layer == 2 and pair.place.component == "mlp.down_proj"
        return float("inf") if zero else 5.0

    text = words(narrate(made_changes(model, model, from_zero)))
    assert (
        "The median change is infinite in 1 tensor" in text
        and "mostly zero: mlp.down_proj in layer 2" in text
    )
    assert "moved by 5.00 % each" in text


@given(
    st.sampled_from(sorted(ALL)),
    st.lists(st.sampled_from([0.0, 1e-9, 0.3, 5.0, 140.0, math.inf, None]), min_size=1, max_size=9),
)
def test_whatever_was_measured_is_said_in_whole_sentences(
    name: str, medians: list[float | None]
) -> None:
    model = ALL[name]()
    numbers = itertools.cycle(medians)
    narrative = narrate(made_changes(model, model, lambda _: next(numbers)))
    for sentence in (narrative.headline, *narrative.facts, *narrative.likeness):
        assert sentence.endswith(".") and sentence[0] == sentence[0].upper()
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b|%%| {2}", sentence), sentence


def test_every_level_names_its_neighbours() -> None:
    model = llama_like(40)
    for point in REFERENCE_POINTS:
        changes = ChangeTable(
            Change(c.pair, made_statistics(point.mean_pct))
            for c in made_changes(model, model, lambda _: 1.0)
        )
        inference = " ".join(narrate(changes).likeness)
        assert point.pair in inference and "numbers alone do not tell" in inference
