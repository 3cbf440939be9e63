"""Reports of diffs that were made by hand, and what a browser would make of them."""

from __future__ import annotations

from html.parser import HTMLParser

from modeldiff.architectures import Architecture
from modeldiff.comparison import Comparison
from modeldiff.drawings.report import report_html
from modeldiff.model import Model
from modeldiff.results import Result
from tests.support.changes import continued, made_changes
from tests.support.named_shapes import checkpoint
from tests.support.results import a_result


def made(base: Architecture, target: Architecture | None = None) -> Result:
    """A result in which each tensor changed as by continued pretraining."""
    return a_result(*made_changes(base, target or base, continued))


def report(base: Architecture, target: Architecture | None = None) -> str:
    """The report of that result."""
    return report_of(made(base, target), base, target)


def report_of(result: Result, base: Architecture, target: Architecture | None = None) -> str:
    """The report of a result of these two."""
    return report_html(result, compared(base, target or base))


def compared(base: Architecture, target: Architecture) -> Comparison:
    """The comparison of two architectures with no checkpoint behind them."""
    return Comparison(*(Model(checkpoint({}), side, side.title) for side in (base, target)))


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
