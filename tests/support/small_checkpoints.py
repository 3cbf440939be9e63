"""Checkpoints of a few tensors, written byte by byte, and their pairs by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modeldiff.architectures.place import Place
from modeldiff.changes import Pair
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, open_checkpoint
from tests.support.safetensors_files import encode, entry
from tests.support.slow_statistics import Bytes

Stored = tuple[str, Bytes]
"""A type and a tensor's bytes."""


def write_checkpoint(folder: Path, tensors: Mapping[str, Stored], shards: int = 1) -> Path:
    """A folder with these tensors as vectors, in this order, dealt to so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(tensors)
    for shard in range(shards):
        header = {}
        data = b""
        for name in names[shard * len(names) // shards : (shard + 1) * len(names) // shards]:
            dtype, raw = tensors[name]
            elements = raw.size * 8 // STORED_TYPES[dtype].bits
            header[name] = entry(dtype, [elements], len(data), len(data) + raw.size)
            data += raw.tobytes()
        file = "model.safetensors"
        if shards > 1:
            file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        (folder / file).write_bytes(encode(header, data))
    return folder


def open_pair(
    folder: Path, base: Mapping[str, Stored], target: Mapping[str, Stored], shards: int = 1
) -> tuple[Checkpoint, Checkpoint]:
    """Both sides written and opened."""
    sides = (("base", base), ("target", target))
    one, other = (
        open_checkpoint(str(write_checkpoint(folder / name, tensors, shards)))
        for name, tensors in sides
    )
    return one, other


def in_shapes(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> Checkpoint:
    """The checkpoint with its vectors in other shapes of as many elements, by name."""
    tensors = []
    for tensor in checkpoint.tensors:
        shape = shapes[tensor.name]
        piece = tensor.pieces[0]._replace(shape=shape)
        tensors.append(replace(tensor, shape=shape, pieces=(piece,)))
    return replace(checkpoint, tensors=tuple(tensors))


def pairs_by_name(base: Checkpoint, target: Checkpoint) -> list[Pair]:
    """A compared pair for each of base's tensors, in its order."""
    partner = {tensor.name: tensor for tensor in target.tensors}
    return [
        Pair(Place(None, tensor.name), "compared", tensor, partner[tensor.name])
        for tensor in base.tensors
    ]


def normal(elements: int, seed: int, scale: float = 1.0) -> npt.NDArray[np.float64]:
    """Normal random numbers."""
    return np.random.default_rng(seed).standard_normal(elements) * scale
