"""Checkpoints in object stores and at web servers: a real S3 server, and hostile servers."""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import shutil
import socket
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import obstore
import pytest

import modeldiff
from modeldiff.checkpoints import Checkpoint, open_checkpoint, parse_reference
from modeldiff.checkpoints.names import model_name
from modeldiff.checkpoints.source import FileStat
from modeldiff.checkpoints.sources.object_store import StoreReader
from modeldiff.checkpoints.stores import connections, signed_ranges, website
from modeldiff.checkpoints.stores.access import may_connect, may_read_store
from modeldiff.checkpoints.stores.bucket import Bucket
from modeldiff.checkpoints.stores.connections import connections_to_stores
from modeldiff.checkpoints.stores.range_answers import conditional_range
from modeldiff.checkpoints.stores.read_ahead import (
    FAR_BLOCK,
    MOST_BLOCKS,
    MOST_IN_ALL,
    MOST_REQUESTS,
    ReadAhead,
)
from modeldiff.errors import (
    AccessDenied,
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    InvalidOption,
    MissingExtra,
    ModeldiffError,
    NoWeights,
    StoreUnreachable,
)
from modeldiff.settings.aws_profiles import aws_profile
from tests.support import s3_server
from tests.support.safetensors_files import simple
from tests.support.web_server import Headers, WebServer

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with s3_server.s3_server() as address:
        s3_server.put_folder(address, "base", DEMO / "base")
        s3_server.put_folder(address, "runs/tuned", DEMO / "tuned")
        yield address


