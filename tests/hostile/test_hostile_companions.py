"""Files beside the weights by somebody who means harm: nothing is raised, run or filled up."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldiff.companions import compare_companions
from modeldiff.companions.chat.conversations import CONVERSATIONS
from modeldiff.companions.chat.rendering import Rendering, render_both
from modeldiff.companions.chat.template import ChatTemplate
from modeldiff.companions.sandbox.child import run_limited
from modeldiff.comparison import Comparison
from modeldiff.findings.companions import companions_document, describe_companions
from modeldiff.processes.child import Limits
from tests.support.companions import byte_level_bpe, companions_of, parts_of, write_companions

LIMITS = Limits(cpu_seconds=1, memory=1_000_000_000, seconds=60)


def written(source: str) -> list[Rendering]:
    """What a template makes of each conversation."""
    template = ChatTemplate({"default": source}, "chat_template.jinja")
    pairs = render_both(template, template, ({}, {}), LIMITS)
    return [each.base for each in pairs if each.base is not None]


def problems(source: str) -> list[str]:
    """What is said of a template for each conversation; "" where it wrote a text."""
    return [each.problem for each in written(source)]


class TestTemplates:
    @pytest.mark.parametrize(
        "source",
        [
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{{ messages.__class__.__base__ }}",
            "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
            "{{ raise_exception.__globals__ }}",
            "{{ strftime_now.__code__ }}",
            "{{ namespace.__init__.__globals__ }}",
            "{{ self.__init__.__globals__ }}",
            "{{ (messages|attr('__class__')).__mro__ }}",
            "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
            "{% set ns = namespace(a=1) %}{% set ns.__class__ = 2 %}",
            "{{ messages.append(1) }}",
            "{{ messages[0].update({'a': 1}) }}",
            "{% include '/etc/passwd' %}",
            "{% import 'os' as os %}",
            "{% extends 'base' %}",
            "{% if",
            "{{" + "(" * 20_000 + ")" * 20_000 + "}}",
        ],
    )
    def test_nothing_gets_out_of_the_sandbox(self, source: str) -> None:
        # An attribute that may not be seen writes nothing; going on from it is an error.
        assert [each.text or "" for each in written(source)] == [""] * 4

    @pytest.mark.parametrize(
        "source",
        [
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "{{ range(10**12) | list }}",
            "{{ 'a' * 10**12 }}",
            "{{ '%10000000000d' % 1 }}",
            "{{ '{:>10000000000}'.format(1) }}",
            "{{ (10 ** 9999999) ** 9999999 }}",
            "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}"
            "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
            "{% for i in range(99999) %}0123456789abcdef{% endfor %}",
            "{% for i in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}",
        ],
    )
    def test_time_memory_and_output_end(self, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
        name = "modeldiff.companions.chat.rendering.CONVERSATIONS"
        monkeypatch.setattr(name, CONVERSATIONS[:1])
        (problem,) = problems(source)
        assert "The template can't render this" in problem

    def test_one_endless_conversation_leaves_the_others(self) -> None:
        endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
        source = f"{{% if tools %}}{endless}{{% endif %}}{{{{ messages[0].content }}}}"
        assert [bool(problem) for problem in problems(source)] == [False, False, False, True]

    @pytest.mark.skipif(sys.platform == "win32", reason="the system has no such limits")
    def test_the_child_can_open_no_file_and_knows_no_secret(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """As if a template had got out of jinja2's sandbox: a worker that does what it wants."""
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        worker = tmp_path / "worker.py"
        honest = Path("modeldiff/companions/sandbox/worker.py").read_text(encoding="utf-8")
        escaped = honest.replace(
            'yield _attempt("text", one)',
            'import os; yield _attempt("text", lambda: str(dict(os.environ)))\n'
            '            yield _attempt("text", lambda: open("/etc/hostname").read())\n'
            '            yield _attempt("text", lambda: open("stolen", "w").write("x"))',
        )
        assert escaped != honest
        worker.write_text(escaped, encoding="utf-8")
        monkeypatch.setattr("modeldiff.companions.sandbox.child._WORKER", worker)
        request = {
            "conversations": [{"template": "", "variables": {}}],
            "clock": [2024, 7, 26, 12, 0, 0, 4, 208, 0],
            "characters": 10,
        }
        answers = run_limited("render", request, LIMITS).answers
        assert "hf_secret" not in str(answers[0]["text"]) and "HF_TOKEN" not in answers[0]["text"]
        assert [answer.get("error") for answer in answers[1:]] == ["it asks for a file"] * 2

    def test_a_child_that_hangs_is_ended(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        worker = tmp_path / "worker.py"
        worker.write_text(
            f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
            "print('{\"text\": \"first\"}', flush=True)\nprint('[1, 2]')\ntime.sleep(600)\n"
        )
        monkeypatch.setattr("modeldiff.companions.sandbox.child._WORKER", worker)
        answers = run_limited("render", {}, Limits(1, 1_000_000_000, 2.0))
        assert [dict(each) for each in answers.answers] == [{"text": "first"}]
        assert list(answers.completed(2))[1]["error"]
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    @pytest.mark.parametrize(
        "entry",
        [7, None, [], [7], [{"name": 7, "template": []}], {"a": "b"}, [{"template": "x"}] * 99],
    )
    def test_an_entry_of_another_form_is_no_template(self, entry: Any, tmp_path: Path) -> None:
        folder = write_companions(
            tmp_path / "m", {"tokenizer_config.json": {"chat_template": entry}}
        )
        assert companions_of(folder, folder).renderings == ()


class TestTokenizers:
    @pytest.mark.parametrize(
        "change",
        [
            {"model": 7},
            {"model": {"type": 7, "vocab": {"a": 0}, "merges": [[["b"]]]}},
            {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": {"a": "b"}}},
            {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [7, None, {"type": []}]}},
            {"post_processor": {"type": "TemplateProcessing", "single": [7, {"A": 3}, {"B": []}]}},
            {"decoder": [[[]]]},
            {"added_tokens": [{"id": 0, "content": "x"}]},
        ],
    )
    def test_odd_parts_are_told_or_left_out(self, change: Any, tmp_path: Path) -> None:
        document = byte_level_bpe() | change
        one = write_companions(tmp_path / "one", {"tokenizer.json": document})
        other = write_companions(tmp_path / "other", {"tokenizer.json": byte_level_bpe()})
        assert parts_of(one, other)["tokenizer"].sentences

    def test_deep_ones(self, tmp_path: Path) -> None:
        deep: Any = {"type": "ByteLevel"}
        for _ in range(200):
            deep = {"type": "Sequence", "pretokenizers": [deep]}
        document = byte_level_bpe() | {"pre_tokenizer": deep}
        one = write_companions(tmp_path / "one", {"tokenizer.json": document})
        other = write_companions(tmp_path / "other", {"tokenizer.json": b"[" * 1_000_000})
        companions = companions_of(one, other)
        assert companions.tokenizer.target.problems
        assert "tokenizer.json cannot be read" in companions.tokenizer.target.problems[0]

    def test_a_pattern_that_never_ends_is_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        document = byte_level_bpe()
        document["pre_tokenizer"] = {
            "type": "Split",
            "pattern": {"Regex": "(.*)*(.*)*(.*)*(.*)*(.*)*x{30}y"},
            "behavior": "Isolated",
            "invert": False,
        }
        one = write_companions(tmp_path / "one", {"tokenizer.json": document})
        other = write_companions(tmp_path / "other", {"tokenizer.json": byte_level_bpe()})
        monkeypatch.setattr("modeldiff.companions.tokenizer.encoding._LIMITS", LIMITS)
        before, after = companions_of(one, other).encodings[0]
        assert after.tokens is not None
        assert before.tokens is not None or "could not be cut" in before.problem

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"null", b"[]", b"[" * 200_000])
    @pytest.mark.parametrize(
        "file",
        [
            "tokenizer_config.json",
            "special_tokens_map.json",
            "generation_config.json",
            "chat_template.json",
            "config.json",
        ],
    )
    def test_broken_configs(self, file: str, content: bytes, tmp_path: Path) -> None:
        folder = write_companions(tmp_path / "m", {file: content})
        assert describe_companions(companions_of(folder, folder), ())


