"""Text from outside as it stands in Markdown."""

from __future__ import annotations

import pytest

from modeldiff.ui.widgets.markdown import code, plain


def test_plain_escapes_what_markdown_would_draw() -> None:
    assert plain("a_b *c* [d](e) `f` $g$ <h>") == (r"a\_b \*c\* \[d\]\(e\) \`f\` \$g\$ \<h\>")
    assert plain("one\n\n# two\tthree ") == r"one \# two three"


def test_plain_leaves_sentences_as_they_are_written() -> None:
    assert "\N{WORD JOINER}" not in plain("MHA: each head, 12 % of it.")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("demo:base", "`demo:base`"),
        ("a`b", "``a`b``"),
        ("`a``", "``` `a`` ```"),
        ("a\nb", "`a b`"),
        ("  ", ""),
    ],
)
def test_code_is_fenced_longer_than_any_fence_in_it(text: str, markdown: str) -> None:
    assert code(text) == markdown
