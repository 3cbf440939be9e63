"""What lies beside the weights, printed for people."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import sentence_lines, table_lines
from modeldiff.findings.companions import CompanionPart, companions_headline

_PAGE = 120
_LONGEST = 100


def report_companions(parts: Sequence[CompanionPart], terminal: Terminal) -> None:
    """What differs in each part: in sentences, and as both sides say it."""
    terminal.heading("Beyond the weights")
    terminal.line(companions_headline(parts))
    for part in parts:
        if part.is_absent:
            continue
        terminal.line()
        mark = "*" if part.differs else "?" if part.alone else " "
        terminal.line(f"{mark} {part.title}")
        for sentence in (*part.sentences, *part.notes):
            for line in sentence_lines(f"- {sentence}", terminal.width or _PAGE, 4):
                terminal.line(f"  {line}")
        rows = [
            (fact.label, *(_short(side.text) if side else "–" for side in (fact.base, fact.target)))
            for fact in part.facts
            if not fact.same
        ]
        if rows:
            for line in table_lines(
                ("", "base", "target"), rows, width=(terminal.width or _PAGE) - 4
            ):
                terminal.line(f"    {line}")
    absent = [part.sentences[0] for part in parts if part.is_absent]
    if absent:
        terminal.line()
        terminal.line(" ".join(absent))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
