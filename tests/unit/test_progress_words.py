"""What is said of a diff that is taken up again: how much of it is left, or that nothing is."""

from __future__ import annotations

import io

import pytest

from modeldiff.changes import Progress
from modeldiff.cli.progress_bar import ProgressBar
from modeldiff.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [
        (1, 1, "All is measured already: 1 tensor."),
        (75, 75, "All is measured already: 75 tensors."),
        (1, 2, "Resuming an interrupted diff: 1 of 2 tensors are already measured."),
    ],
)
def test_a_diff_that_is_taken_up_says_what_is_left(
    done: int, total: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar(Terminal(quiet=False), io.StringIO()) as bar:
        bar(Progress("measuring", 10 * done, 10 * total, done, total, resumed_bytes=10 * done))
    assert capsys.readouterr().err.splitlines() == [words]
