"""What an explanation is made of, and the words that several share.

In the formulas x is what a node reads, one vector a token; W and b are its weight and bias. A
formula ``norm`` or ``activation`` is filled in by the architecture's own.
"""

from __future__ import annotations

from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class GlossaryEntry:
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


BIAS = GlossaryEntry(
    "Bias",
    "A learned constant that is added to the output, the same for every token.",
    "y = W x + b",
    "A bias shifts the output whatever the input. It is usually small beside its matrix, so even "
    "a large relative change may move the output little; on queries and keys it shifts what every "
    "token attends to.",
)

NORM_BIAS = GlossaryEntry(
    "Bias",
    "A learned shift of each dimension, added after the norm has centred and scaled the vector.",
    LAYER_NORM,
    "Everything that follows reads it at every token, so a shift here is felt everywhere.",
)
