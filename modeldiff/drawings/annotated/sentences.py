"""One sentence on what a parameter does, with the model's own numbers where they are known."""

from __future__ import annotations

import re

from modeldiff.architectures.architecture import Architecture, Node
from modeldiff.architectures.glossary.explain import explain

_ASIDE = re.compile(r" \([^()]*\)")
_FIRST = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)


def sentence_on(node: Node, architecture: Architecture) -> str:
    """What ``node`` does, in one sentence."""
    return _own(node, architecture) or _first_sentence(explain(node.id, architecture).what)


def _own(node: Node, architecture: Architecture) -> str:
    """A sentence with this model's numbers; "" where there is none for such a node."""
    number = architecture.number
    heads, shared, width = number("heads"), number("kv_heads"), number("head_dim")
    hidden, inner = number("hidden_size"), number("intermediate_size")
    if node.id in ("self_attn.q_proj", "self_attn.q_b_proj") and heads and width:
        return f"What a token looks for: {heads} queries of {width} numbers."
    if node.id in ("self_attn.k_proj", "self_attn.v_proj") and heads and shared:
        key = node.id == "self_attn.k_proj"
        what = "can be found by" if key else "passes on"
        kind = "key" if key else "value"
        each = heads // shared
        count = f"{shared} {kind}s" if shared > 1 else f"one {kind}"
        sharing = "" if each < 2 else f", each shared by {each} query heads"
        sharing = sharing if shared > 1 else f", shared by all {heads} query heads"
        return f"What a token {what}: {count}{sharing if key or each < 2 else ', shared alike'}."
    if node.id == "self_attn.o_proj":
        return "Joins the heads’ results into one vector, which is added to the stream."
    if node.id == "mlp.gate_proj":
        activation = architecture.fact("activation")
        by = f", through {activation.text}," if activation else ""
        return f"Decides{by} how far each feature of the MLP opens."
    if node.id == "mlp.up_proj" and hidden and inner:
        return f"Computes the features: {inner / hidden:.3g} times the model’s width."
    if node.id == "mlp.down_proj":
        return "Brings the features back to the width of the stream."
    return ""


def _first_sentence(text: str) -> str:
    """The first sentence, without what stands in brackets."""
    sentence = _FIRST.match(_ASIDE.sub("", text))
    return sentence.group() if sentence else text
