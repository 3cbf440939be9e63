"""The MLP, its experts, and the sum of two sublayers side by side."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

MLP_ENTRIES: dict[str, GlossaryEntry] = {
    "post_attention_layernorm": GlossaryEntry(
        "Norm before the MLP",
        "Brings the residual stream (by now with the attention's result in it, unless both work "
        "side by side) to unit size before the MLP reads it, and scales every dimension by a "
        "learned weight.",
        "norm",
        "One number a dimension, each scaling what the MLP sees of it. A shift in a few of them "
        "turns whole features of the MLP up or down.",
    ),
    "post_mlp_layernorm": GlossaryEntry(
        "Norm after the MLP",
        "Norms what the MLP gives, before it is added to the residual stream.",
        "norm",
        "It sets how loudly this layer's MLP speaks: a smaller weight makes the layer matter less.",
    ),
    "mlp.gate_proj": GlossaryEntry(
        "Gate",
        "Computes for each of the MLP's features how far it opens. After the activation it "
        "multiplies what up_proj computes.",
        "g = W_gate x",
        "It decides which features answer to a token: change here switches knowledge on or off.",
    ),
    "mlp.up_proj": GlossaryEntry(
        "Up",
        "Widens each token's vector into the MLP's many features.",
        "u = W_up x",
        "The MLPs hold most of the parameters and most of what a model knows. Here it is decided "
        "what the features measure.",
    ),
    "mlp.gate_up_proj": GlossaryEntry(
        "Gate and up in one",
        "One fused matrix whose output is cut into gate and up: how far each feature opens, and "
        "what it measures.",
        "[g, u] = W x",
        "Its number mixes the two.",
    ),
    "mlp.activation": GlossaryEntry(
        "Activation",
        "Bends each number on its own: what is far below zero is let through as next to nothing. "
        "Without it the MLP would be one matrix.",
        "activation",
        "Nothing is learned here.",
    ),
    "mlp.multiply": GlossaryEntry(
        "Gating",
        "Multiplies the opened gate with what up_proj computed, feature by feature.",
        "h = act(g) · u",
        "Nothing is learned here.",
    ),
    "mlp.norm": GlossaryEntry(
        "Norm within the MLP",
        "Norms the MLP's features before they are brought back to the model's width.",
        "norm",
        "Each number scales one feature of this layer.",
    ),
    "mlp.down_proj": GlossaryEntry(
        "Down",
        "Brings the MLP's features back to the model's width; the result is added to the residual "
        "stream.",
        "y = W_down h",
        "It decides what each feature writes into the stream. Edits of single facts often land "
        "here.",
    ),
    "mlp.router": GlossaryEntry(
        "Router",
        "Scores every expert for each token; the best few do the work, weighted by their scores.",
        "p = softmax(W x), top k",
        "A small matrix with a large effect: a slight change sends tokens to other experts.",
    ),
    "mlp.experts.gate_proj": GlossaryEntry(
        "Gate of the experts",
        "As the gate of a plain MLP, once for each expert: how far each of its features opens.",
        "g = W_gate x",
        "An expert that few tokens reach changes little in training; compare the experts.",
    ),
    "mlp.experts.up_proj": GlossaryEntry(
        "Up of the experts",
        "As in a plain MLP, once for each expert: widens the token's vector into its features.",
        "u = W_up x",
        "An expert that few tokens reach changes little in training; compare the experts.",
    ),
    "mlp.experts.gate_up_proj": GlossaryEntry(
        "Gate and up of the experts",
        "Gate and up of all experts, fused into one tensor.",
        "[g, u] = W x",
        "Its number mixes gate and up, and all experts.",
    ),
    "mlp.experts.down_proj": GlossaryEntry(
        "Down of the experts",
        "As in a plain MLP, once for each expert: brings its features back to the model's width.",
        "y = W_down h",
        "An expert that few tokens reach changes little in training; compare the experts.",
    ),
    "mlp.shared_expert.gate_proj": GlossaryEntry(
        "Gate of the shared expert",
        "The gate of the expert that every token passes.",
        "g = W_gate x",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert.up_proj": GlossaryEntry(
        "Up of the shared expert",
        "Widens every token's vector into the features of the expert that all tokens pass.",
        "u = W_up x",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert.gate_up_proj": GlossaryEntry(
        "Gate and up of the shared expert",
        "Gate and up, fused, of the expert that all tokens pass.",
        "[g, u] = W x",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert.down_proj": GlossaryEntry(
        "Down of the shared expert",
        "Brings the features of the expert that all tokens pass back to the model's width.",
        "y = W_down h",
        "It works on every token, so it is trained on all of them.",
    ),
    "mlp.shared_expert_gate": GlossaryEntry(
        "Share of the shared expert",
        "One score a token: how much the shared expert's result counts beside the chosen ones'.",
        "s = sigmoid(w x)",
        "It turns the shared expert up or down for each token.",
    ),
    "mlp.combine": GlossaryEntry(
        "Weighted sum of the experts",
        "Adds up what the chosen experts give, each by its score, and the shared one's where there "
        "is one.",
        "y = Σ pₑ · expertₑ(x)",
        "Nothing is learned here.",
    ),
    "parallel.add": GlossaryEntry(
        "Sum of attention and MLP",
        "Attention and MLP read the same vector side by side; both results are added to the "
        "residual stream at once.",
        "y = x + attention(norm(x)) + mlp(norm(x))",
        "Nothing is learned here.",
    ),
}

MLP_ENTRIES |= {
    f"mlp.{network}.{part}": GlossaryEntry(
        MLP_ENTRIES[f"mlp.{part}"].title,
        f"{MLP_ENTRIES[f'mlp.{part}'].what} The same in every expert.",
        MLP_ENTRIES[f"mlp.{part}"].formula,
        MLP_ENTRIES[f"mlp.{part}"].why,
    )
    for network in ("experts", "shared_expert")
    for part in ("activation", "multiply")
}
