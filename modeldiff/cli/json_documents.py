"""The JSON documents of ``inspect``, ``compare`` and a shard; that of ``diff`` is the result's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from modeldiff.architectures import Architecture, Parameter
from modeldiff.architectures.place import trained_elements
from modeldiff.changes import Shard, pair_row
from modeldiff.cli.schemas.published import document_id
from modeldiff.comparison import Comparison
from modeldiff.model import Model
from modeldiff.results import MeasuredShard


def inspection_document(model: Model) -> dict[str, Any]:
    """What a checkpoint is. ``parameters`` counts stored elements; buffers are none."""
    checkpoint, architecture = model.checkpoint, model.architecture
    return {
        "document": document_id("inspect"),
        "reference": checkpoint.reference.text,
        "fingerprint": checkpoint.fingerprint,
        "format": checkpoint.format,
        "parameters": parameter_count(architecture),
        "bytes": checkpoint.nbytes,
        "facts": [asdict(fact) for fact in architecture.facts],
        "tensors": [_tensor(parameter) for parameter in architecture.parameters],
    }


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """How two architectures differ. A fact that one side lacks is null there; ``one_sided`` says
    that it is only not known of it."""
    facts, pairs = comparison.facts, comparison.pairs
    # Late: no other document has these.
    from modeldiff.findings.companions import companions_document

    return {
        "document": document_id("compare"),
        "facts": [
            {
                "fact": fact.key,
                "base": fact.base.value if fact.base else None,
                "target": fact.target.value if fact.target else None,
                "same": fact.same,
                "one_sided": fact.one_sided,
            }
            for fact in facts
        ],
        "pairs": [pair_row(pair) for pair in pairs],
        "summary": {
            "facts_same": sum(fact.same for fact in facts),
            "facts_different": sum(fact.differs for fact in facts),
            "facts_one_sided": sum(fact.one_sided for fact in facts),
            "statuses": dict(comparison.unmeasured.statuses),
            "bytes_to_compare": comparison.nbytes,
        },
        "companions": companions_document(comparison.companions, facts),
    }


def shard_document(shard: Shard, measured: MeasuredShard) -> dict[str, Any]:
    """What was measured of a shard. ``journal`` is null where the whole result is stored."""
    return {
        "document": document_id("shard"),
        "shard": {"number": shard.number, "count": shard.count},
        "tensors": len(measured.changes),
        "statuses": dict(measured.changes.statuses),
        "bytes": sum(change.pair.nbytes for change in measured.changes),
        "journal": str(measured.journal) if measured.journal else None,
    }


def parameter_count(architecture: Architecture) -> int:
    """All trained parameters, each stored tensor once."""
    return sum(
        trained_elements(parameter)
        for parameter in architecture.parameters
        if parameter.role in ("parameter", "quantised")
    )


def _tensor(parameter: Parameter) -> dict[str, Any]:
    tensor, place = parameter.tensor, parameter.place
    return {
        "name": tensor.name,
        "part": tensor.slice,
        "tower": place.tower,
        "layer": place.layer,
        "component": place.component,
        "parameter": place.parameter,
        "expert": place.expert,
        "role": parameter.role,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "elements": tensor.elements,
        "bytes": tensor.nbytes,
        "file": tensor.file,
    }
