"""Adapters and quantised weights whose numbers are no numbers of a model: each is refused, or its
values are shown as they are, without a warning of ours."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.checkpoints.tensor import TensorUnreadable
from modeldiff.errors import DamagedCheckpoint, ModeldiffError, UnsupportedFormat
from tests.support.opened_values import bytes_of

DATA = Path(__file__).parents[1] / "data" / "quantised"
MATRIX = "model.layers.0.mlp.down_proj"
LONGEST = 10**400
"""JSON's whole numbers have any length; a float has not."""
FACTORS = {
    f"base_model.model.{MATRIX}.lora_A.weight": torch.ones(2, 8),
    f"base_model.model.{MATRIX}.lora_B.weight": torch.ones(8, 2),
}
CONFIG: dict[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 4}


def adapted(folder: Path, factors: dict[str, torch.Tensor] = FACTORS, **changes: Any) -> Checkpoint:
    for name in ("base", "adapter"):
        (folder / name).mkdir()
    base = {f"{MATRIX}.weight": torch.zeros(8, 8)}
    (folder / "base" / "model.safetensors").write_bytes(save(base))
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(save(factors))
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps(CONFIG | changes))
    return open_checkpoint(f"{folder}/base + {folder}/adapter")


@pytest.mark.parametrize("number", [LONGEST, -LONGEST, float("inf"), float("nan")])
@pytest.mark.parametrize("where", ["lora_alpha", "alpha_pattern"])
def test_an_alpha_that_is_no_number(where: str, number: float, tmp_path: Path) -> None:
    value: Any = number if where == "lora_alpha" else {"down_proj": number}
    with pytest.raises(DamagedCheckpoint, match=r"adapter_config\.json"):
        adapted(tmp_path, FACTORS, **{where: value})


def test_a_pattern_that_is_longer_than_any_name(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnsupportedFormat) as caught:
        adapted(tmp_path, alpha_pattern={"a" * 3_000_000: 2})
    assert len(caught.value.message) < 1000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kibibytes
    assert grown < 100 * 1024


def test_a_direction_without_a_length_is_shown_as_what_it_is(tmp_path: Path) -> None:
    """DoRA divides by the length of each row, which is zero here."""
    factors = FACTORS | {
        f"base_model.model.{MATRIX}.lora_A.weight": torch.zeros(2, 8),
        f"base_model.model.{MATRIX}.lora_magnitude_vector": torch.ones(8),
    }
    checkpoint = adapted(tmp_path, factors, use_dora=True)
    (tensor,) = checkpoint.tensors
    values = torch.frombuffer(bytearray(bytes_of(checkpoint, tensor)), dtype=torch.float32)
    assert values.isnan().all()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("blocksize", LONGEST),
        ("blocksize", 2**70),
        ("blocksize", 0),
        ("blocksize", -64),
        ("nested_offset", LONGEST),
        ("nested_offset", -LONGEST),
        ("nested_offset", True),
        ("nested_blocksize", LONGEST),
        ("nested_blocksize", 0),
        ("shape", [LONGEST, 1]),
    ],
)
def test_a_quant_state_that_lies(key: str, value: object, tmp_path: Path) -> None:
    tensors = load_file(DATA / "bnb-nf4-twice.safetensors")
    (name,) = [name for name in tensors if "quant_state" in name]
    state = json.loads(bytes(tensors[name].tolist())) | {key: value}
    tensors[name] = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    save_file(tensors, tmp_path / "model.safetensors")
    checkpoint = open_checkpoint(str(tmp_path))
    if any("can't be read as values" in warning for warning in checkpoint.warnings):
        return
    (tensor,) = checkpoint.tensors
    with pytest.raises((TensorUnreadable, ModeldiffError), match="quant_state"):
        bytes_of(checkpoint, tensor)
