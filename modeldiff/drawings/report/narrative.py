"""A change table in words, as HTML."""

from __future__ import annotations

from modeldiff.changes import ChangeTable
from modeldiff.drawings.report.html import paragraphs, sentence
from modeldiff.findings.coverage import Unread
from modeldiff.findings.narrative import narrate


def narrative_html(changes: ChangeTable, unread: Unread = ((), ())) -> str:
    """What the numbers of ``changes`` say, then what they may mean; plain paragraphs and lists.
    ``unread`` as ``narrate`` takes it."""
    narrative = narrate(changes, unread=unread)
    likeness = "<h3>What they may mean</h3>" if narrative.likeness else ""
    return (
        f'<p class="headline">{sentence(narrative.headline)}</p>{paragraphs(narrative.facts)}'
        f"{likeness}{paragraphs(narrative.likeness, 'inference')}"
    )
