"""What of an adapter a folder has that is called merged: all of it, nothing, a part, twice or half
of it, in other types; and adapters that change nothing, or stand on both sides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modeldiff import diff
from modeldiff.changes.relations.merged_share import merged_share, type_steps
from modeldiff.changes.relations.sampling import spread
from modeldiff.findings.narrative import Narrative, narrate
from tests.support.adapters import SMALL, merged, write_adapter, write_base

Tensors = dict[str, torch.Tensor]
MODULES = 14


class Models:
    """A base, an adapter on all its matrices, and the tensors of the base with it merged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = write_base("llama", folder / "base")
        self.adapter = write_adapter(self.base, folder / "adapter", target_modules="all-linear")
        self.plain: Tensors = load_file(self.base / "model.safetensors")
        whole = merged(self.base, self.adapter)
        self.whole: Tensors = {name: whole[name] for name in self.plain}

    def share(self, times: float, kind: torch.dtype = torch.bfloat16) -> Tensors:
        """The base with so many times the update."""
        return {
            name: (b.float() + times * (self.whole[name].float() - b.float())).to(kind)
            for name, b in self.plain.items()
        }

    def write(self, tensors: Tensors) -> Path:
        """A folder with these tensors."""
        folder = self.folder / "other"
        folder.mkdir(exist_ok=True)
        shutil.copy(self.base / "config.json", folder)
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, folder / "model.safetensors", {"format": "pt"})
        return folder

    def changed_adapter(self, change: Callable[[dict[str, Any], Tensors], None]) -> Path:
        """A copy of the adapter whose config and tensors were changed."""
        folder = self.folder / "changed"
        shutil.copytree(self.adapter, folder, dirs_exist_ok=True)
        config = json.loads((folder / "adapter_config.json").read_text())
        tensors = load_file(folder / "adapter_model.safetensors")
        change(config, tensors)
        (folder / "adapter_config.json").write_text(json.dumps(config))
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
        return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


def narrative_of(base: Path, target: Path) -> Narrative:
    return narrate(diff(str(base), str(target), device="cpu", cache=False))


def partly(models: Models) -> Tensors:
    """Merged into the first layer alone."""
    return {n: (models.whole if "layers.0" in n else models.plain)[n] for n in models.plain}


def strangers(models: Models) -> Tensors:
    torch.manual_seed(3)
    return {
        name: (b + torch.randn(b.shape) * 0.004).bfloat16() if "_proj" in name else b
        for name, b in models.plain.items()
    }


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("other", "likeness"),
    [
        (lambda m: m.plain, "All that moved is the adapter on {side} (rank 8). Beside it, "),
        (
            lambda m: {name: b.half() for name, b in m.plain.items()},
            "All that moved is the adapter on {side} (rank 8). 2 tensors beside moved by no more "
            "than rounding to F16 moves them.",
        ),
        (lambda m: m.share(2), "Like {side}'s adapter merged into its base with about 2 times its"),
        (lambda m: m.share(0.5), "Like {side}'s adapter merged into its base with about 0.5 times"),
        (lambda m: m.share(-1), "Like {side}'s adapter merged into its base with about -1 times"),
        (
            lambda m: m.share(1.03),
            "Like {side}'s adapter merged into its base with about 1.03 times",
        ),
        (lambda m: merged(m.base, m.adapter, torch.float32), "But for rounding, {side}'s adapter "),
        (
            partly,
            "Of 14 tensors that {side}'s adapter updates {other} has 7 as merging it gives and 7 "
            "without it: it was not merged into all alike.",
        ),
        (strangers, "2 of 16 matrices are unchanged"),
    ],
)
def test_how_much_of_an_adapter_was_merged(
    models: Models, other: Callable[[Models], Tensors], likeness: str, *, turned: bool
) -> None:
    folder = models.write(other(models))
    sides = (folder, models.adapter) if turned else (models.adapter, folder)
    side, its = ("target", "base") if turned else ("base", "target")
    said = narrative_of(*sides)
    assert said.likeness[0].startswith(likeness.format(side=side, other=its))
    in_part = "There, this adapter is not merged" in " ".join(said.facts)
    assert in_part == (other is partly)


