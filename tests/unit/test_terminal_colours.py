"""The heatmap in a terminal: colours by its environment, the same numbers without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

import pytest

import modeldiff
from modeldiff.changes import ChangeTable
from modeldiff.cli.colour import ColourDepth, choose_depth, paint
from modeldiff.cli.heat.heat_table import report_heat_table
from modeldiff.cli.heat.ramps import choose_ramps
from modeldiff.cli.terminal import Terminal
from modeldiff.text.formatting import format_number

Output = pytest.CaptureFixture[str]
_SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("environment", "terminal", "depth"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, True, "truecolor"),
        ({"TERM": "xterm-256color"}, True, "256"),
        ({"TERM": "xterm"}, True, "bold"),
        ({"TERM": "dumb"}, True, "none"),
        ({}, True, "none"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, False, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, True, "256"),
        ({"FORCE_COLOR": "1"}, False, "256"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, "none"),
        ({"FORCE_COLOR": "0"}, False, "none"),
    ],
)
def test_depth(environment: Mapping[str, str], terminal: bool, depth: ColourDepth) -> None:
    assert choose_depth(environment, is_terminal=terminal) == depth


def luminance(red: int, green: int, blue: int) -> float:
    """As WCAG 2 has it."""
    channels = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (red / 255, green / 255, blue / 255)
    ]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def of_256(number: int) -> tuple[int, int, int]:
    """A colour of xterm's table."""
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    steps = (number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6
    red, green, blue = (0 if step == 0 else 55 + 40 * step for step in steps)
    return red, green, blue


@pytest.mark.parametrize(
    ("ground", "depth"), [*product(("0;15", "15;0", ""), ("256", "truecolor"))]
)
def test_ink_reads_on_every_colour(ground: str, depth: ColourDepth) -> None:
    ramps = choose_ramps({"COLORFGBG": ground})
    for colour in (*ramps.heat, *ramps.second):
        numbers = [int(each) for each in re.findall(r"\d+", paint("1", colour, depth))]
        ink = of_256(numbers[2])
        own = of_256(numbers[5]) if depth == "256" else (numbers[5], numbers[6], numbers[7])
        light, dark = sorted((luminance(*ink), luminance(*own)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (colour, depth)


def test_the_two_hues_never_meet_in_256_colours() -> None:
    """But for their first steps: such terminals have no dark hues."""
    for ground in ("15;0", "0;15"):
        ramps = choose_ramps({"COLORFGBG": ground})
        heat, second = (
            {paint("x", colour, "256") for colour in ramp[2:]}
            for ramp in (ramps.heat, ramps.second)
        )
        assert not heat & second


@pytest.fixture(scope="module")
def changes() -> ChangeTable:
    return modeldiff.diff("demo:base", "demo:unrelated", device="cpu", cache=False)


def drawn(changes: ChangeTable, capsys: Output) -> str:
    report_heat_table(changes, Terminal())
    return capsys.readouterr().out


def test_every_number_stands_in_its_cell(changes: ChangeTable, capsys: Output) -> None:
    shown = drawn(changes, capsys)
    assert "\x1b" not in shown
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert lines["layer"] == [str(layer) for layer in range(8)]
    for column in changes.columns:
        rows = changes.column(column)
        medians = [row.statistics.median_pct for row in rows if row.statistics is not None]
        assert lines[column] == [format_number(median) for median in medians]


@pytest.mark.parametrize("columns", [200, 80, 50])
def test_colours_change_nothing_but_colours(
    columns: int, changes: ChangeTable, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "width", columns)
    plain = drawn(changes, capsys)
    assert max(map(len, plain.splitlines())) <= columns
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = drawn(changes, capsys)
    assert coloured.count("\x1b[38;5;") >= len(changes)  # nothing of this pair is equal
    text = _SGR.sub("", coloured)
    legend = [line for line in text.splitlines() if line.startswith(("matrices", "norms, vec"))]
    assert len(legend) == 2
    without = "\n".join(line.rstrip() for line in text.splitlines() if line not in legend)
    assert without.strip() == plain.strip()


def test_many_layers_in_little_room_are_colours_alone(
    changes: ChangeTable, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "width", 36)
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = drawn(changes, capsys)
    grid = [line for line in shown.splitlines() if line.startswith("mlp.up_proj")]
    assert len(grid) == 1 and grid[0].count("\x1b[0m") == 8
    drawing = [_SGR.sub("", line) for line in shown.splitlines()[2:]]
    assert max(map(len, drawing)) <= 36


def test_marks_are_told_and_equal_is_not_zero(capsys: Output) -> None:
    shown = drawn(modeldiff.diff("demo:base", "demo:lora", device="cpu", cache=False), capsys)
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert set(lines["input_layernorm"]) == {"="}
    assert "= all elements are equal" in shown
    assert "!" not in shown


def test_equal_has_no_colour_and_its_mark_is_there_without_numbers(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "width", 36)
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = drawn(modeldiff.diff("demo:base", "demo:tuned", device="cpu", cache=False), capsys)
    (norms,) = (line for line in shown.splitlines() if line.startswith("input_layernor"))
    assert norms.split()[1:] == ["="] * 8
    assert not [line for line in shown.splitlines() if line.startswith("norms, vectors")]
