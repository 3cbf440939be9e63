"""What a log must not hold, taken out of a text: credentials, and paths that viewers may not know.

Messages say what was typed and what libraries say, so a pasted token or the place of a cache can
stand in them. Found by form: what has none of these forms is not found.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

_HIDDEN = "[hidden]"
_CREDENTIALS = re.compile(
    r"\bhf_\w{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<=://)[^\s/@]+(?=@)"
    r"|(?i:(?<=bearer )\S+|(?<=basic )\S+)"
    r"|(?i:(?:token|secret|password|signature|api_?key|cookie|code)['\"]?\s*[=:]\s*)['\"]?[^\s'\"&,;]+"
)
_PATH = re.compile(r"(?P<quote>['\"‘“`]?)(?<![\w/:.~-])(?P<path>~?/[^\s'\"‘“’”`,;:()]*)")


def without_credentials_or_paths(text: str, roots: Iterable[Path]) -> str:
    """``text`` without what looks like a token, password or signature, and without absolute paths
    that do not lie in one of ``roots``; without roots every path may be known.

    >>> without_credentials_or_paths("no /home/ada/x, but /models/x", [Path("/models")])
    'no [hidden], but /models/x'
    """
    text = _CREDENTIALS.sub(_HIDDEN, text)
    known = [os.path.normpath(root) for root in roots]
    if not known:
        return text
    for place in _own_places():  # whole, whatever spaces they have
        if not _lies_in(place, known):
            text = text.replace(place, _HIDDEN)

    def shown(match: re.Match[str]) -> str:
        path = match["path"]
        allowed = path == "/" or _lies_in(os.path.normpath(path), known)
        return match[0] if allowed else match["quote"] + _HIDDEN

    return _PATH.sub(shown, text)


def _own_places() -> list[str]:
    places = {str(Path.home()), str(Path.cwd()), sys.prefix, str(Path(__file__).parents[1])}
    return sorted((place for place in places if len(place) > 1), key=len, reverse=True)


def _lies_in(path: str, roots: list[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
