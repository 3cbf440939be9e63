"""Each row of an embedding or a head: its tokens, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from modeldiff.architectures import Place
from modeldiff.changes import Pair, RowChanges, measure_rows
from modeldiff.changes.drilldown.rows import LoneRows
from modeldiff.comparison import Comparison
from modeldiff.results.drilldowns.kind import About, DrillDownKind, Inputs, array_of, is_matrix

if TYPE_CHECKING:
    import pyarrow as pa

_ONE_SIDED = ("dropped", "new")
_LONE = fields(LoneRows)
_COLUMNS = [field.name for field in fields(RowChanges) if field.name not in _ONE_SIDED]
_ROW_BY_ROW = ("embed_tokens", "lm_head", "embed_positions", "embed_token_types")


def _possible(pair: Pair, comparison: Comparison) -> bool:
    del comparison
    return is_matrix(pair) and pair.place.component.rpartition(".")[2] in _ROW_BY_ROW


def _measure(inputs: Inputs) -> RowChanges:
    return measure_rows(inputs.pair, *inputs.comparison.checkpoints, progress=inputs.progress)


def _encode(result: RowChanges, place: Place) -> tuple[pa.Table, About]:
    import pyarrow as pa

    del place
    columns = {name: getattr(result, name) for name in _COLUMNS}
    about = {
        name: {field.name: getattr(getattr(result, name), field.name).tolist() for field in _LONE}
        for name in _ONE_SIDED
    }
    return pa.table(columns), about


def _decode(table: pa.Table, about: About) -> RowChanges:
    columns: dict[str, Any] = {name: array_of(table, name) for name in _COLUMNS}
    columns |= {name: _lone(about[name]) for name in _ONE_SIDED}
    return RowChanges(**columns)


def _lone(about: Mapping[str, Any]) -> LoneRows:
    return LoneRows(
        np.array(about["numbers"], np.int64),
        np.array(about["rms"], np.float64),
        np.array(about["twins"], np.int64),
    )


ROWS = DrillDownKind("rows", _possible, _measure, _encode, _decode)
