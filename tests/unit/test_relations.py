"""What looks like training and is none is told from samples of weights: planted orders, factors and
transposes are found, and nothing is found where none is.

Situations that people reported: rotary orders mixed up in a conversion (nanotron#427,
torchtitan#1441, llama.cpp#3364); norms folded, neurons and heads numbered anew, rescaled pairs
(QuaRot, SliceGPT, TransformerLens' fold_ln).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modeldiff
from modeldiff.changes import ChangeTable, Pair, Shard
from modeldiff.changes.relation import OrderPattern, Relation, RelationAxis, RelationKind
from modeldiff.changes.relations import relate as relating
from modeldiff.changes.relations import suspects as suspecting
from modeldiff.changes.relations.factors import find_factors
from modeldiff.changes.relations.orders import Order, find_order, pattern_of
from modeldiff.changes.relations.sampling import MOST_SAMPLED, PairSamples, spread
from modeldiff.comparison import Comparison
from modeldiff.findings.narrative import narrate
from modeldiff.results import join_shards, load_result, result_document, run_diff, run_shard
from tests.support.planted import HEADS, HIDDEN, Values, add_noise, llama_values, write_values
from tests.support.results import cache_at

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Change = Callable[[Values], Values]
LEVELS = ("Like light", "Like tuning", "Like heavy", "Like continued")
HEAD = HIDDEN // HEADS


def compared(folder: Path, base: Values, target: Values, dtype: str = "BF16") -> ChangeTable:
    names = (("base", base), ("target", target))
    sides = [str(write_values(folder / name, values, dtype)) for name, values in names]
    return run_diff(Comparison.open(*sides), device="cpu", cache=False).changes


def words(changes: ChangeTable) -> str:
    narrative = narrate(changes)
    return " ".join((narrative.headline, *narrative.facts, *narrative.likeness))


def relations(changes: ChangeTable, part: str = "") -> list[Relation | None]:
    return [change.relation for change in changes if part in change.pair.place.column]


def shuffled(count: int, seed: int) -> Numbers:
    return np.random.default_rng(seed).permutation(count)


def model(**shapes: tuple[int, ...]) -> Values:
    """``llama_values`` with norms like trained ones, and matrices whose names contain a key in
    another shape."""
    random = np.random.default_rng(5)
    values = {}
    for name, value in llama_values(layers=3).items():
        shape = next((shape for part, shape in shapes.items() if part in name), value.shape)
        normal = random.standard_normal(shape)
        values[name] = 1 + 0.2 * normal if value.ndim == 1 else normal
    return values


def replaced(values: Values, change: Callable[[Array], Array], *parts: str) -> Values:
    """The same with ``change`` of the tensors whose name contains one of ``parts``."""
    return {
        name: np.ascontiguousarray(change(value)) if any(part in name for part in parts) else value
        for name, value in values.items()
    }


def rotary_rows(rows: int, size: int = HEAD, *, side_by_side: bool = True) -> Numbers:
    """For each row of the one order which row of the other it is, as converters reshape it."""
    shape = (rows // size, 2, size // 2) if side_by_side else (rows // size, size // 2, 2)
    return np.arange(rows).reshape(shape).transpose(0, 2, 1).reshape(-1)


# c07: q and k in the other rotary order


@pytest.mark.parametrize("side_by_side", [True, False])
def test_rows_in_the_other_rotary_order_are_named(tmp_path: Path, side_by_side: bool) -> None:
    base = model()
    order = rotary_rows(HIDDEN, side_by_side=side_by_side)
    changes = compared(tmp_path, base, replaced(base, lambda v: v[order], "q_proj", "k_proj"))
    text = words(changes)
    named = "interleaved" if side_by_side else "halved"
    assert "6 tensors hold base's rows in another order (each of 384 rows looked at is one of base "
    assert "exactly" in text and f"the {named} rotary order in place" in text
    assert f"half a head of {HEAD}" in text and "share nothing" not in text
    assert "no training shows" in text and not any(level in text for level in LEVELS)


def test_a_tuned_model_in_the_other_rotary_order_is_nearly_so(tmp_path: Path) -> None:
    base = model()
    order = rotary_rows(HIDDEN)
    tuned = add_noise(base, 0.02, "")
    changes = compared(tmp_path, base, replaced(tuned, lambda v: v[order], "q_proj", "k_proj"))
    text = words(changes)
    assert "is one of base, but for at most 2." in text and "interleaved rotary order" in text
    assert "share nothing" not in text
    # The others were tuned; what q and k have to do with it is not said.
    assert "the layers' other matrices is 2.0" in text


def test_all_in_another_order_and_tuned_names_no_level(tmp_path: Path) -> None:
    base = {name: value for name, value in model().items() if "q_proj" in name}
    target = replaced(add_noise(base, 0.05), lambda v: v[shuffled(HIDDEN, 2)], "q_proj")
    text = words(compared(tmp_path, base, target))
    assert "explained, as far as was looked at, but for up to 5." in text
    assert "no training shows" not in text
    assert not any(level in text for level in LEVELS)


def test_of_many_rows_some_are_looked_at(tmp_path: Path) -> None:
    rows, size = 1536, 128
    base = {
        f"model.layers.{n}.self_attn.q_proj.weight": value
        for n, value in enumerate(np.random.default_rng(1).standard_normal((2, rows, 48)))
    }
    order = rotary_rows(rows, size)
    for name, target, pattern in (
        ("rotary", replaced(base, lambda v: v[order], "q_proj"), "interleaved"),
        ("any", replaced(base, lambda v: v[shuffled(rows, 3)], "q_proj"), ""),
        ("blocks", replaced(base, lambda v: np.roll(v, 5 * size, axis=0), "q_proj"), "blocks"),
    ):
        changes = compared(tmp_path / name, base, target)
        for relation in relations(changes):
            assert relation is not None and relation.pattern == pattern
            assert (relation.seen, relation.count) == (MOST_SAMPLED, rows)
        assert "each of 1,024 rows looked at, of 3,072, is one of base exactly" in words(changes)


# c09: the same function


def test_norms_folded_into_the_next_matrices(tmp_path: Path) -> None:
    base = model()
    target = dict(base)
    into = {
        "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    }
    for layer in range(3):
        for norm, matrices in into.items():
            gains = base[f"model.layers.{layer}.{norm}.weight"]
            target[f"model.layers.{layer}.{norm}.weight"] = np.ones(HIDDEN)
            for matrix in matrices:
                name = f"model.layers.{layer}.{matrix}.weight"
                target[name] = base[name] * gains
    target["lm_head.weight"] = base["lm_head.weight"] * base["model.norm.weight"]
    target["model.norm.weight"] = np.ones(HIDDEN)
    for dtype in ("F32", "BF16"):
        text = words(compared(tmp_path / dtype, base, target, dtype))
        assert "In 16 tensors each column is base's times a factor of its own" in text
        assert "In 7 tensors each element is base's times a factor of its own" in text
        assert "norms were folded" in text and "no training shows" in text
        assert "grid" not in text and not any(level in text for level in LEVELS)


def test_matrices_that_undo_each_others_scale(tmp_path: Path) -> None:
    base = model()
    target = replaced(replaced(base, lambda v: 4 * v, "up_proj"), lambda v: v / 4, "down_proj")
    text = words(compared(tmp_path, base, target))
    assert "factors of mlp.down_proj and mlp.up_proj undo each other in layers 0–2" in text or (
        "factors of mlp.up_proj and mlp.down_proj undo each other in layers 0–2" in text
    )
    assert "the model computes the same" in text and not any(level in text for level in LEVELS)
    apart = replaced(replaced(base, lambda v: 4 * v, "up_proj"), lambda v: v / 3, "down_proj")
    assert "undo" not in words(compared(tmp_path / "apart", base, apart))


def test_heads_and_neurons_numbered_anew(tmp_path: Path) -> None:
    base = model(gate=(176, 64), up=(176, 64), down=(64, 176))
    target = dict(base)
    for layer in range(3):
        neurons = shuffled(176, layer)
        heads = (shuffled(HEADS, layer + 1)[:, None] * HEAD + np.arange(HEAD)).reshape(-1)
        at = f"model.layers.{layer}"
        for part, order in (("self_attn", heads), ("mlp", neurons)):
            for name in [n for n in base if n.startswith(f"{at}.{part}")]:
                across = "o_proj" in name or "down" in name
                target[name] = base[name][:, order] if across else base[name][order]
    changes = compared(tmp_path, base, target)
    text = words(changes)
    assert "Beside them mlp.down_proj goes in the same order." in text
    assert f"Whole blocks of {HEAD} rows changed places" in text
    assert f"Whole blocks of {HEAD} columns changed places" in text
    assert "no training shows" in text and "share nothing" not in text
    for relation in relations(changes, "mlp.gate_proj"):
        assert relation is not None
        assert set(relation.partners) == {"mlp.up_proj", "mlp.down_proj"}


def test_short_rows_go_as_those_of_another_matrix_of_the_layer(tmp_path: Path) -> None:
    """A convolution's rows of four values tell no order; that of what it is applied to does."""
    base = model()
    random = np.random.default_rng(1)
    for layer in range(3):
        name = f"model.layers.{layer}.self_attn.conv1d.weight"
        base[name] = random.standard_normal((HIDDEN, 1, 4))
    order = shuffled(HIDDEN, 3)
    changes = compared(tmp_path, base, replaced(base, lambda v: v[order], "q_proj", "conv1d"))
    for relation in relations(changes, "conv1d"):
        assert relation is not None and (relation.kind, relation.axis) == ("order", "rows")
        assert relation.rest_pct == 0 and "self_attn.q_proj" in relation.partners
    text = words(changes)
    assert "no training shows" in text and "edit" not in text
    # In an order that no other has, nothing is said of it.
    (tmp_path / "alone").mkdir()
    alone = compared(tmp_path / "alone", base, replaced(base, lambda v: v[order], "conv1d"))
    assert relations(alone, "conv1d") == [None] * 3


