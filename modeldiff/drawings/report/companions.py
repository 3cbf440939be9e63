"""What lies beside the weights: each part in words, and what differs in it as both sides say it."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.companions.text_diff import DiffLine
from modeldiff.comparison import Comparison
from modeldiff.drawings.report.architecture import different_facts_html
from modeldiff.drawings.report.html import paragraphs, sentence, text
from modeldiff.findings.companions import companions_headline, describe_companions

_SIGNS = {"same": " ", "removed": "−", "added": "+", "skipped": ""}
_MOST_LINES = 400
_LONGEST_LINE = 2_000


def companions_html(comparison: Comparison) -> str:
    """The companions of both sides. Their files are read here, if nobody asked before."""
    parts = describe_companions(comparison.companions, comparison.facts)
    body = [f"<p>{sentence(companions_headline(parts))}</p>"]
    for part in (part for part in parts if not part.is_absent):
        body.append(f"<h3>{text(part.title)}</h3>{paragraphs((*part.sentences, *part.notes))}")
        body.append(different_facts_html(part.facts))
        if part.key == "template":
            body.extend(_conversations(comparison))
    body.append(paragraphs(part.sentences[0] for part in parts if part.is_absent))
    return "".join(body)


def _conversations(comparison: Comparison) -> Iterator[str]:
    """The conversations that come out otherwise, each to be opened."""
    for each in comparison.companions.renderings:
        if each.lines and not each.same:
            lines = "".join(map(_line, each.lines[:_MOST_LINES]))
            yield (
                f"<details><summary>{text(each.conversation.title)}: how the texts differ</summary>"
                f'<pre class="differing">{lines}</pre></details>'
            )


def _line(line: DiffLine) -> str:
    words = f"{_SIGNS[line.kind]} {text(line.text, _LONGEST_LINE)}\n"
    tag = {"removed": "del", "added": "ins"}.get(line.kind)
    return f"<{tag}>{words}</{tag}>" if tag else words
