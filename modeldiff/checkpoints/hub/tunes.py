"""An owner's models on the Hub that were made of another: those whose card names it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from modeldiff.checkpoints.hub.errors import translating_hub_errors
from modeldiff.checkpoints.hub.listings import read_listing
from modeldiff.checkpoints.hub.search import can_search_hub, is_repository
from modeldiff.checkpoints.hub.visibility import hub_endpoint
from modeldiff.checkpoints.references import parse_reference
from modeldiff.errors import HubUnreachable, InvalidOption
from modeldiff.settings.table import HUB
from modeldiff.text.quoting import quoted

MOST_TUNES = 1_000
"""The Hub lists so many at once."""
_OWNER = re.compile(r"\w[\w.-]{0,95}", re.ASCII)
_MOST_BYTES = 16 << 20
_TIMEOUT_SECONDS = 10.0
_LONGEST_SECONDS = 60.0


def tunes_of(base: str, owner: str) -> tuple[str, ...]:
    """The models of ``owner`` whose cards name ``base``, a repository of the Hub, as what they were
    made of, as ``owner/name``; the most downloaded first, and only those that may be opened here.

    Asked with this machine's token: what only its account may see is among them. Raises
    ``InvalidOption`` where ``base`` is no repository of the Hub, ``owner`` no name of an owner, or
    there are too many or none; ``HubUnreachable`` where the Hub does not answer in time, or as a
    Hub does; ``AccessDenied`` where it refuses.
    """
    reference = parse_reference(base)
    if reference.kind != "hub":
        raise InvalidOption(
            f"The Hub knows nothing that was made of {quoted(base)}.",
            hint="Name base as owner/name, as it stands in the cards of what was made of it.",
        )
    if not _OWNER.fullmatch(owner):
        raise InvalidOption(f"{quoted(owner)} is no name of an owner at the Hub.")
    if not can_search_hub():
        raise HubUnreachable(
            "The Hub is not asked for models: the settings forbid it.",
            hint=f"{HUB.name} and HF_HUB_OFFLINE say whether it may be.",
        )
    endpoint, repository = hub_endpoint(), reference.location
    with translating_hub_errors(f"the list of {owner}'s models", None, endpoint):
        content = _ask(endpoint, repository, owner)
    try:
        listed = list(_names(json.loads(content), repository, owner))
    except (ValueError, RecursionError) as error:
        raise HubUnreachable(
            f"{endpoint} answers, but not as a Hub does.", hint="Check HF_ENDPOINT and the proxy."
        ) from error
    if len(listed) >= MOST_TUNES:
        raise InvalidOption(
            f"{owner} has {MOST_TUNES:,} models or more whose cards name {repository}.",
            hint="Write those that are meant into a file, one a line, and name it as @FILE.",
        )
    names = tuple(filter(HUB.value().allows, listed))
    if not names:
        raise InvalidOption(
            f"{owner} has no model at the Hub whose card names {repository} as its base.",
            hint="Check both names, or name the models one by one.",
        )
    return names


def _ask(endpoint: str, repository: str, owner: str) -> bytes:
    parameters = {
        "author": owner,
        "filter": f"base_model:{repository}",
        "sort": "downloads",
        "direction": "-1",
        "limit": str(MOST_TUNES),
    }
    return read_listing(
        f"{endpoint}/api/models",
        token=None,
        parameters=parameters,
        most_bytes=_MOST_BYTES,
        patience=_TIMEOUT_SECONDS,
        most_seconds=_LONGEST_SECONDS,
    )


def _names(answer: Any, repository: str, owner: str) -> Iterator[str]:
    """What is said of a model is not taken for granted: its owner, and what its card names."""
    if not isinstance(answer, list):
        raise ValueError("it is no list")
    tag = f"base_model:{repository}".lower()
    for entry in answer[:MOST_TUNES]:
        if not isinstance(entry, dict):
            continue
        name, tags = entry.get("id"), entry.get("tags")
        if not (isinstance(name, str) and isinstance(tags, list) and is_repository(name)):
            continue
        is_owners = name.partition("/")[0].lower() == owner.lower()
        if is_owners and tag in (str(each).lower() for each in tags):
            yield name
