"""From an opened checkpoint to its architecture."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.config.entries import read_entries
from modeldiff.architectures.facts.facts import read_facts
from modeldiff.architectures.graph.reading import ReadFlow
from modeldiff.architectures.spec import UNKNOWN, read_checkpoint
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.config_json import (
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    read_generation_config,
)
from modeldiff.processes.collector import collector_at_rest
from modeldiff.text.magnitudes import short_count

_understood: WeakKeyDictionary[Checkpoint, Architecture] = WeakKeyDictionary()


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
    spec = read_checkpoint(checkpoint)
    parameters = spec.composition.parameters
    return Architecture(
        family=spec.family.name if spec.family else UNKNOWN,
        title=f"{spec.title}, {short_count(parameters)}" if parameters else spec.title,
        facts=read_facts(spec),
        parameters=spec.parameters,
        layer_count=spec.shapes.layers[-1] + 1 if spec.shapes.layers else 0,
        flow=ReadFlow(spec),
        entries={
            **read_entries(checkpoint.config, CONFIG_NAME),
            **read_entries(read_generation_config(checkpoint), GENERATION_CONFIG_NAME),
        },
    )
