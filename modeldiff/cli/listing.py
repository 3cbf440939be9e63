"""``modeldiff list``: what there is to name."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modeldiff.checkpoints.config_only.catalog import catalog_config, catalog_names
from modeldiff.checkpoints.references import Reference, demo_names, parse_reference
from modeldiff.cli.schemas.published import document_id
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import table_lines
from modeldiff.errors import InvalidOption
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import ResultHeader, list_results
from modeldiff.results.export.documents import origin_document
from modeldiff.results.gallery.collection import GALLERY, gallery_entries

_DIGITS = 12
"""Of a key, as many as tell results apart."""

_Entry = Mapping[str, Any]


@dataclass(frozen=True)
class _Part:
    """One part of the list: how its entries are made, and each as a line of a table."""

    title: str
    headers: Sequence[str]
    entries: Callable[[], list[_Entry]]
    line: Callable[[_Entry], Sequence[str]]


def list_command(options: Namespace, terminal: Terminal) -> None:
    """The catalog, the demos, the gallery and the kept results, or one of these; or what a
    repository of the Hub has."""
    if options.what == "all" or options.what in _PARTS:
        names = tuple(_PARTS) if options.what == "all" else (options.what,)
        parts: Mapping[str, _Part] = {name: _PARTS[name] for name in names}
    else:
        parts = _of_repository(options.what)
    entries = {name: part.entries() for name, part in parts.items()}
    if options.json:
        terminal.document({"document": document_id("list"), **entries})
        return
    for name, part in parts.items():
        terminal.heading(part.title)
        rows = [part.line(entry) for entry in entries[name]]
        lines = table_lines(part.headers, rows, width=terminal.width) if rows else ["none"]
        for line in lines:
            terminal.line(line)


def _of_repository(text: str) -> Mapping[str, _Part]:
    """The revisions and the sets of weights of a repository."""
    reference = parse_reference(text)
    if reference.kind != "hub":
        raise InvalidOption(
            f"{reference} is no repository of the Hub: it has no revisions to list.",
            hint=f"Give owner/name, or one of {', '.join(_PARTS)}.",
        )
    return {
        "revisions": _Part(
            f"Branches and tags of {reference.location}",
            ("reference", "kind", "commit"),
            lambda: _revisions(reference),
            lambda entry: (entry["reference"], entry["kind"], entry["commit"][:_DIGITS]),
        ),
        "weights": _Part(
            f"Sets of weights in {reference.choosing('')}",
            ("reference",),
            lambda: _weights(reference),
            lambda entry: (entry["reference"],),
        ),
    }


def _revisions(reference: Reference) -> list[_Entry]:
    from modeldiff.checkpoints.addresses.hub_names import HubName
    from modeldiff.checkpoints.hub.revisions import hub_revisions

    return [
        {
            "reference": HubName(reference.location, each.name, reference.path).text,
            "revision": each.name,
            "kind": each.kind,
            "commit": each.commit,
        }
        for each in hub_revisions(reference.location)
    ]


def _weights(reference: Reference) -> list[_Entry]:
    from modeldiff.checkpoints.formats.registry import weight_tags
    from modeldiff.checkpoints.sources.hub import HubFiles

    tags = weight_tags(HubFiles.of(reference).list())
    return [{"reference": reference.choosing(f":{tag}"), "tag": tag} for tag in tags]


def _catalog() -> list[_Entry]:
    return [
        {"reference": f"catalog:{name}", "model_type": str(catalog_config(name)["model_type"])}
        for name in catalog_names()
    ]


def _demos() -> list[_Entry]:
    return [{"reference": f"demo:{name}"} for name in demo_names()]


def _gallery() -> list[_Entry]:
    return [
        {
            "result": f"{GALLERY}{entry.name}",
            "title": entry.title,
            "base": entry.base.source,
            "target": entry.target.source,
            "date": entry.date,
        }
        for entry in gallery_entries()
    ]


def _results() -> list[_Entry]:
    return [_result(header) for header in list_results()]


def _result(header: ResultHeader) -> _Entry:
    return {"key": header.key, **origin_document(header)}


def _result_line(entry: _Entry) -> Sequence[str]:
    base, target = entry["base"]["reference"], entry["target"]["reference"]
    return entry["key"][:_DIGITS], base, target, entry["created"]


_PARTS = {
    "catalog": _Part(
        "Architectures without weights (modeldiff compare catalog:… catalog:…)",
        ("reference", "model type"),
        _catalog,
        lambda entry: (entry["reference"], entry["model_type"]),
    ),
    "demos": _Part("Demo checkpoints", ("reference",), _demos, lambda entry: (entry["reference"],)),
    "gallery": _Part(
        "Gallery: results that come along (modeldiff open gallery:…)",
        ("result", "base", "target", "measured"),
        _gallery,
        lambda entry: (entry["result"], entry["base"], entry["target"], entry["date"]),
    ),
    "results": _Part(
        "Kept results, newest first (modeldiff open KEY)",
        ("key", "base", "target", "created"),
        _results,
        _result_line,
    ),
}
