"""HQQ: codes of 1 to 8 bits, one upon another in words, with zero points that are no whole numbers.

``W_q`` holds the rows of a matrix of groups: a group a row (``scale`` and ``zero`` [groups, 1]) or
a column ([1, groups]). Beside them stand all settings as tensors, of which ``shape`` and ``nbits``
are read, for one matrix of each kind; in files of torch these two are no tensors. Bytes may be
called floats (``view_as_float``).
"""

from __future__ import annotations

import json
import struct
from math import prod
from typing import Literal

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    as_bytes,
    called_alike,
    require_fit,
    require_numbers,
    shape_words,
)
from modeldiff.checkpoints.recipes.stacked.shifted_codes import ShiftedCodes
from modeldiff.checkpoints.recipes.stacked.stacked_codes import stack_codes
from modeldiff.checkpoints.tensor import TensorInfo

HQQ_CODES = "W_q"
_SETTINGS = (
    *("nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "view_as_float"),
    *("quant_scale", "quant_zero", "compute_dtype", "offload_meta", "encoded_state_dict"),
    *("stores_quant_config", "channel_wise", "optimize", "round_zero"),
)
_PACKED_BITS = {"8": 8, "6": 8, "5": 8, "4": 4, "3": 3, "2": 2, "1.58": 2, "1": 1}
"""How many bits a code takes in its word, by how many it has."""
_MOST, _LONGEST = 1 << 40, 100


def read_hqq(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    module, dot, last = name.rpartition(".")
    if last != HQQ_CODES:
        return None
    codes = stored.tensors[name]
    numbers = stored.beside(f"{module}{dot}scale", f"{module}{dot}zero")
    require_fit(len(numbers) == 2, "its scale and zero are not there")
    scale, zero = numbers
    require_numbers(scale, "F32", "F16", "BF16")
    require_numbers(zero, scale.values)
    require_fit(zero.shape == scale.shape, "its zeros are not as many as its scales")
    shape, bits = _settings(f"{module}{dot}", codes, scale, stored)
    count, groups = prod(shape), scale.elements
    two = groups and (not scale.shape or (len(scale.shape) == 2 and 1 in scale.shape))
    across = len(scale.shape) == 2 and scale.shape[0] == 1 and groups > 1
    group = count // max(groups, 1)
    require_fit(
        bool(two) and group * groups == count,
        f"its scale of shape {shape_words(scale)} does not fit a matrix of {shape[0]:,} × "
        f"{shape[1]:,}",
    )
    rows, columns = (group, groups) if across else (groups, group)
    packed = _PACKED_BITS[bits]
    width = 4 if packed == 3 else 1
    nbytes = width * -(-rows // (8 * width // packed)) * columns
    require_fit(
        codes.nbytes == nbytes,
        f"its codes of shape {shape_words(codes)} are not {rows:,} × {columns:,} of {bits} bits",
    )
    spread: Literal["runs", "across"] = "across" if across else "runs"
    recipe = ShiftedCodes(
        f"HQQ {bits} bit, groups of {group:,}",
        f"HQQ{bits}-g{group}",
        stack_codes(name, as_bytes(codes), count, packed, width=width, high_first=True),
        group,
        spread,
        scale,
        zero,
        also=stored.beside(*(f"{module}{dot}{setting}" for setting in _SETTINGS)),
    )
    return TensorInfo.made(f"{module}{dot}weight", shape, scale.values, recipe)


def _settings(
    stem: str, codes: TensorInfo, scale: TensorInfo, stored: NamedTensors
) -> tuple[tuple[int, int], str]:
    """The matrix's shape and the bits of a code. Raises ``Unfit``."""
    key = f"HQQ {called_alike(stem)} {codes.shape} {scale.shape}"
    if key not in stored.known:
        stored.known[key] = _read_settings(stem, stored)
    (rows, columns), bits = stored.known[key]
    fits = 0 < rows < _MOST and 0 < columns < _MOST
    require_fit(fits, f"its shape would be {rows:,} × {columns:,}")
    require_fit(bits in _PACKED_BITS, f"codes of {bits} bits are not known")
    return (rows, columns), bits


def _parse_settings(shape: str, bits: str) -> tuple[tuple[int, int], str]:
    """The same of texts, which whoever wrote the file may have made up."""
    try:
        sizes, number = (json.loads(text) for text in (shape[:_LONGEST], bits[:_LONGEST]))
    except (ValueError, RecursionError):
        sizes = number = None
    two = isinstance(sizes, list) and len(sizes) == 2 and all(type(n) is int for n in sizes)
    require_fit(two, "its shape is not two numbers")
    require_fit(type(number) is int or type(number) is float, "its nbits is not a number")
    return (sizes[0], sizes[1]), f"{float(number):.3g}" if abs(number) < _MOST else ""


def _read_settings(stem: str, stored: NamedTensors) -> tuple[tuple[int, int], str]:
    texts = [stored.metadata.get(f"{stem}{last}", "") for last in ("shape", "nbits")]
    if all(texts):
        return _parse_settings(*texts)
    found = stored.beside(f"{stem}shape", f"{stem}nbits")
    require_fit(len(found) == 2, "its shape and nbits are not there")
    shape, bits = found
    require_fit(shape.values == "I64" and shape.elements == 2, "its shape is not two numbers")
    require_fit(bits.values in ("I32", "F32") and bits.elements == 1, "its nbits is not a number")
    rows, columns = struct.unpack("<2q", stored.peek(shape, 16))
    (number,) = struct.unpack("<i" if bits.values == "I32" else "<f", stored.peek(bits, 4))
    return (rows, columns), f"{number:.3g}"
