"""The MLP, its experts, and the sum of two sublayers side by side."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

MLP_ENTRIES: dict[str, GlossaryEntry] = {
    "post_attention_layernorm": GlossaryEntry(
        "Norm before the MLP",
        "Brings the residual stream (which by now includes the attention's output, unless the two "
        "run in parallel) to unit size before the MLP reads it, and scales every dimension by a "
        "learned weight.",
        "norm",
        "One number per dimension scales what the MLP sees of it. A shift in a few of them "
        "turns whole features of the MLP up or down.",
    ),
    "post_mlp_layernorm": GlossaryEntry(
        "Norm after the MLP",
        "Normalises the MLP's output before it is added to the residual stream.",
        "norm",
        "It sets how loudly this layer's MLP speaks: a smaller weight makes the layer matter less.",
    ),
    "mlp.gate_proj": GlossaryEntry(
        "Gate",
        "Computes for each of the MLP's features how far it opens. After the activation, it "
        "multiplies the output of up_proj.",
        "g = W_gate x",
        "It decides which features a token activates.",
    ),
    "mlp.up_proj": GlossaryEntry(
        "Up",
        "Widens each token's vector into the MLP's many features.",
        "u = W_up x",
        "It decides what the features respond to. In most models the MLPs hold most of the "
        "parameters.",
    ),
    "mlp.gate_up_proj": GlossaryEntry(
        "Gate and up in one",
        "One fused matrix whose output is split into gate and up: how far each feature opens, and "
        "what it responds to.",
        "[g, u] = W x",
        "Its statistics mix the two.",
    ),
    "mlp.activation": GlossaryEntry(
        "Activation",
        "A function of each number on its own, which lets next to nothing through far below zero. "
        "Without it the MLP would be linear.",
        "activation",
        "Nothing is learned here.",
    ),
    "mlp.multiply": GlossaryEntry(
        "Gating",
        "Multiplies the gate and the output of up_proj, feature by feature.",
        "h = act(g) · u",
        "Nothing is learned here.",
    ),
    "mlp.norm": GlossaryEntry(
        "Norm within the MLP",
        "Normalises the MLP's features before they are projected back to the hidden size.",
        "norm",
        "Each number scales one feature of this layer.",
    ),
    "mlp.down_proj": GlossaryEntry(
        "Down",
        "Projects the MLP's features back to the hidden size; the output is added to the residual "
        "stream.",
        "y = W_down h",
        "It decides what each feature writes to the stream. Edits of single facts often land here.",
    ),
    "mlp.router": GlossaryEntry(
        "Router",
        "Scores every expert for each token; the top few process it, weighted by their scores.",
        "p = softmax(W x), top k",
        "A small matrix with a large effect: a slight change can route tokens to other experts.",
    ),
    "mlp.experts.gate_proj": GlossaryEntry(
        "Gate of the experts",
        "The gate of an MLP, one per expert: how far each of its features opens.",
        "g = W_gate x",
        "An expert that few tokens are routed to changes little in training; compare the experts.",
    ),
    "mlp.experts.up_proj": GlossaryEntry(
        "Up of the experts",
        "As in a dense MLP, one per expert: widens the token's vector into its features.",
        "u = W_up x",
        "An expert that few tokens are routed to changes little in training; compare the experts.",
    ),
    "mlp.experts.gate_up_proj": GlossaryEntry(
        "Gate and up of the experts",
        "Gate and up of all experts, fused into one tensor.",
        "[g, u] = W x",
        "Its statistics mix gate and up, and all experts.",
    ),
    "mlp.experts.down_proj": GlossaryEntry(
        "Down of the experts",
        "As in a dense MLP, one per expert: projects its features back to the hidden size.",
        "y = W_down h",
        "An expert that few tokens are routed to changes little in training; compare the experts.",
    ),
    "mlp.shared_expert.gate_proj": GlossaryEntry(
        "Gate of the shared expert",
        "The gate of the expert that processes every token.",
        "g = W_gate x",
        "It processes every token, so all of them train it.",
    ),
    "mlp.shared_expert.up_proj": GlossaryEntry(
        "Up of the shared expert",
        "Widens every token's vector into the features of the shared expert.",
        "u = W_up x",
        "It processes every token, so all of them train it.",
    ),
    "mlp.shared_expert.gate_up_proj": GlossaryEntry(
        "Gate and up of the shared expert",
        "Gate and up of the shared expert, fused.",
        "[g, u] = W x",
        "It processes every token, so all of them train it.",
    ),
    "mlp.shared_expert.down_proj": GlossaryEntry(
        "Down of the shared expert",
        "Projects the shared expert's features back to the hidden size.",
        "y = W_down h",
        "It processes every token, so all of them train it.",
    ),
    "mlp.shared_expert_gate": GlossaryEntry(
        "Gate of the shared expert's output",
        "One score per token: how much the shared expert's output counts beside the routed ones'.",
        "s = sigmoid(w x)",
        "It turns the shared expert up or down for each token.",
    ),
    "mlp.combine": GlossaryEntry(
        "Weighted sum of the experts",
        "Adds up the outputs of the chosen experts, weighted by their scores, and the shared "
        "expert's, if there is one.",
        "y = Σ pₑ · expertₑ(x)",
        "Nothing is learned here.",
    ),
    "parallel.add": GlossaryEntry(
        "Sum of attention and MLP",
        "Attention and MLP read the same vector in parallel; both outputs are added to the "
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