# The same kind


def test_square_matrices_the_other_way_round(tmp_path: Path) -> None:
    base = model()
    text = words(compared(tmp_path, base, replaced(base, np.transpose, "o_proj")))
    assert "3 tensors are the transpose of base's" in text and "o_proj in layers 0–2" in text
    assert "stores it the other way round" in text


def test_experts_that_changed_places_with_their_rows_of_the_router(tmp_path: Path) -> None:
    base = llama_values(layers=2, experts=6)
    order = shuffled(6, 4)
    target = dict(base)
    for name in base:
        if ".experts." in name:
            before, _, after = name.partition(".experts.")
            expert, _, rest = after.partition(".")
            target[name] = base[f"{before}.experts.{order[int(expert)]}.{rest}"]
        elif "mlp.gate." in name:
            target[name] = base[name][order]
    changes = compared(tmp_path, base, target)
    moved = int(np.count_nonzero(order != np.arange(6)))
    text = words(changes)
    assert f"{2 * 3 * moved} tensors belong to another expert in base" in text
    assert "2 tensors hold base's rows in another order" in text and "router" in text
    for change in changes:
        number = change.pair.place.expert
        if number is not None and order[number] != number:
            assert change.relation is not None and change.relation.origin == order[number]


def test_tensors_under_each_others_names(tmp_path: Path) -> None:
    """Gate and up in all layers, k and v in one: each is named, nothing else is."""
    base = model()
    swapped = {"gate": "up", "up": "gate"}
    target = dict(base)
    for name in base:
        if (part := name.split("_proj")[0].rpartition(".")[2]) in swapped:
            target[name] = base[name.replace(f"{part}_proj", f"{swapped[part]}_proj")]
    one, other = (f"model.layers.1.self_attn.{n}_proj.weight" for n in "kv")
    target[one], target[other] = base[other], base[one]
    changes = compared(tmp_path, base, target)
    text = words(changes)
    assert "8 tensors are other tensors of base in the same layer" in text
    assert "mlp.gate_proj is base's mlp.up_proj" in text
    assert "self_attn.k_proj is base's self_attn.v_proj" in text
    assert "no training shows" in text and "made anew" not in text
    assert sum(change.relation is not None for change in changes) == 8


