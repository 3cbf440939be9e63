"""Tensors of several pieces and of a recipe: measured as if their values were stored plainly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from itertools import pairwise, product
from math import prod
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures.naming.strides import turned
from modeldiff.architectures.place import Place
from modeldiff.changes import Pair, Progress, measure
from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.median_bracket import CLUSTER, cluster_starts
from modeldiff.changes.backends.torch_backend import TorchBackend
from modeldiff.changes.drilldown import measure_image, measure_rows
from modeldiff.changes.engine.boxes import fill_from_boxes
from modeldiff.changes.engine.engine import walk
from modeldiff.changes.engine.strided_read import gather
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.engine.work_units import COARSEST_GRAIN
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.changes.table.arrow_columns import changes_of, table_of
from modeldiff.checkpoints import Checkpoint, TensorInfo, open_checkpoint
from modeldiff.checkpoints.tensor import Piece, Strides
from tests.support.scaled_recipe import quantised
from tests.support.small_checkpoints import in_shapes, pairs_by_name, write_checkpoint

SMALLEST_CHUNK = LEAF * 2
BACKENDS = (CpuBackend(2), CpuBackend(2, SMALLEST_CHUNK), TorchBackend("cpu", SMALLEST_CHUNK, 0))


def cut(shape: Sequence[int], edges: Sequence[Sequence[int]]) -> list[tuple[slice, ...]]:
    """The boxes between these edges along each axis."""
    return [tuple(slice(*ends) for ends in box) for box in product(*map(pairwise, edges))]


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[slice, ...]], int, int]:
    """A shape, boxes that make it up in any order, and a range of its elements."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    edges = [sorted({0, size, *draw(st.lists(st.integers(0, size), max_size=2))}) for size in shape]
    first = draw(st.integers(0, prod(shape)))
    order = draw(st.permutations(cut(shape, edges)))
    return shape, list(order), first, draw(st.integers(first, prod(shape)))


@given(boxes(), st.sampled_from([1, 2, 4, 8]), st.integers(1, 200), st.booleans())
def test_any_boxes_of_any_shape(
    drawn: tuple[tuple[int, ...], list[tuple[slice, ...]], int, int],
    width: int,
    scratch: int,
    column_major: bool,
) -> None:
    shape, own, first, last = drawn
    whole = np.arange(prod(shape)).astype(f"u{width}").reshape(shape)
    pieces, stored = [], {}
    for number, box in enumerate(own):
        part = whole[box]
        strides: Strides = ()
        if column_major and part.size > 1:
            # The last axis lies outermost in the file.
            sizes = np.cumprod((1, *part.shape[:-1])).tolist()
            strides = tuple(zip(part.shape, sizes, strict=True))
            part = part.T
        start = tuple(s.start for s in box)
        file, size = str(number), part.size * width
        pieces.append(Piece(file, 0, size, "", whole[box].shape, strides, start))
        stored[file] = part.tobytes()

    def read(piece: Piece, element: int, out: npt.NDArray[np.uint8]) -> None:
        def fill(view: memoryview, offset: int) -> None:
            content = stored[piece.file][offset : offset + len(view)]
            assert len(content) == len(view)
            view[:] = content

        if piece.strides:
            gather(fill, piece.strides, element, out, width)
        else:
            fill(out.data, element * width)

    buffer = np.zeros((last - first) * width, np.uint8)
    with patch("modeldiff.changes.engine.boxes.SCRATCH", scratch):
        assert fill_from_boxes(read, tuple(pieces), shape, first, buffer, width)
    np.testing.assert_array_equal(buffer.view(whole.dtype), whole.reshape(-1)[first:last])


ROWS, COLUMNS = 500, 600
EDGES = ((0, 100, 500), (0, 7, 300, 600))
"""Shards by rows and columns of a matrix that is larger than the smallest chunk."""


