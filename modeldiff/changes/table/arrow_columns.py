"""Change tables as Arrow tables, and back without a bit lost.

One row a pair, flat columns: the place, both tensors, the statistics by their names, then what
merges: ``sums_*`` and the sparse histogram. ``name`` is base's name, or target's where base lacks
the tensor. ``layer`` and ``target_layer`` are the layer's numbers in base and in target; where
layers were aligned, null says that a side has no such layer. ``*_dtype`` is the stored type.
Where several pieces or a recipe make a tensor, its file and offset are null: a table says what was
measured, not where to read it again. Columns are built and read as a whole, so 45,000 rows take
well under a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import Field, asdict, fields, replace
from itertools import chain, pairwise, repeat
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modeldiff.architectures.place import LayerNumbers, Place
from modeldiff.changes.change import Change, Histogram, Pair, SharedRows, Statistics, Sums
from modeldiff.changes.relation import Relation, RelationKind
from modeldiff.checkpoints import STORED_TYPES, TensorInfo
from modeldiff.checkpoints.tensor import Piece, Strides

_MERGED = ("sums", "histogram")
_SCALARS = tuple(field for field in fields(Statistics) if field.name not in _MERGED)
_SUMS = fields(Sums)
_SIDES = ("base", "target")
_PLACE = ("tower", "layer", "component", "parameter", "expert")


def _number(field: Field[Any]) -> pa.DataType:
    return pa.int64() if str(field.type).startswith("int") else pa.float64()


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


def _tensor_fields(side: str) -> list[pa.Field]:
    return [
        pa.field(f"{side}_dtype", pa.string()),
        pa.field(f"{side}_shape", _list(pa.int64())),
        pa.field(f"{side}_file", pa.string()),
        pa.field(f"{side}_offset", pa.int64()),
        pa.field(f"{side}_nbytes", pa.int64()),
        # Count and distance of each axis; empty where the elements lie one after the other.
        pa.field(f"{side}_layout", _list(pa.int64()), nullable=False),
        pa.field(f"{side}_part", pa.string()),
    ]


TABLE_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string()),
        pa.field("target_name", pa.string()),
        pa.field("tower", pa.string()),
        pa.field("layer", pa.int64()),
        pa.field("target_layer", pa.int64()),
        # Where the layer stands among those of both sides; null where layers met by number.
        pa.field("common_layer", pa.int64()),
        pa.field("component", pa.string()),
        pa.field("parameter", pa.string()),
        pa.field("expert", pa.int64()),
        pa.field("status", pa.string()),
        pa.field("reason", pa.string()),
        *(column for side in _SIDES for column in _tensor_fields(side)),
        # Of two vocabularies: the rows that each has, and by what those compared are partners.
        pa.field("base_rows", pa.int64()),
        pa.field("target_rows", pa.int64()),
        pa.field("rows_by", pa.string()),
        pa.field("measured", pa.bool_()),
        *(pa.field(field.name, _number(field)) for field in _SCALARS),
        *(pa.field(f"sums_{field.name}", _number(field)) for field in _SUMS),
        pa.field("histogram_zero", pa.int64()),
        pa.field("histogram_infinite", pa.int64()),
        # Empty where there is no histogram: without nulls they are read twice as fast.
        pa.field("histogram_buckets", _list(pa.uint16()), nullable=False),
        pa.field("histogram_counts", _list(pa.int64()), nullable=False),
        # What samples show beside the statistics, as JSON: few rows have it.
        pa.field("relation", pa.string()),
    ]
)


def table_of(changes: Sequence[Change]) -> pa.Table:
    """The rows as a table of ``TABLE_SCHEMA``."""
    pairs = [change.pair for change in changes]
    statistics = [change.statistics for change in changes]
    columns = _pair_columns(pairs) | _statistics_columns(statistics)
    for side in _SIDES:
        columns |= _tensor_columns(side, [getattr(pair, side) for pair in pairs])
    columns["relation"] = [_relation_text(change.relation) for change in changes]
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in TABLE_SCHEMA], schema=TABLE_SCHEMA
    )


def _pair_columns(pairs: Sequence[Pair]) -> dict[str, Any]:
    places = [pair.place for pair in pairs]
    columns: dict[str, Any] = {name: _attribute(places, name) for name in _PLACE}
    columns["layer"] = [place.numbers.base for place in places]
    columns["target_layer"] = [pair.target_layer for pair in pairs]
    columns["common_layer"] = [None if p.layers is None else p.layer for p in places]
    shared = [pair.shared for pair in pairs]
    columns["base_rows"] = _attribute(shared, "base")
    columns["target_rows"] = _attribute(shared, "target")
    columns["rows_by"] = _attribute(shared, "by")
    columns["status"] = _attribute(pairs, "status")
    columns["reason"] = _attribute(pairs, "reason")
    columns["name"] = _attribute([pair.base or pair.target for pair in pairs], "name")
    columns["target_name"] = _attribute([pair.target for pair in pairs], "name")
    return columns


def _tensor_columns(side: str, tensors: Sequence[TensorInfo | None]) -> dict[str, Any]:
    pieces = _attribute(tensors, "only_piece")
    layouts = [() if p is None else tuple(chain.from_iterable(p.strides)) for p in pieces]
    columns = {
        "dtype": _attribute(tensors, "dtype"),
        "shape": _lists(_attribute(tensors, "shape"), f"{side}_shape"),
        "file": _attribute(pieces, "file"),
        "offset": _attribute(pieces, "offset"),
        "nbytes": _attribute(tensors, "nbytes"),
        "layout": _lists(layouts, f"{side}_layout"),
        "part": _attribute(tensors, "slice"),
    }
    return {f"{side}_{name}": column for name, column in columns.items()}


def _statistics_columns(statistics: Sequence[Statistics | None]) -> dict[str, Any]:
    sums, histograms = _attribute(statistics, "sums"), _attribute(statistics, "histogram")
    columns: dict[str, Any] = {field.name: _attribute(statistics, field.name) for field in _SCALARS}
    columns["measured"] = [row is not None for row in statistics]
    columns |= {f"sums_{field.name}": _attribute(sums, field.name) for field in _SUMS}
    columns |= {f"histogram_{name}": _attribute(histograms, name) for name in ("zero", "infinite")}
    for name in ("buckets", "counts"):
        lists = [() if numbers is None else numbers for numbers in _attribute(histograms, name)]
        columns[f"histogram_{name}"] = _lists(lists, f"histogram_{name}")
    return columns


def changes_of(table: pa.Table) -> tuple[Change, ...]:
    """The rows that ``table_of`` was given. Raises ``ValueError`` for a table of another kind."""
    if not table.schema.equals(TABLE_SCHEMA, check_metadata=False):
        raise ValueError("its columns are not those of a change table")
    read = _Columns(table)
    places = read.places()
    names, target_names = read("name"), read("target_name")
    base, target = read.tensors("base", names), read.tensors("target", target_names)
    shared = read.shared_rows(base)
    pairs = map(Pair, places, read("status"), base, target, read("reason"), shared)
    sums = read.objects("sums_n", Sums, *(f"sums_{field.name}" for field in _SUMS))
    histograms = read.histograms()
    scalars = (read(field.name) for field in _SCALARS)
    rows = zip(read("measured"), zip(*scalars, sums, histograms, strict=True), strict=True)
    statistics = (Statistics(*row) if measured else None for measured, row in rows)
    return tuple(map(Change, pairs, statistics, map(_relation, read("relation"))))


def _relation_text(relation: Relation | None) -> str | None:
    return None if relation is None else json.dumps(asdict(relation))


def _relation(text: str | None) -> Relation | None:
    """Raises ``ValueError`` or ``TypeError`` for what ``_relation_text`` did not write."""
    if text is None:
        return None
    relation = Relation(**json.loads(text))
    if relation.kind not in get_args(RelationKind):
        raise ValueError(f"{relation.kind!r} is no kind of relation")
    return replace(relation, partners=tuple(relation.partners))


def _attribute(objects: Iterable[Any], name: str) -> list[Any]:
    return [None if value is None else getattr(value, name) for value in objects]


def _lists(rows: Sequence[Sequence[int] | None], column: str) -> pa.Array:
    """Rows of whole numbers as the array of a list column; None is null."""
    kind = TABLE_SCHEMA.field(column).type
    dtype = kind.value_type.to_pandas_dtype()
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([0 if row is None else len(row) for row in rows], out=offsets[1:])
    parts = [np.asarray(row, dtype) for row in rows if row is not None and len(row)]
    values = np.concatenate(parts) if parts else np.empty(0, dtype)
    missing = pa.array([row is None for row in rows], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), type=kind, mask=missing)


def _tensor(
    name: str,
    dtype: str,
    shape: tuple[int, ...],
    file: str,
    offset: int,
    nbytes: int,
    strides: Strides,
    word: str,
) -> TensorInfo:
    """A tensor as a table knows it: by its stored type, without the recipe that it may have had. Of
    codes a table does not say which type their values came in (AWQ's are F16): they are taken to be
    F32, in which all of them have a place."""
    values = dtype if dtype in STORED_TYPES else "F32"
    piece = Piece(file, offset, nbytes, dtype, shape, strides)
    return TensorInfo(name, shape, values, (piece,), None, word)


def _axes(values: npt.NDArray[np.int64]) -> Strides:
    numbers = values.tolist()
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


class _Columns:
    """A table's columns as Python lists, by name."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.combine_chunks()

    def __call__(self, name: str) -> list[Any]:
        """The column's values; null is None. Through NumPy, many times faster than ``to_pylist``
        where numbers are concerned."""
        column = self._column(name)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            values: list[Any] = column.to_pylist()
            return values
        missing = column.is_null().to_numpy(zero_copy_only=False)
        numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
        if missing.any():
            numbers = numbers.astype(object)
            numbers[missing] = None
        numbers_and_nulls: list[Any] = numbers.tolist()
        return numbers_and_nulls

    def places(self) -> list[Place]:
        """The place of each row."""
        names = (self(name) for name in ("component", "parameter", "expert", "tower"))
        layers = zip(self("layer"), self("target_layer"), self("common_layer"), strict=True)
        places = []
        for (base, target, common), *rest in zip(layers, *names, strict=True):
            if common is None:
                places.append(Place(base, *rest))
            else:
                component, parameter, expert, tower = rest
                numbers = LayerNumbers(base, target)
                places.append(Place(common, component, parameter, expert, tower, numbers))
        return places

    def shared_rows(self, base: Sequence[TensorInfo | None]) -> list[SharedRows | None]:
        """Of how many rows of two vocabularies these rows of ``base`` are."""
        counts = zip(base, self("base_rows"), self("target_rows"), self("rows_by"), strict=True)
        return [
            None if by is None or tensor is None else SharedRows(tensor.shape[0], one, other, by)
            for tensor, one, other, by in counts
        ]

    def tensors(self, side: str, names: list[Any]) -> list[TensorInfo | None]:
        """That side's tensors; None where it has none."""
        shapes = self.lists(f"{side}_shape", lambda values: tuple(values.tolist()))
        layouts = self.lists(f"{side}_layout", _axes)
        parts = [self(f"{side}_{part}") for part in ("file", "offset", "nbytes")]
        parts += [layouts, self(f"{side}_part")]
        return [
            None if dtype is None else _tensor(name, dtype, shape, file or "", offset or 0, *rest)
            for name, dtype, shape, file, offset, *rest in zip(
                names, self(f"{side}_dtype"), shapes, *parts, strict=True
            )
        ]

    def objects(self, marker: str, make: Callable[..., Any], *names: str) -> list[Any]:
        """``make(*values)`` a row, None where ``marker``'s column is null."""
        rows = zip(*(self(name) for name in names), strict=True)
        return [
            None if there is None else make(*row)
            for there, row in zip(self(marker), rows, strict=True)
        ]

    def histograms(self) -> list[Histogram | None]:
        """The histograms, as views of one array."""
        buckets = self.lists("histogram_buckets", lambda values: values)
        counts = self.lists("histogram_counts", lambda values: values)
        zeros, infinites = self("histogram_zero"), self("histogram_infinite")
        return [
            None if zero is None else Histogram(zero, *rest)
            for zero, *rest in zip(zeros, infinites, buckets, counts, strict=True)
        ]

    def lists(self, name: str, make: Callable[[Any], Any]) -> list[Any]:
        """``make(values)`` a row, None where the list is null."""
        column = self._column(name)
        values = column.values.to_numpy(zero_copy_only=False)
        edges = pairwise(column.offsets.to_numpy().tolist())
        missing = column.is_null().to_pylist() if column.null_count else repeat(False)
        return [
            None if is_missing else make(values[start:end])
            for (start, end), is_missing in zip(edges, missing, strict=False)
        ]

    def _column(self, name: str) -> pa.Array:
        column = self._table.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)
