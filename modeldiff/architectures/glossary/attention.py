"""The attention, of a token to others and of a decoder to an encoder."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

_HEADED = (
    "A change here alters what this layer can find, not what it then passes on: the pattern of "
    "attention moves while the content stays."
)

ATTENTION_ENTRIES: dict[str, GlossaryEntry] = {
    "input_layernorm": GlossaryEntry(
        "Norm before the attention",
        "Brings each token's vector to unit size before the attention reads it, then scales every "
        "dimension by a learned weight. The residual stream itself is left as it was.",
        "norm",
        "It has few numbers, one a dimension, but each scales what queries, keys and values see of "
        "that dimension. Norms usually change by a few percent where matrices change by tens.",
    ),
    "post_self_attn_layernorm": GlossaryEntry(
        "Norm after the attention",
        "Norms what the attention gives, before it is added to the residual stream.",
        "norm",
        "It sets how loudly this layer's attention speaks: a smaller weight makes the layer matter "
        "less.",
    ),
    "self_attn.q_proj": GlossaryEntry(
        "Query",
        "Makes of each token's vector what the token is looking for, one query for each head.",
        "q = W_q x",
        _HEADED,
    ),
    "self_attn.k_proj": GlossaryEntry(
        "Key",
        "Makes of each token's vector what the token can be found by. A query is compared with the "
        "keys of all earlier tokens; with fewer KV heads than query heads, several queries share "
        "one key.",
        "k = W_k x",
        "Keys are kept in the KV cache. " + _HEADED,
    ),
    "self_attn.v_proj": GlossaryEntry(
        "Value",
        "Makes of each token's vector what it hands over when another token attends to it.",
        "v = W_v x",
        "Values are kept in the KV cache beside the keys. A change here alters what attention "
        "carries, while where it looks stays the same.",
    ),
    "self_attn.qkv_proj": GlossaryEntry(
        "Query, key and value in one",
        "One fused matrix whose output is cut into three: what a token looks for (query), what it "
        "is found by (key) and what it hands over (value).",
        "[q, k, v] = W x",
        "Its numbers mix the three: where only the values changed, most elements stand still and "
        "the median does not see it.",
    ),
    "self_attn.q_a_proj": GlossaryEntry(
        "Query, compressed",
        "The first half of a low-rank query: squeezes the token's vector into a short one.",
        "c_q = W_a x",
        "Every head's query is read out of this short vector, so a change reaches all heads.",
    ),
    "self_attn.q_a_layernorm": GlossaryEntry(
        "Norm of the compressed query",
        "Norms the short query vector before it is widened into the heads' queries.",
        "norm",
        "Each number scales one direction of the short vector, for all heads at once.",
    ),
    "self_attn.q_b_proj": GlossaryEntry(
        "Query, widened",
        "The second half of a low-rank query: makes every head's query out of the short vector.",
        "q = W_b norm(c_q)",
        _HEADED,
    ),
    "self_attn.kv_a_proj": GlossaryEntry(
        "Key and value, compressed",
        "Squeezes a token into one short vector from which all keys and values are made, and a few "
        "numbers beside it that carry the position. Only this is kept in the KV cache.",
        "[c_kv, k_rope] = W_a x",
        "All keys and values of all heads pass through it: the narrowest place of the attention.",
    ),
    "self_attn.kv_a_layernorm": GlossaryEntry(
        "Norm of the compressed key and value",
        "Norms the short vector before keys and values are made of it.",
        "norm",
        "Each number scales one direction of the cache, for all heads at once.",
    ),
    "self_attn.kv_b_proj": GlossaryEntry(
        "Key and value, widened",
        "Makes every head's key and value out of the short vector.",
        "[k, v] = W_b norm(c_kv)",
        "It mixes what is found by (key) and what is handed over (value) in one matrix.",
    ),
    "self_attn.q_norm": GlossaryEntry(
        "Norm of the query",
        "Brings queries to unit size before they are compared with keys, so that scores cannot "
        "run away.",
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
        "Turns each query and key by an angle that grows with its position: pairs of numbers "
        "rotate, some fast, some slowly. A query and a key then differ by their distance alone. "
        "Nothing is learned.",
        "pair i of q and k turned by position · θ^(−2i/d)",
        "No parameter changes here, but a larger θ or a scaling lets the same weights read longer "
        "texts.",
    ),
    "self_attn.sinks": GlossaryEntry(
        "Attention sinks",
        "One learned score a head that competes with the tokens, so that a head can attend to "
        "nothing.",
        "softmax([scores, sink])",
        "A larger sink quiets its head.",
    ),
    "self_attn.position_bias": GlossaryEntry(
        "Bias by distance",
        "A learned number for each range of distance and each head, added to the scores: all that "
        "tells this attention where tokens stand. One layer's table serves all layers.",
        "softmax(q kᵀ + bias[distance]) v",
        "It sets how far each head looks.",
    ),
    "self_attn.attention": GlossaryEntry(
        "Attention",
        "Each head compares a token's query with the keys of all tokens up to it, turns the "
        "scores into shares, and takes that mixture of their values. Nothing is learned here: "
        "the matrices around it are.",
        "softmax(q kᵀ / √d + mask) v",
        "What changes here comes from q, k and v.",
    ),
    "self_attn.o_norm": GlossaryEntry(
        "Norm of the mixture",
        "Norms what the heads found before it is put together.",
        "norm",
        "It sets how loud each part of each head is.",
    ),
    "self_attn.o_proj": GlossaryEntry(
        "Attention output",
        "Puts the heads' results together into one vector, which is added to the residual stream.",
        "y = W_o [head₁ … headₙ]",
        "It decides where in the stream the attention writes. A change here alters what later "
        "layers can read of it.",
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
    "What the encoder made of the whole input: the same vectors for every layer of the decoder.",
    "",
    "No parameter stands here: what changes comes out of the encoder.",
)
ATTENTION_ENTRIES["post_cross_attn_layernorm"] = GlossaryEntry(
    "Norm after the cross-attention",
    "Norms what the cross-attention gives, before it is added to the residual stream.",
    "norm",
    "It sets how loudly the encoder's output speaks in this layer.",
)
ATTENTION_ENTRIES["cross_attn_layernorm"] = GlossaryEntry(
    "Norm before the cross-attention",
    "Norms the residual stream before the cross-attention asks the encoder's output.",
    "norm",
    "Each number scales what the decoder's question sees of one dimension.",
)
