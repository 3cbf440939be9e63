"""A GGUF's tensors as transformers' files would have them: names, rows and shapes turned back.

Stored bytes are never touched: rows in another order are strides, a norm with one added is a
recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod

import numpy as np

from modeldiff.checkpoints.formats.gguf.config import ModelMetadata
from modeldiff.checkpoints.formats.gguf.converted import Converted
from modeldiff.checkpoints.formats.gguf.header import StoredTensor
from modeldiff.checkpoints.formats.gguf.linear_attention import ValueHeads, dealt_back
from modeldiff.checkpoints.recipes.adjusted import ADJUSTABLE, Adjusted, Adjustment
from modeldiff.checkpoints.recipes.ggml_blocks import GgmlBlocks
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES
from modeldiff.checkpoints.selected_rows import RowNumbers, select_rows
from modeldiff.checkpoints.tensor import Strides, TensorInfo

_TURNING = re.compile(r"blk\.(?P<layer>\d{1,5})\.attn_(?P<part>[qk])\.(weight|bias)", re.ASCII)
_IN_LAYER = re.compile(r"blk\.\d{1,5}\.(?P<called>\w+)(\.(weight|bias))?", re.ASCII)
_FUSED = re.compile(r"blk\.\d+\.attn_qkv\.(weight|bias)", re.ASCII)
EMBEDDING, HEAD = "token_embd.weight", "output.weight"


class TensorReader:
    """Reads the tensors of one model, that was ``converted`` so and has this ``model`` metadata and
    the names that are ``stored``."""

    def __init__(
        self, converted: Converted, model: ModelMetadata, stored: Iterable[str] = ()
    ) -> None:
        self._converted, self._model = converted, model
        self._naming = converted.naming and converted.naming.of_file(stored)
        self._heads = model.count("attention.head_count")
        self._kv_heads = model.count("attention.head_count_kv") or self._heads
        self._layers = model.own_layers
        self.value_heads = ValueHeads.of(
            model.count("ssm.group_count"),
            model.count("ssm.time_step_rank"),
            model.count("ssm.state_size"),
            model.value_head_size,
        )
        """Those of a linear attention, where the metadata counts them."""
        deals = converted.tiled_values or converted.parted_qkvz
        self.left_dealt_out = deals and self.value_heads is None
        """Whether value heads stay in llama.cpp's order: nothing counts them."""
        self.left_in_pairs = False
        """Whether rows that stand in pairs could not be brought back: nothing counts the heads."""

    def read(self, stored: StoredTensor, file: str) -> TensorInfo:
        """The tensor, under transformers' name."""
        naming = self._naming
        name = naming.name(stored.name, self._layers) if naming else stored.name
        tensor = _stored_tensor(name, stored, file, self._row_order(stored))
        if self._converted.sorted_qkv and _FUSED.fullmatch(stored.name):
            numbers = _grouped_rows(stored.shape[0], self._heads, self._kv_heads)
            tensor = tensor if numbers is None else select_rows(tensor, numbers)
        within = _IN_LAYER.fullmatch(stored.name)
        called = within["called"] if within else ""
        is_norm = stored.name.endswith("norm.weight") and called != "ssm_norm"
        if self._converted.norms_plus_one and is_norm:
            tensor = _adjusted(tensor, "minus one")
        if self._converted.mixer and stored.name.endswith(".ssm_a"):
            tensor = _adjusted(tensor, "logarithm of the negative")
        if self._converted.tiled_values and self.value_heads is not None:
            tensor = dealt_back(called, tensor, self.value_heads)
        if stored.name.endswith("ffn_gate_inp_shexp.weight") and len(tensor.shape) == 1:
            return _reshaped(tensor, (1, *tensor.shape))
        if self._converted.mixer and stored.name.endswith("ssm_conv1d.weight"):
            return _reshaped(tensor, (tensor.shape[0], 1, *tensor.shape[1:]))
        return tensor

    def _row_order(self, stored: StoredTensor) -> Strides:
        """Where transformers' rows stand in the file, counted in rows: those of a head's halves
        stand in pairs there. Empty where the rows are in order."""
        match = _TURNING.fullmatch(stored.name) if self._converted.pairs else None
        if match is None or not stored.shape or not prod(stored.shape):
            return ()
        rows, layer = stored.shape[0], int(match["layer"])
        heads = self._model.count_in(layer, "attention.head_count")
        if match["part"] == "k":
            heads = self._model.count_in(layer, "attention.head_count_kv") or heads
        if not heads or rows % (2 * heads):
            self.left_in_pairs = True
            return ()
        half = rows // heads // 2
        return (heads, 2 * half), (2, 1), (half, 2)


def _stored_tensor(name: str, stored: StoredTensor, file: str, rows: Strides) -> TensorInfo:
    """The tensor under this name; ``rows`` is the order of its rows, as ``Piece`` has strides."""
    kind = BLOCK_TYPES.get(stored.type)
    columns = prod(stored.shape[1:])
    width = columns // kind.values * kind.nbytes if kind else columns
    axes = (*((count, apart * width) for count, apart in rows), (width, 1)) if rows else ()
    strides = tuple(axis for axis in axes if axis[0] > 1)
    if kind is None:
        return TensorInfo.stored(
            name, stored.type, stored.shape, file, stored.offset, stored.nbytes, strides
        )
    whole = prod(stored.shape[:-1]), stored.shape[-1] // kind.values * kind.nbytes
    codes = TensorInfo.stored(name, "U8", whole, file, stored.offset, stored.nbytes, strides)
    return TensorInfo.made(name, stored.shape, "F32", GgmlBlocks(codes, stored.type))


def _adjusted(tensor: TensorInfo, adjustment: Adjustment) -> TensorInfo:
    if tensor.recipe is not None or tensor.values not in ADJUSTABLE:
        return tensor
    return TensorInfo.made(tensor.name, tensor.shape, "F32", Adjusted(tensor, adjustment))


def _reshaped(tensor: TensorInfo, shape: tuple[int, ...]) -> TensorInfo:
    pieces = tensor.pieces
    if tensor.recipe is None:
        pieces = tuple(piece._replace(shape=shape) for piece in pieces)
    return TensorInfo(tensor.name, shape, tensor.values, pieces, tensor.recipe)


def _grouped_rows(rows: int, heads: int, kv_heads: int) -> RowNumbers | None:
    """The rows of q | k | v in the order [queries, key, value] of each group of heads that share a
    key; None where the numbers do not fit."""
    if not heads or not kv_heads or heads % kv_heads or rows % (heads + 2 * kv_heads):
        return None
    numbers = np.arange(rows, dtype=np.int64).reshape(heads + 2 * kv_heads, -1)
    queries = numbers[:heads].reshape(kv_heads, -1)
    keys, values = numbers[heads : heads + kv_heads], numbers[heads + kv_heads :]
    return np.concatenate([queries, keys, values], axis=1).reshape(-1)
