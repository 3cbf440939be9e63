"""The grammar of the Hub: ``owner/name[@revision][/path][:tag]``.

A revision is a branch, a tag or a commit. A slash in it is written ``%2F``, as the Hub writes it in
its own addresses, except in ``refs/pr/12`` and its kin: what follows another slash is the path of
a folder or file. A tag is one of several sets of weights there.
"""

from __future__ import annotations

import re

from modeldiff.processes.late_dataclass import dataclass

# The Hub's own rule for names: letters, digits, "-", "_" and ".", no punctuation at either end.
_NAME = r"\w(?:[\w.-]{0,94}\w)?"
_REVISION = r"refs/\w+/[\w.+-]{1,200}|(?:[\w.+-]|%2[Ff]){1,255}"
_HUB = re.compile(
    rf"(?P<repo>(?a:{_NAME}/{_NAME}))(?:@(?P<revision>(?a:{_REVISION})))?"
    r"(?:/(?P<path>[^:\\]+))?(?::(?P<tag>.+))?"
)
_TAG = re.compile(r"[\w.][\w./-]{0,199}", re.ASCII)
_REF = re.compile(r"refs/[^/]+/[^/]+")
HUB_VIEWS = ("tree", "blob", "resolve", "raw", "commit")
"""What stands behind a repository's name in the Hub's own addresses."""


@dataclass(frozen=True)
class HubName:
    """A place at the Hub. ``repo`` is ``owner/name``, ``path`` a folder or file in it (empty: all
    of it), ``tag`` a set of weights (empty: the only one)."""

    repo: str
    revision: str | None = None
    path: str = ""
    tag: str = ""

    @property
    def text(self) -> str:
        """As it is written, which reads back as the same."""
        text = self.repo
        if self.revision:
            is_ref = _REF.fullmatch(self.revision)
            text += f"@{self.revision if is_ref else self.revision.replace('/', '%2F')}"
        text += f"/{self.path}" if self.path else ""
        return f"{text}:{self.tag}" if self.tag else text


def hub_name(text: str) -> HubName | None:
    """What ``text`` names by the grammar above and the Hub's rules; None for other text."""
    match = _HUB.fullmatch(text)
    if match is None:
        return None
    repo, path, tag = match["repo"], (match["path"] or "").rstrip("/"), match["tag"] or ""
    revision = re.sub("%2F", "/", match["revision"] or "", flags=re.IGNORECASE)
    if "--" in repo or ".." in repo or repo.endswith(".git") or not _is_revision(revision):
        return None
    if not is_tag(tag) if tag else False:
        return None
    if path and not all(map(_is_part, path.split("/"))):
        return None
    if path.partition("/")[0] in HUB_VIEWS and not revision:
        revision = "main"  # without one it would read as an address of the Hub
    return HubName(repo, revision or None, path, tag)


def is_tag(text: str) -> bool:
    """Whether ``text`` may stand behind the colon."""
    return _TAG.fullmatch(text) is not None


def _is_revision(text: str) -> bool:
    return ".." not in text and "//" not in text and text == text.strip("/")


def _is_part(part: str) -> bool:
    """Whether this may be a folder's or file's name in a path: nothing that leads elsewhere, nor
    what would be lost where references are trimmed."""
    return part not in ("", ".", "..") and part.isprintable() and part == part.strip()
