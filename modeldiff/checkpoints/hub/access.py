"""What this machine lets its users have of the Hub: which repositories, with whose token, and how
much may be downloaded."""

from __future__ import annotations

import shutil
from dataclasses import field
from pathlib import Path
from typing import Literal, NoReturn

from huggingface_hub import constants

from modeldiff.errors import AccessDenied, CheckpointError
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.settings.startup import is_server
from modeldiff.settings.table import HUB, MOST_DOWNLOAD
from modeldiff.text.formatting import format_bytes

_SPARE_BYTES = 1_000_000_000
"""What a download leaves free: results and other programs need some, too."""


@dataclass(frozen=True)
class HubLogin:
    """Somebody who has logged in at the Hub.

    ``name`` is who: what is kept for them alone is kept under it. ``token`` is sent to the Hub in
    their name; it is in no representation, no comparison, and nothing that is pickled.
    """

    name: str
    token: str = field(repr=False, compare=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A login at the Hub is not written down.")


def require_hub_access(repo: str) -> None:
    """Raise ``AccessDenied`` where ``repo`` (``owner/name``) may not be opened here."""
    access = HUB.value()
    if access.allows(repo):
        return
    names = ", ".join(sorted(access.owners | access.repositories))
    raise AccessDenied(
        f"{repo} may not be opened here: {HUB.name} "
        f"{f'allows {names} alone' if names else 'is off'}.",
        hint="Give a folder of this machine or a demo. Whoever runs this app sets what may be "
        "opened.",
        repository=repo,
    )


def hub_token(repo: str, login: HubLogin | None = None) -> str | Literal[False] | None:
    """The ``token`` argument of huggingface_hub for ``repo``: that of whoever has logged in with
    ``login``; without one None for that of this machine, or False for none.

    On a server this machine's is not the viewer's: it opens what the server's owner may see, so it
    is sent for repositories alone that somebody named.
    """
    if login is not None:
        return login.token
    return False if is_server() and not HUB.value().names(repo) else None


def require_room(repo: str, nbytes: int) -> None:
    """Raise ``CheckpointError`` where the ``nbytes`` that are still to be downloaded of ``repo``
    are more than may be, or than the disk has room for."""
    most = MOST_DOWNLOAD.value()
    if most is not None and nbytes > most:
        raise CheckpointError(
            f"{repo}: {format_bytes(nbytes)} would have to be downloaded, and {format_bytes(most)} "
            "are allowed here.",
            hint=f"{MOST_DOWNLOAD.name} sets the limit. Its architecture can be seen without.",
            repository=repo,
        )
    free = _free(Path(constants.HF_HUB_CACHE))
    if free is not None and nbytes + _SPARE_BYTES > free:
        raise CheckpointError(
            f"{repo}: {format_bytes(nbytes)} have to be downloaded, and the disk has "
            f"{format_bytes(free)} free, of which {format_bytes(_SPARE_BYTES)} are to stay so.",
            hint="Make room or set HF_HOME to a folder with room that may be written to.",
            repository=repo,
        )


def _free(folder: Path) -> int | None:
    """Bytes that are free where ``folder`` is or will be; None where the system doesn't say."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None
