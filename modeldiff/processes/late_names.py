"""Names of a package that are imported when somebody asks for them: who needs one part of it does
not wait for the others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def late_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of ``package``, given its ``__name__``: ``homes`` are the names that come
    late, by their module below it. It raises ``AttributeError`` for any other, as Python asks.

    Each name is also imported under ``TYPE_CHECKING``, for those who read types.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
