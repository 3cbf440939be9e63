"""The explanations' words: one text for each component and operation of the skeleton.

In the formulas x is what a step reads, one vector a token; W and b are its weight and bias; T turns
a matrix round. A formula of a norm is filled in by the norm's kind.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """As in ``Explanation``, before an architecture's numbers are put in."""

    title: str
    what: str
    formula: str
    why: str


RMS_NORM = "y = x / √(mean(x²) + ε) · w"
PLUS_ONE_NORM = "y = x / √(mean(x²) + ε) · (1 + w)"
LAYER_NORM = "y = (x − mean(x)) / √(var(x) + ε) · w + b"
ACTIVATION_FORMULAS = {
    "SiLU": "silu(x) = x · 1/(1 + e⁻ˣ)",
    "GELU": "gelu(x) = x · Φ(x)",
    "ReLU": "relu(x) = max(x, 0)",
}

BIAS = Text(
    "Bias",
    "A learned constant that is added to the output, the same for every token.",
    "y = W x + b",
    "A bias shifts what comes out whatever goes in. It is small beside its matrix, so even a large "
    "relative change moves the output little; on queries and keys it shifts what every token "
    "attends to.",
)
NORM_BIAS = Text(
    "Bias",
    "A learned shift of each dimension, added after the norm has centred and scaled the vector.",
    LAYER_NORM,
    "It sets where each dimension rests. What follows reads it at every token, so a shift here is "
    "felt everywhere.",
)

_MATRIX = "y = W x"
_HEADED = (
    "A change here alters what this layer can find, not what it then passes on: the pattern of "
    "attention moves while the content stays."
)

