"""What is read far away crosses the network about once, however its values lie in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.engine import decoding
from modeldiff.changes.engine.engine import _Walk, walk
from modeldiff.changes.engine.work_units import _spans
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import ByteReader, Checkpoint
from modeldiff.checkpoints.recipes import column_codes
from modeldiff.checkpoints.source import FetchProgress
from modeldiff.checkpoints.stores import read_ahead
from modeldiff.comparison import Comparison
from tests.support.safetensors_files import encode, entry

ROWS, COLUMNS, LAYERS = 1024, 4096, 3
ELEMENTS = ROWS * COLUMNS
Tensors = Mapping[str, npt.NDArray[Any]]
KINDS = {
    "<f2": "F16",
    "<f4": "F32",
    "|u1": "U8",
    "<i4": "I32",
    "<u4": "U32",
    "<i8": "I64",
    "<u2": "BF16",
}


@dataclass
class Counted:
    """A file at the other end of a network: every byte that is asked for is counted."""

    inner: ByteReader
    counts: list[int]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def readinto(self, buffer: memoryview, offset: int) -> None:
        with self.lock:
            self.counts.append(len(buffer))
        self.inner.readinto(buffer, offset)

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        pass

    def forget(self, offset: int, nbytes: int) -> None:
        pass

    def verify(self) -> None:
        self.inner.verify()

    def close(self) -> None:
        self.inner.close()


class Far:
    """A source whose files are read as those of a store are."""

    def __init__(self, source: Any, counts: list[int]) -> None:
        self._source, self._counts = source, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        size = Path(self._source.path(file)).stat().st_size
        counted = Counted(self._source.reader(file, progress), self._counts)
        return read_ahead.ReadAhead(counted, size)


def far(checkpoint: Checkpoint, counts: list[int]) -> Checkpoint:
    return replace(checkpoint, source=Far(checkpoint.source, counts))


def write(folder: Path, tensors: Tensors, config: Mapping[str, Any]) -> Path:
    """The tensors of each layer in the order in which the library writes them: the widest types
    first, then by name, so that scales lie far from their codes."""
    folder.mkdir()
    names = {
        f"model.layers.{layer}.mlp.down_proj.{name}": array
        for layer in range(LAYERS)
        for name, array in tensors.items()
    }
    header, content = {}, bytearray()
    for name in sorted(names, key=lambda each: (-names[each].itemsize, each)):
        array, begin = names[name], len(content)
        content += array.tobytes()
        kind = KINDS[array.dtype.str]
        header[name] = entry(kind, list(array.shape), begin, len(content))
    (folder / "model.safetensors").write_bytes(encode(header, bytes(content)))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def half(*shape: int) -> npt.NDArray[Any]:
    return np.full(shape, 0.01, np.float16)


def octets(*shape: int) -> npt.NDArray[Any]:
    return np.zeros(shape, np.uint8)


def words(*shape: int) -> npt.NDArray[Any]:
    return np.zeros(shape, np.int32)


def hqq(bits: int, *, across: bool = False) -> tuple[Tensors, Mapping[str, Any]]:
    groups = ELEMENTS // 64
    rows, columns = (64, groups) if across else (groups, 64)
    packed = octets(rows * bits // 8, columns)
    scales = half(1, groups) if across else half(groups, 1)
    shape, nbits = np.array([ROWS, COLUMNS]), np.array([bits], np.int32)
    tensors = {"W_q": packed, "scale": scales, "zero": scales, "shape": shape, "nbits": nbits}
    return tensors, {}


def quanto(bits: int) -> tuple[Tensors, Mapping[str, Any]]:
    groups = ELEMENTS // 128
    tensors = {"weight._data._data": octets(groups * bits // 8, 128)}
    beside = {"weight._scale": half(groups, 1), "weight._shift": half(groups, 1)}
    return tensors | beside, {"hidden_size": ROWS}


def columns(method: str) -> tuple[Tensors, Mapping[str, Any]]:
    groups = COLUMNS // 128
    shape = (COLUMNS, ROWS // 8) if method == "awq" else (COLUMNS // 8, ROWS)
    tensors = {"qweight": words(*shape), "qzeros": words(groups, ROWS // 8)}
    config = {"quant_method": method, "bits": 4, "group_size": 128}
    return tensors | {"scales": half(groups, ROWS)}, {"quantization_config": config}


def mlx() -> tuple[Tensors, Mapping[str, Any]]:
    numbers = half(ROWS, COLUMNS // 64)
    tensors = {"weight": words(ROWS, COLUMNS // 8).view(np.uint32)}
    config = {"quantization": {"bits": 4, "group_size": 64}}
    return tensors | {"scales": numbers, "biases": numbers}, config


def bitsandbytes() -> tuple[Tensors, Mapping[str, Any]]:
    state = {"blocksize": 64, "shape": [ROWS, COLUMNS]}
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    tensors = {
        "weight": octets(ELEMENTS // 2, 1),
        "weight.absmax": np.ones(ELEMENTS // 64, np.float32),
        "weight.quant_map": np.ones(16, np.float32),
        "weight.quant_state.bitsandbytes__nf4": text,
    }
    return tensors, {}


def plain() -> tuple[Tensors, Mapping[str, Any]]:
    values = np.random.default_rng(1).standard_normal((ROWS, COLUMNS), np.float32)
    return {"weight": (values.view(np.uint32) >> 16).astype(np.uint16)}, {}


FORMS: Mapping[str, Callable[[], tuple[Tensors, Mapping[str, Any]]]] = {
    "plain": plain,
    "HQQ4": lambda: hqq(4),
    "HQQ4 across": lambda: hqq(4, across=True),
    "HQQ2": lambda: hqq(2),
    "quanto4": lambda: quanto(4),
    "quanto2": lambda: quanto(2),
    "GPTQ": lambda: columns("gptq"),
    "AWQ": lambda: columns("awq"),
    "MLX": mlx,
    "bitsandbytes": bitsandbytes,
}


@given(st.integers(1, 1 << 23), st.integers(1, 8), st.integers(1, 1 << 23))
def test_chunks_hold_each_element_once(elements: int, leaves: int, run: int) -> None:
    size = leaves * LEAF
    spans = _spans(elements, size, run)
    assert all(start % LEAF == 0 and 0 < stop - start <= size for start, stop in spans)
    assert [0, *(stop for _, stop in sorted(spans))] == [
        *(start for start, _ in sorted(spans)),
        elements,
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("plain") / "model", *plain())


@pytest.mark.parametrize("form", FORMS)
def test_each_stored_byte_comes_once(
    form: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that is kept is a sixty-fourth of what it is, and so are the matrices. A few
    blocks more may come: those that two tensors share, and what was asked for ahead in vain."""
    monkeypatch.setattr(read_ahead, "FAR_BLOCK", read_ahead.FAR_BLOCK >> 6)
    monkeypatch.setattr(read_ahead, "_LARGE", read_ahead._LARGE >> 6)
    monkeypatch.setattr(read_ahead, "_SMALL", read_ahead._SMALL >> 6)
    monkeypatch.setattr(decoding, "AT_ONCE", decoding.AT_ONCE >> 6)
    monkeypatch.setattr(column_codes, "WHOLE", column_codes.WHOLE >> 6)
    monkeypatch.setattr(column_codes, "PANEL", column_codes.PANEL >> 6)
    target = write(tmp_path / "target", *FORMS[form]())
    comparison = Comparison.open(str(base), str(target))
    pairs = [pair for pair in comparison.pairs if pair.status == "compared"]
    assert len(pairs) == LAYERS
    counts: list[list[int]] = [[], []]
    sides = comparison.base.checkpoint, comparison.target.checkpoint
    base_far, target_far = (far(side, own) for side, own in zip(sides, counts, strict=True))
    changes = list(walk(pairs, base_far, target_far, CpuBackend(2, 1 << 17)))
    assert all(change.statistics is not None for change in changes)
    for side, own in zip(sides, counts, strict=True):
        assert side.nbytes <= sum(own) <= 1.1 * side.nbytes + 8 * read_ahead.FAR_BLOCK


def test_targets_whose_values_lie_otherwise_are_measured_together(
    base: Path, tmp_path: Path
) -> None:
    """One has halves of each matrix in the same words, which no whole number of chunks fits into,
    and one has them in order."""
    forms = ("HQQ4", "plain")
    folders = [write(tmp_path / form.lower(), *FORMS[form]()) for form in forms]
    comparisons = [Comparison.open(str(base), str(folder)) for folder in folders]
    targets = [
        (each.target.checkpoint, [pair for pair in each.pairs if pair.status == "compared"])
        for each in comparisons
    ]
    backend = CpuBackend(2, 5 * LEAF * 2)
    found = list(_Walk(comparisons[0].base.checkpoint, targets, backend, None).changes())
    assert sorted(number for number, _ in found) == [0] * LAYERS + [1] * LAYERS
    for number, (_, pairs) in enumerate(targets):
        alone = walk(pairs, comparisons[0].base.checkpoint, targets[number][0], backend)
        together = [change.statistics for side, change in found if side == number]
        assert together == [change.statistics for change in alone]
