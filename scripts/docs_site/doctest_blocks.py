"""An extension of griffe: what is code or a drawing in docstrings is so in the site, too.

Without it Markdown takes a session at the prompt for nested quotations, and folds a tree that is
drawn with lines into one paragraph.
"""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object


class DoctestBlocks(Extension):  # type: ignore[misc]  # griffe is in the site's environment alone
    """Fences the paragraphs of a docstring that begin with a prompt or hold a drawn tree."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_fenced, paragraphs))


def _fenced(paragraph: str) -> str:
    if paragraph.lstrip().startswith(">>> "):
        return f"```pycon\n{paragraph}\n```"
    if "├── " in paragraph:
        return f"```text\n{paragraph}\n```"
    return paragraph
