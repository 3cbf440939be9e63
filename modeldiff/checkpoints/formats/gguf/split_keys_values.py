"""Latent attention's ``kv_b_proj``, which llama.cpp's converter cuts in two, in one piece again.

Transformers' matrix has for each head the rows of its key and then those of its value, [heads *
(key + value), latent]. The converter stores ``attn_k_b`` [heads, latent, key], turned, and
``attn_v_b`` [heads, value, latent].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.gguf.two_parts import TwoParts
from modeldiff.checkpoints.recipes.small_floats import as_float32
from modeldiff.checkpoints.tensor import Fill, TensorInfo

_KEYS, _VALUES, _WHOLE = "self_attn.k_b_proj", "self_attn.v_b_proj", "self_attn.kv_b_proj"
_Values = npt.NDArray[Any]


class KeysAndValues(TwoParts):
    """The recipe: the ``first`` part are keys [heads, latent, key], the ``second`` values [heads,
    value, latent]."""

    @property
    def words(self) -> str:
        """How both are stored."""
        return f"{self.stored}, keys and values apart"

    def open(self, read: Fill) -> _Joiner:
        """A reader that joins head by head."""
        return _Joiner(self, read)


class _Joiner:
    def __init__(self, recipe: KeysAndValues, read: Fill) -> None:
        self._recipe, self._read = recipe, read
        _, self._latent, self._key = recipe.first.shape
        self._value = recipe.second.shape[1]

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with values ``first`` to ``last``."""
        size = (self._key + self._value) * self._latent
        given = np.frombuffer(out, np.uint8)
        width = given.size // (last - first)
        for head in range(first // size, (last - 1) // size + 1):
            begin, end = max(first, head * size), min(last, (head + 1) * size)
            part = self._head(head)[begin - head * size : end - head * size]
            given[(begin - first) * width : (end - first) * width] = part.view(np.uint8)

    def _head(self, head: int) -> _Values:
        """All values of one head, row after row."""
        keys = self._some(self._recipe.first, head * self._latent * self._key, self._key)
        values = self._some(self._recipe.second, head * self._value * self._latent, self._value)
        return np.concatenate([keys.reshape(self._latent, self._key).T.reshape(-1), values])

    def _some(self, tensor: TensorInfo, first: int, rows: int) -> _Values:
        bits = STORED_TYPES[tensor.values].bits
        raw = np.empty(rows * self._latent * bits // 8, np.uint8)
        self._read(tensor, first, raw.data)
        if tensor.values != self._recipe.kind:
            return as_float32(raw, tensor.values)
        return raw.view(f"u{bits // 8}")


def with_keys_and_values_joined(tensors: Mapping[str, TensorInfo]) -> dict[str, TensorInfo]:
    """The tensors by name, with both parts of each ``kv_b_proj`` as the one matrix, where the keys
    were. Parts that do not fit each other stay."""
    joined: dict[str, TensorInfo] = {}
    for name, tensor in tensors.items():
        if _KEYS in name:
            whole = _joined(name, tensors)
            if whole is not None:
                joined[whole.name] = whole
                continue
        elif _VALUES in name and _joined(name.replace(_VALUES, _KEYS), tensors) is not None:
            continue
        joined[name] = tensor
    return joined


def _joined(name: str, tensors: Mapping[str, TensorInfo]) -> TensorInfo | None:
    keys, values = tensors.get(name), tensors.get(name.replace(_KEYS, _VALUES))
    whole = name.replace(_KEYS, _WHOLE)
    if keys is None or values is None or whole in tensors:
        return None
    if len(keys.shape) != 3 or len(values.shape) != 3 or not keys.elements or not values.elements:
        return None
    heads, latent, key = keys.shape
    if (heads, latent) != (values.shape[0], values.shape[2]):
        return None
    if any(STORED_TYPES[each.values].kind != "float" for each in (keys, values)):
        return None
    recipe = KeysAndValues(keys, values)
    shape = (heads * (key + values.shape[1]), latent)
    return TensorInfo.made(whole, shape, recipe.kind, recipe)
