"""Single files that people give and that are no model, or only a part of one: it is said what they
are, and what to give instead."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modeldiff.checkpoints import open_checkpoint
from modeldiff.errors import CheckpointError
from modeldiff.model import Model

MATRIX = np.ones((4, 4), np.float32)


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(str(path))
    return f"{caught.value.message} {caught.value.hint}"


def archive() -> bytes:
    content = io.BytesIO()
    np.savez(content, weight=MATRIX)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("weights.npz", archive(), "NumPy archives are not read"),
        ("model.onnx", b"\x08\x08\x12\x07pytorch", "ONNX files are not read"),
        ("flax_model.msgpack", b"\x81\xa5model", "Flax files are not read"),
        ("tf_model.h5", b"\x89HDF\r\n\x1a\n", "TensorFlow and Keras files are not read"),
        ("model.keras", b"PK\x03\x04", "TensorFlow and Keras files are not read"),
        ("__0_0.distcp", b"PK\x03\x04", "Give the folder that it is in"),
    ],
)
def test_a_file_in_another_format_is_named(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name)


def test_what_begins_as_safetensors_is_read_whatever_its_name(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(4, 4)}, tmp_path / "model.onnx")
    assert set(open_checkpoint(str(tmp_path / "model.onnx"))) == {"weight"}


@pytest.fixture
def optimizer() -> dict[str, Any]:
    """What torch's own optimizer saves."""
    layer = torch.nn.Linear(4, 4)
    adam = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(4)).sum().backward()
    adam.step()
    return adam.state_dict()


def test_the_state_of_an_optimizer_is_no_model(tmp_path: Path, optimizer: dict[str, Any]) -> None:
    torch.save(optimizer, tmp_path / "adam.pt")
    assert "the state of an optimizer, and no weights" in refusal(tmp_path / "adam.pt")


def test_an_optimizer_is_left_out_whatever_leads_to_it(
    tmp_path: Path, optimizer: dict[str, Any]
) -> None:
    weights = torch.nn.Linear(4, 4).state_dict()
    torch.save({"model": weights, "opt_g": optimizer}, tmp_path / "run.pt")
    checkpoint = open_checkpoint(str(tmp_path / "run.pt"))
    assert set(checkpoint) == {"weight", "bias"} and not checkpoint.warnings
    torch.save({**weights, "opt": optimizer}, tmp_path / "flat.pt")
    assert set(open_checkpoint(str(tmp_path / "flat.pt"))) == {"weight", "bias"}


@pytest.mark.parametrize(("suffix", "write"), [(".safetensors", save_file), (".bin", torch.save)])
def test_one_shard_says_that_others_were_not_read(
    tmp_path: Path, suffix: str, write: Callable[[dict[str, torch.Tensor], Path], None]
) -> None:
    path = tmp_path / f"model-00002-of-00004{suffix}"
    write({"weight": torch.ones(4, 4)}, path)
    checkpoint = open_checkpoint(str(path))
    assert "3 other shards were not read" in checkpoint.warnings[0]
    assert checkpoint.unread == ("3 other shards",)


def write_kind(path: Path, architecture: str, kind: str, key: str = "") -> Path:
    """A GGUF of a ``kind``, with an entry of that kind under a ``key``."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(kind)
    if key:
        writer.add_string(key, "lora")
    writer.add_tensor("blk.0.attn_norm.weight", MATRIX[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_other_kinds_of_gguf(tmp_path: Path) -> None:
    assert "an importance matrix" in refusal(write_kind(tmp_path / "a.gguf", "llama", "imatrix"))
    adapter = write_kind(tmp_path / "b.gguf", "llama", "adapter", "adapter.type")
    assert "BASE + ADAPTER" in refusal(adapter)
    eyes = open_checkpoint(str(write_kind(tmp_path / "c.gguf", "clip", "mmproj")))
    assert "and not that model" in eyes.warnings[0]
    model = open_checkpoint(str(write_kind(tmp_path / "d.gguf", "llama", "model")))
    assert not model.warnings


def test_a_gguf_beside_safetensors_is_named_and_a_tag_that_was_given_is_enough(
    tmp_path: Path,
) -> None:
    for tag in ("Q4_K_M", "Q8_0"):
        write_kind(tmp_path / f"tiny-{tag}.gguf", "llama", "model")
    chosen = Model.open(f"{tmp_path}:Q8_0")
    assert not chosen.checkpoint.warnings
    assert chosen.name == f"{tmp_path.name}:Q8_0"
    save_file({"weight": torch.ones(4, 4)}, tmp_path / "model.safetensors")
    (warning,) = open_checkpoint(str(tmp_path)).warnings
    assert "tiny-Q4_K_M.gguf" in warning and "left aside" in warning
