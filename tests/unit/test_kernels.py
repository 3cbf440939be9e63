"""The numbers of one pair: every column against its definition, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from modeldiff.changes.arrays import Measurement
from modeldiff.changes.backends.accumulator import Accumulator, MedianSearch, PartialMedian
from modeldiff.changes.backends.cpu import CpuWorker
from modeldiff.changes.change import Statistics
from modeldiff.changes.dtype_pairs import dtype_pair
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints.recipes.small_floats import table8
from tests.support.slow_statistics import TORCH_TYPES, Bytes, decode, encode, expect
from tests.support.stored_values import StoredPair, stored_pairs


def whole(pair: StoredPair) -> Statistics:
    """Measured in one piece."""
    worker, types = CpuWorker(9 * LEAF * 8), dtype_pair(*pair.types)
    assert types is not None
    worker.base[: len(pair.base)] = pair.base
    worker.target[: len(pair.target)] = pair.target
    return worker.measure_whole(types, types.elements(len(pair.base)))


def in_parts(pair: StoredPair, chunk: int, *, backwards: bool = False) -> Statistics:
    """Measured chunk by chunk, with further passes for the median."""
    worker, types = CpuWorker(9 * LEAF * 8), dtype_pair(*pair.types)
    assert types is not None
    widths = types.base.bits // 8, types.target.bits // 8
    elements = types.elements(len(pair.base))
    accumulator = Accumulator(elements, types)
    starts = list(range(0, elements, chunk))
    if backwards:
        starts.reverse()

    def load(first: int) -> int:
        n = min(chunk, elements - first)
        for side, raw, width in zip(
            (worker.base, worker.target), (pair.base, pair.target), widths, strict=True
        ):
            side[: n * width] = raw[first * width : (first + n) * width]
        return n

    for first in starts:
        worker.measure_part(types, load(first), accumulator, first)
    median = accumulator.find_median()
    while isinstance(median, PartialMedian):
        search = MedianSearch(median)
        for first in starts:
            worker.refine(types, load(first), search)
        median = search.narrow()
    return accumulator.statistics(median)


@given(stored_pairs())
@settings(max_examples=300)
def test_every_column_is_as_defined(pair: StoredPair) -> None:
    expect(whole(pair), pair.base, pair.target, pair.types)


@given(stored_pairs(sizes=(LEAF + 1, 2 * LEAF, 3 * LEAF + 77, 8 * LEAF, 9 * LEAF - 3)))
@settings(max_examples=25)
def test_chunks_and_their_order_change_nothing(pair: StoredPair) -> None:
    found = whole(pair)
    expect(found, pair.base, pair.target, pair.types)
    assert in_parts(pair, LEAF) == found
    assert in_parts(pair, 2 * LEAF, backwards=True) == found


@pytest.mark.parametrize("dtype", [name for name in TORCH_TYPES if name.startswith("F8")])
def test_eight_bit_types_decode_as_in_torch(dtype: str) -> None:
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(table8(dtype).astype(np.float64), decode(every, dtype))


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_every_sixteen_bit_value_decodes_as_in_torch(dtype: str) -> None:
    every = np.arange(65536, dtype=np.uint16)
    raw = every.view(np.uint8)
    exact = decode(raw, dtype)
    copy = encode(exact, "F32")
    same = whole(StoredPair((dtype, "F32"), raw, copy))
    assert same.unchanged_pct == 100.0
    shuffled = np.random.default_rng(3).permutation(every).view(np.uint8)
    pair = StoredPair((dtype, dtype), raw, shuffled)
    expect(whole(pair), pair.base, pair.target, pair.types)


def stored(values: npt.ArrayLike, dtype: str = "F32") -> Bytes:
    return encode(np.asarray(values, np.float64), dtype)


def test_a_gaussian_change_of_size_s_has_a_median_of_s() -> None:
    # b = a + s * e with a, e normal: |b - a| / |a| = s |e / a|, and |Cauchy| has the median 1.
    random = np.random.default_rng(1)
    a, e = random.standard_normal((2, 1_000_000))
    found = Measurement.of(a.astype(np.float32), (a + 0.03 * e).astype(np.float32)).finish()
    assert found.median_pct == pytest.approx(3.0, rel=0.01)
    assert found.rel_frobenius_pct == pytest.approx(3.0, rel=0.01)


def test_unrelated_gaussians_have_a_median_of_141_percent() -> None:
    random = np.random.default_rng(2)
    a, b = random.standard_normal((2, 1_000_000)).astype(np.float32)
    found = Measurement.of(a, b).finish()
    assert found.median_pct == pytest.approx(100 * math.sqrt(2), rel=0.01)
    assert found.sign_flip_pct == pytest.approx(50, rel=0.01)
    assert found.cosine == pytest.approx(0, abs=0.01)


def test_one_median_for_each_parity() -> None:
    base = stored([1, 1, 1, 1])
    target = stored([1.1, 1.2, 1.3, 1.4])
    even = whole(StoredPair(("F32", "F32"), base, target))
    odd = whole(StoredPair(("F32", "F32"), base[:12], target[:12]))
    assert even.median_pct == odd.median_pct == pytest.approx(20, rel=1e-6)


def test_float64_too_large_to_be_squared_is_null_and_no_error() -> None:
    pair = StoredPair(("F64", "F64"), stored([1e200, 1.0], "F64"), stored([2e200, 3.0], "F64"))
    found = whole(pair)
    assert found.median_pct == 100.0
    assert found.rel_frobenius_pct is found.cosine is found.rms_base is None


def test_changes_beyond_float32_count_in_the_last_bucket() -> None:
    pair = StoredPair(("F64", "F64"), stored([1e-300] * 3, "F64"), stored([1.0] * 3, "F64"))
    found = whole(pair)
    assert found.histogram is not None
    assert found.histogram.buckets.tolist() == [8159]
    assert found.median_pct == pytest.approx(1e302)


class TestWhatIsNoFloat:
    def test_integers_are_counted_when_equal(self) -> None:
        base = np.array([1, 2, 3, 2**40], np.int64)
        target = np.array([1, 2, 4, 5], np.int32)
        found = Measurement.of(base, target).finish()
        assert found.unchanged_pct == 50.0
        assert found.sums is not None
        assert found.sums.n == 4
        assert (found.median_pct, found.histogram, found.nonfinite_base) == (None, None, None)

    def test_signed_and_unsigned_are_compared_by_value(self) -> None:
        found = Measurement.of(np.array([-1], np.int8), np.array([255], np.uint8)).finish()
        assert found.unchanged_pct == 0.0

    def test_booleans(self) -> None:
        found = Measurement.of(np.array([True, False]), np.array([True, True])).finish()
        assert found.unchanged_pct == 50.0

    def test_two_values_in_a_byte_are_two_elements(self) -> None:
        pair = StoredPair(("F4", "F4"), np.array([0x12], np.uint8), np.array([0x13], np.uint8))
        assert whole(pair).unchanged_pct == 50.0

    @pytest.mark.parametrize("other", ["I8", "F4", "nonsense"])
    def test_floats_are_not_compared_with_them(self, other: str) -> None:
        assert dtype_pair("BF16", other) is None


class TestMeasurement:
    def test_large_arrays_have_their_exact_median(self) -> None:
        random = np.random.default_rng(5)
        base = random.standard_normal(1_500_001).astype(np.float32)
        target = base + random.standard_normal(1_500_001).astype(np.float32)
        found = Measurement.of(base, target).finish()
        r = np.sort(np.abs(target - base) / np.abs(base))
        assert found.median_pct == 100.0 * float(r[750_000])

    def test_pieces_in_any_order_are_the_whole(self) -> None:
        random = np.random.default_rng(6)
        base, target = random.standard_normal((2, 3000)).astype(np.float32)
        cuts = [slice(0, 1), slice(1, 1700), slice(1700, 3000)]
        pieces = [Measurement.of(base[cut], target[cut]) for cut in cuts]
        forward, backward = Measurement(), Measurement()
        for piece in pieces:
            forward.merge(piece)
        for piece in reversed(pieces):
            backward.merge(piece)
        exact = Measurement.of(base, target).finish()
        merged = forward.finish()
        assert merged == backward.finish()
        assert merged.histogram == exact.histogram
        assert merged.median_pct == pytest.approx(exact.median_pct, rel=1 / 64)
        assert merged.cosine == pytest.approx(exact.cosine, abs=1e-6)

    def test_other_shapes_and_types_are_refused(self) -> None:
        with pytest.raises(ValueError, match="shape"):
            Measurement.of(np.zeros(2), np.zeros(3))
        with pytest.raises(ValueError, match="cannot be compared"):
            Measurement.of(np.zeros(2), np.zeros(2, np.int32))

    def test_nothing_measured_is_all_null(self) -> None:
        assert Measurement().finish() == Statistics()
