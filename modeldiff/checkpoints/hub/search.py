"""Models on the Hub by words: a short list of public repositories, when somebody searches.

Nothing is searched where ``MODELDIFF_HUB`` is ``off`` or ``HF_HUB_OFFLINE`` is set. No token is
sent: of a server that many use, nobody is shown what only its own account may see. Answers are
text from outside, of which only what has the form of a repository's name is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from huggingface_hub import constants

from modeldiff.checkpoints.hub.errors import translating_hub_errors
from modeldiff.checkpoints.hub.listings import read_listing
from modeldiff.checkpoints.hub.visibility import hub_endpoint
from modeldiff.checkpoints.references import parse_reference
from modeldiff.errors import HubUnreachable, InvalidReference
from modeldiff.settings.table import HUB

MOST_FOUND = 20
MAX_WORDS = 100
"""Characters of a search."""
_TIMEOUT_SECONDS = 4.0
_LONGEST_SECONDS = 8.0
_MOST_BYTES = 1 << 20


def can_search_hub() -> bool:
    """Whether the Hub may be asked at all, as the environment says."""
    access = HUB.value()
    asked = access.all or access.owners or access.repositories
    return bool(asked) and not constants.HF_HUB_OFFLINE


def search_hub(words: str) -> tuple[str, ...]:
    """Public repositories of models with safetensors weights whose names match ``words`` and that
    may be opened here, as ``owner/name``, the most downloaded first; ``MOST_FOUND`` at most.

    Raises ``HubUnreachable`` where the Hub does not answer in time, or as a Hub does;
    ``AccessDenied`` where it refuses.
    """
    if not can_search_hub():
        raise HubUnreachable(
            "The Hub is not searched: the settings forbid it.",
            hint=f"{HUB.name} and HF_HUB_OFFLINE say whether it may be.",
        )
    endpoint = hub_endpoint()
    with translating_hub_errors("this search", None, endpoint):
        content = _ask(endpoint, words.strip()[:MAX_WORDS])
    try:
        return tuple(filter(HUB.value().allows, _names(json.loads(content))))
    except (ValueError, RecursionError) as error:
        raise HubUnreachable(
            f"{endpoint} answers, but not as a Hub does.", hint="Check HF_ENDPOINT and the proxy."
        ) from error


def _ask(endpoint: str, words: str) -> bytes:
    parameters = {
        "search": words,
        "filter": "safetensors",
        "sort": "downloads",
        "direction": "-1",
        "limit": str(MOST_FOUND),
    }
    return read_listing(
        f"{endpoint}/api/models",
        token=False,
        parameters=parameters,
        most_bytes=_MOST_BYTES,
        patience=_TIMEOUT_SECONDS,
        most_seconds=_LONGEST_SECONDS,
    )


def _names(answer: Any) -> Iterator[str]:
    if not isinstance(answer, list):
        raise ValueError("it is no list")
    for entry in answer[:MOST_FOUND]:
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(name, str) and is_repository(name):
            yield name


def is_repository(name: str) -> bool:
    """Whether a name is one of a repository, and of nothing that lies here."""
    try:
        reference = parse_reference(name)
    except InvalidReference:
        return False
    return reference.kind == "hub" and reference.location == name
