"""The examples of the tutorial and the how-tos: `python -m scripts.page_examples` runs them and
writes what they print below them. Without `--write` it only says which pages are out of date.

A page's blocks are run in order, in one folder that has nothing but ``demo`` in it: ``sh``
(``modeldiff`` and whatever a shell has) and ``python``. A ``text`` block below one is what it
prints, or parts of that with lines of ``…`` between them. A command that ends in ``# exit code 3``
is to end with that, all others with 0.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path

from modeldiff.cli import main as run_modeldiff

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md")))

_BLOCK = re.compile(
    r"^```(?P<language>sh|python)\n(?P<code>.*?)^```\n"
    r"(?P<between>\s*^```text\n)?(?(between)(?P<output>.*?)^```\n)",
    re.MULTILINE | re.DOTALL,
)
_EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")
_GAP = "…\n"
READERS_FOLDER = "/home/you"
"""What pages show in the place of the folder that they are run in."""


@dataclass(frozen=True)
class Block:
    """A block of a page: ``sh`` or ``python``, its code, and what the page says that it prints,
    with where that stands in the page's text (None where the page says nothing)."""

    language: str
    code: str
    output: str
    span: tuple[int, int] | None


def blocks_of(text: str) -> list[Block]:
    """The blocks of a Markdown page that can be run, in its order."""
    return [
        Block(
            match["language"],
            match["code"],
            match["output"] or "",
            match.span("output") if match["between"] else None,
        )
        for match in _BLOCK.finditer(text)
    ]


def run_page(text: str, folder: Path) -> Iterator[tuple[Block, str]]:
    """Run a page's blocks in ``folder``; yields each with what it printed, both streams together.

    Raises ``RuntimeError`` where a command ends with another exit code than the page says.
    """
    (folder / "demo").symlink_to(ROOT / "demo")
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(text):
        # With an encoding, or the command line would spell what it prints in ASCII.
        output = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True)
        with chdir(folder), redirect_stdout(output), redirect_stderr(output):
            if block.language == "python":
                exec(compile(block.code, "<example>", "exec"), names)
            else:
                for line in block.code.replace("\\\n", " ").splitlines():
                    _run_line(line, output)
        yield block, _written(output).replace(str(folder.resolve()), READERS_FOLDER)


def _written(output: TextIOWrapper) -> str:
    output.seek(0)
    return output.read()


def _run_line(line: str, output: TextIOWrapper) -> None:
    expected = int(match[1]) if (match := _EXIT_CODE.search(line)) else 0
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "modeldiff":
        code = run_modeldiff(words[1:])
    else:
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        output.write(done.stdout + done.stderr)
        code = done.returncode
    if code != expected:
        raise RuntimeError(f"{line} ended with {code}, not {expected}:\n{_written(output)}")


def shows(expected: str, printed: str) -> bool:
    """Whether the parts of ``expected`` (between lines of ``…``) stand in ``printed``, in order."""
    position = 0
    for part in expected.split(_GAP):
        position = printed.find(part, position)
        if position < 0:
            return False
        position += len(part)
    first, *_, last = [*expected.split(_GAP), expected.split(_GAP)[-1]]
    return printed.startswith(first) and printed.endswith(last)


def refreshed(expected: str, printed: str) -> str:
    """``expected`` as it is now: each part is found by the beginning of its first line and keeps
    its number of lines. Raises ``LookupError`` where nothing begins so any more."""
    lines, position, parts = printed.splitlines(keepends=True), 0, []
    if _GAP not in expected:
        return printed
    for part in expected.split(_GAP):
        wanted = part.splitlines()
        if not wanted:
            parts.append("")
            continue
        same = (n for n in range(position, len(lines)) if _alike(lines[n], wanted[0]))
        start = next(same, None)
        if start is None:
            raise LookupError(f"Nothing that is printed begins like: {wanted[0]}")
        position = start + len(wanted)
        parts.append("".join(lines[start:position]))
    return _GAP.join(parts)


def _alike(one: str, other: str) -> bool:
    """Whether two lines begin with the same two words."""
    return one.split()[:2] == other.split()[:2]


def refresh(page: Path) -> str:
    """The text of a page with the outputs of today."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        # From the end, so that the places of those before stay what they are.
        for block, printed in reversed(list(run_page(text, Path(folder)))):
            if block.span is not None and not shows(block.output, printed):
                start, end = block.span
                text = text[:start] + refreshed(block.output, printed) + text[end:]
    return text


def main() -> int:
    """Run all pages; with ``--write``, bring their outputs up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what has changed")
    write = parser.parse_args().write
    stale = 0
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MODELDIFF_CACHE"] = cache
        for page in PAGES:
            text = refresh(page)
            if text == page.read_text(encoding="utf-8"):
                continue
            stale += 1
            print(f"{page.relative_to(ROOT)}: {'written' if write else 'out of date'}")
            if write:
                page.write_text(text, encoding="utf-8")
    return 0 if write else min(stale, 1)


if __name__ == "__main__":
    sys.exit(main())