class TestCards:
    def card(self, folder: Path, metadata: str) -> Any:
        text = f"---\n{metadata}\n---\n# A model\n"
        folder = write_companions(folder, {"README.md": text})
        return companions_of(folder, folder).cards[0]

    def test_aliases_are_refused(self, tmp_path: Path) -> None:
        bomb = "a: &a [x, x]\n" + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        )
        card = self.card(tmp_path / "m", bomb)
        assert card.entries == {} and "aliases" in card.problems[0]

    @pytest.mark.parametrize(
        "metadata",
        [
            "!!python/object/apply:os.system ['touch stolen']",
            "- a\n- b",
            "a: [" + "[" * 5_000,
            "? [a, b]\n: c",
            "a: 'unterminated",
            "\t- x",
            "x: " + "y" * 70_000,
            "\n".join(f"k{n}: [{', '.join('ab')}]" for n in range(6_000)),
            "a: \x00",
        ],
    )
    def test_what_is_no_table_of_texts(self, metadata: str, tmp_path: Path) -> None:
        card = self.card(tmp_path / "m", metadata)
        assert card.exists and card.entries == {} and card.problems
        assert not Path("stolen").exists()

    def test_nothing_becomes_anything_but_text(self, tmp_path: Path) -> None:
        card = self.card(
            tmp_path / "m",
            "license: no\ndate: 2024-01-01\nn: 1e5\na: !!python/name:os.system x\n<<: {b: c}",
        )
        assert card.entries["license"] == ("no",)
        assert card.entries["date"] == ("2024-01-01",)
        assert card.entries["a"] == ("x",)
        assert all(isinstance(value, str) for values in card.entries.values() for value in values)


