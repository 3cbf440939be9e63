"""quanto: codes of 8 bits as they are, of 4 and 2 one upon another, times a scale, less a shift.

``weight._data`` [out, in] I8 or FP8, ``weight._scale`` [out, 1]. Of fewer bits
``weight._data._data`` [groups / codes a byte, group] U8, ``weight._scale`` and ``weight._shift``
[groups, 1]. That the matrix was cut into groups hides its shape, which no tensor has: a bias tells
its rows; else its name tells whether it reads or writes the residual stream, and the config how
wide that is. The size of the groups, which quanto makes of the columns, has to agree.
"""

from __future__ import annotations

from dataclasses import replace

from modeldiff.checkpoints.quantised.named_tensors import (
    NamedTensors,
    as_bytes,
    require_fit,
    require_numbers,
    rounding_of,
    shape_words,
)
from modeldiff.checkpoints.quantised.octets import FLOAT8, scaled_octets
from modeldiff.checkpoints.recipes.affine_codes import AffineCodes
from modeldiff.checkpoints.recipes.groups import StoredNumbers
from modeldiff.checkpoints.recipes.scaled_codes import Coding, Grid, ScaledCodes
from modeldiff.checkpoints.recipes.stacked.stacked_codes import stack_codes
from modeldiff.checkpoints.tensor import TensorInfo

_DATA = "._data"
_BITS = {2: 4, 4: 2}
"""By how many codes are in a byte."""
_READ = frozenset(
    {
        *("q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "query", "key", "value"),
        *("gate_proj", "up_proj", "gate_up_proj", "fc1", "c_fc", "dense_h_to_4h", "w1", "w3"),
        *("q_a_proj", "kv_a_proj_with_mqa", "lm_head", "gate", "router"),
    }
)
"""Modules whose columns are the residual stream's, by the last part of their names."""
_WRITE = frozenset({"o_proj", "out_proj", "down_proj", "fc2", "dense_4h_to_h", "w2"})
"""And those whose rows are."""
_GROUP, _LESS, _LEAST = 128, 32, 32
"""How quanto chooses the size of a group."""


def read_quanto(name: str, stored: NamedTensors) -> TensorInfo | None:
    """The matrix whose codes are called ``name``; None where they are not of this method. Raises
    ``Unfit``."""
    if not name.endswith(_DATA):
        return None
    codes = stored.tensors[name]
    weight = name.removesuffix(_DATA).removesuffix(_DATA)
    scales = stored.beside(f"{weight}._scale")
    require_fit(len(scales) == 1, "its _scale is not there")
    (scale,) = scales
    require_numbers(scale, "F32", "F16", "BF16")
    whole = len(codes.shape) == 2 and codes.elements and scale.elements
    require_fit(bool(whole), f"its codes are of shape {shape_words(codes)}")
    if codes.values in ("I8", *FLOAT8):
        recipe = replace(scaled_octets(codes, scale, stored), rounding=rounding_of(scale))
        return TensorInfo.made(weight, codes.shape, recipe.rounding, recipe)
    require_fit(codes.values == "U8", f"its codes are stored as {codes.dtype}")
    shifts = stored.beside(f"{weight}._shift")
    require_fit(len(shifts) == 1, "its _shift is not there")
    return _read_stacked(name, weight, codes, scale, shifts[0], stored)


def _read_stacked(
    name: str,
    weight: str,
    codes: TensorInfo,
    scale: TensorInfo,
    shift: TensorInfo,
    stored: NamedTensors,
) -> TensorInfo:
    (words, group), groups = codes.shape, scale.elements
    fitting = [bits for each, bits in _BITS.items() if -(-groups // each) == words]
    fits = len(fitting) == 1 and scale.shape == shift.shape == (groups, 1)
    require_fit(fits, f"its _scale of shape {shape_words(scale)} does not fit its codes")
    bits = fitting[0]
    shape = _shape(weight, groups * group, group, stored)
    each = stack_codes(name, as_bytes(codes), groups * group, bits, high_first=False)
    words_, kind = f"quanto {bits} bit, groups of {group:,}", f"quanto{bits}-g{group}"
    if shift.values in ("I8", "U8"):  # the code that stands for zero
        coding = Coding("octets", 8, "unsigned")
        numbers = StoredNumbers(scale), StoredNumbers(shift)
        whole = ScaledCodes(
            words_, kind, each, coding, Grid.flat(group), *numbers, rounding_of(scale)
        )
        return TensorInfo.made(weight, shape, whole.rounding, whole)
    require_numbers(shift, scale.values)
    recipe = AffineCodes(words_, kind, each, 8, group, scale, StoredNumbers(shift, negated=True))
    return TensorInfo.made(weight, shape, scale.values, recipe)


def _shape(weight: str, elements: int, group: int, stored: NamedTensors) -> tuple[int, int]:
    """Rows and columns. Raises ``Unfit`` where nothing tells, or the groups contradict it."""
    if group > _GROUP or group % _LESS:  # no size of a group: all columns
        return elements // group, group
    module = weight.rpartition(".")[0]
    biases = stored.beside(f"{module}.bias")
    last, width = module.rpartition(".")[2], stored.width
    rows = columns = 0
    if biases and len(biases[0].shape) == 1:
        rows = biases[0].elements
    elif last in _WRITE:
        rows = width
    elif last in _READ:
        columns = width
    rows, columns = rows or elements // max(columns, 1), columns or elements // max(rows, 1)
    told = columns < elements and rows * columns == elements and _group_of(columns) == group
    require_fit(
        told,
        "no file tells their matrix's shape, which quanto's groups hide, so that these fit: a "
        "config with the model's hidden_size beside them may",
    )
    return rows, columns


def _group_of(columns: int) -> int:
    """The size of group that quanto chooses; all columns where none fits."""
    group = _GROUP
    while columns % group and group > _LEAST:
        group -= _LESS
    return group if columns > _GROUP and columns % group == 0 else columns
