"""Tensors that hold codes in place of values: a quantised matrix, and what stands beside it.

What a recipe turns into values is none of these any more: here is what is left, because its scale
is missing or its packing is not known. A matrix is quantised where a scale stands beside it, or
where the config, or another matrix, says that the weights are and it holds no plain floats. Its
codes are no weights, and packed ones do not have the weights' shape. Scales, zero points, tables
and orders are what the codes are read with, no parameters.

Names are those of GPTQ and AWQ (``qweight``, ``qzeros``, ``scales``, ``g_idx``), bitsandbytes
(``weight.absmax``, ``weight.quant_map``, ``SCB``), MLX (``scales``, ``biases``),
compressed-tensors (``weight_packed``, ``weight_scale``, ``weight_shape``), FP8 in blocks
(``weight_scale_inv``), MXFP4 (``_blocks``, ``_scales``), HQQ (``W_q``, with all its settings as
tensors), quanto (``weight._data``, ``weight._data._data``) and torchao (``_weight_qdata``, before
0.15 ``weight:qdata``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modeldiff.architectures.place import Codes
from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass

_HQQ = "W_q"
_CODES = frozenset({"qweight", "weight_packed", _HQQ})
"""Last parts of names that say that codes stand where a weight would."""
_DATA = "_data"
_TORCHAO = ("qdata", "packed_weights")
_WORDS = 5
"""So many words does torchao put behind a parameter's name: ``_weight_act_per_tensor_scale``."""
_BLOCKS = "_blocks"
_SCALES_OF_A_TENSOR = ("_scale", "_scale_inv", "_scales", ".absmax")
_SCALES_OF_A_MODULE = (".scales", ".scale", ".SCB")
_BESIDE = frozenset(
    {
        "scales",
        "scale",
        "biases",
        "SCB",
        "qzeros",
        "zero",
        "zeros",
        "g_idx",
        "meta",
        "input_scale",
        "output_scale",
        "input_global_scale",
        *(
            f"weight_{what}"
            for what in (
                "scale",
                "scale_inv",
                "scale_2",
                "global_scale",
                "zero_point",
                "g_idx",
                "shape",
                "format",
            )
        ),
    }
)
"""Last parts of names of what codes are read with."""
_CONFIGS = ("quantization_config", "compression_config", "quantization")
_BITS = ("bits", "w_bit", "num_bits", "nbits", "weight_bits")
_DEPTH = 4
"""So deep in a config is looked for how many bits a weight has, and so far up a name for codes."""
_PLAIN_BITS = 16
"""Numbers of fewer bits are codes where a config says that weights are quantised."""


_PLAIN = frozenset(
    name
    for name, stored in STORED_TYPES.items()
    if name in ("I64", "BOOL") or (stored.kind == "float" and stored.bits >= _PLAIN_BITS)
)
"""Types of what holds no codes, but where its name says so."""
_ENDS_OF_CODES = (*_CODES, _DATA, *_TORCHAO, _BLOCKS)


@dataclass(frozen=True)
class Quantisation:
    """``weights`` has the name that the values would have by the codes' own; ``codes`` what the
    codes are; ``beside`` the values' name, and the last part of its own, of what goes with them.
    All names are plain ones."""

    weights: Mapping[str, str]
    codes: Mapping[str, Codes]
    beside: Mapping[str, tuple[str, str]]

    def value_names(self, names: Sequence[str]) -> Sequence[str]:
        """The names by which tensors are placed: the values' own for codes and what goes with
        them."""
        if not self.weights and not self.beside:
            return names
        return [
            self.beside[name][0] if name in self.beside else self.weights.get(name, name)
            for name in names
        ]

    def note(self, name: str) -> str:
        """What is to be said of what goes with codes."""
        return "what codes are read with, no parameter" if name in self.beside else ""


