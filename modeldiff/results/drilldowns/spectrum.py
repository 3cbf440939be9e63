"""The singular values of a change, and of one model's own weights. They take far longer than a
read, and so have a lane of their own."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from modeldiff.architectures import Place
from modeldiff.changes import (
    Pair,
    RoundingNoise,
    SingularValues,
    measure_singular_values,
    spectrum_plan,
)
from modeldiff.changes.drilldown.spectrum.singular_values import Plan
from modeldiff.changes.drilldown.spectrum.spectrum import Matrix
from modeldiff.comparison import Comparison
from modeldiff.results.drilldowns.kind import (
    About,
    Cost,
    DrillDownKind,
    Inputs,
    array_of,
    of_matrices,
)

if TYPE_CHECKING:
    import pyarrow as pa


def _measure(inputs: Inputs) -> SingularValues:
    return _measured(inputs, "change")


def _measure_weights(inputs: Inputs) -> SingularValues:
    return _measured(inputs, "weights")


def _measured(inputs: Inputs, of: Matrix) -> SingularValues:
    return measure_singular_values(
        inputs.pair,
        *inputs.comparison.checkpoints,
        of=of,
        device=inputs.device,
        progress=inputs.progress,
    )


def _of_one_model(pair: Pair, comparison: Comparison) -> bool:
    """Whether a model was put beside itself, as one is that is seen alone."""
    base, target = comparison.base, comparison.target
    return of_matrices(pair, comparison) and base.identity == target.identity


def _cost(pair: Pair) -> Cost:
    plan = spectrum_plan(pair)
    computing = _computing(plan)
    if computing:
        computing += (
            " If they look like those of a low-rank update, that is tried, which reads the pair up "
            f"to {plan.trial_passes} times more."
        )
    return Cost(pair.nbytes, plan.passes, computing, plan.trial_passes)


def _cost_of_weights(pair: Pair) -> Cost:
    plan = spectrum_plan(pair)
    return Cost(pair.nbytes, plan.passes, _computing(plan))


def _computing(plan: Plan) -> str:
    if plan.small:
        return ""
    lasts = "up to 30 seconds" if plan.exact else "half a minute or more"
    return f"Computing the singular values takes {lasts} on two cores."


def _encode(result: SingularValues, place: Place) -> tuple[pa.Table, About]:
    import pyarrow as pa

    del place
    about = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "values"}
    return pa.table({"values": result.values}), about | {"noise": asdict(result.noise)}


def _decode(table: pa.Table, about: About) -> SingularValues:
    noise = RoundingNoise(**about["noise"])
    trials = tuple((int(rank), float(added)) for rank, added in about.get("trials", ()))
    values = array_of(table, "values")
    return SingularValues(values, **{**about, "noise": noise, "trials": trials})


SPECTRUM = DrillDownKind(
    "spectrum", of_matrices, _measure, _encode, _decode, cost=_cost, lane="spectra"
)
WEIGHTS = DrillDownKind(
    "weights",
    _of_one_model,
    _measure_weights,
    _encode,
    _decode,
    cost=_cost_of_weights,
    lane="spectra",
)
