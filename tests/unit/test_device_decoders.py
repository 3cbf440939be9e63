"""Codes that the fused kernel decodes, in Triton's interpreter, against the host's decoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("triton")

import torch

from modeldiff.architectures.place import Place
from modeldiff.changes import Pair
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.fused.sides import ChunkSide
from modeldiff.changes.backends.fused.worker import CODE_KINDS, FusedBackend, FusedWorker
from modeldiff.changes.engine.engine import walk
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo
from modeldiff.checkpoints.recipes.element_slice import slice_elements
from modeldiff.checkpoints.recipes.ggml_blocks import GgmlBlocks
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES
from modeldiff.checkpoints.recipes.groups import Groups, SameOfAll, StoredNumbers
from modeldiff.checkpoints.recipes.scaled_codes import NO_ZEROS, Coding, Grid, ScaledCodes
from modeldiff.checkpoints.recipes.stored_codes import (
    CodeGrid,
    CodeReader,
    StoredCodes,
    bytes_beside,
)
from modeldiff.checkpoints.tensor import Recipe
from tests.support.decoded_on_device import decoded
from tests.support.same_statistics import expect_same_changes
from tests.support.slow_statistics import Bytes
from tests.support.small_checkpoints import open_pair

# In the interpreter it is NumPy that overflows, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

Memory = dict[str, Bytes]


def operand(memory: Memory, name: str, dtype: str, raw: Bytes) -> TensorInfo:
    """A tensor whose bytes are in memory."""
    memory[name] = raw
    elements = raw.size * 8 // STORED_TYPES[dtype].bits
    return TensorInfo.stored(name, dtype, (elements,), "in memory", 0, raw.size)


def any_bytes(count: int, seed: int) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8)


def expect_the_hosts_values(
    recipe: Recipe, memory: Memory, kind: str, first: int, last: int
) -> None:
    """Every bit of every value, by the decoder that is on hand out and by the recipe's own."""

    def read(tensor: TensorInfo, element: int, view: memoryview) -> None:
        begin = element * STORED_TYPES[tensor.values].bits // 8
        view[:] = memory[tensor.name][begin : begin + len(view)].data

    decoder = recipe.open(read)
    assert isinstance(decoder, CodeReader)
    assert decoder.kind == kind
    values = {"F32": np.float32, "BF16": np.uint16, "F16": np.float16}
    rounding = getattr(recipe, "rounding", "F32")
    host: npt.NDArray[np.generic] = np.empty(last - first, values[rounding])
    decoder.fill(first, last, host.data.cast("B"))
    again = host.copy()
    room = torch.zeros(4 * (last - first) + 4096, dtype=torch.uint8)
    codes = decoder.read_codes(first, last, room.numpy().data)
    assert codes is not None
    codes.decode(room.numpy()[: codes.nbytes], again.data.cast("B"))
    np.testing.assert_array_equal(again.view(np.uint8), host.view(np.uint8))
    wanted = (
        (host.astype(np.uint32) << np.uint32(16)).view(np.float32)
        if rounding == "BF16"
        else host.astype(np.float32)
    )
    found = decoded(ChunkSide(room, last - first, STORED_TYPES[rounding], codes))
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.isnan(found), ~numbers)
    np.testing.assert_array_equal(found[numbers].view(np.uint32), wanted[numbers].view(np.uint32))
    assert numbers.any()


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K", "Q6_K", "MXFP4"])
def test_blocks_of_ggml(kind: str) -> None:
    """Any bytes: scales that are subnormal, infinite or NaN, and every power of two."""
    block = BLOCK_TYPES[kind]
    blocks = 8 * 256 // block.values * (4 if kind == "MXFP4" else 1)
    memory: Memory = {}
    raw = any_bytes(blocks * block.nbytes, 1)
    if kind == "MXFP4":
        raw.reshape(blocks, -1)[:, 0] = np.arange(blocks)  # every scale
    recipe = GgmlBlocks(operand(memory, "codes", "U8", raw), kind)
    expect_the_hosts_values(recipe, memory, kind, 0, blocks * block.values)
    expect_the_hosts_values(recipe, memory, kind, 256, blocks * block.values)


