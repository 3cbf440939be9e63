"""A recipe for tests: blocks of int8 codes with a float32 scale each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modeldiff.checkpoints import Checkpoint, TensorInfo, open_checkpoint
from modeldiff.checkpoints.tensor import Fill
from tests.support.small_checkpoints import in_shapes, write_checkpoint

BLOCK = 32


@dataclass(frozen=True)
class ScaledInt8:
    """``value = code * scale of its block``, in float32."""

    codes: TensorInfo
    scales: TensorInfo
    words: str = "int8, blocks of 32"
    stored: str = "I8"
    grain: int = BLOCK
    lossy: bool = True

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        return self.codes, self.scales

    def open(self, read: Fill) -> ScaledInt8Decoder:
        scales = np.empty(self.scales.elements, np.float32)
        read(self.scales, 0, scales.data.cast("B"))
        return ScaledInt8Decoder(self.codes, scales, read)


@dataclass(frozen=True, eq=False)
class ScaledInt8Decoder:
    codes: TensorInfo
    scales: npt.NDArray[np.float32]
    read: Fill

    def fill(self, first: int, last: int, out: memoryview) -> None:
        assert first % BLOCK == 0 and (last % BLOCK == 0 or last == self.codes.elements)
        codes = np.empty(last - first, np.int8)
        self.read(self.codes, first, codes.data.cast("B"))
        np.frombuffer(out, np.float32)[:] = values_of(codes, self.scales[first // BLOCK :])


def values_of(
    codes: npt.NDArray[np.int8], scales: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """What the recipe says of codes that begin at a block."""
    return codes.astype(np.float32) * np.repeat(scales, BLOCK)[: codes.size]


def quantised(
    folder: Path, shapes: dict[str, tuple[int, ...]], seed: int
) -> tuple[Checkpoint, Checkpoint]:
    """Random codes and scales as tensors made by the recipe, two files that hold them; and the
    same values as plain float32."""
    random = np.random.default_rng(seed)
    codes, scales, plain = {}, {}, {}
    for name, shape in shapes.items():
        elements = int(np.prod(shape))
        code = random.integers(-127, 128, elements).astype(np.int8)
        scale = random.uniform(0.001, 0.01, -(-elements // BLOCK)).astype(np.float32)
        codes[f"{name}.codes"] = ("I8", code.view(np.uint8))
        scales[f"{name}.scales"] = ("F32", scale.view(np.uint8))
        plain[name] = ("F32", values_of(code, scale).view(np.uint8))
    stored = open_checkpoint(str(write_checkpoint(folder / "stored", codes | scales, shards=2)))
    apart = open_checkpoint(str(write_checkpoint(folder / "plain", plain)))
    operands = {tensor.name: tensor for tensor in stored.tensors}
    made = []
    for name, shape in shapes.items():
        recipe = ScaledInt8(operands[f"{name}.codes"], operands[f"{name}.scales"])
        made.append(TensorInfo.made(name, shape, "F32", recipe))
    return replace(stored, tensors=tuple(made)), in_shapes(apart, shapes)
