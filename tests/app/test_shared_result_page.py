"""The page of a result that another machine measured and a team shares in an object store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modeldiff.comparison import Comparison
from modeldiff.results import run_diff
from modeldiff.results.shared import objects as shared
from tests.app.conftest import OpenPage
from tests.support import s3_server
from tests.support.results import cache_at


def test_a_link_opens_what_only_the_store_has(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with s3_server.s3_server() as address:
        for name, text in s3_server.environment(address).items():
            monkeypatch.setenv(name, text)
        monkeypatch.setenv("MODELDIFF_SHARED", f"s3://{s3_server.BUCKET}/pages")
        shared._objects.cache_clear()
        comparison = Comparison.open("demo:base", "demo:lora")
        with cache_at(tmp_path / "another machine"):
            run_diff(comparison)
        with cache_at(tmp_path / "this machine"):
            app = open_page("result", result=comparison.key)
            assert app.title[0].value == "Demo base → Demo LoRA" and not app.error
            app = open_page("fleet")
            assert not app.error
