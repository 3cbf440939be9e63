"""The fused kernel, in Triton's interpreter, against the kernels of the CPU: to the bit."""

from __future__ import annotations

import threading
import time
from itertools import product

import numpy as np
import pytest

pytest.importorskip("triton")

import torch
from hypothesis import given, settings
from triton.errors import TritonError

from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch, PartialMedian
from modeldiff.changes.backends.cpu import CpuWorker
from modeldiff.changes.backends.exactness import CHECKED_BYTES, computes_exactly, hostile_pairs
from modeldiff.changes.backends.fused import worker as fused_worker
from modeldiff.changes.backends.fused.program import FusedProgram, _first_alone
from modeldiff.changes.backends.fused.sides import ChunkSide
from modeldiff.changes.backends.fused.worker import FusedWorker
from modeldiff.changes.backends.median_bracket import Bracket
from modeldiff.changes.backends.torch_backend import TorchWorker
from modeldiff.changes.dtype_pairs import DtypePair, dtype_pair
from modeldiff.changes.kernels.bins import BLOCK, LEAF
from modeldiff.checkpoints import STORED_TYPES
from modeldiff.checkpoints.recipes.stored_codes import StoredCodes
from tests.support.same_statistics import expect_same
from tests.support.slow_statistics import TORCH_TYPES, Bytes
from tests.support.stored_values import StoredPair, stored_pairs

# In the interpreter it is NumPy that divides by zero, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

ROOM = 4 * LEAF * 8
DEVICE = torch.device("cpu")
FLOATS = tuple(name for name in TORCH_TYPES if name != "F64")
EVERY_R = Bracket(0, 0x7F810000)
Sides = tuple[Bytes, Bytes]


@pytest.fixture(scope="module")
def fused() -> FusedWorker:
    return FusedWorker(DEVICE, ROOM)


@pytest.fixture(scope="module")
def cpu() -> CpuWorker:
    return CpuWorker(ROOM)


def types_of(base: str, target: str) -> DtypePair:
    types = dtype_pair(base, target)
    assert types is not None
    return types


def load(worker: FusedWorker | CpuWorker | TorchWorker, sides: Sides) -> None:
    for buffer, side in zip((worker.base, worker.target), sides, strict=True):
        buffer[: side.size] = side


