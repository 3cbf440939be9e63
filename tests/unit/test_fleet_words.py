"""What a fleet's report says of rows without a picture, and why they have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modeldiff.drawings.report import fleet as report
from modeldiff.drawings.report.fleet import fleet_report_html
from modeldiff.model import Model
from modeldiff.results.fleet.measuring import run_fleet
from modeldiff.results.fleet.rows import Fleet


@pytest.fixture
def fleet() -> Fleet:
    return run_fleet(Model.open("demo:base"), ["demo:tuned", "demo:lora"], device="cpu")


def test_a_result_that_is_gone_is_not_said_to_save_room(fleet: Fleet) -> None:
    rows = (replace(fleet.rows[0], key="0" * 64), fleet.rows[1])
    page = fleet_report_html(replace(fleet, rows=rows))
    assert "1 row without one, for which no result is kept any more." in page
    assert "to keep this file small" not in page


def test_rows_past_the_room_are_counted(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_MOST_PICTURES", 1)
    page = fleet_report_html(fleet)
    assert "1 row at the end without one, to keep this file small." in page
    assert "kept any more" not in page