def test_a_tensor_that_is_there_twice_has_not_changed_places(tmp_path: Path) -> None:
    base = model()
    keys, values = (f"model.layers.1.self_attn.{name}_proj.weight" for name in "kv")
    text = words(compared(tmp_path, base, {**base, keys: base[values]}))
    assert "self_attn.k_proj is base's self_attn.v_proj" in text
    assert "with a tensor under a name that is not its own" in text
    assert "each other's names" not in text


def test_hidden_dimensions_numbered_anew(tmp_path: Path) -> None:
    """Everything that reads or writes the hidden state, and the norms between."""
    base = model()
    order = shuffled(HIDDEN, 7)
    target = {
        name: value[order]
        if value.ndim == 1 or "o_proj" in name or "down" in name
        else value[:, order]
        for name, value in base.items()
    }
    changes = compared(tmp_path, base, target, "F32")
    assert all(relation is not None for relation in relations(changes))
    assert "no training shows" in words(changes)


def test_neurons_whose_sign_and_scale_moved_to_the_next_matrix(tmp_path: Path) -> None:
    base = model()
    random = np.random.default_rng(8)
    factors = random.choice([-1.0, 1.0], HIDDEN) * np.exp(random.uniform(-1, 1, HIDDEN))
    target = replaced(base, lambda v: (v.T * factors).T, "up_proj")
    target = replaced(target, lambda v: v / factors, "down_proj")
    text = words(compared(tmp_path, base, target))
    assert "In 3 tensors each row is base's times a factor of its own" in text
    assert "Beside them mlp.down_proj has the inverse factors" in text


