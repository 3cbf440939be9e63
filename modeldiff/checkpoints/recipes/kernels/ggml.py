"""All of ggml's blocks that have a kernel, by their types' names in small letters."""

from modeldiff.checkpoints.recipes.kernels.ggml_k import q2_k, q3_k, q4_k, q5_k, q6_k
from modeldiff.checkpoints.recipes.kernels.ggml_small import (
    iq4_nl,
    iq4_xs,
    mxfp4,
    q4_0,
    q4_1,
    q5_0,
    q5_1,
    q8_0,
)

__all__ = [
    "iq4_nl",
    "iq4_xs",
    "mxfp4",
    "q2_k",
    "q3_k",
    "q4_0",
    "q4_1",
    "q4_k",
    "q5_0",
    "q5_1",
    "q5_k",
    "q6_k",
    "q8_0",
]
