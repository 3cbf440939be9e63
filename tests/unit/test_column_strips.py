"""GPTQ's and AWQ's matrices [in, out] as values [out, in]: any range of any shape, by strips."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
import pytest
import torch
from llvmlite import ir
from safetensors.torch import save_file

from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, open_checkpoint
from modeldiff.checkpoints.recipes import column_codes
from modeldiff.native.vector_code import FLOATS, HALVES, as_halves, has_halves

NAME = "model.layers.0.mlp.down_proj"
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
AWQ_OUTPUTS = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which output each code of a word is of, the lowest bits first."""
Codes = npt.NDArray[np.uint32]


def down(codes: Codes, bits: int) -> Codes:
    """Words of ``bits``-bit codes, packed along the rows of each column."""
    flat = (codes.T[..., np.newaxis] >> np.arange(bits, dtype=np.uint32) & 1).astype(np.uint8)
    octets = np.packbits(flat.reshape(len(flat), -1), axis=1, bitorder="little")
    return np.ascontiguousarray(octets.view("<u4").T)


def by_outputs(codes: Codes) -> Codes:
    """AWQ's words: eight outputs of an input in each."""
    eight = codes.reshape(len(codes), -1, 8)[..., AWQ_OUTPUTS]
    words: Codes = (eight << np.arange(0, 32, 4, dtype=np.uint32)).sum(axis=-1, dtype=np.uint32)
    return words


def tensor(words: Codes) -> torch.Tensor:
    return torch.from_numpy(words.view(np.int32).copy())


@pytest.mark.parametrize(
    ("method", "bits", "inputs", "outputs", "group", "kind"),
    [
        ("gptq", 4, 200, 96, 40, "F16"),
        ("gptq", 4, 8, 8, 8, "F16"),
        ("gptq", 4, 1032, 48, 129, "F32"),
        ("gptq", 2, 48, 80, 16, "BF16"),
        ("gptq", 3, 96, 32, 32, "F16"),
        ("gptq", 8, 36, 20, 12, "BF16"),
        ("order", 4, 264, 72, 24, "F16"),
        ("awq", 4, 75, 104, 25, "F16"),
        ("awq", 4, 33, 8, 11, "F32"),
    ],
)
def test_any_range_of_any_shape_is_the_formula(
    method: str,
    bits: int,
    inputs: int,
    outputs: int,
    group: int,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(column_codes, "PANEL", 4 * inputs * bits)  # panels of 32 outputs
    random = np.random.default_rng(inputs + bits)
    groups = inputs // group
    codes = random.integers(0, 1 << bits, (inputs, outputs)).astype(np.uint32)
    zeros = random.integers(1, 1 << bits, (groups, outputs)).astype(np.uint32)
    scales = torch.from_numpy(random.standard_normal((groups, outputs))).to(TYPES[kind])
    scales[0, 0], scales[-1, -1], scales[0, 1] = torch.nan, torch.inf, 1e-6
    order = np.arange(inputs) // group
    if method == "order":
        order = random.permutation(order)
    packed_zeros = by_outputs(zeros) if method == "awq" else down(zeros.T.copy(), bits).T.copy()
    stored = {
        "qweight": tensor(by_outputs(codes) if method == "awq" else down(codes, bits)),
        "qzeros": tensor(packed_zeros),
        "scales": scales,
    }
    if method != "awq":
        stored["g_idx"] = torch.from_numpy(order.astype(np.int32))
    save_file({f"{NAME}.{key}": value for key, value in stored.items()}, tmp_path / "m.safetensors")
    settings = f'"bits": {bits}, "group_size": {group}, "checkpoint_format": "gptq_v2"'
    quantised = f'{{"quant_method": "{method}", {settings}}}'
    (tmp_path / "config.json").write_text(f'{{"quantization_config": {quantised}}}')

    with np.errstate(all="ignore"):
        exact = (codes.astype(np.float32) - zeros[order]) * scales.float().numpy()[order]
    wanted = (
        torch.from_numpy(exact.astype(np.float32)).to(TYPES[kind]).float().numpy().T.reshape(-1)
    )
    checkpoint = open_checkpoint(str(tmp_path / "m.safetensors"))
    matrix = checkpoint[f"{NAME}.weight"]
    assert matrix.shape == (outputs, inputs) and matrix.values == kind
    files = OpenFiles(checkpoint, [matrix])
    for file in files.names:
        files.fetch(file)
    width = STORED_TYPES[kind].bits // 8
    ranges = [sorted(random.integers(0, wanted.size + 1, 2).tolist()) for _ in range(12)]
    for first, last in [(0, wanted.size), (inputs - 1, inputs + 1), *ranges]:
        raw = np.empty((last - first) * width, np.uint8)
        if raw.size:
            files.fill(matrix, first, raw)
            given = torch.frombuffer(raw, dtype=TYPES[kind]).float().numpy()
            np.testing.assert_array_equal(given, wanted[first:last])
    files.close()


@pytest.mark.parametrize("by_processor", [False, True] if has_halves() else [False])
def test_halves_are_rounded_the_same_by_any_processor(by_processor: bool) -> None:
    module = ir.Module()
    places = [ir.PointerType(each) for each in (FLOATS, HALVES)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), places), "round_sixteen")
    builder = ir.IRBuilder(function.append_basic_block())
    values = builder.load(function.args[0], align=4)
    rounded = as_halves(builder, values, by_processor=by_processor)
    builder.store(rounded, function.args[1], align=2)
    builder.ret_void()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    address = engine.get_function_address("round_sixteen")
    round_sixteen: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)

    random = np.random.default_rng(1)
    bits = random.integers(0, 1 << 32, 1 << 14, dtype=np.uint64).astype(np.uint32)
    near = random.integers(0x32000000, 0x48000000, 1 << 14).astype(np.uint32)  # subnormals to inf
    ties = near & np.uint32(0xFFFFE000) | np.uint32(0x1000)
    floats = np.concatenate([bits, near, ties, near | np.uint32(1 << 31)]).view(np.float32)
    floats[np.isnan(floats)] = np.nan
    halves = np.empty(floats.size, np.uint16)
    for first in range(0, floats.size, 16):
        round_sixteen(floats[first:].ctypes.data, halves[first:].ctypes.data)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(halves, floats.astype(np.float16).view(np.uint16))
