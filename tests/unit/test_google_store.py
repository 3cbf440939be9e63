"""Google's store through the library's real client. Its requests for objects and lists are S3's but
for the credentials, so the S3 server answers them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import modeldiff
from modeldiff.checkpoints import open_checkpoint
from modeldiff.errors import AccessDenied, CheckpointChanged, CheckpointNotFound, StoreUnreachable
from tests.support import s3_server

DEMO = Path(__file__).parents[2] / "demo"
_TOKEN = "a-token-never-shown"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server.s3_server() as address:
        s3_server.put_folder(address, "base", DEMO / "base")
        yield address


@pytest.fixture
def google(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOOGLE_BASE_URL", server)
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", _TOKEN)
    return server


def test_a_diff_is_that_of_the_folders(google: str) -> None:
    remote, local = (
        [change.statistics for change in modeldiff.diff(base, "demo:tuned", cache=False)]
        for base in ("gs://models/base", "demo:base")
    )
    assert remote == local


def test_a_new_version_is_noticed(google: str) -> None:
    content = (DEMO / "base" / "model.safetensors").read_bytes()
    s3_server.put(google, "written/config.json", (DEMO / "base" / "config.json").read_bytes())
    s3_server.put(google, "written/model.safetensors", content)
    checkpoint = open_checkpoint("gs://models/written")
    reader = checkpoint.source.reader("model.safetensors")
    s3_server.put(google, "written/model.safetensors", content[:-1] + b"\1")
    with pytest.raises(CheckpointChanged, match="was replaced"):
        reader.readinto(memoryview(bytearray(100)), 0)
    reader.close()


def test_what_cannot_be_read_says_why(google: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointNotFound):
        open_checkpoint("gs://models/nothing")
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")  # nobody may read here
    with pytest.raises(AccessDenied) as refused:
        open_checkpoint("gs://models/base")
    monkeypatch.setenv("GOOGLE_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreUnreachable) as silent:
        open_checkpoint("gs://models/base")
    assert "GOOGLE_SKIP_SIGNATURE" in (silent.value.hint or "")
    for error in (refused.value, silent.value):
        assert _TOKEN not in f"{error} {error.hint}"
