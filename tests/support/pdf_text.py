"""The text of a PDF, as far as our own writer's go: one page, fonts with a map to Unicode."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"(.*?)stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"/(\w+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj|<([0-9a-fA-F]+)> Tj", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pdf_text(pdf: bytes) -> str:
    """All that is shown, letter after letter in the order in which it was written."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    streams = {number: _unpacked(body) for number, body in objects.items()}
    fonts = {}
    for body in objects.values():
        for name, number in re.findall(rb"/(\w+) (\d+) 0 R", body):
            found = re.search(rb"/ToUnicode (\d+) 0 R", objects.get(int(number), b""))
            if found:
                fonts[name] = _letters(streams[int(found[1])])
    text = []
    for content in streams.values():
        letters: dict[int, str] = {}
        for font, literal, digits in _SHOWN.findall(content):
            letters = fonts.get(font, letters)
            codes = bytes.fromhex(digits.decode()) if digits else _literal(literal)
            pairs = zip(codes[::2], codes[1::2], strict=True)
            text += [letters.get(high * 256 + low, "\ufffd") for high, low in pairs]
    return "".join(text)


def unpacked_streams(pdf: bytes) -> list[bytes]:
    """All streams of a PDF, unpacked."""
    return [_unpacked(body) for _, body in _OBJECT.findall(pdf)]


def _unpacked(body: bytes) -> bytes:
    found = _STREAM.match(body)
    if found is None:
        return b""
    return zlib.decompress(found[2]) if b"FlateDecode" in found[1] else found[2]


def _literal(text: bytes) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        said = found[1]
        return bytes([int(said, 8)]) if said.isdigit() else _ESCAPES.get(said, said)

    return re.sub(rb"\\([0-7]{1,3}|.)", one, text, flags=re.DOTALL)


def _letters(cmap: bytes) -> dict[int, str]:
    found = re.findall(rb"<([0-9a-fA-F]{4})>\s*<([0-9a-fA-F]+)>", cmap.partition(b"beginbfchar")[2])
    return {int(code, 16): bytes.fromhex(to.decode()).decode("utf-16-be") for code, to in found}