def random_bits(types: DtypePair, n: int, seed: int) -> Sides:
    """Bytes of any kind: in most types some are NaN, infinite or subnormal."""
    random = np.random.default_rng(seed)
    base, target = (
        random.integers(0, 256, n * stored.bits // 8, dtype=np.uint8)
        for stored in (types.base, types.target)
    )
    return base, target


def near(n: int, seed: int) -> Sides:
    """Float32 whose every other value moved by a unit in the last place, or by far more."""
    random = np.random.default_rng(seed)
    base = random.standard_normal(n).astype(np.float32)
    target = base.copy().view(np.uint32)
    target += random.integers(0, 2, n, dtype=np.uint32) << random.integers(0, 23, n, np.uint32)
    return base.view(np.uint8), target.view(np.uint8)


@pytest.mark.parametrize("names", [*product(FLOATS, FLOATS)], ids="-".join)
def test_any_bits_of_every_pair_of_types(
    names: tuple[str, str], fused: FusedWorker, cpu: CpuWorker
) -> None:
    types = types_of(*names)
    n = BLOCK + 1
    sides = random_bits(types, n, FLOATS.index(names[0]))
    load(fused, sides)
    load(cpu, sides)
    expect_same(fused.measure_whole(types, n), cpu.measure_whole(types, n))


@given(stored_pairs(dtypes=FLOATS))
@settings(max_examples=25)
def test_it_measures_what_the_cpu_measures(pair: StoredPair) -> None:
    types = types_of(*pair.types)
    workers = FusedWorker(DEVICE, LEAF * 8), CpuWorker()
    for worker in workers:
        load(worker, (pair.base, pair.target))
    found, wanted = (
        worker.measure_whole(types, types.elements(pair.base.size)) for worker in workers
    )
    expect_same(found, wanted)


def test_it_computes_exactly(fused: FusedWorker) -> None:
    """Subnormals, quotients below them, neighbours, powers of two: every ``r`` of a leaf."""
    assert computes_exactly(fused)
    assert computes_exactly(TorchWorker(DEVICE, CHECKED_BYTES))


class Flushing(CpuWorker):
    """Takes subnormals for zero, as some devices do."""

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        for side in (self.base, self.target):
            values = side[: 4 * n].view(np.float32)
            values[np.abs(values) < np.finfo(np.float32).tiny] = 0
        super().measure_part(types, n, accumulator, first)


class OneUnitOff(CpuWorker):
    """Rounds one quotient of a leaf the wrong way."""

    def measure_part(self, types: DtypePair, n: int, accumulator: Accumulator, first: int) -> None:
        super().measure_part(types, n, accumulator, first)
        accumulator._kept[0][n // 3] ^= 1


@pytest.mark.parametrize("inexact", [Flushing, OneUnitOff])
def test_what_does_not_compute_exactly_is_found_out(inexact: type[CpuWorker]) -> None:
    assert not computes_exactly(inexact(CHECKED_BYTES))


def test_what_it_is_asked_holds_subnormals_of_every_kind() -> None:
    base, target = hostile_pairs()
    tiny = np.finfo(np.float32).tiny
    with np.errstate(all="ignore"):
        small_base, small_target = (np.abs(side) < tiny for side in (base, target))
        difference = np.abs(target - base)
        quotient = difference / np.abs(base)
    changed = base != target
    assert (small_base & small_target & changed).sum() > LEAF // 8
    assert (~small_base & ~small_target & (difference < tiny) & changed).sum() > 1000
    assert ((quotient > 0) & (quotient < 2.0**-20)).sum() > 1000
    assert np.isnan(base).any() and np.isinf(target).any() and (base == 0).any()


def wanted_median(cpu: CpuWorker, types: DtypePair, sides: Sides, n: int) -> float | None:
    load(cpu, sides)
    return cpu.measure_whole(types, n).median_pct


def test_the_second_chunk_is_read_while_the_first_is_in_flight(cpu: CpuWorker) -> None:
    """Buffers change and ``after`` waits; what comes out is as of one chunk after the other."""
    types = types_of("BF16", "F32")
    n = LEAF + BLOCK
    sides = random_bits(types, n, 5)
    load(cpu, sides)
    wanted = cpu.measure_whole(types, n)
    worker = FusedWorker(DEVICE, LEAF * 8)
    accumulator = Accumulator(n, types)
    accumulator.bracket = EVERY_R
    done: list[int] = []
    buffers = []
    for first in (0, LEAF):
        size = min(LEAF, n - first)
        base, target = worker.base, worker.target
        buffers.append(base)
        base[: 2 * size] = sides[0][2 * first :][: 2 * size]
        target[: 4 * size] = sides[1][4 * first :][: 4 * size]
        worker.measure_part(types, size, accumulator, first)
        worker.after(lambda first=first: done.append(first))  # type: ignore[misc]
        assert not done
    assert not np.shares_memory(buffers[0], buffers[1])
    worker.base[:] = 0xFF  # as if the third chunk were read: the first has landed before
    assert done == [0]
    worker.finish()
    assert done == [0, LEAF]
    median = accumulator.find_median()
    assert isinstance(median, float)
    expect_same(accumulator.statistics(median), wanted)


def test_base_stays_in_its_buffer_until_it_is_filled_again(cpu: CpuWorker) -> None:
    """As for several targets of one base."""
    types = types_of("BF16", "BF16")
    base, first = random_bits(types, BLOCK, 1)
    _, second = random_bits(types, BLOCK, 2)
    worker = FusedWorker(DEVICE, LEAF * 8)
    accumulators = [Accumulator(BLOCK, types) for _ in range(2)]
    worker.base[: base.size] = base
    for target, accumulator in zip((first, second), accumulators, strict=True):
        accumulator.bracket = EVERY_R
        worker.target[: target.size] = target
        worker.measure_part(types, BLOCK, accumulator, 0)
    worker.finish()
    for target, accumulator in zip((first, second), accumulators, strict=True):
        median = accumulator.find_median()
        assert isinstance(median, float)
        assert 100 * median == wanted_median(cpu, types, (base, target), BLOCK)


def test_slices_of_a_chunk_change_no_count(cpu: CpuWorker) -> None:
    n = LEAF + 5
    worker = FusedWorker(DEVICE, ROOM)
    worker._program = FusedProgram(DEVICE, ROOM, LEAF * 4)
    sides = near(n, 3)
    types = types_of("F32", "F32")
    load(worker, sides)
    load(cpu, sides)
    expect_same(worker.measure_whole(types, n), cpu.measure_whole(types, n))


def test_a_bracket_that_holds_too_many_is_given_up_and_the_median_is_still_found(
    cpu: CpuWorker,
) -> None:
    types = types_of("F32", "F32")
    n = LEAF + BLOCK
    base = near(n, 4)[0].view(np.float32)
    sides = base.view(np.uint8), (base * np.float32(1.5)).view(np.uint8)
    worker = FusedWorker(DEVICE, LEAF * 8)
    load(worker, sides)
    accumulator = Accumulator(n, types)
    accumulator.bracket = EVERY_R
    worker.measure_part(types, n, accumulator, 0)
    worker.finish()
    assert accumulator.bracket.width == 0
    place = accumulator.find_median()
    assert isinstance(place, PartialMedian)
    search = MedianSearch(place)
    worker.refine(types, n, search)
    worker.finish()
    median = search.narrow()
    assert isinstance(median, float)
    assert 100 * median == wanted_median(cpu, types, sides, n)


def test_a_kernels_first_launch_is_alone() -> None:
    """A dozen threads that begin together would all compile it."""
    stored = STORED_TYPES["BF16"]
    sides = (ChunkSide(torch.empty(2), 1, stored), ChunkSide(torch.empty(2), 1, stored))
    inside, most = 0, 0
    begin = threading.Barrier(4)

    def launch() -> None:
        nonlocal inside, most
        begin.wait()
        with _first_alone(DEVICE, "a kernel that nobody launched", sides):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=launch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


class TestWithoutMemoryOrAKernel:
    def test_the_device_is_given_smaller_slices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []

        class Scarce(FusedProgram):
            def __init__(self, device: torch.device, room: int, slice_bytes: int) -> None:
                asked.append(slice_bytes)
                if slice_bytes > LEAF * 16:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much.")
                super().__init__(device, room, slice_bytes)

        monkeypatch.setattr("modeldiff.changes.backends.fused.program.FusedProgram", Scarce)
        worker = FusedWorker(DEVICE, ROOM)
        assert asked == [LEAF * 32, LEAF * 16]
        assert worker._program is not None

    def test_without_the_smallest_the_cpu_measures(
        self, cpu: CpuWorker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fused_worker, "fused_program", lambda *_: None)
        worker = FusedWorker(DEVICE, ROOM)
        types = types_of("F32", "F32")
        sides = near(1000, 6)
        load(worker, sides)
        load(cpu, sides)
        monkeypatch.setattr(TorchWorker, "_can_compute", lambda *_: False)
        expect_same(worker.measure_whole(types, 1000), cpu.measure_whole(types, 1000))

    @pytest.mark.parametrize("codes", [False, True])
    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much."),
            TritonError("ptxas"),
        ],
        ids=["memory", "compiler"],
    )
    def test_a_launch_without_memory_or_a_kernel_is_done_by_others(
        self,
        cpu: CpuWorker,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        codes: bool,
        error: Exception,
    ) -> None:
        def none_left(*_: object) -> None:
            raise error

        worker = FusedWorker(DEVICE, ROOM)
        monkeypatch.setattr(worker._program, "measure", none_left)
        types = types_of("F32", "F32")
        sides = near(LEAF + 1, 7)
        load(cpu, sides)
        wanted = cpu.measure_whole(types, LEAF + 1)
        if codes:
            worker.base[:4] = 1, 2, 3, 4

            def decode(stored: Bytes, out: memoryview) -> None:
                assert stored.tolist() == [1, 2, 3, 4]
                out[:] = sides[0].data

            worker.hold_codes(0, StoredCodes("Q8_0", 4, decode))
        else:
            worker.base[: sides[0].size] = sides[0]
        worker.target[: sides[1].size] = sides[1]
        accumulator = Accumulator(LEAF + 1, types)
        accumulator.bracket = EVERY_R
        worker.measure_part(types, LEAF + 1, accumulator, 0)
        median = accumulator.find_median()
        assert isinstance(median, float)
        expect_same(accumulator.statistics(median), wanted)
        assert ("Triton fails" in caplog.text) == isinstance(error, TritonError)
        assert bool(worker.decodes(types)) != isinstance(error, TritonError)

    def test_codes_beside_values_that_find_no_room_whole_are_done_by_others(
        self, cpu: CpuWorker
    ) -> None:
        """Of a card with little memory: the codes would fit, the other side's values do not."""
        n = 3 * LEAF
        types = types_of("F32", "F32")
        base, target = near(n, 8)
        load(cpu, (base, target))
        worker = FusedWorker(DEVICE, ROOM)
        worker._program = FusedProgram(DEVICE, ROOM, n)
        worker.base[:4] = 1, 2, 3, 4

        def decode(stored: Bytes, out: memoryview) -> None:
            out[:] = base.data

        worker.hold_codes(0, StoredCodes("Q8_0", 4, decode))
        worker.target[: target.size] = target
        expect_same(worker.measure_whole(types, n), cpu.measure_whole(types, n))

    def test_other_errors_are_not_taken_for_want_of_memory(
        self, fused: FusedWorker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("device-side assert triggered")

        monkeypatch.setattr(fused._program, "measure", broken)
        types = types_of("F32", "F32")
        with pytest.raises(RuntimeError, match="device-side"):
            fused.measure_part(types, 1, Accumulator(1, types), 0)
