"""The JSON documents of ``inspect`` and ``compare``; that of ``diff`` is the result's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from modeldiff.architectures import Architecture, FactPair, Parameter
from modeldiff.architectures.place import trained_elements
from modeldiff.changes import Pair
from modeldiff.checkpoints import Checkpoint
from modeldiff.results import pair_row


def inspection_document(checkpoint: Checkpoint, architecture: Architecture) -> dict[str, Any]:
    """What a checkpoint is. ``parameters`` counts stored elements; buffers are none."""
    return {
        "reference": checkpoint.reference.text,
        "fingerprint": checkpoint.fingerprint,
        "format": checkpoint.format,
        "parameters": parameter_count(architecture),
        "bytes": checkpoint.nbytes,
        "facts": [asdict(fact) for fact in architecture.facts],
        "tensors": [_tensor(parameter) for parameter in architecture.parameters],
    }


def comparison_document(facts: Sequence[FactPair], pairs: Sequence[Pair]) -> dict[str, Any]:
    """How two architectures differ. A fact that one side lacks is null there."""
    return {
        "facts": [
            {
                "fact": fact.key,
                "base": fact.base.value if fact.base else None,
                "target": fact.target.value if fact.target else None,
                "same": fact.same,
            }
            for fact in facts
        ],
        "pairs": [pair_row(pair) for pair in pairs],
        "summary": {
            "facts_same": sum(fact.same for fact in facts),
            "facts_different": sum(not fact.same for fact in facts),
            "statuses": dict(Counter(pair.status for pair in pairs)),
            "bytes_to_compare": sum(pair.nbytes for pair in pairs),
        },
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
