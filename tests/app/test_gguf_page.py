"""A GGUF and the model that it was made from, in the app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.app.conftest import OpenPage, linked, words
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


def test_types_and_their_floor_are_among_what_differs(
    open_page: OpenPage, measure: Callable[[str, str], None], tmp_path: Path
) -> None:
    values = llama_values(layers=2)
    base = str(write_values(tmp_path / "base", values))
    converted = llama_tensors({n: v.astype(np.float32) for n, v in values.items()}, 1, 1)
    heads = {"attention.head_count": 1, "attention.head_count_kv": 1}
    target = str(write_gguf(tmp_path / "model-Q8_0.gguf", "llama", converted, "Q8_0", heads))
    measure(base, target)
    differs = linked(open_page("compare", base=base, target=target), "what_differs")
    assert "Q8_0" in differs and "by type alone" in differs
    assert "has none" not in differs  # what the metadata leaves out is not missing in the model


def test_two_folders_of_the_same_differ_in_nothing(
    open_page: OpenPage, measure: Callable[[str, str], None], tmp_path: Path
) -> None:
    base, target = (
        str(write_values(tmp_path / name, llama_values(layers=2))) for name in ("base", "copy")
    )
    assert "not measured yet" in words(open_page("compare", base=base, target=target))
    measure(base, target)
    said = words(open_page("compare", base=base, target=target))
    assert "not measured yet" not in said and "Nothing in the architecture, in the weights" in said
