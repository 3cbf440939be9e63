"""Which companions differ, before anything of them is parsed or run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeldiff.companions import Glance
from modeldiff.comparison import Comparison
from tests.support.companions import llama_3, llama_3_1, write_companions
from tests.support.local_hub import LocalHub


def glance(base: Path | str, target: Path | str) -> Glance:
    return Comparison.open(str(base), str(target)).differing_companions


def test_it_names_what_differs_and_nothing_else(tmp_path: Path) -> None:
    base = llama_3(tmp_path / "a")
    assert glance(base, llama_3(tmp_path / "same")) == Glance()
    assert glance(base, llama_3_1(tmp_path / "b")) == Glance(
        ("tokenizer file", "chat template", "generation config")
    )


@pytest.mark.parametrize(
    ("file", "change", "name"),
    [
        ("generation_config.json", {"temperature": 0.7}, "generation config"),
        ("tokenizer_config.json", {"chat_template": "{{ messages }}"}, "chat template"),
        ("config.json", {"use_cache": False}, "config"),
        ("config.json", {"transformers_version": "9.9", "_name_or_path": "x"}, ""),
        ("tokenizer.json", {"version": "1.1"}, "tokenizer file"),
    ],
)
def test_each_kind_is_noticed(
    tmp_path: Path, file: str, change: dict[str, object], name: str
) -> None:
    base, target = llama_3(tmp_path / "a"), llama_3(tmp_path / "b")
    content = json.loads((target / file).read_text())
    write_companions(target, {file: content | change})
    assert glance(base, target) == Glance((name,) if name else ())


def test_what_one_side_lacks_is_not_said_to_differ(tmp_path: Path) -> None:
    base, target = llama_3(tmp_path / "a"), llama_3(tmp_path / "b")
    (target / "tokenizer.json").rename(target / "kept")
    assert glance(base, target) == Glance(only_base=("tokenizer file",))
    assert glance(target, base) == Glance(only_target=("tokenizer file",))
    write_companions(target, {"tokenizer.model": b"in sentencepiece's form"})
    assert glance(base, target) == Glance(("tokenizer file (of another kind)",))
    # A second form of the same beside it changes nothing of what both have.
    (target / "kept").rename(target / "tokenizer.json")
    assert glance(base, target) == Glance()


def test_a_tokenizer_is_neither_parsed_nor_are_strange_files_trusted(tmp_path: Path) -> None:
    base, target = llama_3(tmp_path / "a"), llama_3(tmp_path / "b")
    write_companions(base, {"tokenizer.json": b"[" * 100_000})
    write_companions(target, {"tokenizer.json": b"\x00"})
    assert glance(base, target) == Glance(("tokenizer file",))
    # What is too large to be read is not said to differ.
    (target / "tokenizer.json").unlink()
    with (target / "tokenizer.json").open("wb") as file:
        file.truncate(1 << 40)
    assert glance(base, target) == Glance()


def test_nothing_is_fetched_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    llama_3(tmp_path / "hub" / "team" / "a")
    llama_3_1(tmp_path / "hub" / "team" / "b")
    with LocalHub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        comparison = Comparison.open("team/a", "team/b")
        assert comparison.facts
        before = len(hub.requests)
        assert comparison.differing_companions == Glance(("generation config",))
        assert len(hub.requests) == before
