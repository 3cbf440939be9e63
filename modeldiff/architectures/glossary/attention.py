"""The attention, of a token to others and of a decoder to an encoder."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

_HEADED = "A change here alters where this layer looks, not what it then passes on."

ATTENTION_ENTRIES: dict[str, GlossaryEntry] = {
    "input_layernorm": GlossaryEntry(
        "Norm before the attention",
        "Brings each token's vector to unit size before the attention reads it, then scales every "
        "dimension by a learned weight. The residual stream itself is left as it was.",
        "norm",
        "It has one number per dimension, but each scales what queries, keys and values see of "
        "that dimension. Norms usually change by a few percent where matrices change by tens.",
    ),
    "post_self_attn_layernorm": GlossaryEntry(
        "Norm after the attention",
        "Normalises the attention's output before it is added to the residual stream.",
        "norm",
        "It sets how loudly this layer's attention speaks: a smaller weight makes the layer matter "
        "less.",
    ),
    "self_attn.q_proj": GlossaryEntry(
        "Query",
        "Turns each token's vector into what the token is looking for: one query per head.",
        "q = W_q x",
        _HEADED,
    ),
    "self_attn.k_proj": GlossaryEntry(
        "Key",
        "Turns each token's vector into what the token can be found by. A query is compared with "
        "the keys of all tokens up to its own; with fewer KV heads than query heads, several "
        "queries share one key.",
        "k = W_k x",
        "Keys are kept in the KV cache. " + _HEADED,
    ),
    "self_attn.v_proj": GlossaryEntry(
        "Value",
        "Turns each token's vector into what it hands over when a token attends to it.",
        "v = W_v x",
        "Values are kept in the KV cache beside the keys. A change here alters what attention "
        "carries, not where it looks.",
    ),
    "self_attn.qkv_proj": GlossaryEntry(
        "Query, key and value in one",
        "One fused matrix whose output is cut into three: what a token looks for (query), what it "
        "is found by (key) and what it hands over (value).",
        "[q, k, v] = W x",
        "Its statistics mix the three: if only the values changed, most elements are equal and the "
        "median does not show it.",
    ),
    "self_attn.q_a_proj": GlossaryEntry(
        "Query, compressed",
        "The first half of a low-rank query: squeezes the token's vector into a short one.",
        "c_q = W_a x",
        "Every head's query is read out of this short vector, so a change reaches all heads.",
    ),
    "self_attn.q_a_layernorm": GlossaryEntry(
        "Norm of the compressed query",
        "Normalises the short query vector before it is widened into the heads' queries.",
        "norm",
        "Each number scales one direction of the short vector, for all heads at once.",
    ),
    "self_attn.q_b_proj": GlossaryEntry(
        "Query, widened",
        "The second half of a low-rank query: computes every head's query from the short vector.",
        "q = W_b norm(c_q)",
        _HEADED,
    ),
    "self_attn.kv_a_proj": GlossaryEntry(
        "Key and value, compressed",
        "Compresses a token into one short vector, from which all keys and values are computed, "
        "and a few numbers that carry its position. Only this is kept in the KV cache.",
        "[c_kv, k_rope] = W_a x",
        "Keys and values of all heads pass through it: the bottleneck of the attention.",
    ),
    "self_attn.kv_a_layernorm": GlossaryEntry(
        "Norm of the compressed key and value",
        "Normalises the short vector before keys and values are computed from it.",
        "norm",
        "Each number scales one direction of the cache, for all heads at once.",
    ),
    "self_attn.kv_b_proj": GlossaryEntry(
        "Key and value, widened",
        "Computes every head's key and value from the short vector.",
        "[k, v] = W_b norm(c_kv)",
        "One matrix holds both what a token is found by (key) and what it hands over (value).",
    ),
    "self_attn.q_norm": GlossaryEntry(
        "Norm of the query",
        "Brings queries to unit size before they are compared with keys, which keeps scores in "
        "range.",
        "norm",
        "Its weights scale the scores of all attention in this layer: larger means sharper.",
    ),
    "self_attn.k_norm": GlossaryEntry(
        "Norm of the key",
        "Brings keys to unit size before queries are compared with them.",
        "norm",
        "Its weights scale the scores of all attention in this layer: larger means sharper.",
    ),
    "self_attn.rope": GlossaryEntry(
        "Rotary positions",
        "Rotates each query and key by an angle that grows with its position: pairs of dimensions "
        "rotate, some fast, some slowly. Scores then depend on positions by their distance alone. "
        "Nothing is learned.",
        "pair i of q and k rotated by position · θ^(−2i/d)",
        "No parameter changes here, but a larger θ or a scaling suits the same weights to longer "
        "contexts.",
    ),
    "self_attn.sinks": GlossaryEntry(
        "Attention sinks",
        "One learned score per head that competes with the tokens, so that a head can attend to "
        "nothing.",
        "softmax([scores, sink])",
        "A larger sink quiets its head.",
    ),
    "self_attn.position_bias": GlossaryEntry(
        "Bias by distance",
        "A learned number for each range of distance and each head, added to the scores: all "
        "this attention knows of positions. One layer's table serves all layers.",
        "softmax(q kᵀ + bias[distance]) v",
        "It sets how far each head looks.",
    ),
    "self_attn.attention": GlossaryEntry(
        "Attention",
        "Each head compares a token's query with the keys of all tokens up to it, turns the "
        "scores into weights, and returns the weighted sum of their values. It has no parameters "
        "of its own.",
        "softmax(q kᵀ / √d + mask) v",
        "What changes here comes from q, k and v.",
    ),
    "self_attn.o_norm": GlossaryEntry(
        "Norm of the heads' output",
        "Normalises the heads' outputs before they are combined.",
        "norm",
        "It scales each dimension of each head.",
    ),
    "self_attn.o_proj": GlossaryEntry(
        "Attention output",
        "Combines the heads' outputs into one vector, which is added to the residual stream.",
        "y = W_o [head₁ … headₙ]",
        "It decides which directions of the stream the attention writes to, and so what later "
        "layers can read.",
    ),
}


def _crossed(text: GlossaryEntry) -> GlossaryEntry:
    return GlossaryEntry(
        f"{text.title} (of the encoder's output)" if "Query" not in text.title else text.title,
        text.what + " In cross-attention keys and values come from the encoder's output.",
        text.formula,
        text.why,
    )


ATTENTION_ENTRIES |= {
    name.replace("self_attn", "cross_attn"): _crossed(ATTENTION_ENTRIES[name])
    for name in tuple(ATTENTION_ENTRIES)
    if name.startswith("self_attn.")
}
ATTENTION_ENTRIES["cross_attn.encoder"] = GlossaryEntry(
    "Encoder's output",
    "The encoder's output for the whole input: the same vectors for every decoder layer.",
    "",
    "No parameter stands here: what changes comes out of the encoder.",
)
ATTENTION_ENTRIES["post_cross_attn_layernorm"] = GlossaryEntry(
    "Norm after the cross-attention",
    "Normalises the cross-attention's output before it is added to the residual stream.",
    "norm",
    "It sets how loudly the encoder's output speaks in this layer.",
)
ATTENTION_ENTRIES["cross_attn_layernorm"] = GlossaryEntry(
    "Norm before the cross-attention",
    "Normalises the residual stream before it queries the encoder's output.",
    "norm",
    "Each number scales what the decoder's queries see of one dimension.",
)
