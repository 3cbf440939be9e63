"""Source × format: a new source needs no format, and a new format no source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from modeldiff.architectures import understand
from modeldiff.changes import measure, pair
from modeldiff.checkpoints import ByteReader, FetchProgress, Source, TensorInfo, open_checkpoint
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.registry import all_formats
from modeldiff.checkpoints.opening import open_source
from modeldiff.checkpoints.source import FileHead
from modeldiff.errors import CheckpointChanged, NoWeights, UnsupportedFormat
from tests.support.fetching import fetched
from tests.support.memory_source import MemoryFiles
from tests.support.safetensors_files import simple


def in_memory(folder: Path) -> MemoryFiles:
    return MemoryFiles({path.name: path.read_bytes() for path in folder.iterdir()})


@dataclass(frozen=True)
class Raw:
    """Files of float16 values and nothing else: ``NAME.raw``."""

    name: str = "raw"
    signatures: tuple[bytes, ...] = ()

    def recognise(self, source: Source) -> FileSet | None:
        files = tuple(sorted(name for name in source.list() if name.endswith(".raw")))
        return FileSet(files, None, ("Nothing says their shapes.",)) if files else None

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        tensors, heads = [], {}
        for file in files.files:
            _, stat = source.read(file, 0, 0)
            shape, name = (stat.size // 2,), file.removesuffix(".raw")
            tensors.append(TensorInfo.stored(name, "F16", shape, file, 0, stat.size))
            heads[file] = FileHead(stat, 0, "")
        return Assembly(tuple(tensors), {}, (), heads)


class TestANewSource:
    def test_it_opens_and_measures_as_a_folder_does(self, sharded_llama_folder: Path) -> None:
        folder = open_checkpoint(str(sharded_llama_folder))
        memory = open_source(in_memory(sharded_llama_folder))
        for name in ("format", "tensors", "files", "config", "metadata", "warnings"):
            assert getattr(memory, name) == getattr(folder, name)
        pairs = pair(understand(memory), understand(folder))
        changes = list(measure(pairs, memory, folder, device="cpu"))
        wanted = list(measure(pairs, folder, folder, device="cpu"))
        assert [change.statistics for change in changes] == [c.statistics for c in wanted]

    def test_what_is_wrong_there_is_said_with_its_name(self) -> None:
        with pytest.raises(NoWeights, match="memory: holds no"):
            open_source(MemoryFiles({"README.md": b""}))
        with pytest.raises(UnsupportedFormat, match=r"model\.onnx"):
            open_source(MemoryFiles({"model.onnx": b""}))
        with pytest.raises(UnsupportedFormat, match="'a', 'b'"):
            open_source(MemoryFiles({"a.safetensors": simple("w"), "b.safetensors": simple("w")}))

    def test_what_changes_while_it_is_measured_is_no_result(self) -> None:
        class Changing(MemoryFiles):
            def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
                reader = super().reader(file)
                self.files[file] += b"!"
                return reader

        checkpoint = open_source(Changing({"model.safetensors": simple("w")}))
        pairs = pair(understand(checkpoint), understand(checkpoint))
        with pytest.raises(CheckpointChanged, match="is another"):
            list(measure(pairs, checkpoint, checkpoint, device="cpu"))


class TestANewFormat:
    def test_the_first_that_knows_the_files_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "a.raw").write_bytes(bytes(6))
        (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 3}))
        with pytest.raises(NoWeights):
            open_checkpoint(str(tmp_path))
        source = open_checkpoint(str(_with(tmp_path, "model.safetensors", simple("w")))).source
        checkpoint = open_source(source, (*all_formats(), Raw()))
        assert checkpoint.format == "safetensors"
        checkpoint = open_source(source, (Raw(), *all_formats()))
        assert (checkpoint.format, checkpoint.config) == ("raw", {"hidden_size": 3})
        assert [(t.name, t.shape, t.dtype) for t in checkpoint.tensors] == [("a", (3,), "F16")]
        assert checkpoint.warnings == ("Nothing says their shapes.",)
        assert checkpoint.fingerprint.startswith("local:")

    def test_its_files_are_watched_like_any(self, tmp_path: Path) -> None:
        _with(tmp_path, "a.raw", bytes(6))
        source = open_checkpoint(str(_with(tmp_path, "model.safetensors", simple("w")))).source
        checkpoint = open_source(source, (Raw(),))
        assert fetched(checkpoint, "a.raw") == tmp_path / "a.raw"
        (tmp_path / "a.raw").write_bytes(bytes(8))
        with pytest.raises(CheckpointChanged):
            fetched(checkpoint, "a.raw")


def _with(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder
