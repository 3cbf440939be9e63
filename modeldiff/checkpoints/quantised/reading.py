"""Codes and what stands beside them → tensors with their values; what does not fit stays as it is.

What a tensor is, its own name and shape decide, and those of its neighbours. A config fills gaps
only, and where it contradicts them that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modeldiff.checkpoints.dtypes import CODE_TYPES
from modeldiff.checkpoints.quantised.bitsandbytes import read_bitsandbytes
from modeldiff.checkpoints.quantised.columns import read_columns
from modeldiff.checkpoints.quantised.hqq import HQQ_CODES, read_hqq
from modeldiff.checkpoints.quantised.mlx import read_mlx
from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    Peek,
    QuantisationConfig,
    Unfit,
    width_of,
)
from modeldiff.checkpoints.quantised.nibbles import read_nibbles
from modeldiff.checkpoints.quantised.octets import FLOAT8, read_octets
from modeldiff.checkpoints.quantised.packed import read_packed
from modeldiff.checkpoints.quantised.quanto import read_quanto
from modeldiff.checkpoints.quantised.torchao import read_torchao
from modeldiff.checkpoints.quantised.unread import refuse_unread
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.text.formatting import counted
from modeldiff.text.quoting import listed

Method = Callable[[str, NamedTensors], TensorInfo | None]

METHODS: tuple[Method, ...] = (
    read_octets,
    read_columns,
    read_packed,
    read_bitsandbytes,
    read_mlx,
    read_torchao,
    read_hqq,
    read_quanto,
    read_nibbles,
    refuse_unread,
)


def with_values(
    tensors: Sequence[TensorInfo],
    config: Mapping[str, Any] | None,
    metadata: Mapping[str, str],
    peek: Peek,
) -> tuple[tuple[TensorInfo, ...], tuple[str, ...]]:
    """The tensors with quantised ones as their values, each where its codes stood, and warnings.

    ``config`` is the checkpoint's, ``metadata`` what its files say of themselves. ``peek`` reads
    the few bytes that a method decides by: shapes that are stored as numbers, zero points of one
    matrix. Codes whose scales are missing or do not fit stay as they are, and are named.

    Raises what ``peek`` raises.
    """
    stored = NamedTensors(
        {tensor.name: tensor for tensor in tensors},
        QuantisationConfig.of(config),
        peek,
        width_of(config),
        metadata,
    )
    made: dict[str, TensorInfo] = {}
    names: set[str] = set()
    reasons: dict[str, list[str]] = {}
    for tensor in tensors:
        if tensor.recipe is not None or not _may_be_codes(tensor):
            continue
        try:
            values = _read(tensor.name, stored)
        except Unfit as error:
            reasons.setdefault(str(error), []).append(tensor.name)
            continue
        if values is None or values.name in names:
            continue
        if values.name == tensor.name or values.name not in stored.tensors:
            made[tensor.name] = values
            names.add(values.name)
    if made or stored.settings.entries:
        bare = [t.name for t in tensors if _is_bare(t) and t.name not in made]
        refused = {name for named in reasons.values() for name in named}
        if lost := [name for name in bare if name not in refused]:
            reasons["no scale is stored beside it"] = lost
    taken = {operand.name for each in made.values() for operand in _operands(each)}
    kept = tuple(
        made.get(tensor.name, tensor)
        for tensor in tensors
        if tensor.name in made or tensor.name not in taken
    )
    unread = (
        f"{counted(len(names), 'quantised tensor')} can't be read as values, and "
        f"{'is' if len(names) == 1 else 'are'} not measured, because {reason}: {listed(names)}."
        for reason, names in reasons.items()
    )
    return kept, (*stored.notes, *unread)


def _may_be_codes(tensor: TensorInfo) -> bool:
    """Whether its type is one that codes are stored in, or its name says so: HQQ may call the bytes
    of codes floats."""
    return tensor.values in CODE_TYPES or tensor.name.endswith(f".{HQQ_CODES}")


def _is_bare(tensor: TensorInfo) -> bool:
    """Whether it is a matrix of codes that are no weights unless a scale is beside them."""
    coded = tensor.recipe is None and tensor.values in (*FLOAT8, "I8")
    return coded and len(tensor.shape) > 1 and tensor.name.endswith(".weight")


def _read(name: str, stored: NamedTensors) -> TensorInfo | None:
    """As the first method that knows its name and shape reads it."""
    readings = (method(name, stored) for method in METHODS)
    return next((reading for reading in readings if reading is not None), None)


def _operands(tensor: TensorInfo) -> tuple[TensorInfo, ...]:
    return tensor.recipe.operands if tensor.recipe is not None else ()
