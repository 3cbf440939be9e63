"""From an opened checkpoint to its architecture."""

from __future__ import annotations

from weakref import ReferenceType, WeakKeyDictionary, ref

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.config.entries import read_entries
from modeldiff.architectures.facts.adapter import adapter_facts_of
from modeldiff.architectures.facts.facts import read_facts
from modeldiff.architectures.graph.reading import ReadFlow
from modeldiff.architectures.spec import UNKNOWN, ModelSpec, read_checkpoint
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.config_json import (
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    read_generation_config,
)
from modeldiff.processes.collector import collector_at_rest
from modeldiff.text.magnitudes import short_count

_understood: WeakKeyDictionary[Checkpoint, Architecture] = WeakKeyDictionary()
_latest: tuple[ReferenceType[Checkpoint], ReferenceType[ModelSpec]] | None = None
"""What was read last: the other side of a pair often has the very same headers and config."""


def understand(checkpoint: Checkpoint) -> Architecture:
    """Places, facts and graph of a checkpoint, from its headers and its config alone.

    Never raises for what a file or config says: names that no family knows are read by their own
    pattern, values that make no sense are left out. It raises ``CheckpointError`` for so many names
    that it would take longer than is allowed, and ``Cancelled`` once nobody waits for it any more.
    Asked again, as long as the checkpoint is in use, the answer is at hand.
    """
    if checkpoint not in _understood:
        with collector_at_rest():
            _understood[checkpoint] = _understand(checkpoint)
    return _understood[checkpoint]


def _understand(checkpoint: Checkpoint) -> Architecture:
    spec = _read(checkpoint)
    parameters = spec.composition.parameters
    return Architecture(
        family=spec.family.name if spec.family else UNKNOWN,
        title=f"{spec.title}, {short_count(parameters)}" if parameters else spec.title,
        facts=(*read_facts(spec), *adapter_facts_of(checkpoint.adapter)),
        parameters=spec.parameters,
        layer_count=spec.shapes.layers[-1] + 1 if spec.shapes.layers else 0,
        flow=ReadFlow(spec),
        may_be=spec.may_be,
        entries={
            **read_entries(checkpoint.config, CONFIG_NAME),
            **read_entries(read_generation_config(checkpoint), GENERATION_CONFIG_NAME),
        },
    )


def _read(checkpoint: Checkpoint) -> ModelSpec:
    """What headers and config say; what the latest ones said where they are equal."""
    global _latest
    if _latest is not None:
        before, known = _latest[0](), _latest[1]()
        if before is not None and known is not None and _says_the_same(before, checkpoint):
            return known
    spec = read_checkpoint(checkpoint)
    _latest = ref(checkpoint), ref(spec)
    return spec


def _says_the_same(one: Checkpoint, other: Checkpoint) -> bool:
    # As text, for in Python true equals 1.
    return one.tensors == other.tensors and repr(one.config) == repr(other.config)
