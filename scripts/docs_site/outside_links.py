"""A hook of mkdocs: what pages link to outside docs/ comes into the site, and nothing is loaded
from another host.

Links are written as GitHub follows them, from docs/page.md to ../demo/README.md. Here a Markdown
file that has a page of its own becomes that page, and any other file is copied; what is not there
is left to mkdocs, which then complains.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "demo/README.md": "demo.md",
}
"""Markdown files outside docs/ and the pages that they are in the site."""
COPIES = (
    ".pre-commit-hooks.yaml",
    "demo/losses.json",
    "deploy/github-action/action.yml",
    "deploy/github-action/example.yml",
    "deploy/pre-commit/.pre-commit-config.yaml",
    "examples/two_checkpoints.ipynb",
)
"""Files outside docs/ that a page may offer."""
_LOADED = re.compile(
    r"<(?:(?:script|img|iframe)\b[^>]*\bsrc|link\b[^>]*\bhref)=.?(?:https?:)?//[^>]+"
)
_LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files from outside."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for source in COPIES:
        files.append(File.generated(config, _home(source), abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of a page lead to where those files are in the site."""
    name = page.file.src_uri
    written = next((source for source, to in PAGES.items() if to == name), f"docs/{name}")

    def led(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(written), match["path"]))
        if target in PAGES:
            home = PAGES[target]
        elif target in COPIES:
            home = _home(target)
        elif target.startswith("docs/"):
            home = target.removeprefix("docs/")
        else:
            return match[0]
        return (
            f"]({posixpath.relpath(home, posixpath.dirname(name) or '.')}{match['anchor'] or ''})"
        )

    return _LINK.sub(led, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that loads anything from another host."""
    if loaded := _LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {loaded[0]}")
    return output


def _home(source: str) -> str:
    """Where a copy is in the site; a name that begins with a dot would be left out there."""
    return posixpath.join("files", *(part.lstrip(".") for part in source.split("/")))
