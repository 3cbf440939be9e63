"""The branches and tags of a repository: a training run is often published as one step each.

What the Hub answers is text from outside: of bounded length, and only names that can stand in a
reference are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from modeldiff.checkpoints.addresses.hub_names import HubName, hub_name
from modeldiff.checkpoints.hub.access import hub_token, require_hub_access
from modeldiff.checkpoints.hub.errors import translating_hub_errors
from modeldiff.checkpoints.hub.listings import read_listing
from modeldiff.checkpoints.hub.visibility import hub_endpoint
from modeldiff.errors import HubUnreachable
from modeldiff.processes.late_dataclass import dataclass

MOST_REVISIONS = 20_000
_MOST_BYTES = 8 << 20
_TIMEOUT_SECONDS = 10.0
_LONGEST_SECONDS = 30.0
_NUMBER = re.compile(r"(\d{1,18})", re.ASCII)
_PARTS: tuple[tuple[str, Literal["branch", "tag"]], ...] = (("branches", "branch"), ("tags", "tag"))


@dataclass(frozen=True)
class Revision:
    """A branch or tag of a repository; ``commit`` is what it points to, in hex."""

    name: str
    kind: Literal["branch", "tag"]
    commit: str


def hub_revisions(repo: str, *, public: bool = False) -> tuple[Revision, ...]:
    """The branches and tags of ``repo`` (``owner/name``): ``main`` first, the others by the numbers
    in their names, ``MOST_REVISIONS`` of each at most. ``public``: no token is sent, and only what
    everybody is shown is listed.

    Raises ``CheckpointNotFound``, ``AccessDenied``, ``HubUnreachable``.
    """
    require_hub_access(repo)
    endpoint = hub_endpoint()
    with translating_hub_errors(repo, None, endpoint):
        content = read_listing(
            f"{endpoint}/api/models/{repo}/refs",
            token=False if public else hub_token(repo),
            parameters={},
            most_bytes=_MOST_BYTES,
            patience=_TIMEOUT_SECONDS,
            most_seconds=_LONGEST_SECONDS,
        )
    try:
        known = {each.name: each for each in _revisions(repo, json.loads(content))}
    except (ValueError, RecursionError) as error:
        raise HubUnreachable(
            f"{endpoint} answers, but not as a Hub does.",
            hint="Check HF_ENDPOINT and the proxy.",
            repository=repo,
        ) from error
    return tuple(sorted(known.values(), key=lambda each: revision_order(each.name)))


def revision_order(name: str) -> tuple[bool, list[tuple[int, int, str]]]:
    """What revisions are sorted by: ``main`` first, ``step2000`` before ``step10000``.

    >>> sorted(["step10000", "main", "step2000", "v1"], key=revision_order)
    ['main', 'step2000', 'step10000', 'v1']
    """
    parts = [part for part in _NUMBER.split(name) if part]
    # Numbers and words are told apart first, so that they are never compared with each other.
    return name != "main", [
        (0, int(part), "") if _NUMBER.fullmatch(part) else (1, 0, part) for part in parts
    ]


def _revisions(repo: str, answer: Any) -> Iterator[Revision]:
    if not isinstance(answer, dict):
        raise ValueError("it is no object")
    for part, kind in _PARTS:
        entries = answer.get(part)
        for entry in entries[:MOST_REVISIONS] if isinstance(entries, list) else ():
            name = entry.get("name") if isinstance(entry, dict) else None
            commit = entry.get("targetCommit") if isinstance(entry, dict) else None
            if isinstance(name, str) and _can_be_named(repo, name):
                yield Revision(name, kind, commit if isinstance(commit, str) else "")


def _can_be_named(repo: str, revision: str) -> bool:
    """Whether a reference can name it."""
    place = HubName(repo, revision)
    return len(revision) <= 255 and hub_name(place.text) == place