def test_names_and_texts_from_files_stay_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\u202e[x](http://y)\x1b[2J"
    document = byte_level_bpe(special=[evil])
    folder = write_companions(
        tmp_path / "evil",
        {
            "tokenizer.json": document,
            "tokenizer_config.json": {"bos_token": evil, evil + "_token": evil},
            "chat_template.jinja": evil,
            "README.md": f"---\nlicense: '<b>'\nbase_model: '{evil[:25]}'\n---\n",
        },
    )
    plain = write_companions(tmp_path / "plain")
    comparison = Comparison.open(str(plain), str(folder))
    companions = compare_companions(*comparison.checkpoints)
    json.dumps(companions_document(companions, comparison.facts), allow_nan=False)
    from modeldiff.drawings.report.companions import companions_html

    html = companions_html(comparison)
    assert "<script>" not in html and "<b>" not in html


def test_what_is_no_unicode_can_be_written_to_a_file(tmp_path: Path) -> None:
    """A lone surrogate can stand in JSON and YAML by an escape, and in no file of text."""
    document = byte_level_bpe(special=["<x>"])
    document["added_tokens"][0]["content"] = "\ud800"
    document["normalizer"] = {"type": "Prepend", "prepend": "\ud800"}
    source = "{{ '\\ud800' }}{% if tools %}{{ raise_exception('\\ud800\\n\\x1b') }}{% endif %}"
    folder = write_companions(
        tmp_path / "odd",
        {
            "tokenizer.json": document,
            "chat_template.jinja": source,
            "README.md": '---\nlicense: "\\uD800"\n"\\uD800": x\nbase_model: "\\uD800"\n---\n',
        },
    )
    plain = write_companions(tmp_path / "plain", {"tokenizer.json": byte_level_bpe()})
    comparison = Comparison.open(str(plain), str(folder))
    from modeldiff.drawings.report.companions import companions_html

    assert companions_html(comparison).encode()
    words = json.dumps(
        companions_document(comparison.companions, comparison.facts), ensure_ascii=False
    )
    assert words.encode()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("---\nlicense: secret\n---\n")
    folder = write_companions(tmp_path / "m")
    for name in ("README.md", "chat_template.jinja", "tokenizer_config.json", "tokenizer.model"):
        (folder / name).symlink_to(secret)
    companions = companions_of(folder, folder)
    assert companions.cards[0].entries == {} and "leads out" in companions.cards[0].problems[0]
    assert not companions.templates[0].sources and not companions.tokenizer.base.not_read


def test_files_that_are_too_large_are_left_aside(tmp_path: Path) -> None:
    folder = write_companions(
        tmp_path / "m",
        {"README.md": b"-" * 2_000_001, "chat_template.jinja": b" " * 500_001},
    )
    companions = companions_of(folder, folder)
    assert "too many" in companions.cards[0].problems[0]
    assert "too many" in companions.templates[0].problems[0]
