"""What lies beside the weights: configs and cards in words, and where files come from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import modeldiff
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.drawings.report.companions import companions_html
from modeldiff.findings.companions import (
    companions_document,
    companions_headline,
    describe_companions,
)
from tests.support.companions import llama_3, llama_3_1, parts_of, write_companions
from tests.support.local_hub import LocalHub


@pytest.fixture(scope="module")
def llamas(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("llamas")
    return llama_3(folder / "3"), llama_3_1(folder / "3.1")


def test_llama_3_to_3_1(llamas: tuple[Path, Path]) -> None:
    parts = parts_of(*llamas)
    assert companions_headline(list(parts.values())) == (
        "Tokenizer, chat template, generation config, config and model card differ."
    )
    said = {key: " ".join(part.sentences) for key, part in parts.items()}
    assert "3 reserved tokens got names: <|finetune_right_pad_id|>" in said["tokenizer"]
    assert "All 5 sample texts give the same tokens in both." in said["tokenizer"]
    assert "Longest text: 8,192 tokens → 131,072 tokens." in said["tokenizer"]
    assert "eos_token_id: Generation also ends at <|eom_id|>" in said["generation"]
    assert "max_position_embeddings: The context is 16 times as long" in said["config"]
    assert "Low frequencies are scaled down (llama3 ×8 from 8,192)" in said["config"]
    assert said["config"].count("Low frequencies") == 1
    assert "made from meta-llama/Llama-3.1-8B" in said["card"]
    assert "The licence differs." in said["card"]


def test_the_same_twice(llamas: tuple[Path, Path]) -> None:
    parts = parts_of(llamas[0], llamas[0])
    assert not any(part.differs for part in parts.values())
    assert companions_headline(list(parts.values())) == (
        "Nothing differs in tokenizer, chat template, generation config, config and model card."
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"temperature": 0.6}, {"temperature": 1.0}, "flatter distribution"),
        ({"temperature": 1}, {"temperature": 0.2}, "sharper distribution"),
        ({"do_sample": True}, {"do_sample": False}, "Nothing is sampled"),
        ({"top_p": 0.9}, {"top_p": 0.5}, "Fewer unlikely tokens"),
        ({"max_new_tokens": 10}, {"max_new_tokens": 20}, "can be longer"),
        ({"eos_token_id": [1, 2]}, {"eos_token_id": 3}, "ends at id 3 instead of id 1, id 2."),
        ({"eos_token_id": 1}, {"eos_token_id": [1, 3]}, "Generation also ends at id 3."),
        ({"top_k": 50}, {"unknown": 1}, "Not set in the target's file."),
        ({"top_k": True}, {"top_k": "many"}, ""),
    ],
)
def test_what_a_generation_config_means(
    before: dict[str, object], after: dict[str, object], words: str, tmp_path: Path
) -> None:
    one = write_companions(tmp_path / "one", {"generation_config.json": before})
    other = write_companions(tmp_path / "other", {"generation_config.json": after})
    part = parts_of(one, other)["generation"]
    assert part.differs
    assert words in part.facts[0].meaning


def test_entries_of_one_side_do_not_refer_to_each_other(tmp_path: Path) -> None:
    one = write_companions(tmp_path / "one", {"config.json": {"model_type": "qwen2"}})
    more = {"model_type": "qwen2", "max_window_layers": 28, "use_something": False}
    other = write_companions(tmp_path / "other", {"config.json": more})
    facts = parts_of(one, other)["config"].facts
    meanings = {fact.label: fact.meaning for fact in facts if not fact.same}
    assert meanings == dict.fromkeys(meanings, "Not set in the base's file.") and len(meanings) == 2


def test_a_config_in_a_table_of_its_own_is_aligned(tmp_path: Path) -> None:
    plain = {"model_type": "gemma3_text", "sliding_window": 512, "num_hidden_layers": 2}
    one = write_companions(tmp_path / "one", {"config.json": plain})
    other = write_companions(
        tmp_path / "other",
        {"config.json": {"model_type": "gemma3", "text_config": plain | {"sliding_window": 1024}}},
    )
    part = parts_of(one, other)["config"]
    different = {fact.label for fact in part.facts if not fact.same}
    assert "sliding_window" in different and "num_hidden_layers" not in different


def test_cards_are_compared_item_by_item(tmp_path: Path) -> None:
    def card(text: str, name: str) -> Path:
        return write_companions(tmp_path / name, {"README.md": text})

    one = card("---\nlicense: mit\ntags: [a, b]\ndatasets:\n- x\n---\n", "one")
    other = card("---\nlicense: mit\ntags: [b, c]\nbase_model: o/m\n---\n", "other")
    none = card("# No metadata\n", "none")
    part = parts_of(one, other)["card"]
    meanings = {fact.label: fact.meaning for fact in part.facts if not fact.same}
    assert meanings == {
        "base_model": "The target's card says that it was made from o/m.",
        "tags": "Added c, removed a.",
        "datasets": "Not in the target's card.",
    }
    assert parts_of(none, none)["card"].sentences == ("Neither card has metadata.",)
    bare = write_companions(tmp_path / "bare")
    assert "Only the base is known to have a model card." in parts_of(one, bare)["card"].sentences


def test_configs_alone_have_no_companions_but_their_entries() -> None:
    comparison = Comparison.open("catalog:llama-3-8b", "catalog:llama-3.1-8b")
    parts = describe_companions(comparison.companions, comparison.facts)
    assert [part.key for part in parts if part.differs] == ["config"]
    assert not any(part.notes for part in parts)


def test_a_file_that_names_one_of_the_weights_has_the_folders_companions(
    llamas: tuple[Path, Path],
) -> None:
    base, target = (str(folder / "model.safetensors") for folder in llamas)
    comparison = Comparison.open(base, target)
    assert comparison.companions.tokenizer.vocabulary is not None


def test_the_library_the_document_and_the_report(llamas: tuple[Path, Path]) -> None:
    comparison = modeldiff.compare(*llamas)
    assert comparison.companions is comparison.companions
    document = companions_document(comparison.companions, comparison.facts)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["tokens"]["counts"]["named"] == 3
    assert document["tokens"]["named"][0]["instead_of"] == "<|reserved_special_token_2|>"
    with_tools = document["conversations"][3]
    assert "get_weather" in with_tools["target"]["text"]
    assert "get_weather" not in with_tools["base"]["text"]
    html = companions_html(comparison)
    assert "Today Date: 26 Jul 2024" in html and "<ins>" in html and "<del>" in html


def test_the_command_line(llamas: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *map(str, llamas)]) == 0
    shown = capsys.readouterr().out
    assert "Beyond the weights" in shown
    assert "3 reserved tokens got names" in shown
    assert "* Chat template" in shown


def test_without_its_extra_it_says_what_is_missing(llamas: tuple[Path, Path]) -> None:
    hidden = [sys.executable, "-m", "tests.support.absent", "jinja2,tokenizers"]
    shown = subprocess.run(
        [*hidden, "compare", *map(str, llamas)], capture_output=True, text=True, timeout=300
    )
    assert shown.returncode == 0, shown.stderr
    assert "3 reserved tokens got names" in shown.stdout
    assert "none of the conversations could be rendered" in shown.stdout
    for library in ("tokenizers", "jinja2"):
        assert f"needs {library}, which is not installed. Install it: pip install" in shown.stdout


class TestHub:
    @pytest.fixture
    def hub(
        self, llamas: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[LocalHub]:
        monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
        for folder, name in zip(llamas, ("llama-3", "llama-3.1"), strict=True):
            shutil.copytree(folder, tmp_path / "hub" / "team" / name)
        write_companions(tmp_path / "hub" / "team" / "bare")
        with LocalHub(tmp_path / "hub") as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            yield hub

    def test_it_says_the_same_of_repositories(
        self, hub: LocalHub, llamas: tuple[Path, Path]
    ) -> None:
        comparison = Comparison.open("team/llama-3", "team/llama-3.1")
        parts = describe_companions(comparison.companions, comparison.facts)
        here = parts_of(*llamas)
        assert {part.key: part.sentences for part in parts} == {
            key: part.sentences for key, part in here.items()
        }
        assert not any(request.path.endswith(".safetensors") for request in hub.requests[-6:])

    def test_files_that_are_not_there_are_not_asked_for(self, hub: LocalHub) -> None:
        comparison = Comparison.open("team/bare", "team/bare")
        before = len(hub.requests)
        parts = describe_companions(comparison.companions, comparison.facts)
        assert len(hub.requests) == before
        assert not any(part.facts for part in parts)
