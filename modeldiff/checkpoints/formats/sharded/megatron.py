"""What Megatron's ``torch_dist`` adds to a distributed checkpoint.

All layers of a kind lie in one tensor, whose first dimension counts them, and ``common.pt`` holds
the arguments of the training run. Layout: ``megatron/core/transformer/transformer_block.py`` and
``megatron/training/checkpointing.py`` of https://github.com/NVIDIA/Megatron-LM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.pytorch.archive import read_archive
from modeldiff.checkpoints.formats.pytorch.byte_range import ByteRange
from modeldiff.checkpoints.formats.pytorch.records import Call
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import Piece, TensorInfo
from modeldiff.errors import CheckpointError

COMMON = "common.pt"
LATEST = "latest_checkpointed_iteration.txt"
"""The file beside several iterations that says which was saved last."""
_IN_LAYERS = re.compile(r"((?:.+\.)?(?:decoder|encoder)\.layers\.)([A-Za-z_].*)")
_MOST_LAYERS = 9_999

_ARGUMENTS = {
    "num_layers": "num_hidden_layers",
    "hidden_size": "hidden_size",
    "ffn_hidden_size": "intermediate_size",
    "num_attention_heads": "num_attention_heads",
    "kv_channels": "head_dim",
    "padded_vocab_size": "vocab_size",
    "max_position_embeddings": "max_position_embeddings",
    "rotary_base": "rope_theta",
    "num_experts": "num_local_experts",
    "moe_router_topk": "num_experts_per_tok",
    "moe_ffn_hidden_size": "moe_intermediate_size",
}


def unstacked(tensor: TensorInfo, budget: OpeningBudget) -> Iterator[TensorInfo]:
    """The layers of a tensor that holds all of them, each under the name that it has where they are
    stored apart; any other tensor as it is. Raises as ``OpeningBudget.take_tensors`` does."""
    match = _IN_LAYERS.fullmatch(tensor.name)
    layers = tensor.shape[0] if match and len(tensor.shape) > 1 else 0
    if match is None or not 0 < layers <= _MOST_LAYERS or any(p.strides for p in tensor.pieces):
        budget.take_tensors([tensor.name])
        yield tensor
        return
    names = [f"{match[1]}{layer}.{match[2]}" for layer in range(layers)]
    budget.take_tensors(names)
    pieces: list[list[Piece]] = [[] for _ in names]
    for piece in tensor.pieces:
        start = piece.start or (0,) * len(tensor.shape)
        for row in range(piece.shape[0]):
            pieces[start[0] + row].append(_row(piece, row))
    for name, own in zip(names, pieces, strict=True):
        yield replace(tensor, name=name, shape=tensor.shape[1:], pieces=tuple(own))


def _row(piece: Piece, row: int) -> Piece:
    """A row of a box, as a box of one dimension less."""
    nbytes = piece.nbytes // piece.shape[0]
    assert nbytes * 8 % STORED_TYPES[piece.dtype].bits == 0
    return piece._replace(
        offset=piece.offset + row * nbytes,
        nbytes=nbytes,
        shape=piece.shape[1:],
        start=piece.start[1:],
    )


def config_of(source: Source, file: str, budget: OpeningBudget) -> dict[str, Any] | None:
    """The model's part of the training run's arguments in transformers' words; None where ``file``
    has none, or cannot be read, for nothing else depends on it."""
    try:
        data = ByteRange.whole(source, file)
        with budget.timed():
            root = read_archive(data).root
    except CheckpointError:
        return None
    arguments = root.get("args") if isinstance(root, Mapping) else None
    said = arguments.state if isinstance(arguments, Call) else arguments
    if not isinstance(said, Mapping):
        return None
    config: dict[str, Any] = {
        ours: said[theirs]
        for theirs, ours in _ARGUMENTS.items()
        if type(said.get(theirs)) in (int, float)
    }
    if said.get("group_query_attention") is True and type(said.get("num_query_groups")) is int:
        config["num_key_value_heads"] = said["num_query_groups"]
    epsilon = said.get("norm_epsilon", said.get("layernorm_epsilon"))
    if type(epsilon) is float:
        norms = {"RMSNorm": "rms_norm_eps", "LayerNorm": "layer_norm_eps"}
        config[norms.get(str(said.get("normalization")), "layer_norm_eps")] = epsilon
    if type(said.get("untie_embeddings_and_output_weights")) is bool:
        config["tie_word_embeddings"] = not said["untie_embeddings_and_output_weights"]
    return config or None
