"""Tokens' texts from the files beside the weights, whoever wrote them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modeldiff.checkpoints import open_checkpoint, read_tokens
from modeldiff.checkpoints import tokenizer as tokens
from modeldiff.errors import AccessDenied, CheckpointNotFound, DamagedCheckpoint
from tests.support.local_hub import LocalHub
from tests.support.results import write_model

DEMO = Path("demo/base")
BYTE_LEVEL = {"decoder": {"type": "ByteLevel"}}
METASPACE = {"decoder": {"type": "Sequence", "decoders": [{"type": "Metaspace"}]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", seed=1)


def texts(folder: Path, document: Any, file: str = "tokenizer.json") -> tuple[str | None, ...]:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    (folder / file).write_bytes(content)
    return read_tokens(open_checkpoint(str(folder))).texts


def test_every_text_is_what_the_tokenizer_itself_writes() -> None:
    from tokenizers import Tokenizer

    theirs = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    ours = read_tokens(open_checkpoint("demo:base"))
    assert len(ours.texts) == theirs.get_vocab_size() == 1024
    whole = 0
    for row, text in enumerate(ours.texts):
        decoded = theirs.decode([row], skip_special_tokens=False)
        if "\N{REPLACEMENT CHARACTER}" in decoded or not decoded.isprintable():
            continue
        whole += 1
        assert text == decoded.replace(" ", "␣"), row
    assert whole > 800
    assert (ours.role(0), ours.role(2), ours.role(1024)) == ("special", "token", None)


def test_what_cannot_be_seen_is_spelt(folder: Path) -> None:
    vocabulary = {"Ġthe": 0, "Ċ": 1, "âĤ": 2, "âĤ¬": 3, "ĠÄ": 4, "ĉ": 5, "Ķ": 6}
    found = texts(folder, BYTE_LEVEL | {"model": {"type": "BPE", "vocab": vocabulary}})
    assert found == ("␣the", "↵", "‹E2›‹82›", "€", "␣‹C4›", "⇥", "‹94›")


def test_sentencepiece_wordpiece_and_unigrams(folder: Path) -> None:
    bpe = METASPACE | {"model": {"type": "BPE", "vocab": {"▁the": 0, "<0x0A>": 1, "Ġ": 2}}}
    assert texts(folder, bpe) == ("␣the", "<0x0A>", "Ġ")
    unigram = {"model": {"type": "Unigram", "vocab": [["<pad>", 0.0], ["▁a", -2.5]]}}
    assert texts(folder, unigram) == ("<pad>", "␣a")


def test_rows_without_a_token_and_reserved_ones(folder: Path) -> None:
    document = BYTE_LEVEL | {
        "model": {"vocab": {"a": 0, "reserved": 1, "b": 5}},
        "added_tokens": [
            {"id": 6, "content": "<|im_start|>", "special": True},
            {"id": 8, "content": "<|reserved_special_token_0|>", "special": True},
        ],
    }
    assert len(texts(folder, document)) == 9
    found = read_tokens(open_checkpoint(str(folder)))
    roles = [found.role(row) for row in range(10)]
    assert roles[:2] == ["token", "token"]
    assert roles[2:] == [None, None, None, "token", "special", None, "reserved", None]
    assert found.search("RESERVED", 9) == (1, 8)
    assert found.search("B", 9) == (5,)
    assert found.search("", 9) == ()


def test_gpt2_has_a_vocabulary_alone(folder: Path) -> None:
    vocabulary = {"!": 0, "Ġhello": 1, "<|endoftext|>": 2}
    assert texts(folder, vocabulary, "vocab.json") == ("!", "␣hello", "<|endoftext|>")


def test_there_is_none(folder: Path) -> None:
    with pytest.raises(CheckpointNotFound, match="tokenizer") as caught:
        read_tokens(open_checkpoint(str(folder)))
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"vocab"',
        b"[" * 100_000,
        b'{"model": null}',
        b'{"model": {"vocab": 7}}',
        b'{"model": {"vocab": {}}}',
        b'{"model": {"vocab": [[]]}}',
        b'{"model": {"vocab": [[["nested"]]]}}',
        b'{"model": {"vocab": {"a": 1000000000000}}}',
        b'{"model": {"vocab": {"a": -1, "b": true, "c": 1.5, "d": "1"}}}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": [7]}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 1, "content": 9}]}',
    ],
)
def test_a_hostile_file_is_refused(content: bytes, folder: Path) -> None:
    with pytest.raises(DamagedCheckpoint, match=r"tokenizer\.json") as caught:
        texts(folder, content)
    assert caught.value.hint


def test_a_file_that_would_fill_the_memory_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for document in (b"[" + b"[]," * 3_000_000 + b"[]]", b"[" + b'"",' * 6_000_001 + b'""]'):
        with pytest.raises(DamagedCheckpoint, match="more than any tokenizer"):
            texts(folder, document)
    monkeypatch.setattr(tokens, "MAX_TOKENIZER_BYTES", 100)
    with pytest.raises(DamagedCheckpoint, match="too many"):
        texts(folder, b" " * 101)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret.json"
    elsewhere.write_text(json.dumps({"model": {"vocab": {"secret": 0}}}))
    (folder / "tokenizer.json").symlink_to(elsewhere)
    with pytest.raises(AccessDenied, match="leads out"):
        read_tokens(open_checkpoint(str(folder)))


def test_surrogates_and_markup_are_text(folder: Path) -> None:
    document = {"model": {"vocab": {"\ud800": 0, "<img src=x>": 1, "a\u202eb": 2, "\x00": 3}}}
    assert texts(folder, document) == ("‹U+D800›", "<img␣src=x>", "a‹U+202E›b", "‹U+0000›")


class TestHub:
    @pytest.fixture
    def hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
        monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
        shutil.copytree(DEMO, tmp_path / "hub" / "team" / "model")
        write_model(tmp_path / "hub" / "team" / "bare", seed=1)
        with LocalHub(tmp_path / "hub") as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            yield hub

    def test_a_repository_has_the_same_texts(self, hub: LocalHub) -> None:
        found = read_tokens(open_checkpoint("team/model"))
        assert found.texts == read_tokens(open_checkpoint("demo:base")).texts
        before = len(hub.requests)
        checkpoint = open_checkpoint("team/model")
        asked = [request.path for request in hub.requests[before:]]
        read_tokens(checkpoint)
        assert [request.path for request in hub.requests[before:]] == asked

    def test_a_repository_without_a_tokenizer(self, hub: LocalHub) -> None:
        with pytest.raises(CheckpointNotFound, match="tokenizer"):
            read_tokens(open_checkpoint("team/bare"))
