"""Which local paths may be opened.

A path that somebody types is read by the machine that runs the app. On a shared server the setting
``MODELDIFF_ROOTS`` limits that to what lies in these folders once links are followed. Without it,
every path is allowed.
"""

from __future__ import annotations

import os
from pathlib import Path

from modeldiff.errors import AccessDenied, InvalidReference
from modeldiff.files.cache_folder import cache_folder
from modeldiff.settings.table import ROOTS
from modeldiff.text.quoting import quoted


def allowed_roots() -> tuple[Path, ...]:
    """The folders of the setting, links followed; empty where all is allowed."""
    return tuple(Path(os.path.realpath(root)) for root in ROOTS.value())


def is_allowed(path: Path) -> bool:
    """Whether ``path`` may be opened; says nothing about whether it exists."""
    roots = allowed_roots()
    return not roots or in_one_of(path, (*roots, given_configs_folder()))


def given_configs_folder() -> Path:
    """Where configs lie that somebody brought, each under its own hash; it may not exist yet. They
    may always be opened: this app wrote them."""
    return Path(os.path.realpath(cache_folder("configs")))


def in_one_of(path: Path, folders: tuple[Path, ...]) -> bool:
    """Whether ``path``, links followed, is one of ``folders`` or lies in one."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(folder) for folder in folders)


def require_allowed(path: Path, typed: str) -> None:
    """Raise ``InvalidReference`` unless ``path`` may be opened, which was ``typed`` so.

    The error shows what was typed, and is the same whether the path exists or not, so that it can't
    be used to look around.
    """
    if not is_allowed(path):
        roots = ", ".join(str(root) for root in allowed_roots())
        raise InvalidReference(
            f"{quoted(typed, 200)} is outside the folders that may be opened here.",
            hint=f"Give a path inside {roots}, a Hub repository or a demo. Whoever runs this app "
            f"sets these folders in {ROOTS.name}.",
        )


def require_inside(folder: Path, file: str) -> None:
    """Raise ``AccessDenied`` if a link leads from ``folder`` to somewhere else.

    A folder from outside may hold links to anything that its reader can read. The Hub's cache is
    the exception that has to work: its snapshots are links to ``blobs``, beside the snapshots or
    shared by all repositories.
    """
    homes = [Path(os.path.realpath(folder)), *allowed_roots()]
    for ancestor in homes[0].parents:
        if ancestor.name == "snapshots" and ancestor.parent.name.startswith("models--"):
            homes += [ancestor.parent / "blobs", ancestor.parent.parent / "blobs"]
    if not in_one_of(folder / file, tuple(homes)):
        raise AccessDenied(
            f"{folder / file} is a link that leads out of its folder.",
            hint="Put the file itself there, or give the file that the link leads to. To allow "
            f"more folders, list them in {ROOTS.name}.",
            path=folder / file,
        )
