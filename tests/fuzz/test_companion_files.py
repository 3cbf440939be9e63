"""Tokenizers: a bent file is read as texts of rows, or it is said why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.checkpoints import Checkpoint, open_checkpoint, read_tokens
from modeldiff.companions.tokenizer.tokenizer import compare_tokenizers
from modeldiff.errors import ModeldiffError
from tests.fuzz.bending import bent_bytes, bent_json
from tests.support.results import write_model

FUZZ = settings.get_profile("fuzz")
TOKENIZERS: list[dict[str, Any]] = [
    {
        "decoder": {"type": "ByteLevel"},
        "added_tokens": [{"id": 5, "content": "<s>", "special": True}],
        "model": {"type": "BPE", "vocab": {"Ġthe": 0, "Ċ": 1, "âĤ": 2}, "merges": ["Ġ t", "h e"]},
    },
    {
        "decoder": {"type": "Sequence", "decoders": [{"type": "Metaspace"}]},
        "normalizer": {"type": "NFC"},
        "model": {"type": "Unigram", "vocab": [["▁the", -1.0], ["<0x0A>", -2.0]], "unk_id": 0},
    },
]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Checkpoint]:
    folder = tmp_path_factory.mktemp("models")
    base, target = (write_model(folder / name, seed=1) for name in ("base", "target"))
    (base / "tokenizer.json").write_text(json.dumps(TOKENIZERS[0]))
    return open_checkpoint(str(base)), open_checkpoint(str(target))


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@FUZZ
@given(st.data())
def test_tokenizers(
    tokenizer: dict[str, Any], sides: tuple[Checkpoint, Checkpoint], data: st.DataObject
) -> None:
    base, target = sides
    folder = target.source.path()
    assert isinstance(folder, Path)
    content = data.draw(bent_json(tokenizer) | bent_bytes(json.dumps(tokenizer).encode()))
    (folder / "tokenizer.json").write_bytes(content)
    settings_file = {"add_bos_token": True, "bos_token": {"content": "<s>"}, "chat_template": "x"}
    (folder / "tokenizer_config.json").write_bytes(data.draw(bent_json(settings_file)))
    try:
        assert all(text is None or text.isprintable() for text in read_tokens(target).texts)
    except ModeldiffError as error:
        assert error.hint
    try:
        compare_tokenizers(base, target)
    except ModeldiffError as error:
        assert error.hint