def read_quantisation(
    names: Sequence[str], tensors: Sequence[TensorInfo], config: Mapping[str, Any] | None
) -> Quantisation:
    """What of these tensors, of these plain ``names``, is quantised. Reads names, types, shapes and
    config."""
    # Nearly all tensors of nearly all models are told to be values by this alone.
    text = "\n".join(names)
    ends = tuple(end for end in _ENDS_OF_CODES if end in text)
    coded = [
        (name, tensor)
        for name, tensor in zip(names, tensors, strict=True)
        if tensor.dtype not in _PLAIN or name.endswith(ends)
    ]
    made = {
        name
        for name, tensor in zip(names, tensors, strict=True)
        if tensor.recipe is not None and tensor.lossy
    }
    if not coded and not made:
        return Quantisation({}, {}, {})
    by_name = dict(zip(names, tensors, strict=True))
    entries = _entries(config)
    method = _word(entries, "quant_method") or _word(entries, "mode") if entries else ""
    bits = _bits(entries, _DEPTH) if entries else None
    weights: dict[str, str] = {}
    codes: dict[str, Codes] = {}
    for name, tensor in coded:
        value = _value_name(name, tensor, by_name, quantised=bool(entries is not None or made))
        if value is not None and value not in codes:
            weights[name] = value
            scale = by_name.get(_scale_by_rows(name))
            codes[name] = _read_codes(name, tensor, method, bits, scale)
    values = {value: name for name, value in weights.items()} | {name: name for name in made}
    beside = {
        name: partner
        for name in (names if values else ())
        if name not in weights and (partner := _goes_with(name, values, weights))
    }
    return Quantisation(weights, codes, beside)


def describe_codes(codes: Codes) -> str:
    """What codes are, in words: ``4-bit codes (gptq)``."""
    return f"{codes.bits}-bit codes" + (f" ({codes.method})" if codes.method else "")


def _value_name(
    name: str, tensor: TensorInfo, names: Mapping[str, TensorInfo], *, quantised: bool
) -> str | None:
    """The name that the values would have; None for a tensor that holds values."""
    module, dot, last = name.rpartition(".")
    if last in _CODES:
        return f"{module}{dot}weight"
    if last == _DATA:
        module = module.removesuffix("._data")
        return module if f"{module}._scale" in names else None
    if last.endswith(_TORCHAO) and (parameter := _flattened(name)):
        return parameter
    if name.endswith(_BLOCKS) and name.removesuffix(_BLOCKS) + "_scales" in names:
        return name.removesuffix(_BLOCKS)
    stored = STORED_TYPES.get(tensor.dtype)
    if stored is None or tensor.dtype in ("I64", "BOOL") or last in _BESIDE:
        return None
    if stored.kind == "float" and stored.bits >= _PLAIN_BITS:
        return None
    scaled = any(name + end in names for end in _SCALES_OF_A_TENSOR)
    scaled = scaled or (
        last == "weight" and any(module + end in names for end in _SCALES_OF_A_MODULE)
    )
    return name if scaled or (quantised and last == "weight") else None


def _flattened(name: str) -> str | None:
    """The parameter that torchao's name of the codes was made of, which it takes apart so."""
    module, dot, last = name.rpartition(".")
    stem = next(last.removesuffix(end) for end in _TORCHAO if last.endswith(end))
    if stem.startswith("_") and stem.endswith("_"):
        parameter = stem[1:-1]
    else:
        parameter = stem.removesuffix(":") if stem.endswith(":") else ""
    return f"{module}{dot}{parameter}" if parameter else None


def _flattened_with(name: str, values: Mapping[str, str]) -> tuple[str, str] | None:
    """As ``_goes_with``, of a name that torchao made."""
    module, dot, last = name.rpartition(".")
    parameter, colon, what = last.partition(":")
    if colon:
        value = f"{module}{dot}{parameter}"
        return (value, what) if value in values else None
    if not last.startswith("_"):
        return None
    parameter = last[1:]
    for _ in range(_WORDS):
        parameter, _, _ = parameter.rpartition("_")
        value = f"{module}{dot}{parameter}"
        if value in values:
            return value, last[len(parameter) + 2 :]
    return None


def _goes_with(
    name: str, values: Mapping[str, str], weights: Mapping[str, str]
) -> tuple[str, str] | None:
    """The values that a tensor is read with, and the last part of its name."""
    module, _, last = name.rpartition(".")
    if last in _BESIDE and f"{module}.weight" in values:
        return f"{module}.weight", last
    if f"{module}.{_HQQ}" in weights and last != "bias":
        return f"{module}.weight", last
    if flattened := _flattened_with(name, values):
        return flattened
    for end in ("_scale_inv", "_scale", "_scales"):
        if name.endswith(end) and name.removesuffix(end) in values:
            return name.removesuffix(end), end.removeprefix("_")
    above = name
    for _ in range(_DEPTH):
        above, dot, _ = above.rpartition(".")
        if not dot:
            return None
        if above in weights or above in values:
            return weights.get(above, above), name[len(above) + 1 :]
    return None


