"""Where the files are that come along and lie outside the package in the repository.

The app's scripts, its settings and the demo checkpoints stand at the repository's top level. The
build packs them into the package (``pyproject.toml`` lists them), since nothing else of it arrives
where it is installed.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKED = _PACKAGE / "_bundled"


def bundled(name: str) -> Path:
    """The file or folder that is called ``name`` at the repository's top level."""
    # What is packed goes first: beside an installed package lie other people's packages.
    return (_PACKED if _PACKED.is_dir() else _PACKAGE.parent) / name
