"""What opening a checkpoint may cost: one budget for all its files."""

from __future__ import annotations

import struct
import tracemalloc
from itertools import count
from pathlib import Path

import pytest

from modeldiff.architectures import understand
from modeldiff.checkpoints import open_checkpoint
from modeldiff.errors import Cancelled, CheckpointError
from modeldiff.processes.wanted import wanted_while
from tests.support.safetensors_files import write_sharded

NAMES = tuple(f"layers.{number}.weight" for number in range(6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards of two tensors each."""
    shards = {f"model-{n + 1:05}-of-00003.safetensors": NAMES[2 * n : 2 * n + 2] for n in range(3)}
    write_sharded(tmp_path, shards)
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "too_little", "enough"),
    [
        ("MODELDIFF_MAX_FILES", "2", "3"),
        ("MODELDIFF_MAX_TENSORS", "5", "6"),
        ("MODELDIFF_MAX_NAME_BYTES", "89 B", "90 B"),
    ],
)
def test_the_limits_are_of_all_files_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str, too_little: str, enough: str
) -> None:
    monkeypatch.setenv(setting, too_little)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(str(folder))
    assert setting in caught.value.hint and too_little.split()[0] in caught.value.message
    monkeypatch.setenv(setting, enough)
    assert len(open_checkpoint(str(folder)).tensors) == len(NAMES)


def test_many_files_of_spaces_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"{}" + b" " * 4_000_000
    for number in range(1, 41):
        path = tmp_path / f"model-{number:05}-of-00040.safetensors"
        path.write_bytes(struct.pack("<Q", len(header)) + header)
    monkeypatch.setenv("MODELDIFF_MAX_HEADER_BYTES", "9 MB")
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="9,000,000 bytes of headers"):
            open_checkpoint(str(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_understanding_counts_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = open_checkpoint(str(folder))
    clock = count(0, 50)
    monkeypatch.setattr("time.thread_time", lambda: next(clock))
    monkeypatch.setenv("MODELDIFF_MAX_OPENING_SECONDS", "120")
    with pytest.raises(CheckpointError, match=r"120 seconds .* to understand its names") as caught:
        understand(checkpoint)
    assert "MODELDIFF_MAX_OPENING_SECONDS" in caught.value.hint


def test_what_nobody_waits_for_any_more_is_given_up(folder: Path) -> None:
    answers = iter([True] * 4)
    with (
        wanted_while(lambda: next(answers, False)),
        pytest.raises(Cancelled, match="Nobody waits"),
    ):
        open_checkpoint(str(folder))
    checkpoint = open_checkpoint(str(folder))
    with wanted_while(lambda: False), pytest.raises(Cancelled):
        understand(checkpoint)
    assert understand(checkpoint).parameters


class TestWhatIsLeftUntilSomebodyAsks:
    """The nodes and the order of columns are worked out when a page asks for them."""

    def test_counts_too(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        architecture = understand(open_checkpoint(str(folder)))
        seconds = count(0, 50)
        monkeypatch.setattr("time.thread_time", lambda: next(seconds))
        monkeypatch.setenv("MODELDIFF_MAX_OPENING_SECONDS", "60")
        assert architecture.columns
        with pytest.raises(CheckpointError, match=r"60 seconds .* to understand its names"):
            _ = architecture.stem
        # What was not worked out is not kept, either.
        monkeypatch.setenv("MODELDIFF_MAX_OPENING_SECONDS", "1000")
        assert architecture.layer_kinds

    def test_ends_with_who_asked(self, folder: Path) -> None:
        with wanted_while(lambda: True):
            architecture = understand(open_checkpoint(str(folder)))
        with wanted_while(lambda: False), pytest.raises(Cancelled):
            _ = architecture.stem

    def test_does_not_end_with_who_opened_it(self, folder: Path) -> None:
        here = [True]
        with wanted_while(lambda: here[0]):
            architecture = understand(open_checkpoint(str(folder)))
        here[0] = False
        assert architecture.layer_kinds
