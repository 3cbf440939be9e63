"""GGUF files that llama.cpp's own converter wrote of tiny models, beside what they were made of."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file

from modeldiff import diff
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, open_checkpoint
from modeldiff.checkpoints.formats.gguf.names import QWEN_LINEAR_MOE_NAMES
from modeldiff.checkpoints.recipes.small_floats import as_float32
from modeldiff.findings.narrative import narrate

DATA = Path(__file__).parents[1] / "data" / "converted"
EXPECTED: Mapping[str, Mapping[str, Any]] = json.loads((DATA / "expected.json").read_text())


def values_of(checkpoint: Checkpoint, name: str) -> npt.NDArray[np.float32]:
    """A tensor's values, read in runs that cut rows and blocks."""
    tensor = checkpoint[name]
    files = OpenFiles(checkpoint, [tensor])
    for file in files.names:
        files.fetch(file)
    width = STORED_TYPES[tensor.values].bits // 8
    raw = np.empty(tensor.elements * width, np.uint8)
    ends = sorted({0, *(tensor.elements * run // 5 for run in range(1, 5)), tensor.elements})
    for first, last in itertools.pairwise(ends):
        files.fill(tensor, first, raw[first * width : last * width])
    files.close()
    return as_float32(raw, tensor.values).reshape(tensor.shape)


def bfloat16(values: npt.NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(values).bfloat16()


@pytest.mark.parametrize("model", EXPECTED)
def test_every_tensor_is_what_it_was_made_of(model: str) -> None:
    """Names, shapes, rows, columns and values: those of transformers, as bfloat16. A decay's
    logarithm and a norm's one more come back within float32's last bits."""
    checkpoint = open_checkpoint(str(DATA / f"{model}.gguf"))
    assert checkpoint.warnings == ()
    assert set(checkpoint) == set(EXPECTED[model])
    for name, (shape, digest) in EXPECTED[model].items():
        assert list(checkpoint[name].shape) == shape, name
        values = bfloat16(values_of(checkpoint, name)).float() + 0.0
        assert hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest() == digest, name


def test_columns_of_blocks_are_dealt_back() -> None:
    """A block of 32 columns is of two value heads: its halves go to different places."""
    plain, blocks = (DATA / f"{name}.gguf" for name in ("qwen35", "qwen35-q8_0"))
    changes = diff(str(plain), str(blocks), device="cpu", cache=False)
    for change in changes:
        assert change.statistics is not None
        assert change.statistics.rel_frobenius_pct is not None
        assert change.statistics.rel_frobenius_pct < 0.8, change.pair
    assert {"linear_attn.out_proj"} <= {change.pair.place.component for change in changes}
    assert narrate(changes).likeness[0].startswith("Nothing but the quantisation")


def test_the_config_is_in_transformers_words() -> None:
    config = open_checkpoint(str(DATA / "qwen35moe.gguf")).config
    assert config is not None
    said = {
        "model_type": "qwen3_5_moe_text",
        "num_hidden_layers": 2,
        "num_experts": 2,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 6,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 16,
        "linear_conv_kernel_dim": 4,
    }
    assert said.items() <= config.items()
    # One layer more in the file predicts the token after the next.
    config = open_checkpoint(str(DATA / "qwen35.gguf")).config
    assert config is not None and config["num_hidden_layers"] == 2


@pytest.mark.parametrize("model", ["gpt-oss", "gpt-oss-mxfp4"])
def test_square_experts_meet_those_that_are_stored_the_other_way_round(
    model: str, tmp_path: Path
) -> None:
    """transformers' are [in, out] with gate and up in turn, the GGUF's [out, in] and apart; no
    shape tells it, as all are square."""
    converted = open_checkpoint(str(DATA / f"{model}.gguf"))
    tensors = {name: bfloat16(values_of(converted, name)) for name in converted}
    for name in [name for name in tensors if ".experts.gate_proj." in name]:
        stem, parameter = name.split(".gate_proj.")
        parts = [tensors.pop(f"{stem}.{part}_proj.{parameter}") for part in ("gate", "up")]
        turns = torch.stack(parts, 2).flatten(1, 2)
        if parameter == "bias":
            tensors[f"{stem}.gate_up_proj_bias"] = turns
            tensors[f"{stem}.down_proj_bias"] = tensors.pop(f"{stem}.down_proj.bias")
        else:
            tensors[f"{stem}.gate_up_proj"] = turns.transpose(1, 2).contiguous()
            down = tensors.pop(f"{stem}.down_proj.weight")
            tensors[f"{stem}.down_proj"] = down.transpose(1, 2).contiguous()
    assert tensors["model.layers.0.mlp.experts.down_proj"].shape == (2, 32, 32)
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_oss", "hidden_size": 32}))
    changes = diff(str(tmp_path), str(DATA / f"{model}.gguf"), device="cpu", cache=False)
    components = {change.pair.place.component for change in changes}
    assert {f"mlp.experts.{part}_proj" for part in ("gate", "up", "down")} <= components
    for change in changes:
        assert change.statistics is not None, change.pair
        assert change.statistics.unchanged_pct == 100, change.pair


def test_names_that_no_file_here_has() -> None:
    """Older files' fused matrix, and layers behind the model's own."""
    name = QWEN_LINEAR_MOE_NAMES.name
    assert name("blk.3.ssm_in.weight", 48) == "model.layers.3.linear_attn.in_proj_qkvz.weight"
    assert name("blk.48.nextn.eh_proj.weight", 48) == "mtp.fc.weight"
    assert name("blk.49.ffn_up_exps.weight", 48) == "mtp.layers.1.mlp.experts.up_proj.weight"
    assert name("blk.48.attn_norm.weight") == "model.layers.48.input_layernorm.weight"


def test_heads_that_nothing_counts_stay_and_that_is_said(tmp_path: Path) -> None:
    raw = (DATA / "qwen35.gguf").read_bytes().replace(b"ssm.group_count", b"ssm.group_c0unt")
    (tmp_path / "model.gguf").write_bytes(raw)
    (warning,) = open_checkpoint(str(tmp_path / "model.gguf")).warnings
    assert "Value heads" in warning and "compared as stored" in warning
