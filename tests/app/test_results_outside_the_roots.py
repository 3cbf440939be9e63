"""A link to a kept result opens for nobody where its folders may not be opened; one whose folders
are gone stays readable."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from tests.app.conftest import OpenPage
from tests.support.results import cache_at, write_model


@pytest.mark.parametrize("gone", [False, True])
def test_a_pair_outside_the_roots(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    folders = [write_model(tmp_path / "models" / name, seed=n) for n, name in enumerate("ab")]
    comparison = Comparison.open(*map(str, folders))
    with cache_at(tmp_path / "cache"):
        run_diff(comparison)
        if gone:
            shutil.rmtree(tmp_path / "models" / "a")
        shown = []
        for roots in ("models", "others", ""):
            (tmp_path / "others").mkdir(exist_ok=True)
            monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path / roots) if roots else "")
            app = open_page("result", result=comparison.key)
            assert not app.exception
            shown.append("No such result" not in app.title[0].value)
        assert shown == [True, False, True]
