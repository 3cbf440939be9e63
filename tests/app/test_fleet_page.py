"""The page of a fleet, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from modeldiff.results import list_results
from modeldiff.ui.fleet import fleet_view, kept_fleets
from tests.app.conftest import OpenPage, words
from tests.support.results import write_model

Measure = Callable[[str, str], None]


@pytest.fixture
def targets(tmp_path: Path, measure: Measure) -> list[str]:
    """Three targets of one base, measured one after the other."""
    base = write_model(tmp_path / "base", seed=1)
    folders = [
        str(write_model(tmp_path / name, seed=1, change=change))
        for name, change in (("little", 0.001), ("much", 0.1), ("mid*dle", 0.01))
    ]
    for folder in folders:
        measure(str(base), folder)
    return folders


def names(app: AppTest) -> list[str]:
    return [each.value.replace("\\", "") for each in app.subheader]


def test_rows_are_pairs_of_one_base(open_page: OpenPage, targets: list[str]) -> None:
    app = open_page("fleet")
    assert sorted(names(app)) == ["little", "mid*dle", "much"]
    assert "3 pairs" in words(app) and "one scale" in words(app)
    links = [link.proto.query_string for link in app.get("page_link")]
    keys = {header.key for header in list_results()}
    assert {link.partition("result=")[2] for link in links if "result=" in link} == keys
    assert sum("base=" in link and "target=" in link for link in links) == 3


def test_a_fleet_of_more_than_are_shown_says_so(
    open_page: OpenPage, targets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "At most" not in words(open_page("fleet"))
    for module in (kept_fleets, fleet_view):
        monkeypatch.setattr(module, "MOST_PAIRS", 2)
    app = open_page("fleet")
    assert len(names(app)) == 2 and "At most the newest 2 are shown." in words(app)
    assert app.selectbox(key="fleet_base").options == ["base (2 targets or more)"]


def test_the_address_says_order_and_filter(open_page: OpenPage, targets: list[str]) -> None:
    app = open_page("fleet", sort="median_pct", filter="name != 'much'", metric="unchanged_pct")
    assert names(app) == ["mid*dle", "little"] and "2 of 3 pairs" in words(app)
    assert names(open_page("fleet", sort="median_pct", reverse="1"))[0] == "little"
    app.selectbox(key="fleet_sort").select("name").run()
    assert names(app) == ["little", "mid*dle"] and "name" in app.query_params["sort"]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "name like '" + "*a" * 900},
        {"filter": "__import__('os')"},
        {"sort": "__class__", "reverse": "x"},
        {"fleet": "../../etc", "shown": "99999999999"},
        {"shown": "²"},
    ],
)
def test_hostile_links(query: dict[str, str], open_page: OpenPage, targets: list[str]) -> None:
    app = open_page("fleet", **query)
    assert len(names(app)) == 3
    assert bool(app.error) == ("filter" in query)


def test_without_a_fleet(open_page: OpenPage) -> None:
    assert "No two results" in words(open_page("fleet"))


def test_what_was_deleted_is_left_out(
    open_page: OpenPage, targets: list[str], tmp_path: Path
) -> None:
    open_page("fleet")
    gone = next(each.key for each in list_results() if each.target_reference == targets[0])
    (tmp_path / "cache" / "results" / f"{gone}.parquet").unlink()
    st.cache_resource.clear()
    assert sorted(names(open_page("fleet"))) == ["mid*dle", "much"]
