"""What a PDF says about itself: title, subject and program, in its information dictionary.

After ISO 32000-1: an incremental update (7.5.6) whose trailer names the dictionary (14.3.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modeldiff._version import __version__


def with_metadata(pdf: bytes, title: str, lines: Sequence[str]) -> bytes:
    """The PDF with a title, and ``lines`` as its subject. Its pages are not touched.

    It takes PDF files with a table of cross references, as our own writer's have.
    """
    trailer = pdf[pdf.rindex(b"trailer") :]
    size = int(_number(rb"/Size (\d+)", trailer))
    root = _number(rb"/Root (\d+ \d+ R)", trailer)
    before = _number(rb"startxref\s+(\d+)", trailer)
    entries = {
        b"Title": title,
        b"Subject": "\n".join(lines),
        b"Creator": f"modeldiff {__version__}",
    }
    texts = b"".join(b" /%s %s" % (key, _text(text)) for key, text in entries.items() if text)
    start = len(pdf) + 1
    information = b"%d 0 obj\n<<%s >>\nendobj\n" % (size, texts)
    table = b"xref\n%d 1\n%010d 00000 n\r\n" % (size, start)
    update = b"trailer\n<< /Size %d /Root %s /Info %d 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size + 1,
        root,
        size,
        before,
        start + len(information),
    )
    return b"".join((pdf, b"\n", information, table, update))


def _number(pattern: bytes, trailer: bytes) -> bytes:
    match = re.search(pattern, trailer)
    if match is None:
        raise ValueError("the PDF has no trailer that can be continued")
    return match[1]


def _text(text: str) -> bytes:
    """Any text, as UTF-16 in hexadecimal digits."""
    return b"<FEFF%s>" % text.encode("utf-16-be", "replace").hex().encode()