def in_boxes(folder: Path, seed: int) -> tuple[Checkpoint, Checkpoint]:
    """A bf16 matrix and a small one as boxes over two files, and as they are."""
    random = np.random.default_rng(seed)
    wholes = {"w": (ROWS, COLUMNS), "small": (3, 4)}
    plain, parts, tensors = {}, {}, []
    for name, shape in wholes.items():
        values = random.integers(0x3C00, 0x3F00, shape).astype(np.uint16)
        plain[name] = ("BF16", values.reshape(-1).view(np.uint8))
        edges = EDGES if name == "w" else ((0, 1, 3), (0, 4))
        for number, box in enumerate(cut(shape, edges)):
            part = np.ascontiguousarray(values[box])
            parts[f"{name} {number}"] = ("BF16", part.reshape(-1).view(np.uint8))
    stored = open_checkpoint(str(write_checkpoint(folder / "boxes", parts, shards=2)))
    apart = open_checkpoint(str(write_checkpoint(folder / "plain", plain)))
    where = {tensor.name: tensor.pieces[0] for tensor in stored.tensors}
    for name, shape in wholes.items():
        edges = EDGES if name == "w" else ((0, 1, 3), (0, 4))
        pieces = []
        for number, box in enumerate(cut(shape, edges)):
            size, start = tuple(s.stop - s.start for s in box), tuple(s.start for s in box)
            pieces.append(where[f"{name} {number}"]._replace(shape=size, start=start))
        tensors.append(TensorInfo(name, shape, "BF16", tuple(pieces)))
    return replace(stored, tensors=tuple(tensors)), in_shapes(apart, wholes)


@pytest.fixture
def boxed(tmp_path: Path) -> tuple[tuple[Checkpoint, Checkpoint], tuple[Checkpoint, Checkpoint]]:
    """Base and target, each as boxes and plain."""
    return in_boxes(tmp_path / "base", 1), in_boxes(tmp_path / "target", 2)


def as_recipe_and_plain(
    folder: Path,
) -> tuple[tuple[Checkpoint, Checkpoint], tuple[Checkpoint, Checkpoint]]:
    shapes = {"w": (300, 1000), "row": (50,), "other": (7, 33), "x": (200_000,)}
    return quantised(folder / "base", shapes, 1), quantised(folder / "target", shapes, 2)


@pytest.mark.parametrize("backend", BACKENDS, ids=["large chunks", "small chunks", "torch"])
@pytest.mark.parametrize("kind", ["boxes", "recipe"])
def test_the_table_is_that_of_plain_values_to_the_bit(
    tmp_path: Path, kind: str, backend: Backend
) -> None:
    if kind == "boxes":
        base, target = in_boxes(tmp_path / "base", 1), in_boxes(tmp_path / "target", 2)
    else:
        base, target = as_recipe_and_plain(tmp_path)
    wanted = list(walk(pairs_by_name(base[1], target[1]), base[1], target[1], backend))
    for one, other in ((0, 0), (0, 1), (1, 0)):
        seen: list[Progress] = []
        pairs = pairs_by_name(base[one], target[other])
        changes = list(walk(pairs, base[one], target[other], backend, seen.append))
        assert all(change.statistics is not None for change in changes)
        if kind == "recipe":  # what was lost before has no step that could be named
            assert all(c.statistics and c.statistics.resolution_pct is None for c in changes)
            wanted = [
                replace(c, statistics=c.statistics and replace(c.statistics, resolution_pct=None))
                for c in wanted
            ]
        assert [c.statistics for c in changes] == [c.statistics for c in wanted]
        assert seen[-1].bytes_done == seen[-1].bytes_total == sum(p.nbytes for p in pairs)


