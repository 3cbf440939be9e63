"""Files of torch.save: every value as torch itself loads it, and nothing of a file is run."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from modeldiff import diff
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.errors import (
    CheckpointError,
    DamagedCheckpoint,
    InvalidReference,
    NoWeights,
    UnsupportedFormat,
)
from tests.support.opened_values import bytes_of


def tensors_of_every_kind() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return {
        "model.embed_tokens.weight": random(64, 16).bfloat16(),
        "plain": random(16, 32),
        "turned": random(16, 32).T,
        "every other": random(16, 32)[:, ::2],
        "a window": random(20, 20)[3:9, 5:11],
        "permuted": random(3, 4, 5).permute(2, 0, 1),
        "expanded": random(1).expand(5, 5),
        "rows from the end": random(8, 4)[5:],
        "half": random(4, 4).half(),
        "double": random(3).double(),
        "eight bits": random(8, 8).to(torch.float8_e4m3fn),
        "eight bits, wide": random(8, 8).to(torch.float8_e5m2),
        "whole": torch.arange(-5, 5),
        "bytes": torch.arange(7, dtype=torch.uint8),
        "mask": torch.ones(3, 3).tril().bool(),
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 4),
        "parameter": torch.nn.Parameter(random(3, 3)),
    }


def require_equal(checkpoint: Checkpoint, expected: dict[str, torch.Tensor]) -> None:
    assert set(checkpoint) == set(expected)
    for name, tensor in expected.items():
        stored = checkpoint[name]
        assert stored.shape == tuple(tensor.shape), name
        values = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        assert bytes_of(checkpoint, stored) == values, name


@pytest.mark.parametrize("zipped", [True, False])
def test_values_are_torchs_own(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.pt"
    expected = tensors_of_every_kind()
    torch.save(expected, path, _use_new_zipfile_serialization=zipped)
    require_equal(open_checkpoint(str(path)), expected)


def test_a_tied_head_is_the_embedding_as_in_safetensors(tmp_path: Path) -> None:
    embedding = torch.randn(8, 4)
    tensors = {"model.embed_tokens.weight": embedding, "model.norm.weight": torch.ones(4)}
    torch.save({"lm_head.weight": embedding, **tensors}, tmp_path / "pytorch_model.bin")
    checkpoint = open_checkpoint(str(tmp_path))
    require_equal(checkpoint, tensors)
    assert any("'lm_head.weight'" in warning for warning in checkpoint.warnings)


def test_a_head_of_equal_values_and_own_bytes_is_kept(tmp_path: Path) -> None:
    embedding = torch.randn(8, 4)
    tensors = {"lm_head.weight": embedding.clone(), "model.embed_tokens.weight": embedding}
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    require_equal(open_checkpoint(str(tmp_path)), tensors)


def test_shards_by_their_index(tmp_path: Path) -> None:
    one, other = {"a.weight": torch.randn(3, 4)}, {"b.weight": torch.randn(5)}
    torch.save(one, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save(other, tmp_path / "pytorch_model-00002-of-00002.bin")
    torch.save({"lr": 1}, tmp_path / "training_args.bin")
    where = {"a.weight": "pytorch_model-00001-of-00002.bin"}
    index = {"weight_map": {**where, "b.weight": "pytorch_model-00002-of-00002.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    require_equal(open_checkpoint(str(tmp_path)), one | other)
    (tmp_path / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(DamagedCheckpoint, match="1 of 2 shards"):
        open_checkpoint(str(tmp_path))


def test_safetensors_beside_it_are_preferred(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "pytorch_model.bin")
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    assert open_checkpoint(str(tmp_path)).format == "safetensors"


class TestTrainingRuns:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        self.model, self.average = {"w": torch.randn(4, 4)}, {"w": torch.randn(4, 4)}
        run = {
            "model": self.model,
            "ema": {"shadow": self.average, "decay": 0.999},
            "optimizer": {"state": {0: {"exp_avg": torch.randn(4, 4)}}},
            "args": argparse.Namespace(lr=1e-3, folder=Path("x")),
            "step": 7,
        }
        torch.save(run, tmp_path / "run.pt")
        return tmp_path / "run.pt"

    def test_the_models_own_is_taken_and_the_others_are_named(self, path: Path) -> None:
        checkpoint = open_checkpoint(str(path))
        require_equal(checkpoint, self.model)
        assert "ema/shadow" in " ".join(checkpoint.warnings)
        assert "optimizer" not in " ".join(checkpoint.warnings)

    @pytest.mark.parametrize("tag", ["ema", "shadow", "ema/shadow"])
    def test_a_tag_chooses(self, path: Path, tag: str) -> None:
        checkpoint = open_checkpoint(f"{path}:{tag}")
        require_equal(checkpoint, self.average)
        assert checkpoint.fingerprint != open_checkpoint(str(path)).fingerprint
        assert open_checkpoint(checkpoint.reference.text).fingerprint == checkpoint.fingerprint

    def test_a_tag_that_is_not_there(self, path: Path) -> None:
        with pytest.raises(UnsupportedFormat, match="'ema/shadow', 'model'"):
            open_checkpoint(f"{path}:teacher")

    def test_several_without_a_model_are_listed(self, tmp_path: Path) -> None:
        parts = {"generator": {"w": torch.ones(2)}, "discriminator": {"w": torch.ones(2)}}
        torch.save(parts, tmp_path / "gan.pt")
        with pytest.raises(UnsupportedFormat, match=r"discriminator.*generator"):
            open_checkpoint(str(tmp_path / "gan.pt"))

    def test_a_nested_dict_is_one_model(self, tmp_path: Path) -> None:
        weight = torch.randn(2, 2)
        parts = {"embedding": {"word": {"weight": weight}}, "encoder": {"0.weight": weight + 1}}
        torch.save({"model": {"language_model": parts}, "step": 3}, tmp_path / "megatron.pt")
        expected = {"embedding.word.weight": weight, "encoder.0.weight": weight + 1}
        require_equal(open_checkpoint(str(tmp_path / "megatron.pt")), expected)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)
        self.blocks = torch.nn.Sequential(torch.nn.Linear(4, 2))
        self.register_buffer("scale", torch.rand(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.blocks(self.linear(x)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_whole_modules_and_scripts(tmp_path: Path) -> None:
    net = Net()
    torch.save(net, tmp_path / "module.pt")
    torch.jit.save(torch.jit.script(net), str(tmp_path / "script.pt"))
    require_equal(open_checkpoint(str(tmp_path / "module.pt")), dict(net.state_dict()))
    require_equal(open_checkpoint(str(tmp_path / "script.pt")), dict(net.state_dict()))


class Acting:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_run_and_what_would_be_is_said(tmp_path: Path, zipped: bool) -> None:
    mark = tmp_path / "mark"
    content = {"model": {"w": torch.ones(2)}, "more": Acting(f"touch {mark}")}
    path = tmp_path / "m.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    checkpoint = open_checkpoint(str(path))
    require_equal(checkpoint, {"w": torch.ones(2)})
    assert not mark.exists()
    assert any(f"{os.name}.system" in warning for warning in checkpoint.warnings)


def test_a_diff_against_the_same_in_safetensors_is_unchanged(tmp_path: Path) -> None:
    torch.manual_seed(1)
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": torch.randn(96, 80) for n in range(3)}
    save_file(tensors, tmp_path / "model.safetensors")
    turned = {name: tensor.T.contiguous().T for name, tensor in tensors.items()}
    torch.save(turned, tmp_path / "model.bin")
    table = diff(str(tmp_path / "model.safetensors"), str(tmp_path / "model.bin")).to_pandas()
    assert len(table) == 3
    assert (table["median_pct"] == 0).all()


def pickled(*opcodes: bytes) -> bytes:
    return b"\x80\x02" + b"".join(opcodes) + b"."


def archive(pickle: bytes, *more: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as zipped:
        zipped.writestr("m/data.pkl", pickle)
        for name, content in more:
            zipped.writestr(f"m/{name}", content)
    return stream.getvalue()


def tensor_pickle(shape: list[int], strides: list[int], offset: int = 0) -> bytes:
    """``{"w": tensor}`` of storage 0, as torch writes it."""

    def numbers(values: list[int]) -> bytes:
        return b"(" + b"".join(b"\x8a\x09" + v.to_bytes(9, "little") for v in values) + b"t"

    storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\x04tQ"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers([offset])[1:-1]
    return pickled(b"}X\1\0\0\0w", call, numbers(shape), numbers(strides), b"\x89)tRs")


HOSTILE = {
    "a tensor beyond its storage": archive(tensor_pickle([5], [1]), ("data/0", b"\0" * 16)),
    "an offset beyond its storage": archive(tensor_pickle([1], [1], 4), ("data/0", b"\0" * 16)),
    "a terabyte of one value": archive(tensor_pickle([1 << 38], [0]), ("data/0", b"\0" * 16)),
    "sizes that overflow": archive(tensor_pickle([1 << 62] * 4, [1] * 4), ("data/0", b"\0" * 16)),
    "a storage that is not there": archive(tensor_pickle([4], [1])),
    "compressed": archive(
        tensor_pickle([4], [1]), ("data/0", b"\0" * 4096), method=zipfile.ZIP_DEFLATED
    ),
    "big-endian": archive(tensor_pickle([4], [1]), ("data/0", b"\0" * 16), ("byteorder", b"big")),
    "no pickle": archive(b"", ("data/0", b"")),
    "no state dict": archive(pickled(b"}")),
    "a memo of 2**31": archive(pickled(b"]r\xff\xff\xff\x7f")),
    "a text of 4 GB": archive(pickled(b"X\xff\xff\xff\xff")),
    "a text of 2**63": archive(pickled(b"\x8d" + b"\xff" * 8)),
    "marks": archive(pickled(b"(" * 100_000)),
    "lists in lists": archive(pickled(b"]" * 200_000, b"a" * 199_999)),
    "tuples in tuples as a key": archive(pickled(b"})", b"\x85" * 200_000, b"Ns")),
    "a dict that holds itself": archive(pickled(b"}q\0X\1\0\0\0ah\0s")),
    "doubling": archive(
        pickled(b"]q\0", b"".join(b"(" + b"h\0" * 200 + b"lq\0" for _ in range(99)))
    ),
    "a million objects": archive(pickled(b"(" + b"]" * 1_000_000 + b"l")),
    "nothing behind a mark": archive(pickled(b"t")),
    "an unknown opcode": archive(pickled(b"\xee")),
    "text as a number": archive(pickled(b"Iabc\n")),
    "extensions": archive(pickled(b"\x82\x01")),
    "a plain pickle": pickle.dumps({"w": 1}, protocol=2),
    "a pickle that is cut off": b"\x80\x02}q\0(",
    "a zip that is cut off": archive(tensor_pickle([4], [1]), ("data/0", b"\0" * 16))[:-30],
    "a zip of other things": archive(b"")[:0] + b"PK\x03\x04" + b"\0" * 100,
    "a directory of 2**32 files": b"PK\x03\x04"
    + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65534, 65534, 0xFFFFFFF0, 0, 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_clear_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(HOSTILE[name])
    with pytest.raises((DamagedCheckpoint, UnsupportedFormat, NoWeights)) as caught:
        open_checkpoint(str(path))
    assert caught.value.hint
    assert "model.pt" in caught.value.message


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path, zipped: bool) -> None:
    whole = tmp_path / "whole.pt"
    tensors = {"a": torch.randn(9, 9), "b": torch.ones(3)}
    torch.save(tensors, whole, _use_new_zipfile_serialization=zipped)
    content = whole.read_bytes()
    for length in range(0, len(content) - 1, 37):
        (tmp_path / "cut.pt").write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            open_checkpoint(str(tmp_path / "cut.pt"))


def test_a_tag_behind_nothing_is_no_reference(tmp_path: Path) -> None:
    with pytest.raises((InvalidReference, CheckpointError)):
        open_checkpoint(str(tmp_path / "absent.pt:ema"))
