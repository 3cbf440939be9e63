"""The same conversations as both chat templates write them, and the templates' own difference."""

from __future__ import annotations

import streamlit as st

from modeldiff.companions.chat.rendering import RenderedPair, Rendering
from modeldiff.companions.text_diff import diff_lines, readable_lines, shortened
from modeldiff.comparison import Comparison
from modeldiff.ui.widgets.markdown import plain
from modeldiff.ui.widgets.text_diff import text_diff


def template_view(comparison: Comparison) -> None:
    """Draw one of the conversations, by choice, and below it both templates' sources."""
    companions = comparison.companions
    renderings = {each.conversation.key: each for each in companions.renderings}
    if not renderings:
        return
    st.subheader("The same conversation in both", anchor=False)
    keys = list(renderings)
    first = next((key for key, each in renderings.items() if not each.same), keys[0])
    chosen = st.segmented_control(
        "Conversation",
        keys,
        default=first,
        key="conversation",
        bind="query-params",
        format_func=lambda key: renderings[key].conversation.title,
        required=True,
    )
    _conversation(renderings[chosen or first])
    st.caption(
        "Rendered in a sandbox with limits, as of 26 July 2024. − is in the base only, + in the "
        "target only."
    )
    _sources(comparison)


def _conversation(pair: RenderedPair) -> None:
    base, target = pair.base, pair.target
    if base is not None and base == target:
        st.markdown("Both render the same.")
        _text(base)
    elif pair.lines:
        title = pair.conversation.title
        text_diff(pair.lines, key="conversation_diff", label=f"{title}: base and target")
    else:
        for name, side, column in zip(
            ("Base", "Target"), (base, target), st.columns(2), strict=True
        ):
            with column:
                st.markdown(f":gray[{name}]")
                if side is None:
                    st.markdown("It has no chat template.")
                else:
                    _text(side)


def _text(rendering: Rendering) -> None:
    if rendering.text is None:
        st.warning(plain(rendering.problem), icon=":material/warning:")
    else:
        st.code("\n".join(readable_lines(rendering.text)), language=None, wrap_lines=True)


def _sources(comparison: Comparison) -> None:
    base, target = (side.sources for side in comparison.companions.templates)
    for name in dict.fromkeys((*base, *target)):
        if base.get(name) == target.get(name):
            title, lines = "The template of both", None
        elif name in base and name in target:
            title, lines = "How the templates differ", diff_lines(base[name], target[name])
        else:
            title, lines = f"The template of the {'base' if name in base else 'target'}", None
        with st.expander(title if name == "default" else f"{title}: {plain(name)}"):
            if lines is not None:
                text_diff(shortened(lines), key=f"template_diff_{name}", label=title)
            else:
                source = base.get(name) or target.get(name) or ""
                st.code("\n".join(readable_lines(source)), language="jinja2", wrap_lines=True)
