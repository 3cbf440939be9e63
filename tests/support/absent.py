"""Runs a program as if some libraries were not installed: ``python -m tests.support.absent``.

Arguments: the libraries' modules, joined by commas, then ``-c CODE`` or arguments of modeldiff.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class Without(PathFinder):
    """Python's own finder of modules in folders, which does not see some of them."""

    absent: frozenset[str] = frozenset()

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in cls.absent:
            return None
        return super().find_spec(fullname, path, target)


def hide(modules: frozenset[str]) -> None:
    """From now on ``modules`` cannot be imported, nor be seen to be installed."""
    Without.absent = modules
    sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]


if __name__ == "__main__":
    hide(frozenset(sys.argv[1].split(",")))
    if sys.argv[2] == "-c":
        exec(sys.argv[3], {"__name__": "__main__"})
    else:
        from modeldiff.cli import main

        sys.exit(main(sys.argv[2:]))
