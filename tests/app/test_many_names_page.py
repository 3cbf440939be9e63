"""Files of very many names that somebody made up: pages show a part, and say how much is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.names import NAMES, write_names
from modeldiff.drawings.heatmap.cells import MOST_COLUMNS
from modeldiff.ui.architecture import tensor_table
from tests.app.conftest import PAGES, OpenPage, words

COUNT = 6_000
MOST_BYTES = 1_200_000
"""What a page may send for them; the heatmap of all of them alone would be twice that."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two files of components that stand outside all layers."""
    folder = tmp_path_factory.mktemp("names")
    names = list(NAMES["without a dot"](COUNT))
    sides = [str(write_names(folder / side, names)) for side in ("base", "target")]
    with (Path(sides[1]) / "model.safetensors").open("r+b") as file:
        file.seek(-4 * COUNT, 2)
        file.write(b"\x80\x3f" * (2 * COUNT))
    return sides[0], sides[1]


def sent(app: AppTest) -> int:
    """How many bytes the elements of a page have."""

    def each(block: Any) -> Iterator[int]:
        for child in block.children.values():
            if hasattr(child, "children"):
                yield from each(child)
            else:
                yield child.proto.ByteSize()

    return sum(each(app._tree))


def test_pages_are_bounded(
    pair: tuple[str, str], measure: Callable[[str, str], None], open_page: OpenPage
) -> None:
    measure(*pair)
    for page in PAGES:
        app = open_page(page, base=pair[0], target=pair[1])
        assert sent(app) < MOST_BYTES, page
        if page in ("compare", "heatmap"):
            more = f"{COUNT - MOST_COLUMNS:,} more components are not drawn"
            assert more in words(app), page


def test_every_tensor_is_cut(
    pair: tuple[str, str], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_table, "_MOST_ROWS", 1_000)
    app = open_page("architecture", base=pair[0], target=pair[1], rows="every")
    assert len(app.dataframe[0].value) == 1_000
    assert f"{COUNT:,} of {COUNT:,} tensors; the first 1,000 are shown" in words(app)
