"""Decoding alone, beside the library's own dequantiser: ``python -m benchmarks.dequantisers``.

A matrix of random blocks of each type, read and decoded by one thread as a diff does it, and
decoded by gguf-py (compressed-tensors for its own form) from memory, in turn in one process. The
least processor time of the rounds is taken; both give the same values, which is looked at.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch
from compressed_tensors.compressors.pack_quantized import helpers
from safetensors.torch import save_file

from benchmarks.report import machine
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, open_checkpoint
from modeldiff.checkpoints.recipes.small_floats import as_float32

ROWS, COLUMNS, ROUNDS = 2048, 4096, 5
GGUF_TYPES = (
    *("Q4_0", "Q5_0", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("IQ4_NL", "IQ4_XS", "MXFP4"),
)
_GROUP = 128
_AT_ONCE = 1 << 18
Floats = npt.NDArray[np.float32]
Case = tuple[str, Path, Callable[[], Floats]]


def gguf_cases(room: Path) -> Iterator[Case]:
    """A file of each type with one matrix, and how gguf-py decodes it."""
    random = np.random.default_rng(0)
    for kind in GGUF_TYPES:
        number: Any = gguf.GGMLQuantizationType[kind]
        values, nbytes = gguf.GGML_QUANT_SIZES[number]
        blocks = random.integers(0, 64, (ROWS, COLUMNS // values * nbytes), np.uint8)
        path = room / f"{kind}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tensor("output.weight", blocks, raw_dtype=number)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

        def decode(blocks: Any = blocks, number: Any = number) -> Floats:
            return np.asarray(gguf.quants.dequantize(blocks, number), np.float32)

        yield f"GGUF, {kind}", path, decode


def packed_case(room: Path) -> Case:
    """compressed-tensors' INT4, a scale for each 128 columns, and how that library decodes it."""
    packed = torch.randint(-(2**31), 2**31 - 1, (ROWS, COLUMNS // 8), dtype=torch.int32)
    scale = torch.rand(ROWS, COLUMNS // _GROUP).bfloat16()
    tensors = {"packed": packed, "scale": scale, "shape": torch.tensor([ROWS, COLUMNS])}
    folder = room / "packed"
    folder.mkdir()
    save_file({f"lm_head.weight_{n}": t for n, t in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({}))

    def decode() -> Floats:
        codes = helpers.unpack_from_int32(packed, 4, torch.Size([ROWS, COLUMNS]))
        grouped = codes.reshape(ROWS, -1, _GROUP).to(scale.dtype) * scale[..., None]
        return np.asarray(grouped.reshape(ROWS, COLUMNS).float().numpy())

    return "compressed-tensors INT4", folder, decode


def read_and_decoded(path: Path) -> tuple[Callable[[], None], Callable[[], Floats]]:
    """Reads and decodes the one matrix of a checkpoint as a diff does it; and its values then."""
    checkpoint = open_checkpoint(str(path))
    (tensor,) = [each for each in checkpoint.tensors if each.recipe is not None]
    width = STORED_TYPES[tensor.values].bits // 8
    raw = np.empty(tensor.elements * width, np.uint8)

    def decode() -> None:
        files = OpenFiles(checkpoint, [tensor])
        for file in files.names:
            files.fetch(file)
        for first in range(0, tensor.elements, _AT_ONCE):
            files.fill(tensor, first, raw[first * width : (first + _AT_ONCE) * width])
        files.close()

    return decode, lambda: as_float32(raw, tensor.values).reshape(ROWS, COLUMNS)


def nanoseconds(act: Callable[[], object]) -> float:
    """Of this thread, for a value; the least of the rounds."""
    took = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        act()
        took.append(time.thread_time() - began)
    return 1e9 * min(took) / ROWS / COLUMNS


def main() -> None:
    """Measure, and print the table."""
    torch.set_num_threads(1)
    print("| stored as | read and decoded, ns a value | the library's decoding | of it |")
    print("| --- " * 4 + "|")
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        for kind, path, theirs in (*gguf_cases(room), packed_case(room)):
            ours, values = read_and_decoded(path)
            own, other = nanoseconds(ours), nanoseconds(theirs)
            np.testing.assert_array_equal(values(), theirs())
            print(f"| {kind} | {own:.2f} | {other:.2f} | {own / other:.3f} |", flush=True)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