def test_tokens_numbered_anew_and_a_bias_with_its_matrix(tmp_path: Path) -> None:
    base = model(embed=(700, HIDDEN))
    base["model.layers.1.self_attn.q_proj.bias"] = np.random.default_rng(3).normal(size=HIDDEN)
    order, heads = shuffled(700, 1), np.roll(np.arange(HIDDEN), HEAD)
    target = replaced(base, lambda v: v[order], "embed")
    target = replaced(target, lambda v: v[heads], "q_proj")
    changes = compared(tmp_path, base, target)
    (embedding,) = relations(changes, "embed_tokens")
    assert embedding is not None and (embedding.matched, embedding.count) == (MOST_SAMPLED, 700)
    (bias,) = relations(changes, "q_proj.bias")
    assert bias is not None and (bias.axis, bias.pattern) == ("elements", "blocks")


# Nothing where nothing is


@pytest.mark.parametrize(
    "change",
    [
        lambda values: add_noise(values, 0.02),
        lambda values: add_noise(values, 0.5),
        lambda values: add_noise(values, 3.0),
        lambda values: {n: np.random.default_rng(9).permuted(v) for n, v in values.items()},
        lambda values: {n: np.full_like(v, 0.25) for n, v in values.items()},
        lambda values: {n: np.zeros_like(v) for n, v in values.items()},
        lambda values: {n: np.full_like(v, np.nan) for n, v in values.items()},
        lambda values: {n: v + 3 for n, v in values.items()},
        lambda values: {n: np.where(np.abs(v) < 0.5, 0, v) for n, v in values.items()},
        lambda values: {n: 2 * v for n, v in values.items()},
        lambda values: {n: np.round(v) for n, v in values.items()},
    ],
)
def test_nothing_is_related_that_is_not(tmp_path: Path, change: Change) -> None:
    base = model(mlp=(176, 64))
    base["model.layers.0.mlp.gate_proj.weight"][:] = 0.5
    base["model.layers.1.mlp.gate_proj.weight"][3] = 0.0
    for one, other, dtype in ((base, change(base), "BF16"), (change(base), base, "F32")):
        changes = compared(tmp_path / dtype, one, other, dtype)
        assert set(relations(changes)) == {None}


def test_rows_that_are_alike_are_in_no_order(tmp_path: Path) -> None:
    """Rows that share nearly all are no evidence, however near one is."""
    random = np.random.default_rng(2)
    common = random.standard_normal(HIDDEN)
    base = replaced(model(), lambda v: common + 1e-3 * random.standard_normal(v.shape), "q_proj")
    target = replaced(base, lambda v: common + 1e-3 * random.standard_normal(v.shape), "q_proj")
    target = replaced(target, lambda v: -v, "q_proj")
    assert set(relations(compared(tmp_path, base, target, "F32"))) == {None}


def test_numbers_whose_squares_are_infinite_are_no_relation(tmp_path: Path) -> None:
    base = {"model.layers.0.self_attn.q_proj.weight": 1e200 * model()["lm_head.weight"]}
    changes = compared(tmp_path, base, replaced(base, lambda v: v[::-1], "q_proj"), "F64")
    assert len(changes) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 80), st.integers(16, 64), st.integers(0, 10_000), st.floats(0, 5))
