"""GGUF files for tests: written by gguf-py's writer, changed as llama.cpp's converter changes them;
and hostile headers, written by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo

Arrays = Mapping[str, npt.NDArray[np.float32]]

LLAMA_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    **{f"self_attn.{part}_proj": f"attn_{part}" for part in "qkv"},
    "self_attn.o_proj": "attn_output",
    **{f"mlp.{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")},
}


def in_pairs(values: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows as the converter permutes those of Llama's q and k."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))


def llama_tensors(weights: Arrays, heads: int, kv_heads: int) -> Arrays:
    """transformers' tensors of a Llama as the converter has them."""
    converted = {}
    for name, values in weights.items():
        module, parameter = name.rsplit(".", 1)
        within = module.split(".", 3)[-1] if module.startswith("model.layers.") else module
        stored = f"{LLAMA_NAMES[within]}.{parameter}"
        if module.startswith("model.layers."):
            stored = f"blk.{module.split('.')[2]}.{stored}"
        turning = {"self_attn.q_proj": heads, "self_attn.k_proj": kv_heads}.get(within)
        converted[stored] = in_pairs(values, turning) if turning else values
    return converted


def write_gguf(
    path: Path,
    architecture: str,
    tensors: Arrays,
    kind: str = "F32",
    entries: Mapping[str, Any] | None = None,
) -> Path:
    """Write a file whose matrices are of ``kind``, its vectors F32, as converters do. Of
    ``entries``, behind the architecture's name, whole numbers are U32, fractions F32,
    lists arrays."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (entries or {}).items():
        whole = key if key.startswith(("split.", "general.")) else f"{architecture}.{key}"
        if key.startswith("split."):
            (writer.add_int32 if "tensors" in key else writer.add_uint16)(whole, value)
        elif isinstance(value, list):
            writer.add_array(whole, value)
        elif isinstance(value, int):
            writer.add_uint32(whole, value)
        else:
            writer.add_float32(whole, value)
    for name, values in tensors.items():
        type_ = gguf.GGMLQuantizationType[kind if values.ndim > 1 else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(values, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def header(
    *entries: bytes, tensors: int = 0, version: int = 3, claimed: int | None = None
) -> bytes:
    """A file's beginning, with these entries of metadata."""
    count = len(entries) if claimed is None else claimed
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + b"".join(entries)


def array(kind: int, count: int, content: bytes = b"", key: str = "a") -> bytes:
    return text(key) + struct.pack("<IIQ", 9, kind, count) + content


def tensor(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def numbered(*shape: int) -> npt.NDArray[np.float32]:
    """0, 1, 2 … in this shape."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def values_of(checkpoint: Checkpoint, tensor_: TensorInfo) -> npt.NDArray[np.float32]:
    """A tensor's values."""
    buffer = np.empty(tensor_.elements * STORED_TYPES[tensor_.values].bits // 8, np.uint8)
    files = OpenFiles(checkpoint, [tensor_])
    for file in files.names:
        files.fetch(file)
    try:
        files.fill(tensor_, 0, buffer)
    finally:
        files.close()
    kinds = {"F32": np.float32, "F16": np.float16}
    return buffer.view(kinds[tensor_.values]).astype(np.float32).reshape(tensor_.shape)
