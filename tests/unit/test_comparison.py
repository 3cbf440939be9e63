"""Models and comparisons: what is opened once, and opened again only where files changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modeldiff.changes import Shard, pair
from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointNotFound, InvalidReference, NoWeights
from modeldiff.model import Model
from modeldiff.results import join_shards, list_results, run_diff, run_shard
from tests.support.results import cache_at, write_model


def test_a_model_is_named_as_it_was_typed_and_known_by_its_canonical_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "base", seed=1)
    monkeypatch.chdir(tmp_path)
    model = Model.open("./base")
    assert (model.text, model.reference) == ("./base", str(tmp_path / "base"))
    assert model.identity == (model.reference, model.checkpoint.fingerprint)
    assert model.has_weights and model.bytes_away == 0
    assert not Model.open("catalog:gpt2-124m").has_weights


def test_a_token_in_an_address_is_no_part_of_the_name(tmp_path: Path) -> None:
    write_model(tmp_path / "base", seed=1)
    address = (tmp_path / "base").as_uri()
    model = Model.open(address.replace("file://", "file://user:hf_secret@"))
    assert model.text == address
    assert Model.open(model.checkpoint.reference, text="https://t@hf.co/a/b").text.count("@") == 0


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFound):
        Model.open(str(tmp_path / "nothing"))
    with pytest.raises(InvalidReference):
        Comparison.open("demo:base", "demo:none")


def test_pairs_facts_and_key_are_those_of_both_sides() -> None:
    comparison = Comparison.open("demo:base", "demo:tuned")
    base, target = comparison.base.architecture, comparison.target.architecture
    assert comparison.pairs == pair(base, target)
    assert comparison.nbytes == sum(each.nbytes for each in comparison.pairs) > 0
    assert [change.pair for change in comparison.unmeasured] == list(comparison.pairs)
    assert all(change.statistics is None for change in comparison.unmeasured)
    assert comparison.facts and all(fact.same for fact in comparison.facts)
    result = run_diff(comparison, device="cpu", cache=False)
    assert result.key == comparison.key
    assert not comparison.same_content and comparison.has_weights
    assert Comparison.open("demo:base", "demo:base").same_content
    assert not Comparison.open("demo:base", "catalog:gpt2-124m").has_weights
    assert Comparison.open("demo:tuned", "demo:base").key != comparison.key


def test_only_a_side_whose_files_changed_is_opened_again(tmp_path: Path) -> None:
    folders = [write_model(tmp_path / name, seed=1) for name in ("base", "target")]
    comparison = Comparison.open(*map(str, folders))
    assert comparison.reopened() is comparison
    (folders[1] / "model.safetensors").unlink()
    (folders[1] / "model.safetensors").write_bytes((folders[0] / "model.safetensors").read_bytes())
    again = comparison.reopened()
    assert again.base is comparison.base and again.target is not comparison.target
    assert again.target.text == comparison.target.text
    assert again.key != comparison.key


@pytest.mark.parametrize(
    "answer",
    [run_diff, join_shards, lambda comparison: run_shard(comparison, Shard.parse("1/2"))],
    ids=["diff", "join", "shard"],
)
def test_configs_of_which_no_two_shapes_agree_have_no_result_either(
    answer: Callable[[Comparison], object], tmp_path: Path
) -> None:
    """None of their pairs would ever ask for a weight, and so find that there is none."""
    comparison = Comparison.open("catalog:llama-3-8b", "catalog:qwen2-7b")
    assert "compared" not in comparison.unmeasured.statuses
    with cache_at(tmp_path / "cache"):
        with pytest.raises(NoWeights, match="llama-3-8b is a config without weights"):
            answer(comparison)
        assert not list(list_results())
