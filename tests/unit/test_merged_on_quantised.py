"""An adapter that was merged onto a base that had been quantised and dequantised is named, and
nothing else is called so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file

from modeldiff import diff
from modeldiff.changes.relations.rounded_base import rounded_base, rounded_rows
from modeldiff.findings.narrative import Narrative, narrate
from tests.support.adapters import merged_model, write_adapter, write_base

Weights = npt.NDArray[np.float64]
RANDOM = np.random.default_rng(0)
NF4 = np.array(
    [
        *(-1, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0),
        *(0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1),
    ]
)


def ggml(kind: str, weights: Weights) -> Weights:
    stored = gguf.GGMLQuantizationType[kind]
    codes = gguf.quants.quantize(weights.astype(np.float32), stored)
    return np.asarray(gguf.quants.dequantize(codes, stored), np.float64)


def nf4(weights: Weights) -> Weights:
    blocks = weights.reshape(-1, 64)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    nearest = np.abs((blocks / largest)[..., None] - NF4).argmin(-1)
    return np.asarray((NF4[nearest] * largest).reshape(weights.shape), np.float64)


def fp8(weights: Weights) -> Weights:
    scale = np.abs(weights).max() / 448
    codes = torch.from_numpy(weights / scale).to(torch.float8_e4m3fn)
    return np.asarray(codes.double().numpy() * scale, np.float64)


def int8(weights: Weights) -> Weights:
    """LLM.int8, as bitsandbytes computes it: a scale a row."""
    scale = np.abs(weights).max(axis=1, keepdims=True)
    return np.asarray(np.round(weights * (127 / scale)) * scale * 0.007874015718698502)


def int8_of_255(weights: Weights) -> Weights:
    """torchao's and compressed-tensors' INT8, a scale a row."""
    scale = np.abs(weights).max(axis=1, keepdims=True) / 127.5
    return np.asarray(np.clip(np.round(weights / scale), -128, 127) * scale)


def hqq(weights: Weights) -> Weights:
    """HQQ's 4 bits, as far as zero points are no whole numbers: groups of 64."""
    groups = weights.reshape(-1, 64)
    least = groups.min(axis=1, keepdims=True)
    step = (groups.max(axis=1, keepdims=True) - least) / 15
    return np.asarray((np.round((groups - least) / step) * step + least).reshape(weights.shape))


ROUNDED: Mapping[str, Callable[[Weights], Weights]] = {
    "NF4": nf4,
    "FP8": fp8,
    "Q4_0": lambda w: ggml("Q4_0", w),
    "Q4_1": lambda w: ggml("Q4_1", w),
    "Q5_0": lambda w: ggml("Q5_0", w),
    "Q5_1": lambda w: ggml("Q5_1", w),
    "Q8_0": lambda w: ggml("Q8_0", w),
    "HQQ": hqq,
}
OTHERS: Mapping[str, Callable[[Weights], Weights]] = {
    "trained on": lambda w: w + RANDOM.normal(0, 0.0265 * 0.02, w.shape),
    "trained far": lambda w: w + RANDOM.normal(0, 0.09 * 0.02, w.shape),
    "noise in proportion": lambda w: w * (1 + RANDOM.normal(0, 0.0265, w.shape)),
    "a factor": lambda w: w * 1.03,
    "a factor a row": lambda w: w * RANDOM.choice([0.96, 1.04], (len(w), 1)),
    "edited": lambda w: np.where(RANDOM.random(w.shape) < 0.03, 1.2 * w, w),
    "the same": lambda w: w,
    "not finite": lambda w: np.where(w == w.max(), np.inf, w),
}


def stored(weights: Weights) -> Weights:
    return np.asarray(torch.from_numpy(weights).bfloat16().double().numpy(), np.float64)


