"""The page on what lies beside the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import OpenPage, linked, words
from tests.support.companions import (
    LLAMA_3,
    byte_level_bpe,
    llama_3,
    llama_3_1,
    unigram,
    word_piece,
    write_companions,
)


@pytest.fixture
def llamas(tmp_path: Path) -> dict[str, str]:
    return {"base": str(llama_3(tmp_path / "3")), "target": str(llama_3_1(tmp_path / "3.1"))}


def plainly(text: str) -> str:
    return text.replace("\\", "")


def fact_labels(app: AppTest) -> str:
    """What the tables call each fact, with what it means."""
    labels = (label for table in app.table for label in table.value.get("Fact", ()))
    return plainly("\n".join(map(str, labels)))


def test_it_says_what_differs(open_page: OpenPage, llamas: dict[str, str]) -> None:
    app = open_page("beyond", **llamas)
    assert plainly(app.title[0].value) == "3 → 3.1"
    shown = plainly(words(app))
    assert "3 reserved tokens got names: <|finetune_right_pad_id|>" in shown
    assert "The target's template tells the model of its tools" in shown
    assert "Generation also ends at <|eom_id|>" in fact_labels(app)
    assert "made from meta-llama/Llama-3.1-8B" in shown


def test_compare_leads_to_it_with_the_pair(open_page: OpenPage, llamas: dict[str, str]) -> None:
    app = open_page("compare", **llamas, layer="1")
    shown = " ".join(linked(app, "what_differs").split())
    assert "Tokenizer file, chat template and generation config differ" in shown
    [entries] = (
        json.loads(element.proto.json)["links"]
        for element in app.get("bidi_component")
        if element.proto.id.endswith("-what_differs")
    )
    query = {**llamas, "layer": "1"}
    assert entries[-1] == {"path": "beyond", "query": query}
    same = open_page("compare", base=llamas["base"], target=llamas["base"])
    lists = [e for e in same.get("bidi_component") if e.proto.id.endswith("-what_differs")]
    assert not any("Beyond the weights" in element.proto.json for element in lists)


def test_what_one_side_alone_has_is_not_said_to_differ(
    open_page: OpenPage, llamas: dict[str, str], tmp_path: Path
) -> None:
    bare = shutil.copy(Path(llamas["base"]) / "model.safetensors", tmp_path / "model.safetensors")
    pair = {"base": llamas["base"], "target": str(Path(bare).parent)}
    app = open_page("compare", **pair)
    shown = " ".join(linked(app, "known_of_one_side").split())
    assert "Tokenizer file, chat template, generation config and config of base" in shown
    lists = [e for e in app.get("bidi_component") if e.proto.id.endswith("-what_differs")]
    assert not any("Beyond the weights" in element.proto.json for element in lists)
    title = words(open_page("architecture", **pair))
    assert "are known of base only" in title and "entries of the configs" not in title


def test_the_demos_have_a_tokenizer_and_no_template(open_page: OpenPage) -> None:
    app = open_page("beyond", base="demo:base", target="demo:tuned")
    shown = plainly(words(app))
    assert "Both have the same tokenizer, byte for byte." in shown
    assert "Neither side has a chat template." in shown
    assert "Both alike" in shown


def test_a_text_of_ones_own(open_page: OpenPage, tmp_path: Path) -> None:
    base = write_companions(tmp_path / "base", {"tokenizer.json": word_piece()})
    target = write_companions(tmp_path / "target", {"tokenizer.json": unigram()})
    app = open_page("beyond", base=str(base), target=str(target), text="ab")
    assert app.text_area(key="text").value == "ab"
    app.text_area(key="text").set_value("# [x](http://y) `:tada:`").run()
    assert not app.exception
    assert ":orange-background[" in words(app)
    assert "[x](http://y)" not in words(app)
    app.text_area(key="text").set_value("").run()
    assert not app.exception


def test_a_conversation_is_chosen_by_a_link(open_page: OpenPage, llamas: dict[str, str]) -> None:
    app = open_page("beyond", **llamas, conversation="With tools")
    assert app.segmented_control(key="conversation").value == "tools"
    app = open_page("beyond", **llamas, conversation="nonsense")
    assert app.segmented_control(key="conversation").value == "plain"


def test_a_template_of_one_side_and_one_that_refuses(open_page: OpenPage, tmp_path: Path) -> None:
    base = write_companions(
        tmp_path / "base",
        {"tokenizer.json": byte_level_bpe(), "chat_template.jinja": "{{ raise_exception('no') }}"},
    )
    config = {"chat_template": LLAMA_3, "bos_token": "<s>"}
    target = write_companions(tmp_path / "target", {"tokenizer_config.json": config})
    app = open_page("beyond", base=str(base), target=str(target))
    assert any("this: no" in plainly(each.value) for each in app.warning)
    assert "Only the base is known to have a tokenizer that can be read." in plainly(words(app))
    bare = write_companions(tmp_path / "bare")
    app = open_page("beyond", base=str(bare), target=str(target))
    assert "It has no chat template." in words(app)


def test_configs_alone(open_page: OpenPage) -> None:
    app = open_page("beyond", base="catalog:llama-3-8b", target="catalog:llama-3.1-8b")
    assert "The context is 16 times as long" in fact_labels(app)
