"""Libraries that not everybody needs: the extras of the package, and an error that names them.

Reading and measuring checkpoints needs none of these. Whoever is about to use one asks first, so
that a user is told what to install instead of which import failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal

from modeldiff.errors import MissingExtra

Extra = Literal[
    "app", "login", "server", "report", "gpu", "configs", "companions", "gguf", "stores", "ray"
]

DISTRIBUTION = "modeldiff-weights"
"""The package's name on the index, where ``modeldiff`` is another project."""

EXTRAS: Mapping[Extra, tuple[str, ...]] = {
    "app": ("streamlit", "altair", "pandas", "vl_convert"),
    "login": ("streamlit", "altair", "pandas", "vl_convert", "authlib", "httpx"),
    "server": (
        *("streamlit", "altair", "pandas", "vl_convert", "authlib", "httpx"),
        "prometheus_client",
    ),
    "report": ("altair", "pandas", "vl_convert"),
    "gpu": ("torch",),
    "configs": ("torch", "transformers"),
    "companions": ("jinja2", "tokenizers"),
    "gguf": ("gguf",),
    "stores": ("obstore",),
    "ray": ("ray",),
}
"""The modules that come with each extra, as ``pyproject.toml`` lists their packages."""


def require(extra: Extra, purpose: str) -> None:
    """Raise ``MissingExtra`` unless the libraries of ``extra`` are installed.

    ``purpose`` is what needs them, as the sentence's subject: ``A report``. Imports nothing.
    """
    missing = _missing(extra)
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingExtra(
            f"{purpose} needs {', '.join(missing)}, which {verb} not installed.",
            hint=install_hint(extra),
        )


def is_installed(extra: Extra) -> bool:
    """Whether all libraries of ``extra`` are there. Imports nothing."""
    return not _missing(extra)


def _missing(extra: Extra) -> list[str]:
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def install_hint(extra: Extra) -> str:
    """The command that installs what ``extra`` names, as a sentence for an error's hint."""
    return f'Install it: pip install "{DISTRIBUTION}[{extra}]".'