@pytest.mark.parametrize("update", [0.0005, 0.02])
@pytest.mark.parametrize("name", [*ROUNDED, *OTHERS])
def test_a_rounded_base_is_told_from_other_changes(name: str, update: float) -> None:
    plain = stored(RANDOM.normal(0, 0.02, (256, 64)))
    low_rank = RANDOM.normal(size=(256, 8)) @ RANDOM.normal(size=(8, 64))
    low_rank *= update / low_rank.std()
    base = stored({**ROUNDED, **OTHERS}[name](plain))
    found = rounded_base(plain, stored(plain + low_rank), stored(base + low_rank))
    assert (found is not None) == (name in ROUNDED)


@pytest.mark.parametrize("update", [0.0005, 0.02])
@pytest.mark.parametrize("columns", [128, 1024])
@pytest.mark.parametrize("name", ["LLM.int8", "torchao", *OTHERS])
def test_rows_rounded_to_8_bits_are_told(name: str, columns: int, update: float) -> None:
    """The steps are of whole rows, which a run of a row does not show."""
    random = np.random.default_rng(columns)
    plain = stored(random.normal(0, 0.02, (8, columns)))
    low_rank = random.normal(size=(8, 2)) @ random.normal(size=(2, columns))
    low_rank *= update / low_rank.std()
    rounding = {"LLM.int8": int8, "torchao": int8_of_255, **OTHERS}[name]
    merged = stored(stored(rounding(plain)) + low_rank)
    found = rounded_rows(plain, stored(plain + low_rank), merged)
    assert (found is not None) == (name not in OTHERS)
    if found is not None:
        assert 0.5 < found.far_pct < 1.3
        runs = (each.reshape(-1, 64) for each in (plain, stored(plain + low_rank), merged))
        assert rounded_base(*runs) is None or columns == 64


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base and an adapter on all its matrices."""
    folder = tmp_path_factory.mktemp("models")
    base = write_base("llama", folder / "base")
    return base, write_adapter(base, folder / "adapter", target_modules="all-linear")


def merged_onto(base: Path, adapter: Path, change: Callable[[Weights], Weights]) -> Path:
    """The adapter merged by PEFT onto the base with its matrices changed so."""
    weights = load_file(base / "model.safetensors")
    for name, weight in weights.items():
        if "_proj" in name:
            weights[name] = torch.from_numpy(change(weight.double().numpy())).bfloat16()
    folder = base.parent / "changed"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_bytes((base / "config.json").read_bytes())
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    merged_model(folder, adapter).save_pretrained(base.parent / "merged")
    return base.parent / "merged"


def narrative_of(base: Path, target: Path) -> Narrative:
    return narrate(diff(str(base), str(target), device="cpu", cache=False))


@pytest.mark.parametrize("change", [nf4, int8])
@pytest.mark.parametrize("turned", [False, True])
def test_the_merge_onto_a_dequantised_base_is_said(
    models: tuple[Path, Path], change: Callable[[Weights], Weights], *, turned: bool
) -> None:
    base, adapter = models
    merged = merged_onto(base, adapter, change)
    said = narrative_of(merged, adapter) if turned else narrative_of(adapter, merged)
    side, other = ("target", "base") if turned else ("base", "target")
    assert said.likeness == (
        f"Like {side}'s adapter merged onto a base that had been quantised and dequantised: taking "
        f"the update off 14 tensors of {other} leaves base's weights rounded to a coarse grid, and "
        "not base's weights.",
    )
    (fact,) = (fact for fact in said.facts if "coarse grid" in fact)
    said_of = f"By a sample of each, 14 tensors of {other} are {side}'s adapter (rank 8) on weights"
    assert fact.startswith(said_of)


def test_a_merge_that_was_trained_further_is_not_called_so(models: tuple[Path, Path]) -> None:
    base, adapter = models
    said = narrative_of(adapter, merged_onto(base, adapter, OTHERS["trained on"]))
    assert not any("coarse grid" in each for each in (*said.facts, *said.likeness))