EXPLAINED: dict[str, Text] = {
    "embed_tokens": Text(
        "Token embedding",
        "A table with one row a token: the row is the vector with which a token enters the model. "
        "Nothing is computed, a row is looked up.",
        "x = E[token]",
        "Rows of frequent tokens move in any training, rows of tokens that never occurred hardly "
        "at all, so a small median beside a large spread is usual.",
    ),
    "embed_positions": Text(
        "Position embedding",
        "A table with one row a position. The row is added to the token's vector, and is the only "
        "thing that tells the model where in the text a token stands.",
        "x = E[token] + P[position]",
        "It has as many rows as the model can read tokens, so a longer context needs new rows. "
        "Late rows are seen least in training.",
    ),
    "embed_token_types": Text(
        "Segment embedding",
        "A small table that tells the first text from the second where a model reads two at once.",
        "x = E[token] + P[position] + S[segment]",
        "With two rows only, each is added to very many tokens: a change shifts them all alike.",
    ),
    "embed_layernorm": Text(
        "Norm of the embedding",
        "Norms each token's vector before the first layer sees it, which steadies training.",
        "norm",
        "Everything that follows reads through it, so each of its numbers scales one dimension of "
        "the whole model's input.",
    ),
    "project_in": Text(
        "Projection in",
        "Widens the embedding to the width of the layers, where the embedding is narrower.",
        _MATRIX,
        "It decides which directions of the layers the tokens can reach at the start.",
    ),
    "project_out": Text(
        "Projection out",
        "Narrows the last vector to the width of the embedding, so that the head can be the "
        "embedding.",
        _MATRIX,
        "It decides what of the last layer's vector the head can see.",
    ),
    "input_layernorm": Text(
        "Norm before the attention",
        "Brings each token's vector to unit size before the attention reads it, then scales every "
        "dimension by a learned weight. The residual stream itself is left as it was.",
        "norm",
        "It has few numbers, one a dimension, but each scales what queries, keys and values see of "
        "that dimension. Norms usually change by a few percent where matrices change by tens.",
    ),
    "post_attention_layernorm": Text(
        "Norm before the MLP",
        "Brings the residual stream (by now with the attention's result in it, unless both work "
        "side by side) to unit size before the MLP reads it, and scales every dimension by a "
        "learned weight.",
        "norm",
        "One number a dimension, each scaling what the MLP sees of it. A shift in a few of them "
        "turns whole features of the MLP up or down.",
    ),
    "post_self_attn_layernorm": Text(
        "Norm after the attention",
        "Norms what the attention gives, before it is added to the residual stream.",
        "norm",
        "It sets how loudly this layer's attention speaks: a smaller weight makes the layer matter "
        "less.",
    ),
    "post_mlp_layernorm": Text(
        "Norm after the MLP",
        "Norms what the MLP gives, before it is added to the residual stream.",
        "norm",
        "It sets how loudly this layer's MLP speaks: a smaller weight makes the layer matter less.",
    ),
    "self_attn.q_proj": Text(
        "Query",
        "Makes of each token's vector what the token is looking for, one query for each head.",
        "q = W_q x",
        _HEADED,
    ),
    "self_attn.k_proj": Text(
        "Key",
        "Makes of each token's vector what the token can be found by. A query is compared with the "
        "keys of all earlier tokens; with fewer KV heads than query heads, several queries share "
        "one key.",
        "k = W_k x",
        "Keys are kept in the KV cache. " + _HEADED,
    ),
    "self_attn.v_proj": Text(
        "Value",
        "Makes of each token's vector what it hands over when another token attends to it.",
        "v = W_v x",
        "Values are kept in the KV cache beside the keys. A change here alters what attention "
        "carries, while where it looks stays the same.",
    ),
    "self_attn.qkv_proj": Text(
        "Query, key and value in one",
        "One fused matrix whose output is cut into three: what a token looks for (query), what it "
        "is found by (key) and what it hands over (value).",
        "[q, k, v] = W x",
        "Its numbers mix the three: where only the values changed, most elements stand still and "
        "the median does not see it.",
    ),
    "self_attn.q_a_proj": Text(
        "Query, compressed",
        "The first half of a low-rank query: squeezes the token's vector into a short one.",
        "c_q = W_a x",
        "Every head's query is read out of this short vector, so a change reaches all heads.",
    ),
    "self_attn.q_a_layernorm": Text(
        "Norm of the compressed query",
        "Norms the short query vector before it is widened into the heads' queries.",
        "norm",
        "Each number scales one direction of the short vector, for all heads at once.",
    ),
    "self_attn.q_b_proj": Text(
        "Query, widened",
        "The second half of a low-rank query: makes every head's query out of the short vector.",
        "q = W_b norm(c_q)",
        _HEADED,
    ),
    "self_attn.kv_a_proj": Text(
        "Key and value, compressed",
        "Squeezes a token into one short vector from which all keys and values are made, and a few "
        "numbers beside it that carry the position. Only this is kept in the KV cache.",
        "[c_kv, k_rope] = W_a x",
        "All keys and values of all heads pass through it: the narrowest place of the attention.",
    ),
    "self_attn.kv_a_layernorm": Text(
        "Norm of the compressed key and value",
        "Norms the short vector before keys and values are made of it.",
        "norm",
        "Each number scales one direction of the cache, for all heads at once.",
    ),
    "self_attn.kv_b_proj": Text(
        "Key and value, widened",
        "Makes every head's key and value out of the short vector.",
        "[k, v] = W_b norm(c_kv)",
        "It mixes what is found by (key) and what is handed over (value) in one matrix.",
    ),
    "self_attn.q_norm": Text(
        "Norm of the query",
        "Brings queries to unit size before they are compared with keys, so that scores cannot "
        "run away.",
        "norm",
        "Its weights scale the scores of all attention in this layer: larger means sharper.",
    ),
    "self_attn.k_norm": Text(
        "Norm of the key",
        "Brings keys to unit size before queries are compared with them.",
        "norm",
        "Its weights scale the scores of all attention in this layer: larger means sharper.",
    ),
    "self_attn.rope": Text(
        "Rotary positions",
        "Turns each query and key by an angle that grows with its position: pairs of numbers "
        "rotate, some fast, some slowly. A query and a key then differ by their distance alone. "
        "Nothing is learned.",
        "pair i of q and k turned by position · θ^(−2i/d)",
        "No parameter changes here, but a larger θ or a scaling lets the same weights read longer "
        "texts.",
    ),
    "self_attn.sinks": Text(
        "Attention sinks",
        "One learned score a head that competes with the tokens, so that a head can attend to "
        "nothing.",
        "softmax([scores, sink])",
        "A larger sink quiets its head.",
    ),
    "self_attn.position_bias": Text(
        "Bias by distance",
        "A learned number for each range of distance and each head, added to the scores: all that "
        "tells this attention where tokens stand. One layer's table serves all layers.",
        "softmax(q kᵀ + bias[distance]) v",
        "It sets how far each head looks.",
    ),
    "self_attn.attention": Text(
        "Attention",
        "Each head compares a token's query with the keys of all tokens up to it, turns the "
        "scores into shares, and takes that mixture of their values. Nothing is learned here: "
        "the matrices around it are.",
        "softmax(q kᵀ / √d + mask) v",
        "What changes here comes from q, k and v.",
    ),
    "self_attn.o_norm": Text(
        "Norm of the mixture",
        "Norms what the heads found before it is put together.",
        "norm",
        "It sets how loud each part of each head is.",
    ),
    "self_attn.o_proj": Text(
        "Attention output",
        "Puts the heads' results together into one vector, which is added to the residual stream.",
        "y = W_o [head₁ … headₙ]",
        "It decides where in the stream the attention writes. A change here alters what later "
        "layers can read of it.",
    ),
    "mlp.gate_proj": Text(
        "Gate",
        "Computes for each of the MLP's features how far it opens. After the activation it "
        "multiplies what up_proj computes.",
        "g = W_gate x",
        "It decides which features answer to a token: change here switches knowledge on or off.",
    ),
    "mlp.up_proj": Text(
        "Up",
        "Widens each token's vector into the MLP's many features.",
        "u = W_up x",
        "The MLPs hold most of the parameters and most of what a model knows. Here it is decided "
        "what the features measure.",
    ),
    "mlp.gate_up_proj": Text(
        "Gate and up in one",
        "One fused matrix whose output is cut into gate and up: how far each feature opens, and "
        "what it measures.",
        "[g, u] = W x",
        "Its number mixes the two.",
    ),
    "mlp.activation": Text(
        "Activation",
        "Bends each number on its own: what is far below zero is let through as next to nothing. "
        "Without it the MLP would be one matrix.",
        "activation",
        "Nothing is learned here.",
    ),
    "mlp.multiply": Text(
        "Gating",
        "Multiplies the opened gate with what up_proj computed, feature by feature.",
        "h = act(g) · u",
        "Nothing is learned here.",
    ),
    "mlp.norm": Text(
        "Norm within the MLP",
        "Norms the MLP's features before they are brought back to the model's width.",
        "norm",
        "Each number scales one feature of this layer.",
    ),
    "mlp.down_proj": Text(
        "Down",
        "Brings the MLP's features back to the model's width; the result is added to the residual "
        "stream.",
        "y = W_down h",
        "It decides what each feature writes into the stream. Edits of single facts often land "
        "here.",
    ),
    "mlp.router": Text(
        "Router",
        "Scores every expert for each token; the best few do the work, weighted by their scores.",
        "p = softmax(W x), top k",
        "A small matrix with a large effect: a slight change sends tokens to other experts.",
    ),
    "mlp.experts.gate_proj": Text(
        "Gate of the experts",
        "As the gate of a plain MLP, once for each expert: how far each of its features opens.",
        "g = W_gate x",
        "An expert that few tokens reach changes little in training; compare the experts.",
    ),
    "mlp.experts.up_proj": Text(
        "Up of the experts",
        "As in a plain MLP, once for each expert: widens the token's vector into its features.",
        "u = W_up x",
        "An expert that few tokens reach changes little in training; compare the experts.",
    ),
    "mlp.experts.gate_up_proj": Text(
        "Gate and up of the experts",
        "Gate and up of all experts, fused into one tensor.",
        "[g, u] = W x",
        "Its number mixes gate and up, and all experts.",
    ),
    "mlp.experts.down_proj": Text(
        "Down of the experts",
        "As in a plain MLP, once for each expert: brings its features back to the model's width.",
        "y = W_down h",
        "An expert that few tokens reach changes little in training; compare the experts.",
    ),
    "mlp.shared_expert.gate_proj": Text(
        "Gate of the shared expert",
        "The gate of the expert that every token passes.",
        "g = W_gate x",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert.up_proj": Text(
        "Up of the shared expert",
        "Widens every token's vector into the features of the expert that all tokens pass.",
        "u = W_up x",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert.gate_up_proj": Text(
        "Gate and up of the shared expert",
        "Gate and up, fused, of the expert that all tokens pass.",
        "[g, u] = W x",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert.down_proj": Text(
        "Down of the shared expert",
        "Brings the features of the expert that all tokens pass back to the model's width.",
        "y = W_down h",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert_gate": Text(
        "Share of the shared expert",
        "One score a token: how much the shared expert's result counts beside the chosen ones'.",
        "s = sigmoid(w x)",
        "It turns the shared expert up or down for each token.",
    ),
    "mlp.combine": Text(
        "Weighted sum of the experts",
        "Adds up what the chosen experts give, each by its score, and the shared one's where there "
        "is one.",
        "y = Σ pₑ · expertₑ(x)",
        "Nothing is learned here.",
    ),
    "embed.scale": Text(
        "Scale of the embedding",
        "Multiplies the embedding by a constant, so that it holds its own beside what the layers "
        "add.",
        "x = E[token] · √width",
        "Nothing is learned here.",
    ),
    "embed.add": Text(
        "Sum of the embeddings",
        "Adds the token's vector and its position's.",
        "x = E[token] + P[position]",
        "Nothing is learned here.",
    ),
    "parallel.add": Text(
        "Sum of attention and MLP",
        "Attention and MLP read the same vector side by side; both results are added to the "
        "residual stream at once.",
        "y = x + attention(norm(x)) + mlp(norm(x))",
        "Nothing is learned here.",
    ),
    "norm": Text(
        "Final norm",
        "Brings the last layer's vector to unit size before the head reads it.",
        "norm",
        "It scales every token's score: a change here makes the model surer or less sure overall.",
    ),
    "lm_head": Text(
        "Head",
        "Compares the last vector with one row for each token of the vocabulary: the scores say "
        "which token comes next.",
        "logits = W x",
        "A row moves when its token becomes likelier or rarer as an answer. Where the head is tied "
        "it is the embedding, and both change as one.",
    ),
    "lm_head.softcap": Text(
        "Soft cap",
        "Bends the scores so that none passes a limit.",
        "c · tanh(logits / c)",
        "Nothing is learned here.",
    ),
    "mixer.in_proj": Text(
        "State space: in",
        "Widens the token's vector into what the state space reads and the gate on its result.",
        _MATRIX,
        "It decides what enters the layer's running memory.",
    ),
    "mixer.conv1d": Text(
        "State space: short convolution",
        "Mixes each channel with its last few tokens.",
        "y[t] = Σ w[k] · x[t − k]",
        "It is how the layer sees neighbouring tokens exactly.",
    ),
    "mixer.x_proj": Text(
        "State space: what to keep",
        "Computes from each token how much to renew (Δ), what to write (B) and what to read (C).",
        "[Δ, B, C] = W x",
        "It makes the memory selective: change here alters what is remembered.",
    ),
    "mixer.dt_proj": Text(
        "State space: step",
        "Widens the step Δ to every channel: how much of the old state gives way to the new token.",
        "Δ = softplus(W δ + b)",
        "Larger steps forget faster.",
    ),
    "mixer.dt_bias": Text(
        "State space: resting step",
        "A learned constant in each channel's step.",
        "Δ = softplus(δ + b)",
        "It sets how fast a channel forgets when the token says nothing about it.",
    ),
    "mixer.A_log": Text(
        "State space: decay",
        "How fast each part of the running memory fades, stored as a logarithm.",
        "h[t] = e^(−e^A · Δ) · h[t−1] + Δ B x",
        "It sets how far back the layer can remember.",
    ),
    "mixer.D": Text(
        "State space: direct way",
        "Lets a share of the input pass straight to the output, past the memory.",
        "y = C h + D x",
        "Larger means that the layer leans less on its memory.",
    ),
    "mixer.scan": Text(
        "Selective scan",
        "Runs over the tokens with a memory of fixed size: each token fades it, writes into it and "
        "reads from it. Nothing is learned here.",
        "h[t] = Ā h[t−1] + B̄ x[t], y[t] = C h[t] + D x[t]",
        "What changes here comes from the matrices around it.",
    ),
    "mixer.norm": Text(
        "State space: norm",
        "Norms the memory's reading before it is put back.",
        "norm",
        "Each number scales one channel of the layer's result.",
    ),
    "mixer.out_proj": Text(
        "State space: out",
        "Brings what was read from the memory back to the model's width; it is added to the "
        "residual stream.",
        _MATRIX,
        "It decides where in the stream the layer writes.",
    ),
    **{
        f"mixer.{part}_layernorm": Text(
            f"State space: norm of {name}",
            f"Norms {name} before the memory uses it, which steadies training.",
            "norm",
            "Each number scales one direction of it.",
        )
        for part, name in (("dt", "the step"), ("b", "what is written"), ("c", "what is read"))
    },
}


