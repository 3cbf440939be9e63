"""What a GGUF's metadata says of the tokenizer: tokens and merges in the form of a
``tokenizer.json``, special tokens, chat templates.

Format: ``tokenizer.*`` in ggml's ``docs/gguf.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.checkpoints.formats.gguf.header import read_metadata
from modeldiff.checkpoints.formats.gguf.metadata import Metadata
from modeldiff.checkpoints.source import Source
from modeldiff.processes.late_dataclass import dataclass

_STEM = "tokenizer.ggml."
_MODEL, _TOKENS, _TYPES, _MERGES = (
    f"{_STEM}{name}" for name in ("model", "tokens", "token_type", "merges")
)
_TEMPLATE = "tokenizer.chat_template"
_CONTROL, _USER_DEFINED = 3, 4
"""ggml's numbers of the tokens that a tokenizer adds to its vocabulary."""
_SPECIAL = {
    "bos": "bos_token",
    "eos": "eos_token",
    "unknown": "unk_token",
    "padding": "pad_token",
    "seperator": "sep_token",
    "mask": "mask_token",
}
"""ggml's words (one is spelt so) and transformers' for what a special token is for."""
_OPTIONS = {
    "add_bos_token": "add_bos_token",
    "add_eos_token": "add_eos_token",
    "add_space_prefix": "add_prefix_space",
}
_MOST_TEMPLATES = 10


@dataclass(frozen=True)
class GgufTokenizer:
    """``content`` lists tokens and merges as a ``tokenizer.json`` does, without the rules by which
    text is cut; ``special`` are texts of special tokens by what they are for (``bos_token``),
    ``options`` what else is set, both in transformers' words."""

    content: bytes
    special: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, bool] = field(default_factory=dict)


def read_gguf_tokenizer(source: Source, file: str) -> GgufTokenizer | None:
    """The tokenizer of ``file``; None where it lists no tokens. Raises as ``parse_gguf`` does."""
    metadata = _metadata(source, file, (_TOKENS, _TYPES, _MERGES))
    tokens, types = metadata.get(_TOKENS), metadata.get(_TYPES)
    if not isinstance(tokens, tuple) or not tokens:
        return None
    texts = [text for text in tokens if isinstance(text, str)]
    if len(texts) != len(tokens):
        return None
    kinds = types if isinstance(types, tuple) else ()
    added = [
        {"id": row, "content": text}
        for row, (text, kind) in enumerate(zip(texts, kinds, strict=False))
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    bytewise = metadata.get(_MODEL) == "gpt2"
    merges = metadata.get(_MERGES)
    model: dict[str, Any] = {"vocab": [[text] for text in texts]}
    if isinstance(merges, tuple):
        model |= {"type": "BPE", "merges": merges}
    content: dict[str, Any] = {
        "model": model,
        "added_tokens": added,
        "decoder": {"type": "ByteLevel"} if bytewise else None,
    }
    options = {name: metadata.get(f"{_STEM}{key}") for key, name in _OPTIONS.items()}
    return GgufTokenizer(
        json.dumps(content).encode(),
        dict(_special_tokens(metadata, texts)),
        {name: value for name, value in options.items() if isinstance(value, bool)},
    )


def read_chat_templates(source: Source, file: str) -> Mapping[str, str]:
    """The chat templates in ``file``, by name, the one without a name as ``default``. Raises as
    ``parse_gguf`` does."""
    templates = {}
    for key, value in _metadata(source, file).items():
        stem, dot, name = key.partition(f"{_TEMPLATE}.")
        if isinstance(value, str) and (key == _TEMPLATE or (not stem and dot and name)):
            templates[name[:60] or "default"] = value
    return dict([*templates.items()][:_MOST_TEMPLATES])


def _metadata(source: Source, file: str, whole: tuple[str, ...] = ()) -> Metadata:
    where = source.where(file)
    cursor = HeaderCursor(source, file, OpeningBudget(where))
    _, reader = read_metadata(cursor, where, whole)
    return reader.metadata


def _special_tokens(metadata: Metadata, texts: list[str]) -> Iterator[tuple[str, str]]:
    for key, name in _SPECIAL.items():
        row = metadata.get(f"{_STEM}{key}_token_id")
        if type(row) is int and 0 <= row < len(texts):
            yield name, texts[row]
