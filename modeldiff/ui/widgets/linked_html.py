"""Lists and tables whose lines lead to other pages: real links, which keep the pair and the view.

Streamlit's links in Markdown open a new tab, and its page links are one line of text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from html import escape
from pathlib import Path

import streamlit as st

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.ui.widgets.going import GOING_JS

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "linked_html",
    html='<div class="host"></div>',
    css=(_HERE / "linked_html.css").read_text(encoding="utf-8"),
    js=GOING_JS + (_HERE / "linked_html.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Link:
    """Where a line leads: a page's script and the whole query."""

    page: str
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The page's address below the app's."""
        name = Path(self.page).stem
        return "" if name == "compare" else name


@dataclass(frozen=True)
class LinkedEntry:
    """Two lines of a list: ``title`` (heavy) and ``value``, then ``note``; its bar is painted by
    ``kind``. Under ``heading`` where that is not the one before's."""

    kind: str
    title: str
    value: str
    note: str
    link: Link
    heading: str = ""


def linked_entries(entries: Sequence[LinkedEntry], *, key: str) -> None:
    """Draw a list; each entry as a whole is a link."""
    parts, heading = [], ""
    for number, entry in enumerate(entries):
        if entry.heading != heading:
            heading = entry.heading
            parts.append(f"<p>{escape(heading)}</p>")
        parts.append(
            f'<a class="entry {escape(entry.kind)}" data-n="{number}"><span><b>'
            f"{escape(entry.title)}</b> {escape(entry.value)}"
            f"<small>{escape(entry.note)}</small></span><i>›</i></a>"
        )
    _draw("".join(parts), [entry.link for entry in entries], key)


def linked_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], links: Sequence[Link], *, key: str
) -> None:
    """Draw a table of text; the first cell of each row is a link, the others are numbers."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f'<tr><td><a data-n="{number}">{escape(row[0])}</a></td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for number, row in enumerate(rows)
    )
    _draw(f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>", links, key)


def linked_line(sign: str, lead: str, text: str, label: str, link: Link, *, key: str) -> None:
    """Draw a line of a list of findings: a ``sign``, a ``lead`` in heavy letters, ``text``, and a
    link called ``label``; both may be empty."""
    anchor = f' <a data-n="0">{escape(label)}</a>' if label else ""
    lead = f"<b>{escape(lead)}</b> " if lead else ""
    _draw(
        f'<div class="line"><span aria-hidden="true">{escape(sign)}</span>'
        f"<div>{lead}{escape(text)}{anchor}</div></div>",
        [link],
        key,
    )


def _draw(html: str, links: Sequence[Link], key: str) -> None:
    addresses = [{"path": link.path, "query": dict(link.query)} for link in links]
    _component(key=key, data={"html": html, "links": addresses})
