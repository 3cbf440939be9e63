"""Folders and files of this machine: what is chosen, what is read, when it counts as the same."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from modeldiff.architectures import understand
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.errors import (
    CheckpointChanged,
    CheckpointNotFound,
    DamagedCheckpoint,
    NoWeights,
    UnsupportedFormat,
)
from tests.support.fetching import fetched, is_here
from tests.support.safetensors_files import encode, entry, simple, write_sharded


def opened(path: Path) -> Checkpoint:
    return open_checkpoint(str(path))


def names(checkpoint: Checkpoint) -> list[str]:
    return [tensor.name for tensor in checkpoint.tensors]


class TestAsTransformersSavesThem:
    def test_one_file(self, tiny_llama_folder: Path) -> None:
        checkpoint = opened(tiny_llama_folder)
        path = tiny_llama_folder / "model.safetensors"
        assert checkpoint.format == "safetensors"
        assert checkpoint.files == {"model.safetensors": path.stat().st_size}
        assert checkpoint.config is not None
        assert checkpoint.config["num_hidden_layers"] == 3
        assert checkpoint.metadata == {"format": "pt"}
        assert checkpoint.warnings == ()
        with safe_open(path, framework="pt") as file:
            assert names(checkpoint) == list(file.offset_keys())
            for tensor in checkpoint.tensors:
                assert tensor.shape == tuple(file.get_slice(tensor.name).get_shape())
                stored = path.read_bytes()[tensor.offset : tensor.offset + tensor.nbytes]
                values = file.get_tensor(tensor.name).view(-1).view(dtype=_torch_bytes())
                assert stored == values.numpy().tobytes()

    def test_shards_hold_what_the_one_file_holds(
        self, tiny_llama_folder: Path, sharded_llama_folder: Path
    ) -> None:
        single, sharded = opened(tiny_llama_folder), opened(sharded_llama_folder)
        assert len(sharded.files) > 2
        assert sharded.warnings == ()
        assert {(t.name, t.dtype, t.shape) for t in sharded.tensors} == {
            (t.name, t.dtype, t.shape) for t in single.tensors
        }
        order = [(t.file, t.offset) for t in sharded.tensors]
        assert order == sorted(order)

    def test_one_shard_alone(self, sharded_llama_folder: Path) -> None:
        shard = sorted(sharded_llama_folder.glob("*.safetensors"))[1]
        checkpoint = opened(shard)
        assert {tensor.file for tensor in checkpoint.tensors} == {shard.name}
        assert checkpoint.config is not None
        assert fetched(checkpoint, shard.name) == shard


def _torch_bytes() -> object:
    import torch

    return torch.uint8


class TestChoice:
    def test_model_wins_over_its_index_and_over_copies(self, tmp_path: Path) -> None:
        write_sharded(tmp_path, {"model-00001-of-00001.safetensors": ("sharded",)})
        (tmp_path / "model.safetensors").write_bytes(simple("single"))
        (tmp_path / "consolidated.safetensors").write_bytes(simple("copy"))
        checkpoint = opened(tmp_path)
        assert names(checkpoint) == ["single"]
        assert "index.json was left aside" in checkpoint.warnings[0]
        assert "'consolidated.safetensors', 'model-00001-of-00001" in checkpoint.warnings[1]

    @pytest.mark.parametrize(
        "file",
        ["adapter_model.safetensors", "diffusion_pytorch_model.safetensors", "weights.safetensors"],
    )
    def test_the_only_file_is_taken_whatever_its_name(self, tmp_path: Path, file: str) -> None:
        (tmp_path / file).write_bytes(simple("w"))
        assert list(opened(tmp_path).files) == [file]

    def test_files_that_an_index_lists_may_have_any_name(self, tmp_path: Path) -> None:
        shards = {"head.safetensors": ("lm_head",), "body.safetensors": ("a", "b")}
        checkpoint = opened(write_sharded(tmp_path, shards))
        assert names(checkpoint) == ["a", "b", "lm_head"]
        assert checkpoint.warnings == ()

    def test_shards_in_a_subfolder(self, tmp_path: Path) -> None:
        (tmp_path / "parts").mkdir()
        checkpoint = opened(write_sharded(tmp_path, {"parts/one.safetensors": ("w",)}))
        assert fetched(checkpoint, "parts/one.safetensors").is_file()

    def test_numbered_shards_without_an_index(self, tmp_path: Path) -> None:
        for number in (1, 2, 3):
            file = tmp_path / f"model-0000{number}-of-00003.safetensors"
            file.write_bytes(simple(f"w{number}"))
        checkpoint = opened(tmp_path)
        assert names(checkpoint) == ["w1", "w2", "w3"]
        assert "no index" in checkpoint.warnings[0]
        file.unlink()
        with pytest.raises(DamagedCheckpoint, match="2 of 3 shards"):
            opened(tmp_path)

    def test_several_sets_are_named_in_the_error(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.safetensors").write_bytes(simple("w"))
        with pytest.raises(UnsupportedFormat, match="'a', 'b'"):
            opened(tmp_path)
        assert names(opened(tmp_path / "b.safetensors")) == ["w"]

    @pytest.mark.parametrize("file", ["pytorch_model.bin", "model.h5", "x.pt", "model.ckpt"])
    def test_other_formats_say_how_to_convert(self, tmp_path: Path, file: str) -> None:
        (tmp_path / file).write_bytes(b"anything")
        (tmp_path / "training_args.bin").write_bytes(b"no weights")
        with pytest.raises(UnsupportedFormat, match=file) as caught:
            opened(tmp_path)
        assert "training_args" not in caught.value.message
        assert "save_pretrained" in caught.value.hint

    def test_a_folder_without_weights_points_to_those_inside(self, tmp_path: Path) -> None:
        with pytest.raises(NoWeights):
            opened(tmp_path)
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(NoWeights) as caught:
            opened(tmp_path)
        assert str(tmp_path / "config.json") in caught.value.hint
        (tmp_path / "checkpoint-500").mkdir()
        (tmp_path / "checkpoint-500" / "model.safetensors").write_bytes(simple("w"))
        with pytest.raises(NoWeights) as caught:
            opened(tmp_path)
        assert "checkpoint-500" in caught.value.hint

    def test_a_file_without_tensors(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(encode({"__metadata__": {"format": "pt"}}))
        with pytest.raises(NoWeights, match="no tensors"):
            opened(tmp_path)

    def test_nothing_there(self, tmp_path: Path) -> None:
        for path in (tmp_path / "nosuch", tmp_path / "nosuch.safetensors"):
            with pytest.raises(CheckpointNotFound, match="nosuch"):
                opened(path)


SHARDS = {"model-1.safetensors": ("a", "b"), "model-2.safetensors": ("c",)}


class TestIndexAtOdds:
    def test_a_shard_is_missing(self, tmp_path: Path) -> None:
        write_sharded(tmp_path, SHARDS)
        (tmp_path / "model-2.safetensors").unlink()
        with pytest.raises(DamagedCheckpoint, match=r"1 of 2 shards .* 'model-2.safetensors'"):
            opened(tmp_path)

    def test_a_promised_tensor_is_in_no_shard(self, tmp_path: Path) -> None:
        write_sharded(tmp_path, SHARDS, weight_map={"ghost": "model-2.safetensors"})
        with pytest.raises(DamagedCheckpoint, match=r"'ghost \(model-2.safetensors\)'"):
            opened(tmp_path)

    def test_one_tensor_is_in_two_shards(self, tmp_path: Path) -> None:
        write_sharded(tmp_path, SHARDS | {"model-2.safetensors": ("b", "c")})
        header = {"b": entry("BF16", [2], 0, 4), "c": entry("BF16", [2], 4, 8)}
        checkpoint = opened(tmp_path)
        assert [(t.name, t.file[6]) for t in checkpoint.tensors] == [
            ("a", "1"),
            ("b", "2"),
            ("c", "2"),
        ]
        assert "In more than one file: 'b'" in checkpoint.warnings[0]
        (tmp_path / "model-2.safetensors").write_bytes(encode(header, bytes(8)))
        with pytest.raises(DamagedCheckpoint, match="'b' is in both"):
            opened(tmp_path)

    def test_headers_win_where_it_is_harmless(self, tmp_path: Path) -> None:
        write_sharded(
            tmp_path,
            SHARDS | {"model-1.safetensors": ("a", "b", "d")},
            weight_map={"a": "model-2.safetensors"},
            drop=["b"],
            metadata={"total_size": 1},
        )
        checkpoint = opened(tmp_path)
        assert [(t.name, t.file) for t in checkpoint.tensors] == [
            ("a", "model-1.safetensors"),
            ("b", "model-1.safetensors"),
            ("d", "model-1.safetensors"),
            ("c", "model-2.safetensors"),
        ]
        said = " ".join(checkpoint.warnings)
        assert "1 tensor that the index doesn't list" in said
        assert "1 tensor is in another shard" in said
        assert "1 bytes of weights; the shards hold 32" in said

    @pytest.mark.parametrize("metadata", [None, [], {}, {"total_size": 24.0}, {"total_size": "x"}])
    def test_odd_index_metadata_is_no_error(self, tmp_path: Path, metadata: object) -> None:
        write_sharded(tmp_path, SHARDS, metadata=metadata)
        assert opened(tmp_path).warnings == ()

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}']
    )
    def test_a_broken_index(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "model.safetensors.index.json").write_text(content)
        with pytest.raises(DamagedCheckpoint, match=r"index\.json") as caught:
            opened(tmp_path)
        assert caught.value.hint


class TestConfig:
    @pytest.mark.parametrize(
        "content", [b"{", b"[1]", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": "\\ud800"}', b""]
    )
    def test_a_bad_one_is_a_warning(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / "config.json").write_bytes(content)
        checkpoint = opened(tmp_path)
        assert checkpoint.config is None
        assert "config.json" in checkpoint.warnings[0]

    def test_none_is_no_warning(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        checkpoint = opened(tmp_path)
        assert (checkpoint.config, checkpoint.warnings) == (None, ())

    def test_one_alone_opens_as_an_architecture(self, tmp_path: Path) -> None:
        config = {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1}
        config |= {"num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 16}
        (tmp_path / "config.json").write_text(json.dumps(config))
        checkpoint = opened(tmp_path / "config.json")
        assert "model.embed_tokens.weight" in names(checkpoint)
        index = tmp_path / "model.safetensors.index.json"
        index.write_text('{"weight_map": {}}')
        with pytest.raises(DamagedCheckpoint, match="not the config"):
            opened(index)


class TestFingerprint:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = write_sharded(tmp_path / "a", SHARDS)
        (folder / "config.json").write_text('{"hidden_size": 2}')
        return folder

    def test_survives_moving(self, tmp_path: Path, folder: Path) -> None:
        before = opened(folder).fingerprint
        assert opened(folder.rename(tmp_path / "moved")).fingerprint == before

    def test_equal_times_do_not_make_one_checkpoint_of_two(
        self, tmp_path: Path, folder: Path
    ) -> None:
        """As after unpacking an archive: headers, sizes and modification times are equal."""
        other = shutil.copytree(folder, tmp_path / "other")
        assert opened(other).fingerprint != opened(folder).fingerprint

    def test_files_around_the_weights_do_not_count(self, folder: Path) -> None:
        before = opened(folder).fingerprint
        (folder / "README.md").write_text("news")
        os.utime(folder / "config.json", (1, 1))
        assert opened(folder).fingerprint == before

    @pytest.mark.parametrize("change", ["time", "header", "config", "no config"])
    def test_changes_with_content(self, folder: Path, change: str) -> None:
        before = opened(folder).fingerprint
        shard = folder / "model-2.safetensors"
        status = shard.stat()
        if change == "time":
            os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        elif change == "header":
            shard.write_bytes(shard.read_bytes().replace(b"[2, 2]", b"[4, 1]"))
            os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns))
        elif change == "config":
            (folder / "config.json").write_text('{"hidden_size": 4}')
        else:
            (folder / "config.json").unlink()
        assert opened(folder).fingerprint != before

    @pytest.mark.parametrize("change", ["permissions", "hard link"])
    def test_survives_what_leaves_the_content_alone(
        self, tmp_path: Path, folder: Path, change: str
    ) -> None:
        before = opened(folder).fingerprint
        shard = folder / "model-2.safetensors"
        if change == "permissions":
            shard.chmod(0o640)
        else:
            os.link(shard, tmp_path / "another-name")
        assert opened(folder).fingerprint == before

    @pytest.mark.parametrize("share", ["all of it", "a sixteenth"])
    def test_notices_a_file_written_in_place_whose_time_was_set_back(
        self, tmp_path: Path, share: str
    ) -> None:
        """A large file, of which only blocks are looked at: a sixteenth, wherever it lies, holds
        one of them."""
        path = tmp_path / "model.safetensors"
        save_file({"w": np.zeros(1_000_000, np.float32)}, path)
        before, status = opened(tmp_path).fingerprint, path.stat()
        start = status.st_size - 4_000_000
        length = 4_000_000 if share == "all of it" else 4_000_000 // 16 + 1000
        for offset in range(start, status.st_size - length + 1, 177_777):
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(b"\1" * length)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            assert opened(tmp_path).fingerprint != before
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(bytes(length))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            assert opened(tmp_path).fingerprint == before


class TestStorage:
    @pytest.mark.parametrize("change", ["rewrite", "touch", "replace", "remove", "shrink"])
    def test_a_file_that_changed_since_is_refused(self, tmp_path: Path, change: str) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(simple("w"))
        os.utime(path, ns=(1, 1))
        checkpoint = opened(tmp_path)
        assert fetched(checkpoint, path.name) == path
        assert is_here(checkpoint, path.name)
        if change == "rewrite":
            path.write_bytes(simple("w", fill=1))
        elif change == "touch":
            os.utime(path, ns=(1, 2))
        elif change == "replace":
            other = tmp_path / "other"
            other.write_bytes(simple("w", fill=1))
            os.utime(other, ns=(1, 1))
            other.replace(path)
        elif change == "remove":
            path.unlink()
        else:
            os.truncate(path, 20)
            os.utime(path, ns=(1, 1))
        with pytest.raises(CheckpointChanged, match="was changed") as caught:
            fetched(checkpoint, path.name)
        assert caught.value.hint


def test_a_hub_cache_snapshot_is_a_folder_like_any_other(tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "models--owner--name"
    snapshot = repo / "snapshots" / ("a" * 40)
    (repo / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (repo / "blobs" / "b1").write_bytes(simple("w"))
    (snapshot / "model.safetensors").symlink_to("../../blobs/b1")
    shared = tmp_path / "hub" / "blobs" / "c2"
    shared.mkdir(parents=True)
    (shared / "c2ff").write_text('{"hidden_size": 2}')
    (repo / "blobs" / "c2").symlink_to("../../blobs/c2/c2ff")
    (snapshot / "config.json").symlink_to("../../blobs/c2")
    checkpoint = opened(snapshot)
    assert names(checkpoint) == ["w"]
    assert checkpoint.config == {"hidden_size": 2}
    assert names(opened(repo / "blobs" / "b1")) == ["w"]
    # Its root is that snapshot as long as it is plain which one is meant.
    root = opened(repo)
    assert root.fingerprint == checkpoint.fingerprint
    assert f"its snapshot {snapshot.name} was opened" in root.warnings[0]
    newer = repo / "snapshots" / ("b" * 40)
    newer.mkdir()
    (newer / "model.safetensors").write_bytes(simple("newer"))
    with pytest.raises(NoWeights) as caught:
        opened(repo)
    assert f"snapshots/{newer.name}" in caught.value.hint
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(newer.name)
    assert names(opened(repo)) == ["newer"]
    (repo / "refs" / "main").write_text("../../elsewhere")
    with pytest.raises(NoWeights):
        opened(repo)


def test_sizes_add_up(tmp_path: Path) -> None:
    header = {"a": entry("BF16", [3, 5], 0, 30), "b": entry("F32", [], 30, 34)}
    (tmp_path / "model.safetensors").write_bytes(encode(header, bytes(34)))
    checkpoint = opened(tmp_path)
    assert (checkpoint.elements, checkpoint.nbytes) == (16, 34)


def test_weights_in_folders_below_are_said_not_to_be_read(
    tiny_llama_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sentences"
    shutil.copytree(tiny_llama_folder, folder)
    assert opened(folder).warnings == ()
    (folder / "2_Dense").mkdir()
    (folder / ".cache").mkdir()
    for place in ("2_Dense", ".cache"):
        (folder / place / "model.safetensors").write_bytes(simple())
    (warning,) = opened(folder).warnings
    assert "2_Dense" in warning and "not read" in warning
    assert ".cache" not in warning


def test_metas_params_stand_in_for_a_config(tiny_llama_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "native"
    shutil.copytree(tiny_llama_folder, folder)
    params = {"dim": 32, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2}
    (folder / "params.json").write_text(json.dumps(params))
    assert "model_type" in (opened(folder).config or {})  # a config is the one that counts
    (folder / "config.json").unlink()
    checkpoint = opened(folder)
    assert checkpoint.config == params
    assert understand(checkpoint).number("heads") == 4
