"""Quantised safetensors against bf16, beside the plain bf16 pair of the same change.

    python -m benchmarks.quantised

Codes are random and scales such that values are of a weight's size: what is measured does not
depend on them. Each form and the plain pair of its values are measured in turn in one process, and
the least processor time of the rounds is taken: on a machine with other work wall time says little.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from modeldiff.architectures import understand
from modeldiff.changes import measure, pair
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, open_checkpoint
from modeldiff.checkpoints.recipes.small_floats import as_float32

OUTPUTS, INPUTS, ROUNDS = 4096, 8192, 5
NAME = "model.layers.0.mlp.down_proj"
Tensors = dict[str, torch.Tensor]
_random = np.random.default_rng(0)


def _words(*shape: int) -> torch.Tensor:
    return torch.from_numpy(_random.integers(-(2**31), 2**31, shape).astype(np.int32))


def _bytes(*shape: int) -> torch.Tensor:
    return torch.from_numpy(_random.integers(0, 256, shape).astype(np.uint8))


def forms() -> Iterator[tuple[str, Tensors, Mapping[str, Any]]]:
    """Each form's name, tensors and config."""
    weight = torch.randn(OUTPUTS, INPUTS) * 0.02
    scale = float(weight.abs().max()) / 448
    blocks = torch.full((OUTPUTS // 128, INPUTS // 128), scale)
    codes = (weight / scale).to(torch.float8_e4m3fn)
    yield "FP8, 128×128 blocks", {".weight": codes, ".weight_scale_inv": blocks}, {}
    rows = torch.full((OUTPUTS, 1), scale * 4)
    yield "INT8, a scale a row", {".weight": codes.float().div(4).char(), ".weight_scale": rows}, {}
    shape = torch.tensor([OUTPUTS, INPUTS])
    groups = torch.full((OUTPUTS, INPUTS // 128), 0.004).bfloat16()
    for bits in (4, 3):
        packed = _words(OUTPUTS, INPUTS * bits // 32)
        tensors = {".weight_packed": packed, ".weight_scale": groups, ".weight_shape": shape}
        yield f"compressed-tensors INT{bits}", tensors, {}
    columns = torch.full((INPUTS // 128, OUTPUTS), 0.004).half()
    zeros = _words(INPUTS // 128, OUTPUTS // 8)
    runs = (torch.arange(INPUTS) // 128).int()
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}
    for name, order in (("GPTQ 4 bit", runs), ("its inputs in any order", runs.flip(0))):
        tensors = {".qweight": _words(INPUTS // 8, OUTPUTS), ".scales": columns}
        yield name, {**tensors, ".qzeros": zeros, ".g_idx": order.contiguous()}, config
    tensors = {".qweight": _words(INPUTS, OUTPUTS // 8), ".scales": columns, ".qzeros": zeros}
    yield "AWQ 4 bit", tensors, {}
    powers = torch.full((OUTPUTS, INPUTS // 32), 120, dtype=torch.uint8)
    yield "MXFP4", {".weight_packed": _bytes(OUTPUTS, INPUTS // 2), ".weight_scale": powers}, {}
    state = json.dumps({"blocksize": 64, "shape": [OUTPUTS, INPUTS]}).encode()
    beside = {
        "absmax": torch.rand(OUTPUTS * INPUTS // 64) * 0.05,
        "quant_map": torch.linspace(-1, 1, 16),
        "quant_state.bitsandbytes__nf4": torch.tensor(list(state), dtype=torch.uint8),
    }
    tensors = {f".weight.{key}": tensor for key, tensor in beside.items()}
    yield "NF4", {".weight": _bytes(OUTPUTS * INPUTS // 2, 1), **tensors}, {}
    groups = torch.full((OUTPUTS, INPUTS // 64), 0.004).bfloat16()
    tensors = {".weight": _words(OUTPUTS, INPUTS // 8).view(torch.uint32), ".scales": groups}
    config = {"quantization": {"bits": 4, "group_size": 64}}
    yield "MLX 4 bit", {**tensors, ".biases": groups * -8}, config


def write(folder: Path, tensors: Tensors, config: Mapping[str, Any]) -> Path:
    """A folder with one matrix."""
    folder.mkdir()
    whole = {NAME + last: tensor.contiguous() for last, tensor in tensors.items()}
    save_file(whole, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def plain_copy(folder: Path, stored: Path) -> Path:
    """The values of a stored form, in bf16."""
    checkpoint = open_checkpoint(str(stored))
    tensor = checkpoint[f"{NAME}.weight"]
    files = OpenFiles(checkpoint, [tensor])
    for file in files.names:
        files.fetch(file)
    raw = np.empty(tensor.elements * STORED_TYPES[tensor.values].bits // 8, np.uint8)
    files.fill(tensor, 0, raw)
    files.close()
    values = torch.from_numpy(as_float32(raw, tensor.values).reshape(tensor.shape))
    return write(folder, {".weight": values.bfloat16()}, {})


def seconds(base: Path, target: Path) -> float:
    """Processor time of measuring one pair, opening and pairing not counted."""
    one, other = open_checkpoint(str(base)), open_checkpoint(str(target))
    pairs = pair(understand(one), understand(other))
    start = resource.getrusage(resource.RUSAGE_SELF)
    changes = list(measure(pairs, one, other, device="cpu"))
    end = resource.getrusage(resource.RUSAGE_SELF)
    assert all(change.statistics for change in changes)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def main() -> None:
    """Measure every form and print the table."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as room:
        base = write(Path(room) / "base", {".weight": torch.randn(OUTPUTS, INPUTS) * 0.02}, {})
        base = plain_copy(Path(room) / "plain base", base)
        print("| stored as | ns a value | plain pair | beside it |\n| --- | --- | --- | --- |")
        for number, (name, tensors, config) in enumerate(forms()):
            stored = write(Path(room) / str(number), tensors, config)
            plain = plain_copy(Path(room) / f"{number} plain", stored)
            rounds = [(seconds(base, stored), seconds(base, plain)) for _ in range(ROUNDS)]
            own, beside = (1e9 * min(each) / OUTPUTS / INPUTS for each in zip(*rounds, strict=True))
            print(f"| {name} | {own:.2f} | {beside:.2f} | {own / beside:.2f} × |", flush=True)


if __name__ == "__main__":
    main()
