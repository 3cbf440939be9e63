"""Pages that hold code: a text with examples, and a notebook. Both are run as a reader would."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

_BLOCK = re.compile(
    r"^## (?P<title>.+?)\n.*?^```python\n(?P<code>.*?)^```\n"
    r"(?:\n?^```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """An example of a page: its heading, its code, and what the page says that it prints."""

    title: str
    code: str
    output: str


def examples_of(page: Path) -> list[Example]:
    """The examples of a Markdown page, one below each heading."""
    matches = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Example(each["title"], each["code"], each["output"] or "") for each in matches]


def printed(code: str) -> str:
    """What code prints when it is run by itself."""
    output = StringIO()
    with redirect_stdout(output):
        exec(compile(code, "<example>", "exec"), {"__name__": "__main__"})
    return output.getvalue()


def run_notebook(path: Path) -> Iterator[tuple[str, Any, str]]:
    """The code cells of a notebook, run one after the other: the code, the value of its last
    expression (None where it ends in another statement), and what was printed."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        code = "".join(cell["source"])
        tree = ast.parse(code)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        output, value = StringIO(), None
        with redirect_stdout(output):
            exec(compile(tree, str(path), "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), str(path), "eval"), names)
        yield code, value, output.getvalue()
