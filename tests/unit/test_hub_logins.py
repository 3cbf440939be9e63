"""Who logs in at the Hub opens what they may see there, and nobody else through them."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.checkpoints.hub.access import HubLogin
from modeldiff.checkpoints.hub.visibility import is_for_everybody
from modeldiff.checkpoints.nearby import cached_repositories
from modeldiff.errors import AccessDenied, CheckpointNotFound, HubUnreachable, ModeldiffError
from modeldiff.ui.session.login import at_the_hub
from tests.support.fetching import fetched
from tests.support.local_hub import LocalHub
from tests.support.safetensors_files import simple

ADA = HubLogin("ada@example.org", "hf_oauth_of_ada")
EVE = HubLogin("eve@example.org", "hf_oauth_of_eve")
WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub with a private, a gated and a public repository, Ada to whom all are shown, and a
    server."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "huggingface"))
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_server")
    monkeypatch.chdir(tmp_path)
    for name in ("private", "gated", "public"):
        folder = tmp_path / "hub" / "team" / name
        folder.mkdir(parents=True)
        (folder / WEIGHTS).write_bytes(simple("w"))
    with LocalHub(tmp_path / "hub") as hub:
        hub.tokens = {ADA.token, EVE.token, "hf_of_the_server"}
        hub.private, hub.readers = {"team/private"}, {"team/private": {ADA.token}}
        hub.gated = {"team/gated": {ADA.token}}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def refused(reference: str, login: HubLogin | None) -> ModeldiffError:
    with pytest.raises((AccessDenied, CheckpointNotFound, HubUnreachable)) as caught:
        open_checkpoint(reference, login=login)
    return caught.value


def bring(name: str) -> Checkpoint:
    """What Ada opens and downloads, so that all of it lies in the caches."""
    checkpoint = open_checkpoint(f"team/{name}", login=ADA)
    fetched(checkpoint, WEIGHTS)
    return checkpoint


@pytest.mark.parametrize("name", ["private", "gated"])
@pytest.mark.parametrize("other", [EVE, None])
def test_what_one_may_see_is_not_shown_to_another(
    hub: LocalHub, name: str, other: HubLogin | None
) -> None:
    commit = bring(name).fingerprint.split(":")[1]
    assert {request.token for request in hub.requests} <= {ADA.token, ""}  # the storage has none
    for revision in ("", f"@{commit}"):
        refused(f"team/{name}{revision}", other)
    assert not is_for_everybody(f"team/{name}") and cached_repositories() == ()
    assert "hf_of_the_server" not in {request.token for request in hub.requests}
    assert open_checkpoint(f"team/{name}@{commit}", login=ADA).elements


@pytest.mark.parametrize("login", [ADA, EVE, None])
def test_what_the_caches_hold_is_not_shown_where_the_hub_cannot_be_asked(
    hub: LocalHub, login: HubLogin | None
) -> None:
    for name in ("private", "public"):
        bring(name)
    hub.status = 503
    assert isinstance(refused("team/private", login), HubUnreachable)
    assert open_checkpoint("team/public", login=login).warnings


def test_what_became_private_is_hidden(hub: LocalHub) -> None:
    bring("public")
    assert is_for_everybody("team/public") and cached_repositories() == ("team/public",)
    hub.private.add("team/public")
    hub.readers["team/public"] = {ADA.token}
    refused("team/public", EVE)
    assert not is_for_everybody("team/public") and cached_repositories() == ()


def test_a_named_repository_is_everybodys(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDIFF_HUB", "team/private")
    hub.readers["team/private"] = {ADA.token, "hf_of_the_server"}
    assert open_checkpoint("team/private").elements
    assert cached_repositories() == () and is_for_everybody("team/private")
    refused("team/private", EVE)  # her own token opens what she may see, and no more


def test_a_token_is_written_nowhere(hub: LocalHub, tmp_path: Path) -> None:
    checkpoint = bring("private")
    shutil.rmtree(tmp_path / "hub")
    for path in tmp_path.rglob("*"):
        assert ADA.token not in str(path)
        if path.is_file():
            assert ADA.token.encode() not in path.read_bytes(), path
    assert ADA.token not in repr(checkpoint.source)
    with pytest.raises(TypeError):
        pickle.dumps(checkpoint)
    hub.tokens = set()
    error = refused("team/private", ADA)
    assert ADA.token not in f"{error.message} {error.hint} {error.__cause__!r}"


def test_another_providers_token_is_not_sent_to_the_hub(hub: LocalHub) -> None:
    claims = {"email": "Ada@example.org", "iss": hub.url}
    assert at_the_hub(claims, {"access": ADA.token}) == ADA
    assert at_the_hub(claims | {"iss": "https://login.example.org"}, {"access": "t"}) is None
    assert at_the_hub({"email": "ada@example.org"}, {"access": "t"}) is None
    assert at_the_hub(claims, {}) is None and at_the_hub(claims, {"id": "t"}) is None
    assert at_the_hub(claims | {"email_verified": False}, {"access": "t"}) is None
