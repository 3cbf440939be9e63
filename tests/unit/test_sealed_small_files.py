"""What is kept beside results (of the Hub, of configs) is what was written, or made anew."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.given_configs import keep_given_config
from modeldiff.errors import DamagedCheckpoint
from modeldiff.files.sealed_file import read_sealed, write_sealed
from modeldiff.results.housekeeping.verifying import verify_cache
from tests.support.local_hub import LocalHub
from tests.support.safetensors_files import simple

NAMES = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(3)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    folder = tmp_path / "hub" / "team" / "llama"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(simple(*NAMES))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "huggingface"))
    with LocalHub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_any_changed_byte_is_seen(cache: Path) -> None:
    cache.mkdir()
    path = cache / "x"
    assert write_sealed(path, b"some content") and read_sealed(path) == b"some content"
    whole = path.read_bytes()
    for at in range(len(whole)):
        flip(path, at)
        assert read_sealed(path) is None
        path.write_bytes(whole[:at])
        assert read_sealed(path) is None
        path.write_bytes(whole)
    path.rename(cache / "y")
    assert read_sealed(cache / "y") is None


def test_a_bit_of_what_was_read_of_the_hub_moves_no_tensor(hub: LocalHub, cache: Path) -> None:
    before = open_checkpoint("team/llama", download=False)
    kept = sorted((cache / "hub").iterdir())
    flipped = 0
    for path in kept:
        whole = path.read_bytes()
        # In the digits of offsets and shapes, of the commit, of a file's hash.
        for at in [at for at, byte in enumerate(whole) if chr(byte).isdigit()][:40]:
            flip(path, at)
            again = open_checkpoint("team/llama", download=False)
            assert (again.fingerprint, again.tensors) == (before.fingerprint, before.tensors)
            path.write_bytes(whole)
            flipped += 1
    assert flipped > 40


def test_a_bit_of_a_configs_listing_is_not_shown(tmp_path: Path, cache: Path) -> None:
    config = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_layer": 1,
        "n_embd": 16,
        "n_head": 2,
        "vocab_size": 32,
        "n_positions": 8,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    before = open_checkpoint(str(path)).tensors
    (kept,) = (cache / "configs").iterdir()
    whole = kept.read_bytes()
    for part in (b"16", b"F32"):  # another shape; a type that there is not
        flip(kept, whole.rindex(part))
        (fault,) = verify_cache()[1]
        assert fault.entry.path == kept
        assert open_checkpoint(str(path)).tensors == before
        assert kept.read_bytes() == whole and not verify_cache()[1]


def test_a_given_config_is_what_was_brought_or_refused(cache: Path) -> None:
    content = json.dumps({"model_type": "gpt2", "n_layer": 2}).encode()
    reference = keep_given_config(content, "gpt.json")
    (path,) = (cache / "configs").glob("*/*.json")
    assert verify_cache() == (1, ())
    flip(path, content.index(b"2}"))
    with pytest.raises(DamagedCheckpoint, match="not what was brought"):
        open_checkpoint(reference)
    (fault,) = verify_cache()[1]
    assert fault.entry.path == path
    assert keep_given_config(content, "gpt.json") == reference  # brought again, it is mended
    assert verify_cache() == (1, ())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are POSIX's")
def test_a_pipe_or_a_link_of_another_member_is_not_read(cache: Path) -> None:
    cache.mkdir()
    os.mkfifo(cache / "pipe")
    assert read_sealed(cache / "pipe") is None
    write_sealed(cache / "link", b"content")
    (cache / "link").rename(cache / "elsewhere")
    (cache / "link").symlink_to(cache / "elsewhere")
    assert read_sealed(cache / "link") is None