@pytest.mark.parametrize("kind", ["boxes", "recipe"])
def test_rows_and_image_are_those_of_plain_values(tmp_path: Path, kind: str) -> None:
    if kind == "boxes":
        base, target = in_boxes(tmp_path / "base", 1), in_boxes(tmp_path / "target", 2)
    else:
        base, target = as_recipe_and_plain(tmp_path)
    made, plain = (
        Pair(Place(0, "mlp.up_proj"), "compared", base[form].tensors[0], target[form].tensors[0])
        for form in (0, 1)
    )
    rows = measure_rows(made, base[0], target[0])
    wanted = measure_rows(plain, base[1], target[1])
    for name in ("rel_frobenius_pct", "rms_base", "max_abs_delta", "twins"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(wanted, name))
    for one, other in zip(
        astuple(measure_image(made, base[0], target[0])),
        astuple(measure_image(plain, base[1], target[1])),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def values(checkpoint: Checkpoint, tensor: TensorInfo, first: int, count: int) -> bytes:
    """These values' bytes, of four or two bytes each."""
    buffer = np.empty(count * (4 if tensor.values == "F32" else 2), np.uint8)
    files = OpenFiles(checkpoint, [tensor])
    for file in files.names:
        files.fetch(file)
    try:
        files.fill(tensor, first, buffer)
    finally:
        files.close()
    return buffer.tobytes()


@pytest.mark.parametrize(("first", "count"), [(0, 1), (31, 2), (33, 900), (299_990, 10), (5, 0)])
def test_any_range_of_a_recipe(tmp_path: Path, first: int, count: int) -> None:
    made, plain = quantised(tmp_path, {"w": (300, 1000)}, 3)
    got = values(made, made.tensors[0], first, count)
    assert got == values(plain, plain.tensors[0], first, count)


def test_a_recipe_longer_than_is_decoded_at_once(tmp_path: Path) -> None:
    made, plain = quantised(tmp_path, {"w": (1000,)}, 3)
    with patch("modeldiff.changes.engine.decoding.AT_ONCE", 256):
        got = values(made, made.tensors[0], 10, 980)
    assert got == values(plain, plain.tensors[0], 10, 980)


def test_boxes_can_be_turned_and_recipes_cannot(
    boxed: tuple[tuple[Checkpoint, Checkpoint], tuple[Checkpoint, Checkpoint]], tmp_path: Path
) -> None:
    (boxes, plain), _ = boxed
    whole = values(plain, plain.tensors[0], 0, ROWS * COLUMNS)
    wanted = np.frombuffer(whole, np.uint16).reshape(ROWS, COLUMNS).T.tobytes()
    assert values(boxes, turned(boxes.tensors[0]), 0, ROWS * COLUMNS) == wanted
    made, _ = quantised(tmp_path, {"w": (30, 20)}, 3)
    with pytest.raises(ValueError, match="int8"):
        turned(made.tensors[0])


def test_a_sample_begins_on_whole_grains_within_the_tensor() -> None:
    for elements in (LEAF, LEAF + 7, 3 * LEAF, 10**9 + 1):
        starts, rounded = cluster_starts(elements), cluster_starts(elements, COARSEST_GRAIN)
        assert all(start % COARSEST_GRAIN == 0 for start in rounded)
        assert all(0 <= a - b < COARSEST_GRAIN for a, b in zip(starts, rounded, strict=True))
        assert starts[-1] + CLUSTER <= elements
    assert LEAF % COARSEST_GRAIN == 0


@pytest.mark.parametrize(
    "harm",
    [
        *("a box is missing", "a box is there twice", "one stands in for another"),
        *("only the first is there", "only the last is there"),
    ],
)
def test_pieces_that_are_not_the_whole_are_never_measured(
    boxed: tuple[tuple[Checkpoint, Checkpoint], tuple[Checkpoint, Checkpoint]], harm: str
) -> None:
    (base, _), (target, _) = boxed
    pieces = base.tensors[0].pieces
    if harm == "a box is missing":
        pieces = pieces[1:]
    elif harm == "a box is there twice":
        pieces = (*pieces, pieces[0])
    elif harm.startswith("only"):
        pieces = pieces[:1] if "first" in harm else pieces[-1:]
    else:  # as many elements as before
        first, second, *others = pieces
        pieces = (second._replace(shape=first.shape, start=second.start), second, *others)
    tensor = replace(base.tensors[0], pieces=pieces)
    pair = Pair(Place(None, "w"), "compared", tensor, target.tensors[0])
    (change,) = measure([pair], base, target, device="cpu")
    assert (change.pair.status, change.statistics) == ("unreadable", None)
    assert "pieces" in change.pair.reason


def test_a_table_says_nothing_of_where_several_pieces_lie(
    boxed: tuple[tuple[Checkpoint, Checkpoint], tuple[Checkpoint, Checkpoint]],
) -> None:
    (base, _), (_, plain) = boxed
    changes = list(measure(pairs_by_name(base, plain), base, plain, device="cpu"))
    for before, after in zip(changes, changes_of(table_of(changes)), strict=True):
        assert before.statistics == after.statistics
        assert before.pair.target == after.pair.target
        assert after.pair.base is not None and before.pair.base is not None
        assert (after.pair.base.values, after.pair.base.shape) == ("BF16", before.pair.base.shape)
        assert after.pair.base.nbytes == before.pair.base.nbytes
        assert after.pair.base.file == ""
