"""The whole way, command line to JSON, against an independent plain computation.

The files are parsed here with struct and json, the medians are taken from a full NumPy sort in
float32. Nothing of the package computes what is expected.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).parents[2]
Values = dict[str, npt.NDArray[np.float32]]


def stored_values(folder: Path) -> Values:
    """Every tensor of a folder as float32, read by hand."""
    values: Values = {}
    for file in sorted(folder.glob("*.safetensors")):
        data = file.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        for name, entry in header.items():
            start, stop = (8 + length + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "BF16":
                bits = np.frombuffer(data[start:stop], "<u2").astype(np.uint32) << 16
                flat = bits.view(np.float32)
            else:
                assert entry["dtype"] == "F32"
                flat = np.frombuffer(data[start:stop], "<f4")
            values[name] = flat.reshape(entry["shape"])
    return values


def expected_median_pct(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """100 times the lower median of |b - a| / |a|."""
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.abs(b - a) / np.abs(a)
    r = np.sort(np.where(a == b, np.float32(0), r).ravel())
    return 100.0 * float(r[(r.size - 1) // 2])


def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [sys.executable, "-m", "modeldiff", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == expect, finished.stderr
    return finished


def diff(base: str, target: str, *options: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        run("diff", base, target, "--json", "--no-cache", *options).stdout
    )
    return document


def save_llama(folder: Path, seed: int, *, noise: float = 0.0, **changes: Any) -> Path:
    """A small Llama as transformers writes it; ``noise`` moves its weights by that share."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    settings: dict[str, Any] = {
        "vocab_size": 384,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    dtype = changes.pop("dtype", torch.bfloat16)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**settings | changes)).to(torch.bfloat16)
    if noise:
        with torch.no_grad():
            for parameter in model.parameters():
                moved = parameter.float() * (1 + noise * torch.randn(parameter.shape))
                parameter.copy_(moved.to(parameter.dtype))
    model.to(dtype).save_pretrained(folder, max_shard_size="120KB")
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two sharded folders of one shape, the second moved by 3 %."""
    folder = tmp_path_factory.mktemp("pair")
    return save_llama(folder / "a", 1), save_llama(folder / "b", 1, noise=0.03)


@pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
def test_medians_of_folders_by_transformers_equal_a_full_sort(
    pair: tuple[Path, Path], device: str
) -> None:
    base, target = pair
    assert_medians_exact(str(base), str(target), base, target, "--device", device)


@pytest.mark.parametrize("name", ["continued", "tuned", "lora", "unrelated"])
def test_medians_of_the_demo_pairs_equal_a_full_sort(name: str) -> None:
    demo = ROOT / "demo"
    assert_medians_exact("demo:base", f"demo:{name}", demo / "base", demo / name)


def assert_medians_exact(
    base: str, target: str, base_folder: Path, target_folder: Path, *options: str
) -> None:
    rows = {row["name"]: row for row in diff(base, target, *options)["tensors"]}
    a, b = stored_values(base_folder), stored_values(target_folder)
    assert rows.keys() == a.keys()
    for name, row in rows.items():
        assert row["status"] == "compared"
        assert row["median_pct"] == expected_median_pct(a[name], b[name]), name
        assert row["unchanged_pct"] == pytest.approx(100 * np.mean(a[name] == b[name]))


def test_another_vocabulary(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = save_llama(tmp_path / "wide", 1, vocab_size=400)
    rows = {row["name"]: row for row in diff(str(pair[0]), str(other))["tensors"]}
    a, b = stored_values(pair[0]), stored_values(other)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert (rows[name]["status"], rows[name]["compared_rows"]) == ("compared", 384)
        assert (rows[name]["base_shape"], rows[name]["target_shape"]) == ([384, 64], [400, 64])
        shared = b[name].reshape(400, 64)[:384].reshape(a[name].shape)
        assert rows[name]["median_pct"] == expected_median_pct(a[name], shared)
    assert rows["model.layers.0.mlp.up_proj.weight"]["status"] == "compared"


def test_another_number_of_layers(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = save_llama(tmp_path / "deep", 1, num_hidden_layers=5)
    document = diff(str(pair[0]), str(other), "--layers", "position")
    assert document["options"] == {"layers": "position"}
    statuses = document["summary"]["statuses"]
    assert statuses == {"compared": 3 * 9 + 3, "only_in_target": 2 * 9}
    added = [row for row in document["tensors"] if row["status"] == "only_in_target"]
    assert {row["layer"] for row in added} == {3, 4}
    assert all(row["base_shape"] is None and row["target_name"] for row in added)


def test_a_model_against_itself(pair: tuple[Path, Path]) -> None:
    for row in diff(str(pair[0]), str(pair[0]))["tensors"]:
        assert (row["median_pct"], row["unchanged_pct"]) == (0.0, 100.0)
        assert row["cosine"] == pytest.approx(1.0, abs=1e-12)


def test_bfloat16_against_its_float32_copy(pair: tuple[Path, Path], tmp_path: Path) -> None:
    import torch

    copy = save_llama(tmp_path / "f32", 1, dtype=torch.float32)
    for row in diff(str(pair[0]), str(copy))["tensors"]:
        assert (row["base_dtype"], row["target_dtype"]) == ("BF16", "F32")
        assert (row["median_pct"], row["unchanged_pct"]) == (0.0, 100.0)
        assert row["resolution_pct"] == 100 * 2.0**-8