def _scale_by_rows(name: str) -> str:
    """The name of the scales of codes that are packed row into row, as HQQ and quanto do."""
    module, dot, last = name.rpartition(".")
    if last == _HQQ:
        return f"{module}{dot}scale"
    return f"{module.removesuffix('._data')}._scale" if last == _DATA else ""


def _packed_rows(
    tensor: TensorInfo, scale: TensorInfo | None, width: int, method: str, bits: int | None
) -> Codes:
    """Codes of which several rows are packed into one. A scale stands for each row before that: so
    these tell how many there are, where they do not stand for columns."""
    shape, scales = tensor.shape, scale.shape if scale is not None else ()
    if len(shape) == 2 and shape[0] and len(scales) == 2 and scales[1] == 1:
        each = -(-scales[0] // shape[0])
        if 1 <= each <= width:
            return Codes(method, min(width // each, 8), None, count=scales[0] * shape[1])
    return Codes(method, bits or 4, None)


def _read_codes(
    name: str,
    tensor: TensorInfo,
    method: str,
    config_bits: int | None,
    scale_by_rows: TensorInfo | None,
) -> Codes:
    stored = STORED_TYPES.get(tensor.dtype)
    width = stored.bits if stored is not None else 8
    last = name.rpartition(".")[2]
    if last == _HQQ or (last == _DATA and tensor.dtype == "U8"):
        return _packed_rows(tensor, scale_by_rows, width, method, config_bits)
    if name.endswith(_BLOCKS) and len(tensor.shape) > 1:
        *outer, blocks, bytes_a_block = tensor.shape
        return Codes(method or "mxfp4", 4, (*outer, blocks * bytes_a_block * 2))
    is_column = len(tensor.shape) == 2 and tensor.shape[1] == 1
    # Bytes without a sign hold halves in every format but where a config says otherwise.
    is_packed = width > 8 or (tensor.dtype == "U8" and config_bits != 8)
    if not is_packed:
        return Codes(method, width, tensor.shape)
    bits = config_bits or 4
    each = width // bits
    if not tensor.shape or (is_column and tensor.dtype == "U8") or width % bits:
        return Codes(method, bits, None)
    if last.endswith(_TORCHAO) and len(tensor.shape) > 3:  # in tiles, as a kernel reads them
        return Codes(method, bits, None)
    if last == "qweight" and len(tensor.shape) == 2:
        rows, columns = tensor.shape
        # AWQ packs outputs, GPTQ what goes in; both store what goes in as rows.
        if method == "awq":
            return Codes(method, bits, (columns * each, rows), inputs_first=True)
        return Codes(method, bits, (columns, rows * each), inputs_first=True)
    return Codes(method, bits, (*tensor.shape[:-1], tensor.shape[-1] * each))


def _entries(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not isinstance(config, Mapping):
        return None
    tables = (config[key] for key in _CONFIGS if isinstance(config.get(key), Mapping))
    return next(tables, None)


def _word(entries: Mapping[str, Any], key: str) -> str:
    value = entries.get(key)
    return value if isinstance(value, str) and len(value) <= 40 else ""


def _bits(entries: Mapping[str, Any], depth: int) -> int | None:
    """Bits of a weight, wherever a config's entries say them: the first of the outermost."""
    if entries.get("load_in_4bit") is True:
        return 4
    for key in _BITS:
        value = entries.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 8:
            return value
    if not depth:
        return None
    # What activations and caches are rounded to stands beside what weights are.
    inner = sorted(entries.items(), key=lambda item: item[0] != "weights")
    tables = (v for key, v in inner if isinstance(v, Mapping) and not _of_activations(key))
    return next((bits for table in tables if (bits := _bits(table, depth - 1))), None)


def _of_activations(key: str) -> bool:
    return any(word in key for word in ("activation", "cache", "output"))
