"""Drawings in other formats, by vl-convert in a child process.

Its Rust code has ended whole processes (a panic over a control character in a text), which no
``except`` holds; it also keeps the interpreter's lock while it draws. In a child neither reaches
this process, and a drawing that takes too long is stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from modeldiff.drawings.style.fonts import FOLDER
from modeldiff.drawings.style.svg import allowed
from modeldiff.errors import ResultError
from modeldiff.processes.child import run_script

_SCRIPT = Path(__file__).with_name("vl_convert_script.py")
CPU_SECONDS, MEMORY, SECONDS = 60, 4 << 30, 120.0
"""What one drawing may take: seconds of a processor, bytes of memory, seconds by the clock."""
_MOST_BYTES = 256 << 20


def png_of(svg: str, scale: float) -> bytes:
    """An SVG with concrete colours as a PNG of ``scale`` times its size in pixels.

    Raises ``ResultError`` where it can't be drawn, as does the other.
    """
    return _converted("png", svg, scale)


def pdf_of(svg: str) -> bytes:
    """An SVG with concrete colours as a PDF of one page, a point a pixel, with embedded fonts."""
    return _converted("pdf", svg)


def _converted(kind: Literal["png", "pdf"], content: str, scale: float = 1.0) -> bytes:
    outcome = run_script(
        _SCRIPT,
        (kind, repr(scale), str(FOLDER), str(CPU_SECONDS), str(MEMORY)),
        allowed(content).encode(),
        seconds=SECONDS,
        most_bytes=_MOST_BYTES,
    )
    if outcome.status == 0 and outcome.output:
        return outcome.output
    if outcome.status is None:
        reason = f"it was stopped after {SECONDS:.0f} s"
    else:
        reason = f"the program that draws it ended with status {outcome.status}"
    raise ResultError(
        f"The drawing can't be made: {reason}.",
        hint="A drawing of fewer layers or experts takes less; an SVG of the same needs no drawing "
        "program.",
    )
