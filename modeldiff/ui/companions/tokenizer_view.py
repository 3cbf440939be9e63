"""Tokens that changed, and any text cut by both tokenizers."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.companions import encode_both
from modeldiff.companions.tokenizer.encoding import SAMPLES, Encoding, Token, same_encoding
from modeldiff.companions.tokenizer.vocabulary import TokenChange, VocabularyDifference
from modeldiff.comparison import Comparison
from modeldiff.text.formatting import counted
from modeldiff.ui.widgets.markdown import plain

_TEXT, _SAMPLE = "text", "text_sample"
_LONGEST = 1_000
_MOST_LISTED = 5_000
_MOST_SHOWN = 400
_SOFT = ("gray", "blue")
"""Two grounds that take turns, so that one sees where a token ends."""


def tokenizer_view(comparison: Comparison) -> None:
    """Draw the lists of tokens that changed, and a text of the user's as both cut it."""
    pair = comparison.companions.tokenizer
    if pair.vocabulary is not None:
        _token_lists(pair.vocabulary)
    text_in_tokens(comparison)


def _token_lists(difference: VocabularyDifference) -> None:
    lists = {
        "Reserved tokens": difference.named,
        "Added": difference.added,
        "Removed": difference.removed,
        "Renumbered": difference.renumbered,
        "Plain or special": difference.roles,
    }
    filled = {title: changes for title, changes in lists.items() if changes}
    if not filled:
        return
    count = sum(map(len, filled.values()))
    with st.expander(f"Every token that changed: {count:,}"):
        for tab, changes in zip(
            st.tabs([f"{title} ({len(each):,})" for title, each in filled.items()]),
            filled.values(),
            strict=True,
        ):
            with tab:
                _token_table(changes)


def _token_table(changes: Sequence[TokenChange]) -> None:
    shown = changes[:_MOST_LISTED]
    columns: dict[str, list[str | int | None]] = {
        "Token": [each.text for each in shown],
        "Base row": [each.base for each in shown],
        "Target row": [each.target for each in shown],
    }
    if any(each.instead_of for each in shown):
        columns["Before"] = [each.instead_of for each in shown]
    st.dataframe(columns, hide_index=True, height="content" if len(shown) < 8 else 300)
    if len(changes) > len(shown):
        st.caption(f"The first {len(shown):,} of {len(changes):,}.")


def text_in_tokens(comparison: Comparison, *, alone: bool = False) -> None:
    """Draw a text of the user's as both tokenizers cut it. ``alone``: both sides are one model,
    which is seen by itself."""
    pair = comparison.companions.tokenizer
    if not (pair.base.is_whole and pair.target.is_whole):
        return
    st.subheader("A text in tokens" if alone else "The same text in both", anchor=False)
    st.pills("Samples", list(SAMPLES), key=_SAMPLE, on_change=_take_sample)
    text = st.text_area(
        "Text", SAMPLES["English"], key=_TEXT, max_chars=_LONGEST, height=80, bind="query-params"
    )
    if not text:
        return
    sides = comparison.base.identity, comparison.target.identity
    stamps = comparison.base.stamp, comparison.target.stamp
    before, after = _encode(sides, stamps, text, comparison)
    if before.tokens is None or after.tokens is None:
        problem = before.problem if before.tokens is None else after.problem
        st.warning(plain(problem), icon=":material/warning:")
    elif same_encoding(before, after):
        _tokens("" if alone else "Both alike", before.tokens, frozenset())
    else:
        spans = [_spans(each) for each in (before, after)]
        common = spans[0] & spans[1]
        for name, tokens, column in zip(
            ("Base", "Target"), (before.tokens, after.tokens), st.columns(2), strict=True
        ):
            with column:
                _tokens(name, tokens, frozenset(_span(token) for token in tokens) - common)
        st.caption("Orange: the other has no such token at this place of the text.")


def _take_sample() -> None:
    sample = st.session_state[_SAMPLE]
    if sample is not None:
        st.session_state[_TEXT] = SAMPLES[sample]


@st.cache_data(max_entries=64, show_spinner="Tokenising …")
def _encode(
    sides: tuple[object, object], stamps: tuple[object, object], text: str, _comparison: Comparison
) -> tuple[Encoding, Encoding]:
    del sides, stamps
    tokenizer = _comparison.companions.tokenizer
    return encode_both(_comparison.checkpoints, tokenizer, [text])[0]


_Span = tuple[int, int, str]


def _span(token: Token) -> _Span:
    return token.start, token.end, token.text


def _spans(encoding: Encoding) -> frozenset[_Span]:
    return frozenset(map(_span, encoding.tokens or ()))


def _tokens(name: str, tokens: Sequence[Token], different: frozenset[_Span]) -> None:
    """Each token on a ground of its own, with their numbers below."""
    lead = f":gray[{name} ·] " if name else ""
    st.markdown(f"{lead}{counted(len(tokens), 'token')}")
    chips = []
    for at, token in enumerate(tokens[:_MOST_SHOWN]):
        ground = "orange" if _span(token) in different else _SOFT[at % 2]
        chips.append(f":{ground}-background[{plain(token.text) or '‹nothing›'}]")
    more = len(tokens) - _MOST_SHOWN
    st.markdown(" ".join(chips) + (f" and {more:,} more" if more > 0 else ""))
    with st.expander("Rows"):
        st.code(" ".join(str(token.row) for token in tokens), language=None, wrap_lines=True)
