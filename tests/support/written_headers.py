"""Any tensors and metadata, as safetensors itself writes them and as our parser reads them."""

from __future__ import annotations

import ctypes
import math

import safetensors
from hypothesis import strategies as st

from modeldiff.checkpoints.formats.safetensors import Header, header_bytes, parse_header

# The writer's spelling of the types that it can write → ours, and bytes an element.
WRITABLE = {
    "float64": ("F64", 8),
    "float32": ("F32", 4),
    "float16": ("F16", 2),
    "bfloat16": ("BF16", 2),
    "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e5m2": ("F8_E5M2", 1),
    "float8_e8m0fnu": ("F8_E8M0", 1),
    "int64": ("I64", 8),
    "int32": ("I32", 4),
    "int16": ("I16", 2),
    "int8": ("I8", 1),
    "uint64": ("U64", 8),
    "uint32": ("U32", 4),
    "uint16": ("U16", 2),
    "uint8": ("U8", 1),
    "bool": ("BOOL", 1),
    "complex64": ("C64", 8),
}


def parse(content: bytes, size: int | None = None) -> Header:
    """Parse a file given as bytes, as an opener does; ``size`` where the file claims another."""
    size = len(content) if size is None else size
    length = header_bytes(content[:64], size, "a.safetensors")
    return parse_header(
        content[:length], file="a.safetensors", file_size=size, where="a.safetensors"
    )


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda name: name != "__metadata__"
)
tensors = st.dictionaries(
    names,
    st.tuples(st.sampled_from(sorted(WRITABLE)), st.lists(st.integers(0, 5), max_size=4)),
    max_size=8,
)
# Not empty: for no tensors and empty metadata safetensors 0.8 writes a header that it can't read.
metadata = st.none() | st.dictionaries(
    names, st.text(st.characters(codec="utf-8"), max_size=20), min_size=1
)
ZEROS = ctypes.create_string_buffer(8 * 5**4)


def write(tensors: dict[str, tuple[str, list[int]]], metadata: dict[str, str] | None) -> bytes:
    """What safetensors writes for these (name → type and shape), all values zero."""
    specs = {
        name: safetensors.TensorSpec(
            dtype=dtype,
            shape=shape,
            data_ptr=ctypes.addressof(ZEROS),
            data_len=math.prod(shape) * WRITABLE[dtype][1],
        )
        for name, (dtype, shape) in tensors.items()
    }
    return safetensors.serialize(specs, metadata)
