"""Each row of an embedding or a head: its tokens, one by one."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from modeldiff.architectures import Place
from modeldiff.changes import Pair, RowChanges, measure_rows
from modeldiff.comparison import Comparison
from modeldiff.results.drilldowns.kind import About, DrillDownKind, Inputs, array_of, is_matrix

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_BY_ROW = ("embed_tokens", "lm_head", "embed_positions", "embed_token_types")


def _possible(pair: Pair, comparison: Comparison) -> bool:
    del comparison
    return is_matrix(pair) and pair.place.component.rpartition(".")[2] in _ROW_BY_ROW


def _measure(inputs: Inputs) -> RowChanges:
    return measure_rows(inputs.pair, *inputs.comparison.checkpoints, progress=inputs.progress)


def _encode(result: RowChanges, place: Place) -> tuple[pa.Table, About]:
    import pyarrow as pa

    del place
    return pa.table({field.name: getattr(result, field.name) for field in fields(result)}), {}


def _decode(table: pa.Table, about: About) -> RowChanges:
    del about
    return RowChanges(**{field.name: array_of(table, field.name) for field in fields(RowChanges)})


ROWS = DrillDownKind("rows", _possible, _measure, _encode, _decode)
