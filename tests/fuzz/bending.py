"""Ways to bend a file's content: its bytes, or what its JSON says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_PIECES = (
    *(b'"', b"{}", b"[[", b"]", b"-1", b"true", b"NaN", b"1e999", b"null", b"9" * 30),
    *(b"\0", b"\xff", b"\\ud800", b"\x1b", b"\xef\xbb\xbf", b"../../x"),
)
_NUMBERS = (0, 1, -1, 2, 3, 7, 2**31, 2**63, 2**64, 10**30, 0.5, 1e308, float("inf"), float("nan"))
_TEXTS = ("", "..", "/etc/passwd", "a" * 5000, "\x1b[2J", "\ud800", "None", "float16", "<script>")
SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    (*_NUMBERS, *_TEXTS, True, False, None)
) | st.integers(-4, 300)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["0", "model", "id", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def bent_bytes(draw: st.DrawFn, content: bytes, most: int = 4) -> bytes:
    """``content`` with up to ``most`` pieces of it replaced, inserted, deleted, doubled or with the
    rest cut off."""
    bent = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(0, len(bent) - 1)))
        piece = draw(st.binary(min_size=1, max_size=4) | st.sampled_from(_PIECES))
        match draw(st.sampled_from(("replace", "insert", "delete", "double", "cut"))):
            case "replace":
                bent[at : at + len(piece)] = piece
            case "insert":
                bent[at:at] = piece
            case "delete":
                del bent[at : at + draw(st.integers(1, 64))]
            case "double":
                bent[at:at] = bent[at : at + draw(st.integers(1, 256))]
            case _:
                del bent[at:]
    return bytes(bent)


@st.composite
def bent_json(draw: st.DrawFn, document: Any, most: int = 3) -> bytes:
    """The JSON of ``document`` with up to ``most`` of its values, at any depth, replaced or gone,
    or with others beside them."""
    bent = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, most))):
        _bend(draw, bent)
    return json.dumps(bent).encode()


def _bend(draw: st.DrawFn, value: Any) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = value[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            value = inner
            continue
        match draw(st.sampled_from(("replace", "replace", "remove", "another"))):
            case "replace":
                value[key] = draw(ANYTHING)
            case "remove":
                del value[key]
            case _ if isinstance(value, dict):
                value[draw(st.sampled_from(_TEXTS)) or "x"] = draw(ANYTHING)
            case _:
                value.append(draw(ANYTHING))
        return
