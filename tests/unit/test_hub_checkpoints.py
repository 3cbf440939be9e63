"""The Hub, asked by the real huggingface_hub client, answered by a stand-in on loopback."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants, hf_hub_download

from modeldiff.architectures import understand
from modeldiff.changes import Progress, measure, pair
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.checkpoints.hub import download as hub_download
from modeldiff.checkpoints.hub import ranges as hub_ranges
from modeldiff.checkpoints.hub import repository as hub_repository
from modeldiff.checkpoints.hub.ranges import RangeReader
from modeldiff.checkpoints.sources.hub import HubFiles
from modeldiff.errors import (
    AccessDenied,
    Cancelled,
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    HubUnreachable,
    NoWeights,
    UnsupportedFormat,
)
from tests.support.fetching import fetched, is_here
from tests.support.local_hub import LocalHub, _Storage
from tests.support.safetensors_files import encode, entry, simple, write_sharded

TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub with nothing in it, and empty caches."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with LocalHub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def llama(hub: LocalHub, sharded_llama_folder: Path) -> Path:
    """owner/llama: a sharded model as transformers saves it."""
    return Path(shutil.copytree(sharded_llama_folder, hub.root / "owner" / "llama"))


def publish(hub: LocalHub, content: bytes | None = None, repo: str = "owner/name") -> Path:
    """A repository with one file."""
    folder = hub.root / repo
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(simple("w") if content is None else content)
    return folder


def fails(kind: type[CheckpointError], reference: str = "owner/name") -> CheckpointError:
    with pytest.raises(kind) as caught:
        open_checkpoint(reference)
    assert caught.type is kind
    assert caught.value.hint
    return caught.value


def forget_modeldiff_cache(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "cache")


def tensors(checkpoint: Checkpoint) -> list[tuple[object, ...]]:
    return [(t.name, t.dtype, t.shape, t.file, t.offset, t.nbytes) for t in checkpoint.tensors]


def _seen(checkpoint: Checkpoint) -> dict[str, object]:
    """Everything that a checkpoint shows: two openings of one thing see the same."""
    return {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}


class TestOpening:
    def test_reads_headers_and_config_and_no_weights(self, hub: LocalHub, llama: Path) -> None:
        remote, local = open_checkpoint("owner/llama"), open_checkpoint(str(llama))
        assert tensors(remote) == tensors(local)
        assert remote.files == local.files
        assert remote.config == local.config
        assert remote.metadata == local.metadata
        assert remote.warnings == ()
        reads = [request.range for request in hub.requests if "resolve" in request.path]
        assert len(reads) == len(local.files) + 2  # with index and config
        assert all(reads)
        assert not any(is_here(remote, file) for file in remote.files)

    def test_a_long_header_takes_a_second_read(self, hub: LocalHub) -> None:
        publish(hub, simple(*(f"layer.{i}.weight" for i in range(3_000))))
        assert len(open_checkpoint("owner/name").tensors) == 3_000

    def test_a_server_that_ignores_ranges(self, hub: LocalHub, llama: Path) -> None:
        hub.ranges = False
        assert len(open_checkpoint("owner/llama").files) > 2

    def test_a_server_that_ignores_ranges_is_not_read_to_the_end(self, hub: LocalHub) -> None:
        size = 64 << 20
        content = encode({"w": entry("U8", [size], 0, size)})
        folder = publish(hub, content)
        os.truncate(folder / "model.safetensors", len(content) + size)
        hub.ranges, hub.chunk_seconds = False, 0.05
        assert open_checkpoint("owner/name").nbytes == size
        assert hub.sent < size // 2

    def test_the_second_opening_asks_for_the_listing_only(self, hub: LocalHub, llama: Path) -> None:
        first = open_checkpoint("owner/llama")
        hub.requests.clear()
        second = open_checkpoint("owner/llama")
        assert _seen(second) == _seen(first)
        assert [request.path.split("?")[0] for request in hub.requests] == [
            "/api/models/owner/llama"
        ]
        hub.requests.clear()
        commit = first.fingerprint.split(":")[1]
        open_checkpoint(f"owner/llama@{commit}")
        open_checkpoint(f"owner/llama@{commit}")
        assert len(hub.requests) == 1

    def test_revisions(self, hub: LocalHub) -> None:
        publish(hub)
        publish(hub, simple("new"), "owner/name@v2")
        main, tagged = open_checkpoint("owner/name"), open_checkpoint("owner/name@v2")
        assert [t.name for t in tagged.tensors] == ["new"]
        assert tagged.reference.revision == "v2"
        assert main.fingerprint != tagged.fingerprint
        by_commit = open_checkpoint("owner/name@" + tagged.fingerprint.split(":")[1])
        assert by_commit.fingerprint == tagged.fingerprint

    def test_a_branch_that_moves_is_seen(self, hub: LocalHub) -> None:
        folder = publish(hub)
        before = open_checkpoint("owner/name")
        (folder / "model.safetensors").write_bytes(simple("moved"))
        after = open_checkpoint("owner/name")
        assert [t.name for t in after.tensors] == ["moved"]
        assert before.fingerprint != after.fingerprint


class TestFetching:
    def test_downloads_the_one_shard_into_the_usual_cache(self, hub: LocalHub, llama: Path) -> None:
        checkpoint = open_checkpoint("owner/llama")
        first, second, *_ = sorted(checkpoint.files)
        seen: list[tuple[int, int]] = []
        path = fetched(checkpoint, second, lambda done, total: seen.append((done, total)))
        assert path.read_bytes() == (llama / second).read_bytes()
        assert path.is_relative_to(constants.HF_HUB_CACHE)
        assert seen[-1] == (checkpoint.files[second], checkpoint.files[second])
        assert is_here(checkpoint, second)
        assert not is_here(checkpoint, first)
        hub.requests.clear()
        assert fetched(checkpoint, second) == path
        assert hub.requests == []

    def test_a_branch_that_moved_is_fetched_as_it_was_opened(self, hub: LocalHub) -> None:
        publish(hub, simple("old"))
        checkpoint = open_checkpoint("owner/name")
        commit = checkpoint.fingerprint.split(":")[1]
        (hub.root / "owner" / "name").rename(hub.root / "owner" / f"name@{commit}")
        publish(hub, simple("new"))
        path = fetched(checkpoint, "model.safetensors")
        assert path.read_bytes() == simple("old")

    def test_opened_ones_can_be_kept_and_sent(self, hub: LocalHub) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name")
        copy = pickle.loads(pickle.dumps(checkpoint))
        assert _seen(copy) == _seen(checkpoint)
        assert fetched(copy, "model.safetensors").is_file()

    @pytest.fixture
    def slow(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
        """A repository of 24 MB that takes a second to download."""
        size = 24 << 20
        publish(hub, encode({"w": entry("U8", [size], 0, size)}, bytes(size)))
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 20)
        monkeypatch.setattr(hub_download, "_REPORT_SECONDS", 0.02)
        checkpoint = open_checkpoint("owner/name")
        hub.chunk_seconds = 0.04
        return checkpoint

    def test_progress_counts_bytes_upward(self, hub: LocalHub, slow: Checkpoint) -> None:
        seen: list[tuple[int, int]] = []
        fetched(slow, "model.safetensors", lambda *bytes_: seen.append(bytes_))
        done = [count for count, _ in seen]
        assert done == sorted(done)
        assert len(set(done)) > 5
        assert {total for _, total in seen} == {slow.files["model.safetensors"]}

    def test_cancelling_leaves_nothing_behind(self, hub: LocalHub, slow: Checkpoint) -> None:
        def cancel(done: int, total: int) -> None:
            if done:
                raise Cancelled("enough")

        with pytest.raises(Cancelled, match="enough"):
            fetched(slow, "model.safetensors", cancel)
        assert not is_here(slow, "model.safetensors")
        assert list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete")) == []
        assert "download model.safetensors" not in {t.name for t in threading.enumerate()}
        hub.chunk_seconds = 0
        assert fetched(slow, "model.safetensors").is_file()

    @pytest.fixture
    def in_xet(self, hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
        """A repository whose file is in a Xet storage (here a folder), as most of the Hub's are."""
        hf_xet = pytest.importorskip("hf_xet")
        monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "xet-cache"))
        size = 32 << 20
        folder = publish(hub, encode({"w": entry("U8", [size], 0, size)}, os.urandom(size)))
        path = folder / "model.safetensors"
        (tmp_path / "xet").mkdir()
        hub.xet_storage = f"local://{tmp_path / 'xet'}"
        with hf_xet.XetSession().new_upload_commit(endpoint=hub.xet_storage) as commit:
            upload = commit.start_upload_file(str(path))
        hub.xet[hub.digests(path)[0]] = upload.result().xet_info.hash
        return open_checkpoint("owner/name")

    def test_through_xet(self, hub: LocalHub, in_xet: Checkpoint) -> None:
        size = in_xet.files["model.safetensors"]
        sent, seen = hub.sent, list[int]()
        path = fetched(in_xet, "model.safetensors", lambda done, total: seen.append(done))
        published = hub.root / "owner" / "name" / "model.safetensors"
        assert path.read_bytes() == published.read_bytes()
        assert seen == sorted(seen)
        assert seen[-1] == size
        assert hub.sent == sent  # nothing of it came over plain HTTP

    @pytest.mark.parametrize("early", [True, False])
    def test_cancelling_through_xet(
        self, in_xet: Checkpoint, monkeypatch: pytest.MonkeyPatch, early: bool
    ) -> None:
        monkeypatch.setattr(hub_download, "_REPORT_SECONDS", 0.001)

        def cancel(done: int, total: int) -> None:
            if done or early:
                raise Cancelled("enough")

        with pytest.raises(Cancelled, match="enough"):
            fetched(in_xet, "model.safetensors", cancel)
        assert "download model.safetensors" not in {t.name for t in threading.enumerate()}
        assert list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete")) == []
        assert fetched(in_xet, "model.safetensors").is_file()

    def test_a_file_that_is_not_the_one_opened(self, hub: LocalHub) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name")
        path = fetched(checkpoint, "model.safetensors")
        for content in (simple("v"), simple("w")[:-1]):
            path.resolve().write_bytes(content)
            with pytest.raises(CheckpointChanged) as caught:
                fetched(checkpoint, "model.safetensors")
            assert str(path) in caught.value.message
        assert str(path) in fails(DamagedCheckpoint).message

    def test_a_full_disk(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name")
        Path(constants.HF_HUB_CACHE).write_text("a file where the cache's folder should be")
        with pytest.raises(CheckpointError, match="could not be stored") as caught:
            fetched(checkpoint, "model.safetensors")
        assert "HF_HOME" in caught.value.hint

    def test_the_hub_goes_away_before_the_download(self, hub: LocalHub) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name")
        hub.status = 503
        with pytest.raises(HubUnreachable):
            fetched(checkpoint, "model.safetensors")


class TestRanges:
    """Weights read over the network, range by range."""

    @pytest.fixture(autouse=True)
    def no_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_ranges, "_PAUSE_SECONDS", 0.0)

    def read(self, checkpoint: Checkpoint, offset: int, count: int) -> bytes:
        buffer = bytearray(count)
        checkpoint.source.reader("model.safetensors").readinto(memoryview(buffer), offset)
        return bytes(buffer)

    def test_a_diff_without_a_byte_on_the_disk(self, hub: LocalHub, llama: Path) -> None:
        remote, local = open_checkpoint("owner/llama", download=False), open_checkpoint(str(llama))
        assert all(is_here(remote, file) for file in remote.files)
        seen: list[Progress] = []
        pairs = pair(understand(remote), understand(local))
        changes = list(measure(pairs, remote, local, device="cpu", progress=seen.append))
        wanted = list(measure(pair(understand(local), understand(local)), local, local))
        assert [change.statistics for change in changes] == [c.statistics for c in wanted]
        assert {progress.phase for progress in seen} == {"measuring"}
        assert not Path(constants.HF_HUB_CACHE).exists()

    def test_any_range_from_any_thread(self, hub: LocalHub) -> None:
        content = encode({"w": entry("U8", [3 << 20], 0, 3 << 20)}, os.urandom(3 << 20))
        publish(hub, content)
        reader = open_checkpoint("owner/name", download=False).source.reader("model.safetensors")
        hub.requests.clear()

        def read(number: int) -> bytes:
            buffer = bytearray(300_000)
            reader.readinto(memoryview(buffer), 300_000 * number)
            return bytes(buffer)

        with ThreadPoolExecutor(4) as pool:
            assert b"".join(pool.map(read, range(10))) == content[:3_000_000]
        assert 1 <= len(hub.requests) <= 10, "neighbours may come with one answer"
        assert not any("resolve" in request.path for request in hub.requests)

    def test_what_is_in_the_cache_is_read_there(self, hub: LocalHub) -> None:
        publish(hub)
        fetched(open_checkpoint("owner/name"), "model.safetensors")
        hub.requests.clear()
        checkpoint = open_checkpoint("owner/name", download=False)
        assert self.read(checkpoint, 0, 10) == simple("w")[:10]
        assert not any("resolve" in request.path for request in hub.requests)

    def test_an_address_that_no_longer_holds_is_asked_for_again(self, hub: LocalHub) -> None:
        publish(hub)
        hub.tokens.add(TOKEN)
        checkpoint = open_checkpoint("owner/name", download=False)
        hub.refusals = 2
        assert self.read(checkpoint, 8, 20) == simple("w")[8:28]
        assert hub.refusals == 0

    def test_a_range_that_breaks_off_goes_on_from_there(self, hub: LocalHub) -> None:
        size = 1 << 20
        content = encode({"w": entry("U8", [size], 0, size)}, os.urandom(size))
        publish(hub, content)
        checkpoint = open_checkpoint("owner/name", download=False)
        hub.cuts, hub.sent = 5, 0
        assert self.read(checkpoint, 8, size) == content[8 : 8 + size]
        assert hub.cuts == 0
        assert hub.sent < size + 1000

    def test_the_token_stays_with_the_hub(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(hub)
        hub.private.add("owner/name")
        hub.tokens.add(TOKEN)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        checkpoint = open_checkpoint("owner/name", download=False)
        assert self.read(checkpoint, 8, 20) == simple("w")[8:28]
        assert {r.token for r in hub.requests if len(r.path) == 65} == {""}

    def test_a_server_that_ignores_ranges_is_refused(self, hub: LocalHub) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name", download=False)
        hub.ranges = False
        with pytest.raises(HubUnreachable, match="no parts") as caught:
            self.read(checkpoint, 8, 20)
        assert caught.value.hint

    def test_an_answer_that_says_nonsense_of_its_range_is_refused(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name", download=False)
        says = {"Content-Range": f"bytes 8-27/{'9' * 5000}"}
        monkeypatch.setattr(_Storage, "send_file", lambda self, *_: self.send(206, b"x", says))
        with pytest.raises(HubUnreachable, match="no parts"):
            self.read(checkpoint, 8, 20)

    def test_a_file_that_is_not_the_one_opened(self, hub: LocalHub) -> None:
        publish(hub)
        source = open_checkpoint("owner/name", download=False).source
        assert isinstance(source, HubFiles)
        file, size, repository = "model.safetensors", len(simple("w")), source.repository
        for blob, wrong_size in (("0" * 64, size), ("", size + 1)):
            another = replace(repository, blobs={file: blob})
            with pytest.raises(CheckpointChanged, match="owner/name") as caught:
                RangeReader(another, file, wrong_size).readinto(memoryview(bytearray(4)), 0)
            assert caught.value.repository == "owner/name"

    def test_beginnings_and_other_parts_of_small_reads(self, hub: LocalHub) -> None:
        publish(hub)
        source = open_checkpoint("owner/name").source
        content = simple("w")
        for start, count in ((0, 9), (5, 9), (len(content) - 3, 9)):
            assert source.read("model.safetensors", start, count)[0] == content[start:][:count]
        hub.ranges = False
        with pytest.raises(HubUnreachable):
            source.read("model.safetensors", 5, 9)


class TestErrors:
    def test_where_it_was_stands_beside_the_message(self, hub: LocalHub) -> None:
        for error in (fails(CheckpointNotFound), fails(CheckpointNotFound, "owner/name@v2")):
            assert (error.repository, error.path) == ("owner/name", None)
        assert error.reference == "owner/name@v2"
        publish(hub)
        checkpoint = open_checkpoint("owner/name")
        path = fetched(checkpoint, "model.safetensors")
        path.resolve().write_bytes(simple("v"))
        with pytest.raises(CheckpointChanged) as caught:
            fetched(checkpoint, "model.safetensors")
        assert caught.value.path == path
        assert (caught.value.repository, caught.value.reference) == ("owner/name", "owner/name")
        path.resolve().write_bytes(b"")
        assert fails(DamagedCheckpoint).path == path

    def test_missing(self, hub: LocalHub) -> None:
        error = fails(CheckpointNotFound)
        assert "owner/name" in error.message
        assert "spelling" in error.hint
        assert "hf auth login" in error.hint

    def test_missing_revision(self, hub: LocalHub) -> None:
        publish(hub)
        assert "nosuch" in fails(CheckpointNotFound, "owner/name@nosuch").message

    def test_private(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        publish(hub)
        hub.private.add("owner/name")
        hub.tokens.add(TOKEN)
        fails(CheckpointNotFound)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert open_checkpoint("owner/name").elements == 4

    def test_gated(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        publish(hub)
        hub.gated["owner/name"] = set()
        hub.tokens.add(TOKEN)
        error = fails(AccessDenied)
        assert f"{hub.url}/owner/name" in error.hint
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        fails(AccessDenied)
        hub.gated["owner/name"].add(TOKEN)
        checkpoint = open_checkpoint("owner/name")
        assert fetched(checkpoint, "model.safetensors").is_file()

    def test_token_from_the_saved_login(
        self, hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(hub)
        hub.private.add("owner/name")
        hub.tokens.add(TOKEN)
        (tmp_path / "token").write_text(TOKEN)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        assert open_checkpoint("owner/name").elements == 4

    def test_a_token_that_is_not_accepted_is_not_shown(
        self,
        hub: LocalHub,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        publish(hub)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        with caplog.at_level(logging.DEBUG):
            error = fails(AccessDenied)
        assert "token" in error.message
        shown = "".join(capfd.readouterr()) + caplog.text + error.message + error.hint
        causes = error.__cause__, error.__context__
        assert TOKEN not in shown + "".join(map(str, causes)) + "".join(map(repr, causes))

    def test_the_token_stays_with_the_hub(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Weights lie behind signed addresses of another host, which must not see it."""
        publish(hub)
        hub.tokens.add(TOKEN)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        fetched(open_checkpoint("owner/name"), "model.safetensors")
        assert {r.token for r in hub.requests if "/owner/name" in r.path} == {TOKEN}
        stored = [r for r in hub.requests if len(r.path) == 65]
        assert stored
        assert {r.token for r in stored} == {""}

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_trouble_at_the_hub(self, hub: LocalHub, status: int) -> None:
        hub.status = status
        fails(HubUnreachable)

    def test_forbidden(self, hub: LocalHub) -> None:
        hub.status = 403
        fails(AccessDenied)

    @pytest.mark.parametrize("page", [b"<html>Log in to the Wi-Fi</html>", b"[]", b"{}", b"\xff"])
    def test_something_else_answers(self, hub: LocalHub, page: bytes) -> None:
        publish(hub)
        hub.page = page
        assert "HF_ENDPOINT" in fails(HubUnreachable).hint

    @pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense", "http://[", "ftp://x"])
    def test_nobody_answers(self, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        fails(HubUnreachable)

    def test_silence(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        publish(hub)
        monkeypatch.setattr(hub_repository, "TIMEOUT_SECONDS", 0.2)
        hub.chunk_seconds = 1.0
        assert "too long" in fails(HubUnreachable).message

    def test_no_weights(self, hub: LocalHub) -> None:
        (publish(hub) / "model.safetensors").rename(hub.root / "owner" / "name" / "README.md")
        fails(NoWeights)

    def test_other_formats(self, hub: LocalHub) -> None:
        folder = publish(hub)
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        assert "save_pretrained" in fails(UnsupportedFormat).hint

    def test_a_missing_shard(self, hub: LocalHub) -> None:
        folder = write_sharded(
            hub.root / "owner" / "name", {"a.safetensors": ("a",), "b.safetensors": ("b",)}
        )
        (folder / "b.safetensors").unlink()
        assert "'b.safetensors'" in fails(DamagedCheckpoint).message

    @pytest.mark.parametrize("content", [b"", b"\x80\x04.", simple("w")[:-1], simple("w")[:20]])
    def test_damaged(self, hub: LocalHub, content: bytes) -> None:
        publish(hub, content)
        with pytest.raises(CheckpointError, match=r"owner/name/model\.safetensors"):
            open_checkpoint("owner/name")

    def test_a_bad_config_is_a_warning(self, hub: LocalHub) -> None:
        folder = publish(hub)
        (folder / "config.json").write_text("{")
        checkpoint = open_checkpoint("owner/name")
        assert checkpoint.config is None
        assert "config.json" in checkpoint.warnings[0]

    def test_names_from_the_hub_lead_nowhere(self, hub: LocalHub, tmp_path: Path) -> None:
        folder = publish(hub)
        commit = hub.commit(folder)
        siblings = [{"rfilename": name} for name in ("../../x.safetensors", "/x.safetensors")]
        hub.page = json.dumps({"id": "owner/name", "sha": commit, "siblings": siblings}).encode()
        fails(NoWeights)


class TestOffline:
    """What was seen before opens without the Hub."""

    @pytest.fixture(params=["gone", "broken", "HF_HUB_OFFLINE"])
    def unplug(
        self, request: pytest.FixtureRequest, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], None]:
        def unplug() -> None:
            if request.param == "gone":
                hub.__exit__()
            elif request.param == "broken":
                hub.status = 502
            else:
                monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

        return unplug

    def test_headers_seen_before(self, llama: Path, unplug: Callable[[], None]) -> None:
        online = open_checkpoint("owner/llama")
        unplug()
        offline = open_checkpoint("owner/llama")
        assert tensors(offline) == tensors(online)
        assert offline.fingerprint == online.fingerprint
        assert "could not be reached" in offline.warnings[0]
        with pytest.raises(HubUnreachable):
            fetched(offline, offline.tensors[0].file)

    def test_downloaded_by_another_program(
        self, hub: LocalHub, llama: Path, tmp_path: Path, unplug: Callable[[], None]
    ) -> None:
        online = open_checkpoint("owner/llama")
        forget_modeldiff_cache(tmp_path)
        for name, _ in hub.files(llama):
            hf_hub_download("owner/llama", name, endpoint=hub.url)
        unplug()
        offline = open_checkpoint("owner/llama")
        assert tensors(offline) == tensors(online)
        assert offline.fingerprint == online.fingerprint
        assert all(is_here(offline, file) for file in offline.files)
        assert fetched(offline, offline.tensors[0].file).is_file()

    def test_a_part_of_it_is_not_taken_for_the_whole(
        self, hub: LocalHub, llama: Path, unplug: Callable[[], None]
    ) -> None:
        hf_hub_download("owner/llama", "config.json", endpoint=hub.url)
        hf_hub_download("owner/llama", "model.safetensors.index.json", endpoint=hub.url)
        unplug()
        assert "only a part" in fails(HubUnreachable, "owner/llama").message

    def test_never_seen(self, hub: LocalHub, llama: Path, unplug: Callable[[], None]) -> None:
        unplug()
        fails(HubUnreachable, "owner/llama")


def test_a_cache_that_cannot_be_written_is_no_error(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub)
    (tmp_path / "file").touch()
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "file"))
    assert _seen(open_checkpoint("owner/name")) == _seen(open_checkpoint("owner/name"))


def test_references_and_local_files_do_not_import_the_client(tiny_llama_folder: Path) -> None:
    code = (
        "import sys; from modeldiff.checkpoints import open_checkpoint, parse_reference;"
        "parse_reference('owner/name'); open_checkpoint(sys.argv[1]);"
        "print(sorted({'huggingface_hub', 'torch', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tiny_llama_folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "[]\n"


def test_the_stand_in_serves_as_a_process(tmp_path: Path) -> None:
    """Browser tests start it so, and point the app's process at it."""
    write_sharded(tmp_path / "owner" / "name", {"a.safetensors": ("a",)})
    command = [sys.executable, "-m", "tests.support.local_hub", str(tmp_path), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}/api/models/owner/name") as answer:
                assert json.load(answer)["id"] == "owner/name"
        finally:
            server.terminate()


def test_the_stand_in_satisfies_the_client_itself(hub: LocalHub, llama: Path) -> None:
    info = huggingface_hub.HfApi(hub.url).model_info("owner/llama", files_metadata=True)
    assert {sibling.rfilename for sibling in info.siblings or ()} == {
        name for name, _ in hub.files(llama)
    }


class TestOnAServer:
    """What others may have of the Hub through this machine."""

    def test_only_what_is_allowed(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        publish(hub)
        monkeypatch.setenv("MODELDIFF_HUB", "someone-else")
        assert "someone-else" in fails(AccessDenied).message
        assert not hub.requests
        monkeypatch.setenv("MODELDIFF_HUB", "Owner")
        assert open_checkpoint("owner/name").elements == 4

    def test_its_token_goes_to_those_alone_that_are_named(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        publish(hub)
        hub.private.add("owner/name")
        hub.tokens.add(TOKEN)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path))
        fails(CheckpointNotFound)
        assert {request.token for request in hub.requests} == {""}
        monkeypatch.setenv("MODELDIFF_HUB", "owner/name")
        fetched(open_checkpoint("owner/name"), "model.safetensors")
        assert TOKEN in {request.token for request in hub.requests}

    def test_where_the_cache_lies_is_not_said(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        publish(hub)
        checkpoint = open_checkpoint("owner/name")
        monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path / "models"))
        path = fetched(checkpoint, "model.safetensors")
        path.write_bytes(simple("other"))
        with pytest.raises(CheckpointChanged) as caught:
            fetched(checkpoint, "model.safetensors")
        assert str(tmp_path) not in caught.value.message + caught.value.hint

    def test_a_download_has_to_fit(
        self, hub: LocalHub, llama: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkpoint = open_checkpoint("owner/llama")
        file = next(iter(checkpoint.files))
        total = sum(checkpoint.files.values())
        monkeypatch.setenv("MODELDIFF_MAX_DOWNLOAD", f"{total - 1} B")
        with pytest.raises(CheckpointError, match="allowed"):
            fetched(checkpoint, file)
        monkeypatch.delenv("MODELDIFF_MAX_DOWNLOAD")
        usage = shutil.disk_usage(llama)._replace(free=10**9 + total - 1)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(CheckpointError, match="free"):
            fetched(checkpoint, file)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9 + total))
        assert fetched(checkpoint, file).is_file()
