"""The demo checkpoints are what their README says, read from the bytes with numpy alone."""

import json
import math
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

DEMO = Path(__file__).parents[2] / "demo"
NAMES = ("base", "continued", "tuned", "lora", "unrelated")
FILES = {
    "model.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
}
BUDGET_BYTES = 16_000_000
LORA_RANK = 4

Bits = npt.NDArray[np.uint16]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def header_and_data(name: str) -> tuple[dict[str, Any], bytes]:
    """A safetensors file by hand: its header without the metadata, and the bytes after it."""
    raw = (DEMO / name / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    return header, raw[8 + length :]


def bits(name: str) -> dict[str, Bits]:
    """Every tensor of a checkpoint as its stored 16-bit patterns."""
    header, data = header_and_data(name)
    tensors: dict[str, Bits] = {}
    for tensor, info in header.items():
        begin, end = info["data_offsets"]
        tensors[tensor] = np.frombuffer(data[begin:end], np.uint16).reshape(info["shape"])
    return tensors


def widen(stored: Bits) -> npt.NDArray[np.float64]:
    """The values of bf16 bits: a bf16 is the upper half of a float32."""
    return (stored.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def unchanged_share(target: str) -> float:
    """The share of all elements whose bits equal base's."""
    base, other = bits("base"), bits(target)
    same = sum(int(np.count_nonzero(base[name] == other[name])) for name in base)
    return same / sum(stored.size for stored in base.values())


def median_changes(target: str) -> dict[str, float]:
    """Median |b - a| / |a| of each matrix against base."""
    base, other = bits("base"), bits(target)
    changes: dict[str, float] = {}
    for name in (name for name in base if base[name].ndim == 2):
        a, b = widen(base[name]), widen(other[name])
        with np.errstate(divide="ignore", invalid="ignore"):
            changes[name] = float(np.median(np.where(a == b, 0.0, np.abs(b - a) / np.abs(a))))
    return changes


@pytest.mark.parametrize("name", NAMES)
def test_each_folder_is_a_saved_checkpoint(name: str) -> None:
    assert {path.name for path in (DEMO / name).iterdir()} == FILES
    config = read_json(DEMO / name / "config.json")
    assert config["model_type"] == "llama"
    assert config["num_key_value_heads"] < config["num_attention_heads"]
    assert config["num_hidden_layers"] >= 8
    assert config["rope_parameters"]["rope_theta"] == 500_000
    assert config["tie_word_embeddings"] is False
    assert len(read_json(DEMO / name / "tokenizer.json")["model"]["vocab"]) == config["vocab_size"]


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_finite_bf16_in_base_shapes(name: str) -> None:
    header, data = header_and_data(name)
    base_header, _ = header_and_data("base")
    assert {info["dtype"] for info in header.values()} == {"BF16"}
    assert max(info["data_offsets"][1] for info in header.values()) == len(data)
    assert {tensor: info["shape"] for tensor, info in header.items()} == {
        tensor: info["shape"] for tensor, info in base_header.items()
    }
    assert all(np.isfinite(widen(stored)).all() for stored in bits(name).values())


def test_the_five_together_are_small_enough_to_commit() -> None:
    sizes = [path.stat().st_size for name in NAMES for path in (DEMO / name).iterdir()]
    assert sum(sizes) <= BUDGET_BYTES


def test_continued_changed_every_matrix_clearly() -> None:
    changes = median_changes("continued")
    assert 0.03 < min(changes.values()) <= max(changes.values()) < 0.6


def test_tuned_left_most_elements_where_they_were() -> None:
    assert 0.6 < unchanged_share("tuned") < 0.95


def test_lora_changed_only_q_and_v_by_rank_four() -> None:
    base, lora = bits("base"), bits("lora")
    changed = {name for name in base if not np.array_equal(base[name], lora[name])}
    adapted = {name for name in base if name.endswith(("q_proj.weight", "v_proj.weight"))}
    assert changed == adapted
    for name in adapted:
        singular = np.linalg.svd(widen(lora[name]) - widen(base[name]), compute_uv=False)
        energy = np.cumsum(singular**2) / np.sum(singular**2)
        # What is left over is the rounding to bf16 after the merge.
        assert energy[LORA_RANK - 1] > 0.99, name
        assert energy[0] < 0.999, name


def test_unrelated_shares_nothing_with_base() -> None:
    # Two independent matrices of equal scale give √2; base trained longer and is a little larger.
    changes = median_changes("unrelated")
    assert all(1.1 < change < 1.8 for change in changes.values())


def test_losses_say_that_training_worked() -> None:
    report = read_json(DEMO / "losses.json")
    made = {entry["name"]: entry for entry in report["checkpoints"]}
    assert tuple(made) == NAMES
    vocab_size = read_json(DEMO / "base" / "config.json")["vocab_size"]
    assert report["uniform_loss"] == pytest.approx(math.log(vocab_size), abs=1e-3)
    for entry in made.values():
        start, end = entry["loss"]["start"], entry["loss"]["end"]
        assert end[entry["text"]]["train"] < start[entry["text"]]["train"]
        assert end[entry["text"]]["held_out"] < start[entry["text"]]["held_out"]
    base = made["base"]["loss"]["end"]
    assert base["A"]["held_out"] < 0.65 * report["uniform_loss"]
    for name in ("continued", "tuned", "lora"):
        start = made[name]["loss"]["start"]
        assert all(start[text] == pytest.approx(base[text], abs=1e-3) for text in "AB"), name


def test_readme_quotes_the_measured_losses() -> None:
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    for entry in read_json(DEMO / "losses.json")["checkpoints"]:
        end = entry["loss"]["end"]
        cells = [f"{end[text][part]:.2f}" for text in "AB" for part in ("train", "held_out")]
        assert f"| `{entry['name']}` | {' | '.join(cells)} |" in readme
