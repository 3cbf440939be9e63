"""The examples in docstrings."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name", ["modeldiff", "modeldiff.changes.statistics.histogram", "modeldiff.changes.arrays"]
)
def test_examples_come_out_as_written(name: str) -> None:
    outcome = doctest.testmod(import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0
