"""The mixer of a state-space layer."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

_MATRIX = "y = W x"

STATE_SPACE_ENTRIES: dict[str, GlossaryEntry] = {
    "mixer.in_proj": GlossaryEntry(
        "State space: in",
        "Widens the token's vector into what the state space reads and the gate on its result.",
        _MATRIX,
        "It decides what enters the layer's running memory.",
    ),
    "mixer.conv1d": GlossaryEntry(
        "State space: short convolution",
        "Mixes each channel with its last few tokens.",
        "y[t] = Σ w[k] · x[t − k]",
        "It lets the layer see neighbouring tokens exactly.",
    ),
    "mixer.x_proj": GlossaryEntry(
        "State space: what to keep",
        "Computes from each token the step (Δ), what to write (B) and what to read (C).",
        "[Δ, B, C] = W x",
        "It makes the memory selective: a change here alters what is remembered.",
    ),
    "mixer.dt_proj": GlossaryEntry(
        "State space: step",
        "Widens the step Δ to every channel: how much of the old state gives way to the new token.",
        "Δ = softplus(W δ + b)",
        "Larger steps forget faster.",
    ),
    "mixer.dt_bias": GlossaryEntry(
        "State space: resting step",
        "A learned constant in each channel's step.",
        "Δ = softplus(δ + b)",
        "It sets how fast a channel forgets when the token says nothing about it.",
    ),
    "mixer.A_log": GlossaryEntry(
        "State space: decay",
        "How fast each part of the running memory fades, stored as a logarithm.",
        "h[t] = e^(−e^A · Δ) · h[t−1] + Δ B x",
        "It sets how far back the layer can remember.",
    ),
    "mixer.D": GlossaryEntry(
        "State space: skip",
        "Passes a share of the input straight to the output, past the memory.",
        "y = C h + D x",
        "The larger, the less the layer relies on its memory.",
    ),
    "mixer.scan": GlossaryEntry(
        "Selective scan",
        "Runs over the tokens with a memory of fixed size: each token fades it, writes into it and "
        "reads from it. Nothing is learned here.",
        "h[t] = Ā h[t−1] + B̄ x[t], y[t] = C h[t] + D x[t]",
        "What changes here comes from the matrices around it.",
    ),
    "mixer.norm": GlossaryEntry(
        "State space: norm",
        "Normalises what was read from the memory.",
        "norm",
        "Each number scales one channel of the layer's result.",
    ),
    "mixer.out_proj": GlossaryEntry(
        "State space: out",
        "Projects what was read from the memory back to the hidden size; it is added to the "
        "residual stream.",
        _MATRIX,
        "It decides which directions of the stream the layer writes to.",
    ),
    **{
        f"mixer.{part}_layernorm": GlossaryEntry(
            f"State space: norm of {name}",
            f"Normalises {name} before the memory uses it, which stabilises training.",
            "norm",
            "Each number scales one direction of it.",
        )
        for part, name in (("dt", "the step"), ("b", "what is written"), ("c", "what is read"))
    },
}