def _crossed(text: Text) -> Text:
    return Text(
        f"{text.title} (of the encoder's output)" if "Query" not in text.title else text.title,
        text.what + " In cross-attention keys and values come from the encoder's output.",
        text.formula,
        text.why,
    )


EXPLAINED |= {
    name.replace("self_attn", "cross_attn"): _crossed(EXPLAINED[name])
    for name in tuple(EXPLAINED)
    if name.startswith("self_attn.")
}
EXPLAINED["post_cross_attn_layernorm"] = Text(
    "Norm after the cross-attention",
    "Norms what the cross-attention gives, before it is added to the residual stream.",
    "norm",
    "It sets how loudly the encoder's output speaks in this layer.",
)
EXPLAINED["cross_attn_layernorm"] = Text(
    "Norm before the cross-attention",
    "Norms the residual stream before the cross-attention asks the encoder's output.",
    "norm",
    "Each number scales what the decoder's question sees of one dimension.",
)
EXPLAINED |= {
    f"mlp.{network}.{part}": Text(
        EXPLAINED[f"mlp.{part}"].title,
        f"{EXPLAINED[f'mlp.{part}'].what} The same in every expert.",
        EXPLAINED[f"mlp.{part}"].formula,
        EXPLAINED[f"mlp.{part}"].why,
    )
    for network in ("experts", "shared_expert")
    for part in ("activation", "multiply")
}