def test_a_scale_that_is_read_otherwise_is_measured(models: Models) -> None:
    """As a config that lost ``use_rslora``: the update is less than was merged by √8."""
    folder = models.changed_adapter(lambda config, _: config.update(lora_alpha=16 / 8**0.5))
    said = narrative_of(folder, models.write(models.whole))
    assert "with about 2.8 times its own scale" in said.likeness[0]
    assert (
        f"{MODULES} tensors of target are base without its adapter and about 2.8" in said.facts[0]
    )


def test_an_adapter_of_zeros_changes_nothing(models: Models) -> None:
    """And what is equal with it and without is not said to be a merge."""

    def zeros(config: dict[str, Any], tensors: Tensors) -> None:
        for name in tensors:
            if "lora_B" in name:
                tensors[name] = torch.zeros_like(tensors[name])

    folder = models.changed_adapter(zeros)
    said = narrative_of(models.base, folder)
    assert said.facts[0].startswith("The adapter of target (rank 8) changes nothing in 14 tensors")
    assert said.likeness[0].startswith("Nothing but target's adapter stands between them, and that")
    assert "adapter merged" not in " ".join((*said.facts, *said.likeness))


def test_two_adapters_of_other_matrices(models: Models) -> None:
    keys, values = (
        write_adapter(models.base, models.folder / name, target_modules=[name])
        for name in ("k_proj", "v_proj")
    )
    assert narrative_of(keys, values).likeness == (
        "All that moved is what adapters on both sides update: without them, these and all others "
        "are the same weights.",
    )


def test_two_adapters_of_one_base(models: Models) -> None:
    other = write_adapter(models.base, models.folder / "two", target_modules=["q_proj", "v_proj"])
    said = narrative_of(models.adapter, other)
    words = " ".join(said.facts)
    assert "10 tensors of target are what base is without its adapter" in words
    assert "4 tensors are the same on both sides without their adapters (rank 8" in words
    assert said.likeness[0] == (
        "All that moved is what adapters on both sides update: without them, these and all others "
        "are the same weights."
    )


@pytest.fixture(scope="module")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Two of many rows trained anew, which a sample spread over the matrix misses, and no update
    of anything else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SMALL, "vocab_size", 4000)
        patch.setitem(SMALL, "intermediate_size", 1120)
        models = Models(tmp_path_factory.mktemp("rows"))
        models.adapter = write_adapter(
            models.base, models.folder / "rows", target_modules=["q_proj"], **TOKENS
        )
    file = models.adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    zeros = {n: torch.zeros_like(t) if "lora_B" in n else t for n, t in tensors.items()}
    save_file(zeros, file, {"format": "pt"})
    models.whole = merged(models.base, models.adapter)
    return models


TOKENS: dict[str, Any] = {"trainable_token_indices": [3, 9]}
EMBEDDING = "model.embed_tokens.weight"


def test_rows_trained_anew_are_looked_at_wherever_they_stand(few_rows: Models) -> None:
    said = narrative_of(few_rows.write(few_rows.whole), few_rows.adapter)
    assert said.likeness[0].startswith("Exactly target's adapter merged into its base")
    said = narrative_of(few_rows.base, few_rows.adapter)
    assert said.likeness[0].startswith(
        "As far as was looked at, all that moved is the adapter on target (rows and biases)"
    )
    (fact,) = (fact for fact in said.facts if "not merged" in fact)
    assert fact.endswith("In base, this adapter is not merged, as far as was looked at.")


@pytest.mark.parametrize("row", ["plain", "trained on"])
def test_rows_of_which_one_alone_was_merged_are_neither(few_rows: Models, row: str) -> None:
    embedding = few_rows.whole[EMBEDDING].clone()
    embedding[9] = few_rows.plain[EMBEDDING][9] if row == "plain" else 1.5 * embedding[9]
    said = narrative_of(few_rows.write({**few_rows.whole, EMBEDDING: embedding}), few_rows.adapter)
    words = " ".join((*said.facts, *said.likeness))
    assert "not merged" not in words and "coarse grid" not in words
    assert "ll that moved" not in words and "adapter merged" not in words


QUERIES = "model.layers.0.self_attn.q_proj.weight"


