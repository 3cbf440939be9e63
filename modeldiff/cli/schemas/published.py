"""The JSON schemas of all documents that ``--json`` prints: published with the package, and
versioned. A document names its own: ``modeldiff/diff/1`` is ``diff.1.json`` beside this module."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import table_lines
from modeldiff.errors import InvalidOption
from modeldiff.text.quoting import did_you_mean, quoted

_FOLDER = Path(__file__).parent

DOCUMENTS: Mapping[str, str] = {
    "inspect": "inspect REF --json",
    "compare": "compare BASE TARGET --json",
    "diff": "diff, join, demo and open with --json, and --output FILE.json",
    "shard": "diff --shard I/N --json",
    "fleet": "fleet BASE TARGET … --json, and --output FILE.json",
    "check": "check BASE TARGET --json",
    "list": "list --json",
}
"""What prints each document."""

VERSIONS: Mapping[str, int] = dict.fromkeys(DOCUMENTS, 1)
"""The version of each document: it changes when something that readers rely on goes or changes its
meaning, not when something is added."""


def document_id(name: str) -> str:
    """What a document says of itself: its name and version."""
    return f"modeldiff/{name}/{VERSIONS[name]}"


def schema_text(name: str) -> str:
    """The JSON schema of the document called ``name``, as JSON. Raises ``InvalidOption``."""
    if name not in DOCUMENTS:
        raise InvalidOption(
            f"There is no document {quoted(name)}.",
            hint=did_you_mean(name, DOCUMENTS) or f"There are {', '.join(DOCUMENTS)}.",
        )
    return (_FOLDER / f"{name}.{VERSIONS[name]}.json").read_text(encoding="utf-8")


def schema_command(options: Namespace, terminal: Terminal) -> None:
    """Print a schema, or which there are."""
    if options.name is not None:
        terminal.raw(schema_text(options.name))
        return
    rows = [(name, document_id(name), DOCUMENTS[name]) for name in DOCUMENTS]
    for line in table_lines(("name", "document", "printed by"), rows, width=terminal.width):
        terminal.line(line)
