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
from urllib.parse import unquote

_HIDDEN = "[hidden]"
_CREDENTIALS = re.compile(
    # By how they begin, by where they stand in an address or a header, and by what they are called.
    r"\b(?:hf_|gh[opsu]_|glpat-|sk-)[\w-]{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?<=://)[^\s/@]+(?=@)|(?i:(?<=bearer )|(?<=basic )|(?<=negotiate ))\S+"
    r"|(?i:(?:token|secret|passw(?:or)?d|signature|credentials?|cookie"
    r"|(?:api|access|account|private|shared)[_-]?key)(?:[_-][\w-]{1,24})?['\"]?\s*[=:]\s*"
    r"|\b(?:code|sig|pwd)=)['\"]?[^\s'\"&,;]+"
)
_PATH = re.compile(
    # After a colon, too, but not what follows the scheme of an address, unless that is "file".
    r"(?:(?i:\bfile:(?://[^\s/'\"]*)?)|(?P<quote>['\"‘“`]?)(?<![\w/.~-])(?!(?<=:)//))"
    r"(?P<path>~?(?:/|%2[Ff])[^\s'\"‘“’”`,;:()&]*)"
)


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
            text = re.sub(rf"(?<![\w.~-]){re.escape(place)}(?![\w-])", _HIDDEN, text)

    def shown(match: re.Match[str]) -> str:
        path = unquote(match["path"])
        allowed = path == "/" or _lies_in(os.path.normpath(path), known)
        return match[0] if allowed else (match["quote"] or "") + _HIDDEN

    return _PATH.sub(shown, text)


def _own_places() -> list[str]:
    places = {str(Path.home()), str(Path.cwd()), sys.prefix, str(Path(__file__).parents[1])}
    return sorted((place for place in places if len(place) > 1), key=len, reverse=True)


def _lies_in(path: str, roots: list[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
