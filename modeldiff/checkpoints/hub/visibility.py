"""Which repositories the Hub shows to everybody, as it said when it was last asked.

On a server the caches hold what one viewer was allowed to see. Another is shown it only where the
Hub shows it to them, or to everybody.
"""

from __future__ import annotations

from huggingface_hub import constants

from modeldiff.checkpoints.hub import metadata_cache as hub_cache
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.stores.access import may_read_store
from modeldiff.settings.startup import is_server
from modeldiff.settings.table import HF_ENDPOINT, HUB

_PUBLIC = b"public"


def hub_endpoint() -> str:
    """The Hub's address. Read anew each time: the client reads it once, when it is imported."""
    return (HF_ENDPOINT.value() or constants.ENDPOINT).rstrip("/")


def remember_visibility(endpoint: str, repo: str, *, public: bool) -> None:
    """Keep whether everybody may read ``repo`` (``owner/name``) at ``endpoint``: ``public``."""
    hub_cache.save(_PUBLIC if public else b"", "visibility", endpoint, repo)


def is_public(endpoint: str, repo: str) -> bool:
    """Whether the Hub at ``endpoint`` last said that everybody may read ``repo``."""
    return hub_cache.load("visibility", endpoint, repo) == _PUBLIC


def is_for_everybody(repo: str) -> bool:
    """Whether each viewer of this app may be told of ``repo`` (``owner/name``), and shown what was
    measured of it, without the Hub being asked whether they may open it."""
    return not is_server() or HUB.value().names(repo) or is_public(hub_endpoint(), repo)


def is_reference_for_everybody(reference: Reference) -> bool:
    """Whether each viewer of this app may be told of what a reference names: of a repository as
    ``is_for_everybody`` says, of an object store's address if it may be read here, of an adapted
    model if both parts may be told of, of all else always."""
    if reference.parts:
        return all(map(is_reference_for_everybody, reference.parts))
    if reference.kind == "store":
        return may_read_store(reference.location)
    return reference.kind != "hub" or is_for_everybody(reference.location)
