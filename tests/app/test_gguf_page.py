"""A GGUF and the model that it was made from, in the app."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.app.conftest import OpenPage, words
from tests.support.gguf_files import llama_tensors, write_gguf
from tests.support.planted import llama_values, write_values


def test_a_gguf_is_opened_like_any_checkpoint(open_page: OpenPage, tmp_path: Path) -> None:
    values = llama_values(layers=2)
    base = write_values(tmp_path / "base", values)
    converted = llama_tensors({n: v.astype(np.float32) for n, v in values.items()}, 1, 1)
    heads = {"attention.head_count": 1, "attention.head_count_kv": 1}
    target = write_gguf(tmp_path / "model-Q8_0.gguf", "llama", converted, "Q8_0", heads)
    for page in ("compare", "architecture"):
        app = open_page(page, base=str(base), target=str(target))
        assert not app.exception and not app.error
        assert r"model\-Q8\_0\.gguf" in words(app)
