"""From an opened checkpoint to its architecture."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from modeldiff.architectures.architecture import Architecture
from modeldiff.architectures.config.entries import read_entries
from modeldiff.architectures.facts.adapter import adapter_facts_of
from modeldiff.architectures.facts.facts import read_facts
from modeldiff.architectures.graph.blocks import read_blocks
from modeldiff.architectures.graph.data_order import DataOrder
from modeldiff.architectures.spec import UNKNOWN, read_checkpoint
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.config_json import (
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    read_generation_config,
)
from modeldiff.text.magnitudes import short_count

_understood: WeakKeyDictionary[Checkpoint, Architecture] = WeakKeyDictionary()


def understand(checkpoint: Checkpoint) -> Architecture:
    """Places, facts and blocks of a checkpoint, from its headers and its config alone.

    Never raises for what a file or config says: names that no family knows are read by their own
    pattern, values that make no sense are left out. Asked again, as long as the checkpoint is in
    use, the answer is at hand.
    """
    if checkpoint not in _understood:
        _understood[checkpoint] = _understand(checkpoint)
    return _understood[checkpoint]


def _understand(checkpoint: Checkpoint) -> Architecture:
    spec = read_checkpoint(checkpoint)
    order = DataOrder(p.place for p in spec.parameters if p.role != "buffer")
    blocks = read_blocks(spec)
    parameters = spec.composition.parameters
    return Architecture(
        family=spec.family.name if spec.family else UNKNOWN,
        title=f"{spec.title}, {short_count(parameters)}" if parameters else spec.title,
        facts=(*read_facts(spec), *adapter_facts_of(checkpoint.adapter)),
        parameters=spec.parameters,
        columns=order.inside,
        outside=order.outside,
        layer_count=spec.shapes.layers[-1] + 1 if spec.shapes.layers else 0,
        stem=blocks.stem,
        layer_kinds=blocks.layer_kinds,
        tail=blocks.tail,
        entries={
            **read_entries(checkpoint.config, CONFIG_NAME),
            **read_entries(read_generation_config(checkpoint), GENERATION_CONFIG_NAME),
        },
    )
