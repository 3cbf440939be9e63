"""What plugs modeldiff into other libraries. Each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modeldiff.integrations.trainer import ChangeCallback

__all__ = ["ChangeCallback"]


def __getattr__(name: str) -> Any:
    """Import what needs transformers; raises ``MissingExtra`` without it."""
    if name != "ChangeCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from modeldiff.extras import require

    require("configs", "The callback")
    from modeldiff.integrations.trainer import ChangeCallback

    return ChangeCallback
