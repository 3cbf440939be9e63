"""A small table of text as people paste it: into an issue, a paper, a sheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

TextRows = Sequence[Sequence[str]]
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "·": r"$\cdot$",
    "→": r"$\to$",
    "∞": r"$\infty$",
}
_BEGIN_FORMULAS = (*"=+-@", *"＝＋－＠", "\t", "\r", "\n")
"""Also as East Asian keyboards write them, which some spreadsheets take for the same."""
_LATEX_SPECIAL = re.compile(r"[\\~^·→∞&%$#_{}]")


def markdown_table(head: Sequence[str], rows: TextRows) -> str:
    """The table for Markdown; numbers stand right.

    >>> print(markdown_table(["a", "median %"], [["x|y", "1.2"]]))
    | a | median % |
    | --- | ---: |
    | x\\|y | 1.2 |
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(_one_line(cell) for cell in line)} |" for line in lines)


def latex_table(head: Sequence[str], rows: TextRows) -> str:
    """The table for LaTeX with the package ``booktabs``."""
    lines = [" & ".join(map(latex_text, line)) + r" \\" for line in (head, *rows)]
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join(
        (
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        )
    )


def csv_table(head: Sequence[str], rows: TextRows) -> str:
    """The table as comma-separated values; what a spreadsheet would run as a formula is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[inert(cell) for cell in line] for line in (head, *rows)])
    return text.getvalue()


def latex_text(text: str) -> str:
    """Text as LaTeX sets it letter by letter.

    >>> latex_text("q_proj: 5 %")
    'q\\\\_proj: 5 \\\\%'
    """
    return _LATEX_SPECIAL.sub(lambda m: _LATEX.get(m[0], "\\" + m[0]), text)


def _one_line(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


def inert(cell: str) -> str:
    """A cell of CSV that no spreadsheet takes for a formula, which it would run.

    >>> inert("=cmd()")
    "'=cmd()"
    """
    return f"'{cell}" if cell.startswith(_BEGIN_FORMULAS) else cell
