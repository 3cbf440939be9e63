"""Checkpoints made to mislead: each ends in a clear error and nothing else happens."""

from __future__ import annotations

import json
import os
import pickle
import resource
import socket
import struct
import zipfile
from pathlib import Path

import pytest

from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.formats.config_json import MAX_CONFIG_BYTES
from modeldiff.checkpoints.formats.safetensors import MAX_HEADER_BYTES
from modeldiff.checkpoints.formats.weight_files import MAX_INDEX_BYTES
from modeldiff.errors import (
    AccessDenied,
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    ModeldiffError,
    NoWeights,
    UnsupportedFormat,
)
from tests.support.safetensors_files import encode, entry, simple, write_sharded


def refused(path: Path, kind: type[ModeldiffError], *said: str) -> None:
    """Opening fails as it should, with a short message on one line and a hint."""
    with pytest.raises(kind) as caught:
        open_checkpoint(str(path))
    error = caught.value
    for text in said:
        assert text in error.message
    assert error.hint
    assert len(error.message) < 500
    assert error.message.isprintable()


class TestNotRegular:
    """Opening a pipe would wait for a writer for ever; reading a device may do anything."""

    @pytest.fixture(params=["file", "folder", "shard", "index"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
        """(what is opened, where the odd file goes)."""
        if request.param == "file":
            return tmp_path / "x.safetensors", tmp_path / "x.safetensors"
        if request.param == "folder":
            return tmp_path, tmp_path / "model.safetensors"
        write_sharded(tmp_path, {"a.safetensors": ("a",), "b.safetensors": ("b",)})
        odd = "b.safetensors" if request.param == "shard" else "model.safetensors.index.json"
        (tmp_path / odd).unlink()
        return tmp_path, tmp_path / odd

    def test_pipe(self, place: tuple[Path, Path]) -> None:
        os.mkfifo(place[1])
        refused(place[0], UnsupportedFormat, place[1].name, "named pipe")

    def test_socket(self, place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(place[1].parent)  # a socket's path has to be short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place[1].name)
            refused(place[0], UnsupportedFormat, place[1].name, "socket")

    def test_folder(self, place: tuple[Path, Path]) -> None:
        place[1].mkdir()
        kind = NoWeights if place[0] == place[1] else UnsupportedFormat
        refused(place[0], kind, place[1].name)

    def test_device(self, place: tuple[Path, Path]) -> None:
        place[1].symlink_to("/dev/zero")
        kind = UnsupportedFormat if place[0] == place[1] else AccessDenied
        refused(place[0], kind, place[1].name)

    def test_link_to_nowhere_and_to_itself(self, place: tuple[Path, Path]) -> None:
        place[1].symlink_to(place[1].parent / "gone")
        refused(place[0], CheckpointNotFound, place[1].name)
        place[1].unlink()
        place[1].symlink_to(place[1])
        refused(place[0], CheckpointError, place[1].name)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_forbidden(self, place: tuple[Path, Path]) -> None:
        place[1].write_bytes(simple("w"))
        place[1].chmod(0)
        refused(place[0], AccessDenied, place[1].name)

    def test_empty(self, place: tuple[Path, Path]) -> None:
        place[1].touch()
        refused(place[0], DamagedCheckpoint, place[1].name)


class TestLeadingOut:
    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        secret = tmp_path / "secret" / "model.safetensors"
        secret.parent.mkdir()
        secret.write_bytes(simple("secret"))
        return secret

    @pytest.mark.parametrize(
        "file",
        [
            "../secret/model.safetensors",
            "./../secret/model.safetensors",
            "sub/../../secret/model.safetensors",
            "..\\secret\\model.safetensors",
            "C:model.safetensors",
            "//host/share/model.safetensors",
            "file:///secret/model.safetensors",
            "model\n.safetensors",
            "model\0.safetensors",
            "..",
            "",
        ],
    )
    def test_index(self, tmp_path: Path, secret: Path, file: str) -> None:
        folder = write_sharded(tmp_path / "m", {"a.safetensors": ("a",)}, weight_map={"b": file})
        refused(folder, DamagedCheckpoint, "model.safetensors.index.json", "inside the folder")

    def test_index_with_an_absolute_path(self, tmp_path: Path, secret: Path) -> None:
        folder = write_sharded(tmp_path / "m", {}, weight_map={"b": str(secret)})
        refused(folder, DamagedCheckpoint, "inside the folder")

    def test_shard_that_is_a_link(self, tmp_path: Path, secret: Path) -> None:
        folder = write_sharded(tmp_path / "m", {"a.safetensors": ("a",)})
        (folder / "a.safetensors").unlink()
        (folder / "a.safetensors").symlink_to(secret)
        refused(folder, AccessDenied, "a.safetensors", "leads out")

    def test_subfolder_that_is_a_link(self, tmp_path: Path, secret: Path) -> None:
        folder = write_sharded(tmp_path / "m", {}, weight_map={"a": "sub/model.safetensors"})
        (folder / "sub").symlink_to(secret.parent)
        refused(folder, AccessDenied, "leads out")

    def test_index_that_is_a_link(self, tmp_path: Path, secret: Path) -> None:
        outside = write_sharded(tmp_path / "outside", {"a.safetensors": ("a",)})
        folder = tmp_path / "m"
        folder.mkdir()
        name = "model.safetensors.index.json"
        (folder / name).symlink_to(outside / name)
        refused(folder, AccessDenied, "leads out")

    def test_config_that_is_a_link_is_left_aside(self, tmp_path: Path) -> None:
        folder = tmp_path / "m"
        folder.mkdir()
        (tmp_path / "secret.json").write_text('{"password": "x"}')
        (folder / "model.safetensors").write_bytes(simple("w"))
        (folder / "config.json").symlink_to(tmp_path / "secret.json")
        checkpoint = open_checkpoint(str(folder))
        assert checkpoint.config is None
        assert "leads out" in checkpoint.warnings[0]

    def test_links_within_the_folder_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "real").write_bytes(simple("w"))
        (tmp_path / "model.safetensors").symlink_to("weights/real")
        assert open_checkpoint(str(tmp_path)).elements == 4


class TestOtherFormatsInDisguise:
    def test_a_pickle_is_never_run(self, tmp_path: Path) -> None:
        witness = tmp_path / "witness"

        class Payload:
            def __reduce__(self) -> tuple[object, ...]:
                return witness.write_text, ("run",)

        for protocol in (2, 4):
            for name in ("model.safetensors", "pytorch_model.bin"):
                folder = tmp_path / f"{protocol}{name}"
                folder.mkdir()
                (folder / name).write_bytes(pickle.dumps({"w": Payload()}, protocol))
                refused(folder, UnsupportedFormat, name)
        with zipfile.ZipFile(tmp_path / "zip.safetensors", "w") as archive:
            archive.writestr("data.pkl", pickle.dumps(Payload()))
        refused(tmp_path / "zip.safetensors", NoWeights, "no tensors")
        assert not witness.exists()

    def test_a_git_lfs_pointer_says_what_to_run(self, tmp_path: Path) -> None:
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
        (tmp_path / "model.safetensors").write_text(pointer)
        with pytest.raises(NoWeights) as caught:
            open_checkpoint(str(tmp_path))
        assert "git lfs pull" in caught.value.hint


class TestSizesThatLie:
    def test_nothing_is_allocated_for_a_promise(self, tmp_path: Path) -> None:
        """A sparse file of a tebibyte, whose header claims to be as long as allowed."""
        path = tmp_path / "model.safetensors"
        path.write_bytes(struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{")
        os.truncate(path, 1 << 40)
        refused(path, DamagedCheckpoint, "not a safetensors file")
        with path.open("r+b") as file:
            file.write(encode({"w": entry("U8", [1 << 40], 0, 1 << 40)}))
        refused(path, DamagedCheckpoint, "cut short")

    def test_truncated_anywhere(self, tmp_path: Path) -> None:
        content = simple("a", "b")
        path = tmp_path / "model.safetensors"
        for length in range(len(content)):
            path.write_bytes(content[:length])
            refused(path, DamagedCheckpoint, "model.safetensors")

    def test_endless_config_and_index(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / "config.json").touch()
        os.truncate(tmp_path / "config.json", MAX_CONFIG_BYTES + 1)
        checkpoint = open_checkpoint(str(tmp_path))
        assert "config.json" in checkpoint.warnings[0]
        (tmp_path / "model.safetensors").unlink()
        (tmp_path / "model.safetensors.index.json").touch()
        os.truncate(tmp_path / "model.safetensors.index.json", MAX_INDEX_BYTES + 1)
        refused(tmp_path, DamagedCheckpoint, "index.json", "too many")

    def test_an_index_of_very_many_shards(self, tmp_path: Path) -> None:
        weight_map = {str(i): f"model-{i}.safetensors" for i in range(20_000)}
        (tmp_path / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": weight_map})
        )
        refused(tmp_path, DamagedCheckpoint, "20,000 of 20,000 shards are missing")

    def test_memory_stays_bounded_by_the_header(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(encode(b'{"w":[' + b"[]," * 10_000_000 + b"[]]}"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        refused(path, DamagedCheckpoint, "far more")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kibibytes
        assert grown < 200 * 1024


def test_names_are_listed_as_they_are_and_lead_nowhere(tmp_path: Path) -> None:
    names = [
        "../../etc/passwd",
        "/etc/shadow",
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "a\nb\r\tc",
        "\u202egnp.exe",
        "{{7*7}} ${HOME} %s {0}",
        "'; DROP TABLE tensors; --",
        "名前.weight",
        "nul\0byte",
        " ",
        "w" * 2_000,
    ]
    (tmp_path / "model.safetensors").write_bytes(simple(*names))
    checkpoint = open_checkpoint(str(tmp_path))
    assert [tensor.name for tensor in checkpoint.tensors] == names
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_names_in_messages_stay_on_one_line(tmp_path: Path) -> None:
    header = {"<b>\n\x1b[31m" + "w" * 500: entry("BF16", [3], 0, 4)}
    (tmp_path / "model.safetensors").write_bytes(encode(header, bytes(4)))
    refused(tmp_path, DamagedCheckpoint, "<b>", "does not fill")