ROUNDINGS = ("F32", "BF16", "F16")


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("scale", ["F32", "BF16"])
@pytest.mark.parametrize("block", [(128, 128), (1, 60), (200, 300), (1, 300)])
def test_fp8_by_blocks_of_a_matrix(block: tuple[int, int], scale: str, rounding: str) -> None:
    """Blocks that the edges cut, rows, and a scale for all; from the middle of a block, too."""
    rows, columns = 200, 300
    memory: Memory = {}
    groups = -(-rows // block[0]) * -(-columns // block[1])
    random = np.random.default_rng(2)
    scales = (random.standard_normal(groups) * 10.0 ** random.integers(-6, 5, groups)).astype("f4")
    raw = scales.view(np.uint8)
    if scale == "BF16":
        raw = (scales.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    recipe = ScaledCodes(
        *("FP8", "FP8"),
        operand(memory, "codes", "U8", any_bytes(rows * columns, 3)),
        Coding("octets", 8, "F8_E4M3"),
        Grid.of(columns, block),
        StoredNumbers(operand(memory, "scales", scale, raw)),
        rounding=rounding,  # type: ignore[arg-type]
    )
    expect_the_hosts_values(recipe, memory, "8 bits", 0, 2000)
    expect_the_hosts_values(recipe, memory, "8 bits", 130 * columns + 77, 134 * columns)


@pytest.mark.parametrize(
    ("coding", "kind", "zeros"),
    [
        (Coding("octets", 8, "signed"), "8 bits", NO_ZEROS),
        (Coding("octets", 8, "F8_E5M2"), "8 bits", NO_ZEROS),
        (Coding("low nibbles", 4, "E2M1"), "4 bits", NO_ZEROS),
        (Coding("low nibbles", 4, "unsigned"), "4 bits", SameOfAll(8.0)),
        (Coding("high nibbles", 4, "unsigned"), "4 bits, high first", SameOfAll(7.0)),
        (Coding("quarters", 2, "unsigned"), "2 bits", SameOfAll(2.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_codes_in_groups(coding: Coding, kind: str, zeros: Groups) -> None:
    elements, group = 4096, 32
    memory: Memory = {}
    recipe = ScaledCodes(
        *(kind, kind),
        operand(memory, "codes", "U8", any_bytes(elements * coding.bits // 8, 4)),
        coding,
        Grid.flat(group),
        # Powers of two in bytes, as MXFP4 has them: among them 2**-127 and NaN.
        StoredNumbers(operand(memory, "scales", "F8_E8M0", any_bytes(elements // group, 5))),
        zeros,
    )
    expect_the_hosts_values(recipe, memory, kind, 0, elements)
    expect_the_hosts_values(recipe, memory, kind, 520, 2600)


def test_zero_points_of_each_group_and_a_table_of_the_file() -> None:
    elements, group = 2048, 64
    memory: Memory = {}
    numbers = np.random.default_rng(6).standard_normal(elements // group).astype(np.float32)
    table = np.linspace(-1, 1, 16, dtype=np.float32) ** 3
    recipe = ScaledCodes(
        *("NF4", "NF4"),
        operand(memory, "codes", "U8", any_bytes(elements // 2, 7)),
        Coding("high nibbles", 4, "", operand(memory, "table", "F32", table.view(np.uint8))),
        Grid.flat(group),
        StoredNumbers(operand(memory, "scales", "F32", numbers.view(np.uint8))),
        StoredNumbers(operand(memory, "zeros", "F32", numbers[::-1].copy().view(np.uint8))),
    )
    expect_the_hosts_values(recipe, memory, "4 bits, high first", 128, elements)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 5])
def test_all_that_a_kernel_is_given_is_aligned(groups: int) -> None:
    """Triton compiles a kernel anew, for seconds, where an address is not."""
    numbers = np.arange(1, groups + 1, dtype=np.float32)
    n = 32 * groups - 2
    codes = StoredCodes(
        "4 bits",
        n // 2,
        lambda *_: None,
        np.zeros(256, np.float32),
        CodeGrid(32, 1, 32, 0),
        numbers,
        -numbers,
    )
    room = torch.zeros(n // 2 + bytes_beside(groups), dtype=torch.uint8)
    side = ChunkSide(room, n, STORED_TYPES["F32"], codes)
    side.pack()
    assert side.nbytes <= room.numel()
    there = side.on_device(room, torch.zeros(256))
    places = [pointer.data_ptr() - room.data_ptr() for pointer in there[:4]]
    assert all(place % 16 == 0 for place in places)
    assert there.scales.tolist() == numbers.tolist()
    assert there.zeros.tolist() == (-numbers).tolist()


def made(checkpoint: Checkpoint, name: str, shape: tuple[int, ...], recipe: Recipe) -> TensorInfo:
    return TensorInfo.made(name, shape, "F32", recipe)


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Checkpoint, Checkpoint, list[Pair]]:
    """Codes of several kinds beside plain values: whole tensors, chunks of larger ones that begin
    in the middle of a row of blocks, and a slice of a stack."""
    columns = 1000
    elements = {"q8": 2 * LEAF + 96 * 32, "q4": LEAF + 256, "fp8": 140 * columns, "stack": 1024}
    random = np.random.default_rng(8)
    q8 = any_bytes(elements["q8"] // 32 * 34, 9).reshape(-1, 34)
    q8[:, 1] = 0x20 | q8[:, 1] & 0x83  # scales of one size, as files have them
    q4 = any_bytes(elements["q4"] // 256 * 144, 10).reshape(-1, 144)
    q4[:, [1, 3]] = 0x20 | q4[:, [1, 3]] & 0x83
    scales = random.uniform(0.001, 0.002, 2 * 8).astype(np.float32)
    stored = {
        "q8": ("U8", q8.reshape(-1)),
        "q4": ("U8", q4.reshape(-1)),
        "fp8": ("U8", any_bytes(elements["fp8"], 11)),
        "scales": ("F32", scales.view(np.uint8)),
    }
    plain = {
        name: ("F32", random.standard_normal(count).astype(np.float32).view(np.uint8))
        for name, count in elements.items()
    }
    base, target = open_pair(tmp_path, stored, plain)
    operands = {tensor.name: tensor for tensor in base.tensors}
    whole = made(base, "q8", (elements["q8"],), GgmlBlocks(operands["q8"], "Q8_0"))
    fp8 = ScaledCodes(
        *("FP8", "FP8"),
        operands["fp8"],
        Coding("octets", 8, "F8_E4M3"),
        Grid.of(columns, (128, 128)),
        StoredNumbers(operands["scales"]),
    )
    tensors = (
        whole,
        made(base, "q4", (elements["q4"],), GgmlBlocks(operands["q4"], "Q4_K")),
        made(base, "fp8", (140, columns), fp8),
        slice_elements(whole, (elements["stack"],), 4096, (), "expert 4"),
    )
    partners = {tensor.name: tensor for tensor in target.tensors}
    names = ("q8", "q4", "fp8", "stack")
    pairs = [
        Pair(Place(None, name), "compared", tensor, partners[name])
        for name, tensor in zip(names, tensors, strict=True)
    ]
    return replace(base, tensors=tensors), target, pairs


def test_a_walk_copies_what_is_stored_and_finds_what_the_cpu_finds(
    sides: tuple[Checkpoint, Checkpoint, list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, target, pairs = sides
    held: list[tuple[int, str, int]] = []
    really = FusedWorker.hold_codes

    def watched(worker: FusedWorker, side: int, codes: StoredCodes) -> None:
        held.append((side, codes.kind, codes.nbytes))
        really(worker, side, codes)

    monkeypatch.setattr(FusedWorker, "hold_codes", watched)
    changes = list(walk(pairs, base, target, FusedBackend("cpu", LEAF * 8, small=-1)))
    expect_same_changes(changes, list(walk(pairs, base, target, CpuBackend(1))))
    assert {side for side, _, _ in held} == {0}
    # Nothing but what is stored was copied of base: each byte once, or twice for a second pass.
    sizes = {pair.base.name: pair.base.pieces[0].nbytes for pair in pairs[:2] if pair.base}
    for name, kind in (("q8", "Q8_0"), ("q4", "Q4_K")):
        of_kind = [nbytes for _, each, nbytes in held if each == kind]
        expert = 1024 // 32 * 34 if name == "q8" else 0
        assert sum(of_kind) in (sizes[name] + expert, 2 * sizes[name] + expert)


def test_kinds_are_those_that_are_tested_here() -> None:
    groups = {"8 bits", "4 bits", "4 bits, high first", "2 bits"}
    assert groups | {"Q8_0", "Q4_K", "Q6_K", "MXFP4"} == CODE_KINDS
