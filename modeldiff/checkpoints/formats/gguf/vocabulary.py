"""The tokens that a GGUF's metadata lists, in the form of a ``tokenizer.json``.

Format: ``tokenizer.ggml.*`` in ggml's ``docs/gguf.md``.
"""

from __future__ import annotations

import json
from typing import Any

from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.gguf.cursor import HeaderCursor
from modeldiff.checkpoints.formats.gguf.header import read_metadata
from modeldiff.checkpoints.source import Source

_MODEL, _TOKENS = "tokenizer.ggml.model", "tokenizer.ggml.tokens"
_TYPES = "tokenizer.ggml.token_type"
_CONTROL, _USER_DEFINED = 3, 4
"""ggml's numbers of the tokens that a tokenizer adds to its vocabulary."""


def tokenizer_json(source: Source, file: str) -> bytes | None:
    """The tokens of ``file`` as a ``tokenizer.json`` would list them, without the rules by which
    text is cut; None where it lists none. Raises as ``parse_gguf`` does."""
    where = source.where(file)
    cursor = HeaderCursor(source, file, OpeningBudget(where))
    _, reader = read_metadata(cursor, where, (_TOKENS, _TYPES))
    tokens, types = reader.metadata.get(_TOKENS), reader.metadata.get(_TYPES)
    if not isinstance(tokens, tuple) or not all(isinstance(text, str) for text in tokens):
        return None
    kinds = types if isinstance(types, tuple) else ()
    added = [
        {"id": row, "content": text}
        for row, (text, kind) in enumerate(zip(tokens, kinds, strict=False))
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    bytewise = reader.metadata.get(_MODEL) == "gpt2"
    content: dict[str, Any] = {
        "model": {"vocab": [[text] for text in tokens]},
        "added_tokens": added,
        "decoder": {"type": "ByteLevel"} if bytewise else None,
    }
    return json.dumps(content).encode() if tokens else None
