"""The vector run against its plain twin: the same counts and words, whatever bits there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.changes.kernels.bins import LEAF, RUN
from modeldiff.changes.kernels.object_code import kernels
from tests.support.measured_chunks import BRACKETS, PLAIN, Bracket, MeasuredChunk
from tests.support.slow_statistics import SUMS_TOLERANCE, Bytes
from tests.support.stored_values import StoredPair, stored_pairs
from tests.support.vector_run_elsewhere import measured_samples

SIZES = (RUN, RUN + 1, 2 * RUN - 1, 2 * RUN, 3 * RUN + 77, 8 * RUN, 8 * RUN + 1, LEAF + RUN + 3)
TYPES = ("BF16", "F32", "F16", "F8_E4M3")


def both_ways(
    sides: tuple[Bytes, Bytes], types: tuple[str, str], elements: int, bracket: Bracket
) -> None:
    """Measures vector run by vector run and plainly; asserts that it is the same."""
    kernel = kernels().measure32
    fast, plain = (
        MeasuredChunk(elements).measure(kernel, sides, types, bracket, piece)
        for piece in (elements, PLAIN)
    )
    np.testing.assert_array_equal(fast.histogram, plain.histogram)
    np.testing.assert_array_equal(fast.counts, plain.counts)
    np.testing.assert_array_equal(fast.words(bracket), plain.words(bracket))
    scale = plain.leaves.copy()
    scale[:, 2] = np.sqrt(scale[:, 0] * scale[:, 1])  # a product is lost in what it is made of
    assert np.all(np.abs(fast.leaves - plain.leaves) <= SUMS_TOLERANCE * scale)


@given(stored_pairs(sizes=SIZES, dtypes=TYPES), st.sampled_from(BRACKETS))
@settings(max_examples=150)
def test_real_values_with_all_that_can_go_wrong(pair: StoredPair, bracket: Bracket) -> None:
    elements = len(pair.base) // {"BF16": 2, "F32": 4, "F16": 2, "F8_E4M3": 1}[pair.types[0]]
    both_ways((pair.base, pair.target), pair.types, elements, bracket)


@given(
    st.sampled_from((("BF16", 2), ("F32", 4))),
    st.sampled_from(SIZES),
    st.integers(0, 2**32),
    st.sampled_from((0.0, 1e-4, 0.01, 1.0)),
    st.sampled_from(BRACKETS),
)
@settings(max_examples=100)
def test_any_bits(
    stored: tuple[str, int], elements: int, seed: int, changed: float, bracket: Bracket
) -> None:
    """Equal stretches, whole equal runs and bits of anything, NaN and subnormals among them."""
    dtype, width = stored
    random = np.random.default_rng(seed)
    base = random.integers(0, 256, (elements, width), np.uint8)
    if seed % 3:
        base[:, -1] &= 0xBF  # no exponent near infinity: most runs are no careful ones
        base[:, -1] |= 0x30
    target = base.copy()
    places = random.random(elements) < changed
    target[places] ^= random.integers(0, 256, (int(places.sum()), width), np.uint8)
    both_ways((base.reshape(-1), target.reshape(-1)), (dtype, dtype), elements, bracket)


@pytest.mark.parametrize(
    ("processor", "features", "needed"),
    [
        ("haswell", "", "avx2"),
        ("haswell", "avx2", "avx2"),
        ("haswell", "AVX-512", "avx2"),
        ("skylake-avx512", "all", "avx512f"),
    ],
    ids=("vectors of four", "of eight", "of sixteen, made of two", "of sixteen"),
)
def test_other_processors_leave_the_same_bits(
    processor: str, features: str, needed: str, tmp_path: Path
) -> None:
    """One or two passes, masks without AVX-512 and compressed stores with it; of the sums every
    bit, too."""
    own = llvm.get_host_cpu_features()
    if not own.get(needed):
        pytest.skip(f"this processor has no {needed}")
    if features == "avx2" and not own.get("avx512f"):
        pytest.skip("that is this processor")
    if features == "AVX-512" and own.get("avx512f"):
        pytest.skip("this processor has it")
    file = tmp_path / "measured.npz"
    environment = {**os.environ, "MODELDIFF_KERNELS": str(tmp_path / "kernels")}
    command = [sys.executable, "-m", "tests.support.vector_run_elsewhere", processor, features]
    subprocess.run([*command, str(file)], env=environment, check=True)
    here = measured_samples(kernels().measure32)
    with np.load(file) as there:
        assert set(there) == set(here)
        for name, array in here.items():
            np.testing.assert_array_equal(array, there[name], err_msg=name, strict=True)