def nearly_merged(tensors: Tensors, steps: int) -> Tensors:
    """With one element so many steps of its type beside what it was."""
    own = tensors[QUERIES].clone()
    values = own.view(-1)
    at = int(((values > 0.004) & (values < 0.006)).nonzero()[0])
    values.view(torch.int16)[at] += steps
    return {**tensors, QUERIES: own}


def hardly_updated(models: Models) -> Path:
    """The adapter with an update of queries of the first layer that is hardly more than a rounding,
    so that samples tell no share of it."""

    def weaken(_: dict[str, Any], tensors: Tensors) -> None:
        (name,) = (n for n in tensors if "layers.0.self_attn.q_proj.lora_B" in n)
        tensors[name] = tensors[name] * 2.0**-9

    return models.changed_adapter(weaken)


def test_what_all_elements_tell_goes_with_what_samples_tell(models: Models) -> None:
    """One matrix merged but for a rounding, all others not: both are said, and no more."""
    adapter = hardly_updated(models)
    whole = merged(models.base, adapter)
    other = nearly_merged({**models.plain, QUERIES: whole[QUERIES]}, 1)
    said = narrative_of(adapter, models.write(other))
    assert said.likeness == (
        "Of 14 tensors that base's adapter updates target has 1 as merging it gives but for "
        "rounding and 13 without it: it was not merged into all alike.",
    )
    assert "In target, this adapter is not merged" not in " ".join(said.facts)


def test_what_moved_further_than_roundings_do_is_no_merge(models: Models) -> None:
    adapter = hardly_updated(models)
    folder = models.write(nearly_merged(merged(models.base, adapter), 8))
    assert "so few roundings" not in " ".join(narrative_of(adapter, folder).likeness)


def test_an_element_that_no_sample_saw_may_be_no_rounding(few_rows: Models) -> None:
    """As far as all samples show it is merged; by how far all elements moved it is not."""
    modules = few_rows.folder / "gates"
    adapter = write_adapter(few_rows.base, modules, target_modules=["gate_proj"])
    whole = merged(few_rows.base, adapter, torch.float32)
    (gist,) = narrative_of(adapter, few_rows.write(whole)).likeness
    assert gist.startswith("As far as was looked at, but for rounding")
    gate = whole["model.layers.1.mlp.gate_proj.weight"].view(-1)
    (unseen,) = np.setdiff1d(np.arange(gate.numel() // 64), spread(gate.numel() // 64))[:1]
    gate[64 * int(unseen)] = 1.0
    said = narrative_of(adapter, few_rows.write(whole))
    assert not any(words.startswith("But for rounding") for words in said.likeness)


@pytest.mark.parametrize("kind", ["BF16", "F16", "F32"])
def test_a_step_is_the_distance_to_the_next_value(kind: str) -> None:
    values = np.array([1, 1.5, -3, 2.0**-20, 0.1, 0], np.float32)
    stored = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}[kind]
    own = torch.from_numpy(values).to(stored)
    away = torch.nextafter(own.abs(), torch.tensor(100.0, dtype=stored)) - own.abs()
    expected = away.double().numpy()
    if kind != "F16":
        expected[-1] = type_steps(np.array([2.0**-126]), kind)[0]  # no step of what has no bits
    np.testing.assert_array_equal(type_steps(own.double().numpy(), kind), expected)


def test_what_rounding_hides_has_no_share() -> None:
    """An update below the type's steps, and one beside which as much else moved."""
    random = np.random.default_rng(0)

    def stored(values: Any) -> Any:
        return torch.from_numpy(values).bfloat16().double().numpy()

    plain = stored(random.normal(0, 0.02, 4096))
    update = random.normal(0, 1, 4096)
    tiny, large = stored(plain + 1e-5 * update), stored(plain + 0.002 * update)
    kinds = ("BF16", "BF16")
    assert merged_share(plain, tiny, stored(plain + 2e-5 * update), kinds) is None
    noisy = stored(plain + 0.004 * update + random.normal(0, 0.001, 4096))
    assert merged_share(plain, large, noisy, kinds) is None
    found = merged_share(plain, large, stored(plain + 0.004 * update), kinds)
    assert found is not None and found.share == pytest.approx(2, rel=0.01)
