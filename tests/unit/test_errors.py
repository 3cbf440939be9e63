"""What errors carry beside their message and hint."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from modeldiff.checkpoints import open_checkpoint, read_tokens
from modeldiff.errors import (
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    InvalidOption,
    placing_errors,
)
from tests.support.fetching import fetched
from tests.support.safetensors_files import simple, write_sharded


def fails(path: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(str(path))
    assert caught.value.reference == str(path)
    assert caught.value.repository is None
    return caught.value


class TestWhereItWas:
    def test_nothing_there(self, tmp_path: Path) -> None:
        assert fails(tmp_path / "nosuch").path == tmp_path / "nosuch"

    def test_the_folder_where_no_file_is_at_fault(self, tmp_path: Path) -> None:
        assert fails(tmp_path).path == tmp_path
        for name in ("a", "b"):
            (tmp_path / f"{name}.safetensors").write_bytes(simple("w"))
        assert fails(tmp_path).path == tmp_path

    def test_the_file_that_is_at_fault(self, tmp_path: Path) -> None:
        folder = write_sharded(tmp_path, {"a.safetensors": ("a",), "b.safetensors": ("b",)})
        whole = (folder / "b.safetensors").read_bytes()
        for content in (b"", whole[:-1], b"PK\x03\x04 and more"):
            (folder / "b.safetensors").write_bytes(content)
            assert fails(folder).path == folder / "b.safetensors"
        (folder / "model.safetensors.index.json").write_text("{")
        assert fails(folder).path == folder / "model.safetensors.index.json"

    def test_a_config_alone(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "nosuch"}))
        assert fails(tmp_path / "config.json").path == tmp_path / "config.json"

    def test_a_file_that_changed(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        checkpoint = open_checkpoint(str(tmp_path))
        os.truncate(tmp_path / "model.safetensors", 20)
        with pytest.raises(CheckpointError) as caught:
            fetched(checkpoint, "model.safetensors")
        assert caught.value.path == tmp_path / "model.safetensors"
        assert caught.value.reference == str(tmp_path)

    def test_the_tokenizer(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        checkpoint = open_checkpoint(str(tmp_path))
        with pytest.raises(CheckpointNotFound) as missing:
            read_tokens(checkpoint)
        assert missing.value.reference == str(tmp_path)
        (tmp_path / "tokenizer.json").write_text("{")
        with pytest.raises(DamagedCheckpoint) as damaged:
            read_tokens(checkpoint)
        assert damaged.value.path == tmp_path / "tokenizer.json"


def test_whoever_is_nearer_knows_better() -> None:
    with (
        pytest.raises(DamagedCheckpoint) as caught,
        placing_errors(path=Path("/folder"), reference="/folder", repository="owner/name"),
        placing_errors(path=Path("/folder/file")),
    ):
        raise DamagedCheckpoint("It is damaged.", hint="Mend it.", repository="other/name")
    error = caught.value
    assert (str(error.path), error.reference, error.repository) == (
        "/folder/file",
        "/folder",
        "other/name",
    )


def test_they_survive_a_way_between_processes() -> None:
    error = CheckpointNotFound("There is none.", hint="Look.", path=Path("/a"), reference="r")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is CheckpointNotFound
    assert str(copy) == "There is none."
    assert vars(copy) == vars(error)
    other = pickle.loads(pickle.dumps(InvalidOption("No.", hint="Yes.")))
    assert (other.message, other.hint) == ("No.", "Yes.")
