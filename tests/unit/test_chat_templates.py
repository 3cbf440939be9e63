"""Chat templates: found where transformers finds them, written as it writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modeldiff.companions.chat.conversations import CONVERSATIONS
from modeldiff.companions.text_diff import DiffLine, diff_lines, shortened
from tests.support.companions import (
    LLAMA_3,
    LLAMA_3_1,
    companions_of,
    llama_3,
    llama_3_1,
    parts_of,
    write_companions,
)

QWEN = """{%- if tools %}{{- '<|im_start|>system\\n' }}{% for tool in tools %}{{ tool | tojson }}
{% endfor %}{{- '<|im_end|>\\n' }}{%- endif %}{% for message in messages %}{% if message.role ==
'assistant' and not message.content %}{% continue %}{% endif %}{% generation %}{{ '<|im_start|>' +
message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endgeneration %}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
STRICT = (
    "{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
    "[{{ m.role }}] {{ m.content }}\n{% endfor %}"
)


def written(template: Any, folder: Path, file: str = "tokenizer_config.json") -> dict[str, Any]:
    """What the template makes of each conversation, by its key: a text or None."""
    content = (
        template if file.endswith(".jinja") else {"chat_template": template, "bos_token": "<s>"}
    )
    write_companions(folder, {file: content})
    pairs = companions_of(folder, folder).renderings
    return {
        each.conversation.key: each.base.text if each.base is not None else None for each in pairs
    }


@pytest.mark.parametrize("template", [LLAMA_3, LLAMA_3_1, QWEN], ids=["3", "3.1", "Qwen"])
def test_it_is_written_as_transformers_writes_it(template: str, tmp_path: Path) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    found = written(template, tmp_path / "model")
    for conversation in CONVERSATIONS:
        (theirs,), _ = render_jinja_template(
            [list(conversation.messages)],
            tools=list(conversation.tools) or None,
            chat_template=template,
            add_generation_prompt=conversation.prompt,
            bos_token="<s>",
        )
        assert found[conversation.key] == theirs


TRIED = ", in the conversation that was tried."


def test_where_it_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    assert written("config", folder)["plain"] == "config"
    assert written("of a processor", folder, "chat_template.json")["plain"] == "of a processor"
    assert written("own file", folder, "chat_template.jinja")["plain"] == "own file"
    named = [
        {"name": "default", "template": "plain"},
        {"name": "tool_use", "template": "{{ tools[0].function.name }}"},
    ]
    found = written(named, tmp_path / "named")
    assert (found["plain"], found["tools"]) == ("plain", "get_weather")


def test_llama_3_to_3_1(tmp_path: Path) -> None:
    part = parts_of(llama_3(tmp_path / "a"), llama_3_1(tmp_path / "b"))["template"]
    assert part.sentences == (
        "The chat templates differ: 4 of 4 conversations come out differently.",
        f"The target's template tells the model of its tools; the base's does not{TRIED}",
        f"The target's template tells the model what day it is; the base's does not{TRIED}",
    )
    facts = {fact.key: fact for fact in part.facts}
    prompt = facts["template.prompt"]
    assert prompt.same and prompt.base is not None
    assert prompt.base.text == "<|eot_id|><|start_header_id|>assistant<|end_header_id|>↵↵"


def test_a_refusal_is_told_in_the_templates_words(tmp_path: Path) -> None:
    one = write_companions(tmp_path / "one", {"chat_template.jinja": STRICT})
    other = write_companions(tmp_path / "other", {"chat_template.jinja": QWEN})
    pairs = {each.conversation.key: each for each in companions_of(one, other).renderings}
    system = pairs["system"].base
    assert system is not None and system.text is None
    assert "Only user and assistant roles are supported!" in system.problem
    assert pairs["plain"].base is not None and pairs["plain"].base.text is not None
    sentences = parts_of(one, other)["template"].sentences
    assert f"The target's template renders a system message; the base's does not{TRIED}" in (
        sentences
    )
    back = parts_of(other, one)["template"].sentences
    assert f"The target's template can't render a system message{TRIED}" in back


def test_other_programs_may_write_the_same(tmp_path: Path) -> None:
    config = {"bos_token": "<s>", "chat_template": LLAMA_3}
    one = write_companions(tmp_path / "one", {"tokenizer_config.json": config})
    config["chat_template"] += "{# #}"
    other = write_companions(tmp_path / "other", {"tokenizer_config.json": config})
    part = parts_of(one, other)["template"]
    assert part.sentences == (
        "The templates differ, but render alike: 4 of 4 conversations come out the same.",
    )
    assert part.differs


def test_one_side_has_none(tmp_path: Path) -> None:
    one = write_companions(tmp_path / "one")
    other = write_companions(tmp_path / "other", {"chat_template.jinja": LLAMA_3})
    assert parts_of(one, other)["template"].sentences == (
        "Only the target is known to have a chat template.",
    )
    assert parts_of(one, one)["template"].sentences == ("Neither side has a chat template.",)
    renderings = companions_of(one, other).renderings
    assert all(each.base is None and each.target is not None for each in renderings)


def test_without_jinja2_the_sources_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeldiff.companions.chat.rendering.is_installed", lambda extra: False)
    one = write_companions(tmp_path / "one", {"chat_template.jinja": LLAMA_3})
    other = write_companions(tmp_path / "other", {"chat_template.jinja": LLAMA_3_1})
    part = parts_of(one, other)["template"]
    assert {fact.key: fact for fact in part.facts}["template.source.default"].same is False
    rendering = companions_of(one, other).renderings[0].base
    assert rendering is not None and "not installed" in rendering.problem


class TestDiffs:
    def test_both_texts_can_be_read_from_it(self) -> None:
        base, target = "a\nb\nc\nd", "a\nx\nc\nd\ne"
        lines = diff_lines(base, target)
        assert [line.text for line in lines if line.kind != "added"] == base.split("\n")
        assert [line.text for line in lines if line.kind != "removed"] == target.split("\n")
        assert sum(line.kind != "same" for line in lines) == 3

    def test_long_ones_are_not_compared_line_by_line(self) -> None:
        base, target = ("\n".join(f"{side}{n % 7}" for n in range(5_000)) for side in "ab")
        lines = diff_lines(f"first\n{base}", f"first\n{target}")
        assert lines[0] == DiffLine("same", "first")
        assert [line.kind for line in lines[1:]] == ["removed"] * 5_000 + ["added"] * 5_000

    def test_equal_runs_are_left_out(self) -> None:
        texts = "\n".join(map(str, range(100)))
        lines = shortened(diff_lines(texts, texts.replace("50", "fifty")))
        assert len(lines) == 3 + 2 + 3 + 2
        assert (lines[0].kind, lines[0].text) == ("skipped", "… 47 equal lines …")
        assert shortened(diff_lines(texts, texts))[0].text == "… 100 equal lines …"

    def test_what_cannot_be_seen_is_spelt(self) -> None:
        (line,) = diff_lines("a\u202eb\x1b", "a\u202eb\x1b")
        assert line.text == "a‹U+202E›b‹U+001B›"
