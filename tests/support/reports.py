"""Reports of diffs that were made by hand, and what a browser would make of them."""

from __future__ import annotations

from html.parser import HTMLParser

from modeldiff.architectures import Architecture
from modeldiff.drawings.report import report_html
from modeldiff.results import Result
from tests.support.changes import continued, made_changes
from tests.support.results import a_result


def made(base: Architecture, target: Architecture | None = None) -> Result:
    """A result in which each tensor changed as by continued pretraining."""
    return a_result(*made_changes(base, target or base, continued))


def report(base: Architecture, target: Architecture | None = None) -> str:
    """The report of that result."""
    return report_html(made(base, target), base, target or base)


class Parsed(HTMLParser):
    """A document's tags with their attributes, its words, and the rows of its table of tensors."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all tags of this name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def row(self, layer: str, component: str) -> list[str]:
        """The cells of one row of the table of tensors."""
        (found,) = (row for row in self.rows if row[:2] == [layer, component])
        return found