@pytest.fixture
def s3(s3_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server with demo:base and demo:tuned, and credentials in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, text in s3_server.environment(s3_address).items():
        monkeypatch.setenv(name, text)
    return s3_address


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(website, "_PAUSE_SECONDS", 0.01)
    root = tmp_path / "web"
    shutil.copytree(DEMO / "base", root / "base")
    with WebServer(root) as server:
        yield server


def statistics(base: str, target: str) -> list[object]:
    changes = modeldiff.diff(base, target, cache=False, device="cpu")
    return [change.statistics for change in changes]


def read_all(checkpoint: Checkpoint, file: str = "model.safetensors") -> bytes:
    buffer = bytearray(checkpoint.files[file])
    reader = checkpoint.source.reader(file)
    reader.readinto(memoryview(buffer), 0)
    reader.close()
    return bytes(buffer)


def in_parts(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """An answer whose length is not said before: it comes in parts, each behind its length."""
    halves = body[: len(body) // 2], body[len(body) // 2 :]
    parts = b"".join(b"%x\r\n%b\r\n" % (len(half), half) for half in halves if half)
    rest = {name: text for name, text in headers.items() if name != "Content-Length"}
    return rest | {"Transfer-Encoding": "chunked"}, parts + b"0\r\n\r\n"


class TestS3:
    def test_a_diff_is_that_of_the_folders(self, s3: str) -> None:
        remote = open_checkpoint("s3://models/base")
        local = open_checkpoint("demo:base")
        assert [t.name for t in remote.tensors] == [t.name for t in local.tensors]
        assert remote.config == local.config
        assert (
            remote.source.read_small("tokenizer.json", 10**7)
            == (DEMO / "base" / "tokenizer.json").read_bytes()
        )
        assert remote.source.bytes_to_download("model.safetensors") == 0
        assert statistics("s3://models/base", "s3://models/runs/tuned/model.safetensors") == (
            statistics("demo:base", "demo:tuned")
        )

    def test_a_replaced_object_is_noticed(self, s3: str) -> None:
        for side in ("base", "tuned"):
            content = (DEMO / side / "model.safetensors").read_bytes()
            s3_server.put(s3, f"changing-{side}/model.safetensors", content)
        checkpoint = open_checkpoint("s3://models/changing-base")
        reader = checkpoint.source.reader("model.safetensors")
        changed = bytearray((DEMO / "base" / "model.safetensors").read_bytes())
        changed[-1] ^= 1
        s3_server.put(s3, "changing-base/model.safetensors", bytes(changed))
        with pytest.raises(CheckpointChanged):
            reader.readinto(memoryview(bytearray(1000)), 0)
        with pytest.raises(CheckpointChanged):
            reader.verify()
        with pytest.raises(CheckpointChanged):
            checkpoint.source.reader("model.safetensors")
        again = open_checkpoint("s3://models/changing-base")
        assert again.fingerprint != checkpoint.fingerprint
        assert read_all(again) == changed

    @pytest.mark.parametrize(
        ("address", "kind"),
        [
            ("s3://models/none", CheckpointNotFound),
            ("s3://models/none.safetensors", CheckpointNotFound),
            ("s3://nobody-has-it/x", StoreUnreachable),
            ("s3://models/runs", NoWeights),
        ],
    )
    def test_what_is_not_there(self, s3: str, address: str, kind: type[CheckpointError]) -> None:
        with pytest.raises(kind) as caught:
            open_checkpoint(address)
        assert caught.value.hint
        assert caught.value.reference == address
        if kind is NoWeights:
            assert caught.value.choices == ("/tuned",)

    def test_a_dead_server_is_given_up(self, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(StoreUnreachable, match="did not answer"):
            open_checkpoint("s3://models/base")

    def test_credentials_are_shown_nowhere(self, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
        checkpoint = open_checkpoint("s3://models/base")
        shown = [repr(checkpoint), repr(checkpoint.source), checkpoint.fingerprint]
        written = pickle.dumps(checkpoint.source)
        assert s3_server.SECRET.encode() not in written
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()
        assert pickle.loads(written).read_small("config.json", 10**6)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(ModeldiffError) as caught:
            open_checkpoint("s3://models/base")
        shown += [caught.value.message, caught.value.hint, repr(caught.value)]
        assert caught.value.__suppress_context__
        assert s3_server.SECRET not in "".join(shown)

    def test_a_profile_stands_in_for_the_environment(
        self, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in s3_server.environment(s3):
            monkeypatch.delenv(name)
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "credentials").write_text(
            f"[work]\naws_access_key_id = key\naws_secret_access_key = {s3_server.SECRET}\n"
        )
        (tmp_path / ".aws" / "config").write_text(
            f"[profile work]\nregion = us-east-1\nendpoint_url = {s3}\nsso_session = x\n"
        )
        assert aws_profile() == {}
        monkeypatch.setenv("AWS_PROFILE", "work")
        assert set(aws_profile()) == {
            *("access_key_id", "secret_access_key", "region", "endpoint"),
        }
        assert len(open_checkpoint("s3://models/base").tensors) == 75

    def test_without_the_library_it_is_named(
        self, s3: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("modeldiff.extras.find_spec", lambda _: None)
        with pytest.raises(MissingExtra, match="obstore") as caught:
            open_checkpoint("s3://models/base")
        assert "[stores]" in caught.value.hint


class TestSignedAddresses:
    """What the library signs is read here; whatever that does not bring, by the library."""

    @pytest.fixture
    def signed(
        self, s3: str, web: WebServer, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[Checkpoint, WebServer]:
        """demo:base in the store, whose signed addresses lead to a server with bad manners."""

        def bend(status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            whole = (web.root / urlsplit(web.requests[-1][0]).path.lstrip("/")).read_bytes()
            return status, headers | {"ETag": f'"{hashlib.md5(whole).hexdigest()}"'}, body

        web.bend = bend
        monkeypatch.setattr(connections, "SILENCE_SECONDS", 0.5)
        monkeypatch.setattr(
            obstore, "sign", lambda _store, _method, key, _time: f"{web.url}/{key}?"
        )
        monkeypatch.setattr(
            signed_ranges, "conditional_range", lambda at, n, _: conditional_range(at, n, "")
        )
        return open_checkpoint("s3://models/base"), web

    def test_every_byte_comes_so(self, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
        checkpoint = open_checkpoint("s3://models/base")
        monkeypatch.setattr(obstore, "get", None)
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()

    def test_a_connection_is_used_again(self, signed: tuple[Checkpoint, WebServer]) -> None:
        checkpoint, web = signed
        for _ in range(5):
            read_all(checkpoint)
        assert len(web.requests) > 5
        assert len(connections_to_stores()._idle[web.url]) == 1

    @pytest.mark.parametrize(
        ("status", "changed"),
        [
            *((403, {}), (404, {}), (412, {}), (501, {}), (200, {}), (302, {"Location": "/x"})),
            (206, {"ETag": '"another"'}),
            (206, {"Content-Range": "bytes 7-70/80"}),
            (206, {"Content-Range": "none"}),
            (206, {"Content-Encoding": "gzip"}),
        ],
    )
    def test_a_refused_address_is_the_last(
        self, signed: tuple[Checkpoint, WebServer], status: int, changed: Headers
    ) -> None:
        checkpoint, web = signed
        fitting = web.bend
        assert fitting is not None

        def bend(before: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            _, headers, body = fitting(before, headers, body)
            return status, headers | changed, bytes(len(body))

        web.bend = bend
        web.requests.clear()
        for _ in range(2):
            assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()
        assert len(web.requests) == 1

    @pytest.mark.parametrize("failure", [408, 429, 500, 503, "closed"])
    def test_a_failure_is_the_librarys_and_not_the_last(
        self,
        signed: tuple[Checkpoint, WebServer],
        failure: int | str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The library reads until a rest is over, which is longer after each failure in a row."""
        checkpoint, web = signed
        fitting = web.bend
        assert fitting is not None
        began = time.monotonic()
        clock = SimpleNamespace(now=began)
        clock.monotonic = lambda: clock.now
        monkeypatch.setattr(signed_ranges, "time", clock)

        def bend(before: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            status, headers, body = fitting(before, headers, body)
            if failure == "closed":
                return status, headers | {"Connection": "close"}, b""
            assert isinstance(failure, int)
            return failure, headers, body

        whole = (DEMO / "base" / "model.safetensors").read_bytes()
        buffer = bytearray(len(whole))
        reader = StoreReader(
            checkpoint.source.objects,  # type: ignore[attr-defined]
            "model.safetensors",
            checkpoint.source.heads["model.safetensors"].stat,  # type: ignore[attr-defined]
            "",
        )

        def requests(at: float) -> int:
            clock.now = began + at
            web.requests.clear()
            buffer[:] = bytes(len(whole))
            reader.readinto(memoryview(buffer), 0)
            assert buffer == whole
            return len(web.requests)

        web.bend = bend
        assert [requests(at) for at in (0.0, 0.5, 1.1, 2.9, 3.2)] == [1, 0, 1, 0, 1]
        web.bend = fitting
        monkeypatch.setattr(obstore, "get", None)
        assert [requests(at) for at in (10.0, 10.0)] == [1, 1]

    def test_what_comes_in_parts(
        self, signed: tuple[Checkpoint, WebServer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkpoint, web = signed
        fitting = web.bend
        assert fitting is not None

        def bend(status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            status, headers, body = fitting(status, headers, body)
            return status, *in_parts(headers, body)

        web.bend = bend
        monkeypatch.setattr(obstore, "get", None)
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()

    def test_an_etag_that_fits_in_no_header(self, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
        ranges = signed_ranges.SignedRanges(Bucket("s3://models/base")._store)
        hostile = FileStat(80, ('"a\r\nX-Other: b"',))
        assert ranges.readinto("base/config.json", hostile, memoryview(bytearray(8)), 0) == 0

    def test_what_breaks_off_the_library_brings(self, signed: tuple[Checkpoint, WebServer]) -> None:
        checkpoint, web = signed
        web.cuts = 1
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()
        assert web.cuts == 0

    def test_silence_is_the_librarys_to_break(
        self, signed: tuple[Checkpoint, WebServer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkpoint, _ = signed
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}/x?"
            monkeypatch.setattr(obstore, "sign", lambda *_: address)
            assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()

    @pytest.mark.parametrize(
        ("name", "value"),
        [("AWS_SKIP_SIGNATURE", "true"), ("HTTPS_PROXY", "http://127.0.0.1:9")],
    )
    def test_nothing_is_signed_without_credentials_or_by_a_proxy(
        self, s3: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setattr(obstore, "sign", None)
        monkeypatch.setenv(name, value)
        s3_server.put_for_all(s3, "open/x", b"content")
        assert Bucket("s3://models/open").read("x", 2, 3)[0] == b"nte"


class TestWeb:
    def test_a_folder_and_a_file(self, web: WebServer) -> None:
        folder = open_checkpoint(f"{web.url}/base")
        file = open_checkpoint(f"{web.url}/base/model.safetensors")
        assert [t.name for t in folder.tensors] == [t.name for t in file.tensors]
        assert folder.config == file.config and folder.config is not None
        assert model_name(folder.reference) == "base"
        assert statistics(f"{web.url}/base", "demo:tuned") == statistics("demo:base", "demo:tuned")

    def test_names_are_escaped(self, web: WebServer) -> None:
        (web.root / "a b#?%").mkdir()
        (web.root / "a b#?%" / "ü.safetensors").write_bytes(simple("w"))
        checkpoint = open_checkpoint(f"{web.url}/a%20b%23%3F%25/ü.safetensors")
        assert read_all(checkpoint, "ü.safetensors") == simple("w")
        assert parse_reference(checkpoint.reference.text) == checkpoint.reference

    def test_a_folder_can_not_be_listed(self, web: WebServer) -> None:
        (web.root / "empty").mkdir()
        with pytest.raises(NoWeights, match="neither") as caught:
            open_checkpoint(f"{web.url}/empty")
        assert "one file" in caught.value.hint

    def test_redirections_are_followed_some_way(self, web: WebServer) -> None:
        (web.root / "cdn.safetensors").write_bytes(simple("w"))
        web.moved = {"/x.safetensors": f"{web.url}/cdn.safetensors?signature=s3cr3t"}
        checkpoint = open_checkpoint(f"{web.url}/x.safetensors")
        assert read_all(checkpoint, "x.safetensors") == simple("w")
        assert "s3cr3t" not in repr(checkpoint) + repr(checkpoint.source)
        web.moved = {"/x.safetensors": "/x.safetensors"}
        with pytest.raises(StoreUnreachable, match="too many redirections"):
            open_checkpoint(f"{web.url}/x.safetensors")
        for address in ("file:///etc/passwd", "ftp://a/b", "http://[", "http://a b/"):
            web.moved = {"/x.safetensors": address}
            with pytest.raises(StoreUnreachable):
                open_checkpoint(f"{web.url}/x.safetensors")

    def test_what_breaks_off_goes_on(self, web: WebServer) -> None:
        checkpoint = open_checkpoint(f"{web.url}/base")
        web.cuts = 2
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()
        assert web.cuts == 0
        web.cuts = 10**9
        web.bend = lambda status, headers, body: (status, headers | {"Connection": "close"}, b"")
        with pytest.raises(StoreUnreachable, match="break off"):
            read_all(checkpoint)

    def test_what_comes_in_parts(self, web: WebServer) -> None:
        web.bend = lambda status, headers, body: (status, *in_parts(headers, body))
        checkpoint = open_checkpoint(f"{web.url}/base")
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("Content-Range", "bytes 7-70/80"),
            ("Content-Range", "bytes 0-0/1"),
            ("Content-Range", "bytes 0-99999999999999999999/9"),
            ("Content-Range", "none"),
            ("Content-Length", "99"),
            ("Content-Encoding", "gzip"),
            ("ETag", ""),
        ],
    )
    def test_an_answer_that_does_not_fit(self, web: WebServer, header: str, value: str) -> None:
        def bend(status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            return status, headers | {header: value}, body

        web.bend = bend
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(f"{web.url}/base/model.safetensors")
        assert caught.value.hint

    @pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 204, 304, 999])
    def test_other_answers(self, web: WebServer, status: int) -> None:
        web.bend = lambda _status, headers, body: (status, headers, b"")
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(f"{web.url}/base/model.safetensors")
        assert caught.value.hint

    def test_a_server_without_ranges_is_read_from_the_start_only(self, web: WebServer) -> None:
        content = simple("w") + bytes(8 << 20)

        def bend(status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            del headers["Content-Range"]
            return 200, headers | {"Content-Length": str(len(content))}, content

        web.bend = bend
        with pytest.raises(CheckpointError):
            read_all(open_checkpoint(f"{web.url}/base/model.safetensors"))
        assert web.sent < len(content) // 2

    def test_a_file_that_changes_is_noticed(self, web: WebServer) -> None:
        checkpoint = open_checkpoint(f"{web.url}/base")
        reader = checkpoint.source.reader("model.safetensors")
        path = web.root / "base" / "model.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointChanged):
            reader.readinto(memoryview(bytearray(1000)), 0)
        path.write_bytes(content[:-1])
        with pytest.raises(CheckpointChanged):
            reader.verify()
        path.unlink()
        with pytest.raises(CheckpointChanged):
            reader.verify()

    def test_a_weak_etag_is_compared_here(self, web: WebServer) -> None:
        versions = ["one"]

        def bend(status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            assert status != 412
            return status, headers | {"ETag": f'W/"{versions[-1]}"'}, body

        web.bend = bend
        checkpoint = open_checkpoint(f"{web.url}/base")
        assert read_all(checkpoint) == (DEMO / "base" / "model.safetensors").read_bytes()
        versions.append("two")
        with pytest.raises(CheckpointChanged):
            read_all(checkpoint)

    def test_drops_of_bytes_are_given_up(
        self, web: WebServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkpoint = open_checkpoint(f"{web.url}/base")
        reader = checkpoint.source.reader("model.safetensors")
        monkeypatch.setattr(website, "_PATIENCE_SECONDS", 0.2)
        monkeypatch.setattr(website, "_SLOWEST_BYTES_PER_SECOND", 10**9)
        web.byte_seconds = 0.01
        with pytest.raises(StoreUnreachable, match="too slowly"):
            reader.readinto(memoryview(bytearray(100_000)), 0)

    def test_silence_is_given_up(self, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "SILENCE_SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            with pytest.raises(StoreUnreachable):
                open_checkpoint(f"http://127.0.0.1:{port}/x.safetensors")


class TestAccess:
    """What a server lets its viewers read of other machines."""

    @pytest.fixture
    def server(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path))

    def test_off_without_a_setting(self, server: None, web: WebServer, s3: str) -> None:
        for address in (f"{web.url}/base", "s3://models/base"):
            with pytest.raises(AccessDenied, match="MODELDIFF_STORES is off"):
                open_checkpoint(address)
        assert not web.requests

    def test_all_is_all_but_private_addresses(
        self, server: None, web: WebServer, s3: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MODELDIFF_STORES", "all")
        with pytest.raises(AccessDenied, match="private network"):
            open_checkpoint(f"{web.url}/base")
        assert not web.requests
        assert open_checkpoint("s3://models/base").tensors  # whose endpoint the server's owner set

    def test_prefixes(
        self, server: None, web: WebServer, s3: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(web.root / "base", web.root / "base2")
        monkeypatch.setenv("MODELDIFF_STORES", f"{web.url}/base, s3://models/base/")
        assert open_checkpoint(f"{web.url}/base/model.safetensors").tensors
        assert open_checkpoint("s3://models/base").tensors
        for address in (f"{web.url}/base2", web.url, "s3://models/runs/tuned", "s3://models"):
            with pytest.raises(AccessDenied, match="alone"):
                open_checkpoint(address)

    @pytest.mark.parametrize(
        "text",
        ["s3://", "ftp://x", "https://", "all, off", "https://u@h/x", "models", "https://h/?"],
    )
    def test_a_slip_in_the_setting_opens_nothing(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("MODELDIFF_STORES", text)
        with pytest.raises(InvalidOption):
            may_read_store("s3://models/x")

    def test_a_redirection_leads_to_no_private_address(
        self, server: None, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner = tmp_path / "inner"
        inner.mkdir()
        (inner / "x.safetensors").write_bytes(simple("w"))
        with WebServer(inner) as secret:
            web.moved = {
                "/base/model.safetensors": f"{secret.url}/x.safetensors",
                "/base/again.safetensors": "/x.safetensors",
                "/base/up.safetensors": f"{web.url}/base/%2e%2e/x.safetensors",
            }
            monkeypatch.setenv("MODELDIFF_STORES", f"{web.url}/base")
            for name in ("model", "again", "up"):  # to another server, and elsewhere at this one
                with pytest.raises(AccessDenied, match="private network"):
                    open_checkpoint(f"{web.url}/base/{name}.safetensors")
            assert not secret.requests

    @pytest.mark.parametrize(
        "number",
        [
            *("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
            *("::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"),
            *("2002:7f00:1::", "224.0.0.1", "ff02::1", "no number", ""),
        ],
    )
    def test_private_addresses(self, server: None, number: str) -> None:
        assert not may_connect(number, "https://example.com/x")

    @pytest.mark.parametrize("number", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
    def test_public_addresses(self, server: None, number: str) -> None:
        assert may_connect(number, "https://example.com/x")


class _Counting:
    """A far file, with the ranges that were asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[tuple[int, int]] = []
        self.places: set[int] = set()

    def readinto(self, buffer: memoryview, offset: int) -> None:
        self.ranges.append((offset, len(buffer)))
        if buffer:
            self.places.add(np.frombuffer(buffer, np.uint8).ctypes.data)
        if offset + len(buffer) > len(self.content):
            raise CheckpointChanged("It ends too early.", hint="Open it again.")
        buffer[:] = self.content[offset : offset + len(buffer)]

    def expect(self, ranges: object) -> None: ...

    def forget(self, offset: int, nbytes: int) -> None: ...

    def verify(self) -> None: ...

    def close(self) -> None: ...


class TestReadAhead:
    def test_any_range_is_the_files(self) -> None:
        content = np.random.default_rng(0).bytes(11 * FAR_BLOCK + 12_345)
        far = _Counting(content)
        reader = ReadAhead(far, len(content))
        random = np.random.default_rng(1)
        for _ in range(60):
            start = int(random.integers(len(content)))
            count = int(random.choice([0, 1, 100, 70_000, 3 * FAR_BLOCK]))
            count = min(count, len(content) - start)
            buffer = bytearray(count)
            reader.readinto(memoryview(buffer), start)
            assert buffer == content[start : start + count]
            assert len(reader._blocks) <= MOST_BLOCKS
        with pytest.raises(CheckpointChanged):
            reader.readinto(memoryview(bytearray(2)), len(content) - 1)

    def test_reading_in_order_asks_for_each_byte_once(self) -> None:
        content = bytes(20 * FAR_BLOCK + 5)
        far = _Counting(content)
        reader = ReadAhead(far, len(content))
        buffer = memoryview(bytearray(1 << 20))
        for start in range(0, len(content), 1 << 20):
            part = buffer[: len(content) - start]
            reader.expect([(start + at, 100) for at in range(0, len(part) - 100, 100_000)])
            reader.readinto(part, start)
        assert sum(count for _, count in far.ranges) == len(content)

    def test_memory_is_used_again_when_nobody_reads_in_it(self) -> None:
        content = np.random.default_rng(2).bytes(40 * FAR_BLOCK)
        far = _Counting(content)
        reader = ReadAhead(far, len(content))
        threads = 4

        def read(number: int) -> bool:
            buffer = bytearray(FAR_BLOCK)
            equal = True
            for start in range(number * FAR_BLOCK, len(content), threads * FAR_BLOCK):
                reader.readinto(memoryview(buffer), start)
                equal &= buffer == content[start : start + FAR_BLOCK]
            return equal

        with ThreadPoolExecutor(threads) as pool:
            assert all(pool.map(read, range(threads)))
        assert len(far.places) <= MOST_BLOCKS + MOST_REQUESTS + threads

    def test_a_closed_reader_keeps_nothing(self) -> None:
        gc.collect()  # readers that nobody closed would lend their memory
        content = bytes(30 * FAR_BLOCK)
        reader = ReadAhead(_Counting(content), len(content))
        buffer = memoryview(bytearray(FAR_BLOCK))
        tracemalloc.start()
        try:
            for start in range(0, len(content), FAR_BLOCK):
                reader.readinto(buffer, start)
            assert tracemalloc.get_traced_memory()[0] > FAR_BLOCK
            reader.close()
            assert tracemalloc.get_traced_memory()[0] < FAR_BLOCK
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("files", [3, 8, 40])
    def test_files_that_are_read_in_turn_share_what_is_kept(self, files: int) -> None:
        content = np.random.default_rng(3).bytes(12 * FAR_BLOCK)
        far = [_Counting(content) for _ in range(files)]
        readers = [ReadAhead(each, len(content)) for each in far]
        step = FAR_BLOCK // 2
        buffer = bytearray(step)
        for start in range(0, len(content), step):
            for reader in readers:
                reader.readinto(memoryview(buffer), start)
                assert buffer == content[start : start + step]
            kept = sum(len(reader._blocks) for reader in readers)
            assert kept <= MOST_IN_ALL
        asked = sum(count for each in far for _, count in each.ranges)
        assert asked < 1.25 * files * len(content)  # as long as few have begun, these ask for more

    def test_a_file_that_rests_leaves_its_share_to_others(self) -> None:
        content = bytes(40 * FAR_BLOCK)
        readers = [ReadAhead(_Counting(content), len(content)) for _ in range(4)]
        buffer = bytearray(FAR_BLOCK)
        for reader in readers:
            reader.readinto(memoryview(buffer), 0)
        for start in range(0, 40 * FAR_BLOCK, FAR_BLOCK):
            for reader in readers[:2]:
                reader.readinto(memoryview(buffer), start)
        assert [bool(reader._blocks) for reader in readers] == [True, True, False, False]
        assert readers[0]._shared.share(readers[0], goes_on=True) == MOST_BLOCKS

    def test_samples_far_apart_bring_no_blocks(self) -> None:
        content = np.random.default_rng(0).bytes(20 * FAR_BLOCK)
        far = _Counting(content)
        reader = ReadAhead(far, len(content))
        ranges = [(start, 1000) for start in range(0, len(content), FAR_BLOCK)]
        reader.expect(ranges)
        for start, count in ranges:
            buffer = bytearray(count)
            reader.readinto(memoryview(buffer), start)
            assert buffer == content[start : start + count]
        assert sorted(far.ranges) == ranges
        reader.expect(ranges)
        reader.close()
