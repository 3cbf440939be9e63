"""The change of a matrix as an image of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldiff.architectures import Place
from modeldiff.changes import ChangeImage, measure_image
from modeldiff.results.drilldowns.kind import About, DrillDownKind, Inputs, array_of, of_matrices

if TYPE_CHECKING:
    import pyarrow as pa


def _measure(inputs: Inputs) -> ChangeImage:
    return measure_image(inputs.pair, *inputs.comparison.checkpoints, progress=inputs.progress)


def _encode(result: ChangeImage, place: Place) -> tuple[pa.Table, About]:
    import pyarrow as pa

    del place
    about = {"height": result.height, "rows": result.rows, "columns": result.columns}
    return pa.table({"pct": result.pct.reshape(-1)}), about


def _decode(table: pa.Table, about: About) -> ChangeImage:
    pct = array_of(table, "pct").reshape(about["height"], -1)
    return ChangeImage(pct, about["rows"], about["columns"])


IMAGE = DrillDownKind("image", of_matrices, _measure, _encode, _decode)
