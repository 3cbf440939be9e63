"""Change tables of any content, small checkpoints with a few layers, and results made of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import save_file

from modeldiff.architectures import Place
from modeldiff.changes import Change, ChangeTable, Histogram, Pair, Statistics, Sums
from modeldiff.checkpoints import STORED_TYPES, TensorInfo
from modeldiff.comparison import SCHEMA
from modeldiff.results import Result, ResultHeader

_WHOLE = st.integers(0, 2**62)
_NUMBER = st.floats(allow_nan=False)
_TEXT = st.text(max_size=12)
_TIMES = itertools.count(10**18)


@st.composite
def _histograms(draw: st.DrawFn) -> Histogram:
    buckets = sorted(draw(st.sets(st.integers(0, 2**16 - 1), max_size=6)))
    counts = draw(st.lists(_WHOLE, min_size=len(buckets), max_size=len(buckets)))
    return Histogram(
        draw(_WHOLE), draw(_WHOLE), np.array(buckets, np.uint16), np.array(counts, np.int64)
    )


def _optional(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


STATISTICS = st.builds(
    Statistics,
    *[_optional(_NUMBER)] * 16,
    nonfinite_base=_optional(_WHOLE),
    nonfinite_target=_optional(_WHOLE),
    sums=_optional(st.builds(Sums, *[_WHOLE] * 6, *[_NUMBER] * 6)),
    histogram=_optional(_histograms()),
)
_PLAIN_TYPES = st.sampled_from(sorted(STORED_TYPES))
_TENSORS = st.builds(
    TensorInfo.stored,
    _TEXT,
    _PLAIN_TYPES,
    st.lists(_WHOLE, max_size=3).map(tuple),
    _TEXT,
    _WHOLE,
    _WHOLE,
)
_PLACES = st.builds(Place, _optional(st.integers(0, 10**6)), _TEXT, _TEXT, _optional(_WHOLE), _TEXT)
PAIRS = (
    st.builds(
        Pair,
        _PLACES,
        st.sampled_from(["compared", "tied", "buffer", "unreadable"]),
        _TENSORS,
        _TENSORS,
        _TEXT,
    )
    | st.builds(Pair, _PLACES, st.just("only_in_base"), _TENSORS, st.none(), _TEXT)
    | st.builds(Pair, _PLACES, st.just("only_in_target"), st.none(), _TENSORS, _TEXT)
)
CHANGES = st.builds(Change, PAIRS, _optional(STATISTICS))


def a_change(
    median: float | None = 1.0, *, layer: int | None = 0, component: str = "mlp.up_proj", n: int = 8
) -> Change:
    """A compared pair of ``n`` elements, all of which moved by ``median`` percent."""
    tensor = TensorInfo.stored(
        f"model.layers.{layer}.{component}.weight", "F32", (n,), "f", 0, 4 * n
    )
    histogram = Histogram(0, 0, np.array([7], np.uint16), np.array([n], np.int64))
    sums = Sums(n=n, base_squared=float(n), target_squared=float(n), product=float(n))
    statistics = Statistics(
        median_pct=median, rel_frobenius_pct=median, sums=sums, histogram=histogram
    )
    return Change(Pair(Place(layer, component), "compared", tensor, tensor), statistics)


def a_result(*changes: Change, base: str = "base", created: str = "2026-01-02T03:04:05") -> Result:
    """A result with a header of its own."""
    header = ResultHeader(
        base_reference=f"/models/{base}",
        base_fingerprint=f"local:{base}",
        target_reference="/models/target",
        target_fingerprint="local:target",
        options={},
        version="1.2.3",
        schema=SCHEMA,
        device="cpu",
        seconds=0.1,
        created=created,
    )
    return Result(header.key, header, ChangeTable(changes))


def write_model(folder: Path, *, seed: int, layers: int = 3, change: float = 0.0) -> Path:
    """A checkpoint with Llama's names. Models of one seed differ by ``change`` times noise."""
    numbers, noise = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (16, 8)}
    for layer in range(layers):
        shapes[f"model.layers.{layer}.input_layernorm.weight"] = (8,)
        shapes[f"model.layers.{layer}.self_attn.q_proj.weight"] = (8, 8)
        shapes[f"model.layers.{layer}.mlp.up_proj.weight"] = (24, 8)
    shapes["model.norm.weight"] = (8,)
    tensors = {}
    for name, shape in shapes.items():
        values = numbers.normal(size=shape) + change * noise.normal(size=shape)
        tensors[name] = values.astype(np.float32)
    folder.mkdir(parents=True)
    path = folder / "model.safetensors"
    save_file(tensors, path)
    # Files that are written one right after the other can carry the same time.
    time = next(_TIMES)
    os.utime(path, ns=(time, time))
    return folder


@contextmanager
def cache_at(folder: Path) -> Iterator[Path]:
    """The cache in ``folder`` for as long as the block runs; yields where results are."""
    before = os.environ["MODELDIFF_CACHE"]
    os.environ["MODELDIFF_CACHE"] = str(folder)
    try:
        yield folder / "results"
    finally:
        os.environ["MODELDIFF_CACHE"] = before
