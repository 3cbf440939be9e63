"""A search of the Hub: short, without a token, off where it is forbidden, and hostile answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from modeldiff.checkpoints.hub import search
from modeldiff.checkpoints.hub.search import MOST_FOUND, can_search_hub, search_hub
from modeldiff.errors import AccessDenied, HubUnreachable
from tests.support.local_hub import LocalHub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.delenv("MODELDIFF_HUB", raising=False)
    monkeypatch.chdir(tmp_path)
    with LocalHub(tmp_path / "hub") as hub:
        for name in ("us/Llama-one", "us/llama-two", "them/other", "us/llama-secret"):
            (hub.root / name).mkdir(parents=True)
        hub.private = {"us/llama-secret"}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_names_that_match_and_no_token(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert search_hub(" llama ") == ("us/Llama-one", "us/llama-two")
    (request,) = hub.requests
    assert request.token == "" and "filter=safetensors" in request.path


@pytest.mark.parametrize("words", ["nothing like it", "&sort=x#", "ü\u202e"])
def test_words_are_words(words: str, hub: LocalHub) -> None:
    assert search_hub(words) == ()


@pytest.mark.parametrize("variable", ["MODELDIFF_HUB", "HF_HUB_OFFLINE"])
def test_where_it_is_forbidden_nobody_is_asked(
    variable: str, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable == "MODELDIFF_HUB":
        monkeypatch.setenv(variable, "off")
    else:
        monkeypatch.setattr(constants, variable, True)
    assert not can_search_hub()
    with pytest.raises(HubUnreachable, match="forbid"):
        search_hub("llama")
    assert hub.requests == []


@pytest.mark.parametrize("page", [b"", b"{}", b"<html>", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_none(page: bytes, hub: LocalHub) -> None:
    hub.page = page
    with pytest.raises(HubUnreachable, match="not as a Hub does"):
        search_hub("llama")


def test_only_what_can_be_a_repository_is_kept(hub: LocalHub) -> None:
    names = ["/etc/passwd", "../x", "demo:base", "a/b/c", "**x**/y", 5, None, "good/one"]
    hub.page = json.dumps([{"id": name} for name in names] + ["x", {}]).encode()
    assert search_hub("x") == ("good/one",)
    hub.page = json.dumps([{"id": f"a/m{n}"} for n in range(500)]).encode()
    assert len(search_hub("x")) == MOST_FOUND


def test_an_answer_without_end(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_MOST_BYTES", 1_000)
    hub.page = b"[" + b" " * 1_000_000 + b"]"
    with pytest.raises(HubUnreachable, match="too long"):
        search_hub("x")


@pytest.mark.parametrize(("status", "error"), [(500, HubUnreachable), (403, AccessDenied)])
def test_a_refusal(status: int, error: type[Exception], hub: LocalHub) -> None:
    hub.status = status
    with pytest.raises(error):
        search_hub("x")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELDIFF_HUB", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match="could not be reached"):
        search_hub("x")