def test_strangers_and_noise_have_no_order_and_no_factors(
    rows: int, run: int, seed: int, noise: float
) -> None:
    random = np.random.default_rng(seed)
    base, other = random.standard_normal((2, rows, run))
    at = np.arange(rows)
    for target in (other, base + noise * other, np.abs(other), np.sign(other)):
        assert find_order(base, target, at, rows) is None
        scaling = find_factors(base, target, at, rows)
        assert scaling is None


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 2_000), st.integers(0, 10_000), st.floats(0, 0.2))
def test_a_planted_order_is_found(rows: int, seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    base = random.standard_normal((rows, 64)).astype(np.float32)
    planted = random.permutation(rows)
    at = spread(rows)
    target = base[planted[at]] + np.float32(noise) * random.standard_normal((len(at), 64))
    order = find_order(base, target, at, rows)
    if order is None:
        assert np.count_nonzero(planted[at] != at) < 2
        return
    assert np.array_equal(order.origins, planted[order.at]) and len(order.at) >= 0.9 * len(at)
    assert (order.rest == 0) == (noise == 0) or noise < 1e-6


@given(st.sampled_from([8, 16, 64, 80, 128]), st.integers(2, 40), st.integers(0, 1_000))
def test_known_orders_are_told_from_the_rows_looked_at(size: int, heads: int, seed: int) -> None:
    rows = size * heads
    at = spread(rows)
    blocks = np.roll(shuffled(heads, seed), 1)
    if np.array_equal(blocks, np.arange(heads)):
        blocks = blocks[::-1]
    planted = {
        "interleaved": rotary_rows(rows, size),
        "halved": rotary_rows(rows, size, side_by_side=False),
        "reversed": np.arange(rows)[::-1],
        "blocks": (blocks[:, None] * size + np.arange(size)).reshape(-1),
    }
    for pattern, origins in planted.items():
        named, found = pattern_of(Order(at, origins[at], rows, len(at), 0.0))
        assert named == pattern
        assert found == (0 if pattern == "reversed" else found if pattern == "blocks" else size)
        if pattern == "blocks":
            assert found % size == 0


# What is read and kept


def test_relations_are_kept_joined_and_exported(tmp_path: Path) -> None:
    base = model()
    target = replaced(base, lambda v: v[rotary_rows(HIDDEN)], "q_proj", "k_proj")
    names = (("base", base), ("target", target))
    sides = [str(write_values(tmp_path / name, values)) for name, values in names]
    comparison = Comparison.open(*sides)
    with cache_at(tmp_path / "one"):
        whole = run_diff(comparison, device="cpu")
        stored = load_result(comparison.key)
        assert stored is not None and stored.changes == whole.changes
        assert narrate(stored.changes) == narrate(whole.changes)
    with cache_at(tmp_path / "two"):
        for number in (1, 2):
            run_shard(comparison, Shard(number=number, count=2), device="cpu")
        assert join_shards(comparison).changes == whole.changes
    rows = result_document(whole)["tensors"]
    assert {row["relation"]["pattern"] for row in rows if row["relation"]} == {"interleaved"}


def test_a_pair_that_was_only_tuned_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("files were opened")

    monkeypatch.setattr(relating, "OpenFiles", refuse)
    base = model()
    compared(tmp_path, base, add_noise(base, 0.1))


def test_no_more_is_read_to_find_out_than_the_budget_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found before it is spent stays, and its column is then looked at in all layers."""
    base = model()
    target = replaced(base, lambda v: v[shuffled(HIDDEN, 1)], "_proj")
    monkeypatch.setattr(relating, "BUDGET", 0)
    for share, least, most in ((0.0, 0, 0), (1.5, 1, 21), (9.0, 21, 21)):
        monkeypatch.setattr(relating, "BUDGET_SHARE", share)
        found = relations(compared(tmp_path / str(share), base, target))
        assert least <= sum(relation is not None for relation in found) <= most


def test_of_many_suspects_one_of_each_column_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where that tells nothing, no other of the column."""
    monkeypatch.setattr(suspecting, "_FEW", 0)
    looks: list[str] = []
    whole_look = PairSamples

    def counted(pair: Pair, *rest: Any) -> Any:
        looks.append(pair.place.column)
        return whole_look(pair, *rest)

    monkeypatch.setattr(relating, "PairSamples", counted)
    base = model()
    target = replaced(base, lambda v: v[shuffled(HIDDEN, 1)], "o_proj")
    target = replaced(target, lambda v: np.random.default_rng(1).normal(size=v.shape), "up_proj")
    changes = compared(tmp_path, base, target)
    assert looks.count("self_attn.o_proj") == 3 and looks.count("mlp.up_proj") == 1
    assert all(relation is not None for relation in relations(changes, "o_proj"))


def test_the_schema_has_every_kind_of_relation() -> None:
    file = Path(modeldiff.__file__).parent / "cli" / "schemas" / "diff.1.json"
    stack: list[Any] = [json.loads(file.read_text())]
    found = []
    while stack:
        each = stack.pop()
        children = each.values() if isinstance(each, dict) else each
        stack += [child for child in children if isinstance(child, dict | list)]
        if isinstance(each, dict) and "rest_pct" in each:
            found.append(each)
    assert found
    for properties in found:
        assert set(get_args(RelationKind)) == set(properties["kind"]["enum"])
        assert set(get_args(RelationAxis)) == set(properties["axis"]["enum"])
        assert set(get_args(OrderPattern)) == set(properties["pattern"]["enum"])
