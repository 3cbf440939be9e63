"""The garbage collector rests while something is read, and works again whatever happens."""

from __future__ import annotations

import gc

import pytest

from modeldiff.processes.collector import collector_at_rest


def test_it_works_again_when_the_last_is_done() -> None:
    assert gc.isenabled()
    with collector_at_rest():
        with collector_at_rest():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_an_error() -> None:
    with pytest.raises(ValueError), collector_at_rest():
        raise ValueError
    assert gc.isenabled()


def test_it_stays_off_where_somebody_turned_it_off() -> None:
    gc.disable()
    try:
        with collector_at_rest():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
