"""Rows and columns of Qwen's linear attention, which llama.cpp's converter deals out anew.

Several value heads share a key head. transformers keeps those of one key head together; the
converter puts the first of every key head first, then the second of each (Qwen3.5). Of Qwen3-Next
it makes two matrices of one whose rows are [query, key, values, gates] key head by key head.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.gguf.two_parts import TwoParts
from modeldiff.checkpoints.recipes.element_slice import slice_elements
from modeldiff.checkpoints.recipes.small_floats import as_float32
from modeldiff.checkpoints.selected_rows import RowNumbers, select_rows
from modeldiff.checkpoints.tensor import Fill, TensorInfo
from modeldiff.processes.late_dataclass import dataclass

_QKV, _Z, _WHOLE = "linear_attn.in_proj_qkv.", "linear_attn.in_proj_z.", "linear_attn.in_proj_qkvz."
_PARTS = ("attn_qkv", "ssm_conv1d")
_ALL_OF_VALUES = ("attn_gate",)
_ONE_A_HEAD = ("ssm_a", "ssm_dt", "ssm_alpha", "ssm_beta")
_COLUMNS = ("ssm_out",)


@dataclass(frozen=True)
class ValueHeads:
    """How many key heads there are, how many value heads each has, and the rows of one of each."""

    keys: int
    each: int
    key_size: int
    size: int

    @classmethod
    def of(cls, keys: int, values: int, key_size: int, size: int) -> ValueHeads | None:
        """Those of so many heads; None where they do not fit each other."""
        if min(keys, values, key_size, size) < 1 or values % keys:
            return None
        return cls(keys, values // keys, key_size, size)

    @property
    def value_rows(self) -> int:
        """The rows of all values."""
        return self.keys * self.each * self.size

    @property
    def key_rows(self) -> int:
        """The rows of all keys, as many as of all queries."""
        return self.keys * self.key_size


def dealt_back(called: str, tensor: TensorInfo, heads: ValueHeads) -> TensorInfo:
    """The tensor that llama.cpp calls so, its value heads in transformers' order; as it is where it
    has none, or their numbers do not fit its shape."""
    if heads.keys == 1 or heads.each == 1 or not tensor.elements:
        return tensor
    if called in _COLUMNS:
        return _columns_dealt_back(tensor, heads)
    size = 1 if called in _ONE_A_HEAD else heads.size
    before = 2 * heads.key_rows if called in _PARTS else 0
    rows = before + heads.keys * heads.each * size
    if called not in (*_PARTS, *_ALL_OF_VALUES, *_ONE_A_HEAD) or tensor.shape[0] != rows:
        return tensor
    dealt = np.arange(before, rows, dtype=np.int64).reshape(heads.each, heads.keys, size)
    values = dealt.swapaxes(0, 1).reshape(-1)
    return select_rows(tensor, np.concatenate([np.arange(before, dtype=np.int64), values]))


def _columns_dealt_back(tensor: TensorInfo, heads: ValueHeads) -> TensorInfo:
    if len(tensor.shape) != 2 or tensor.shape[1] != heads.value_rows:
        return tensor
    rows, columns = tensor.shape
    strides = (
        (rows, columns),
        (heads.keys, heads.size),
        (heads.each, heads.keys * heads.size),
        (heads.size, 1),
    )
    return slice_elements(tensor, tensor.shape, 0, strides, "")


class JoinedRows(TwoParts):
    """The recipe of the rows of ``first`` and then those of ``second``."""

    @property
    def words(self) -> str:
        """How both are stored."""
        return f"{self.stored}, in two parts"

    def open(self, read: Fill) -> _RowsReader:
        """A reader of one after the other."""
        return _RowsReader(self, read)


class _RowsReader:
    def __init__(self, recipe: JoinedRows, read: Fill) -> None:
        self._recipe, self._read = recipe, read

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        given: npt.NDArray[np.uint8] = np.frombuffer(out, np.uint8)
        width, begun = given.size // (last - first), 0
        for part in self._recipe.operands:
            begin, end = max(first - begun, 0), min(last - begun, part.elements)
            if begin < end:
                place = given[(begin + begun - first) * width : (end + begun - first) * width]
                self._fill(part, begin, place)
            begun += part.elements

    def _fill(self, part: TensorInfo, begin: int, place: npt.NDArray[np.uint8]) -> None:
        if part.values == self._recipe.kind:
            self._read(part, begin, place.data)
            return
        raw = np.empty(place.size // 4 * STORED_TYPES[part.values].bits // 8, np.uint8)
        self._read(part, begin, raw.data)
        place[:] = as_float32(raw, part.values).view(np.uint8)


def with_qkvz_joined(tensors: Mapping[str, TensorInfo], heads: ValueHeads) -> dict[str, TensorInfo]:
    """The tensors by name, with both parts of each ``in_proj_qkvz`` as the one matrix, its rows key
    head by key head. Parts that do not fit the heads stay."""
    joined: dict[str, TensorInfo] = {}
    for name, tensor in tensors.items():
        if _QKV in name and (whole := _joined(name, tensors, heads)) is not None:
            joined[whole.name] = whole
        elif _Z not in name or _joined(name.replace(_Z, _QKV), tensors, heads) is None:
            joined[name] = tensor
    return joined


def _joined(name: str, tensors: Mapping[str, TensorInfo], heads: ValueHeads) -> TensorInfo | None:
    qkv, gates = tensors.get(name), tensors.get(name.replace(_QKV, _Z))
    whole = name.replace(_QKV, _WHOLE)
    if qkv is None or gates is None or whole in tensors or len(qkv.shape) != 2:
        return None
    fits = qkv.shape[0] == 2 * heads.key_rows + heads.value_rows
    if not fits or gates.shape != (heads.value_rows, qkv.shape[1]) or not qkv.elements:
        return None
    if any(STORED_TYPES[each.values].kind != "float" for each in (qkv, gates)):
        return None
    recipe = JoinedRows(qkv, gates)
    shape = (qkv.shape[0] + gates.shape[0], qkv.shape[1])
    both = TensorInfo.made(whole, shape, recipe.kind, recipe)
    return select_rows(both, _head_by_head(heads))


def _head_by_head(heads: ValueHeads) -> RowNumbers:
    """The rows of [queries | keys | values | gates] in the order of key heads."""
    own = heads.each * heads.size
    ends = np.cumsum([heads.key_rows, heads.key_rows, heads.value_rows, heads.value_rows])
    numbers = np.split(np.arange(ends[-1], dtype=np.int64), ends[:-1])
    sizes = (heads.key_size, heads.key_size, own, own)
    parts = [each.reshape(heads.keys, size) for each, size in zip(numbers, sizes, strict=True)]
    return np.concatenate(parts, axis=1).reshape(-1)
