"""What llama.cpp's converter makes of each architecture: names, and what else it changes.

From its ``conversion/*.py`` of 2026. What it turns round is undone where the tensors are read.
"""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.checkpoints.formats.gguf import names
from modeldiff.checkpoints.formats.gguf.names import Naming
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Converted:
    """How one of llama.cpp's architectures was converted.

    ``model_type`` is transformers' word for it, ``with_experts`` what it is with experts in it.
    ``pairs``: rows of q and k were brought from the halves of a head into pairs.
    ``norms_plus_one``: norms have one added. ``sorted_qkv``: the fused matrix's rows stood group by
    group of heads before they were sorted into q | k | v. ``mixer``: a state space's decay was
    stored as -exp of its logarithm, its convolution without the middle dimension. ``tiled_values``:
    the value heads of a linear attention, group by group of those that share a key, were dealt out
    so that every group's first comes first. ``parted_qkvz``: the rows of its fused matrix stood key
    head by key head, and became two matrices, q | k | v and z. ``activation`` is
    the one that llama.cpp computes all models of the architecture with, in transformers' word:
    no metadata names it.
    """

    model_type: str
    naming: Naming | None = None
    with_experts: Converted | None = None
    pairs: bool = False
    norms_plus_one: bool = False
    sorted_qkv: bool = False
    mixer: bool = False
    tiled_values: bool = False
    parted_qkvz: bool = False
    activation: str = "silu"


_MIXTRAL = Converted("mixtral", names.MIXTRAL_NAMES, pairs=True)

CONVERTED: Mapping[str, Converted] = {
    "llama": Converted("llama", names.LLAMA_NAMES, _MIXTRAL, pairs=True),
    "mistral3": Converted("mistral", names.LLAMA_NAMES, _MIXTRAL, pairs=True),
    "smollm3": Converted("smollm3", names.LLAMA_NAMES, pairs=True),
    "arcee": Converted("arcee", names.LLAMA_NAMES, pairs=True, activation="relu2"),
    "granite": Converted("granite", names.LLAMA_NAMES, pairs=True),
    "olmo": Converted("olmo", names.LLAMA_NAMES, pairs=True),
    "minicpm": Converted("minicpm", names.LLAMA_NAMES, pairs=True),
    "qwen2": Converted("qwen2", names.LLAMA_NAMES),
    "qwen2vl": Converted("qwen2_vl", names.LLAMA_NAMES),
    "qwen3": Converted("qwen3", names.LLAMA_NAMES),
    "qwen3vl": Converted("qwen3_vl", names.LLAMA_NAMES),
    "seed_oss": Converted("seed_oss", names.SEED_OSS_NAMES),
    "qwen2moe": Converted("qwen2_moe", names.MOE_NAMES),
    "qwen3moe": Converted("qwen3_moe", names.MOE_NAMES),
    "qwen3next": Converted(
        "qwen3_next",
        names.QWEN_LINEAR_MOE_NAMES,
        norms_plus_one=True,
        mixer=True,
        parted_qkvz=True,
    ),
    "qwen35": Converted(
        "qwen3_5_text",
        names.QWEN_LINEAR_NAMES,
        norms_plus_one=True,
        mixer=True,
        tiled_values=True,
    ),
    "qwen35moe": Converted(
        "qwen3_5_moe_text",
        names.QWEN_LINEAR_MOE_NAMES,
        norms_plus_one=True,
        mixer=True,
        tiled_values=True,
    ),
    "gpt-oss": Converted("gpt_oss", names.GPT_OSS_NAMES),
    "olmoe": Converted("olmoe", names.MOE_NAMES),
    "deepseek2": Converted("deepseek_v2", names.DEEPSEEK_NAMES),
    "glm4moe": Converted("glm4_moe", names.GLM_MOE_NAMES),
    "olmo2": Converted("olmo2", names.OLMO2_NAMES),
    "gemma": Converted(
        "gemma", names.LLAMA_NAMES, norms_plus_one=True, activation="gelu_pytorch_tanh"
    ),
    "gemma2": Converted(
        "gemma2", names.SANDWICH_NAMES, norms_plus_one=True, activation="gelu_pytorch_tanh"
    ),
    "gemma3": Converted(
        "gemma3_text", names.SANDWICH_NAMES, norms_plus_one=True, activation="gelu_pytorch_tanh"
    ),
    "nemotron": Converted("nemotron", names.LLAMA_NAMES, norms_plus_one=True, activation="relu2"),
    "stablelm": Converted("stablelm", names.LLAMA_NAMES),
    "command-r": Converted("cohere", names.LLAMA_NAMES),
    "cohere2": Converted("cohere2", names.LLAMA_NAMES),
    "glm4": Converted("glm4", names.GLM_NAMES),
    "phi2": Converted("phi", names.PHI2_NAMES, activation="gelu_new"),
    "phi3": Converted("phi3", names.PHI3_NAMES),
    "starcoder2": Converted("starcoder2", names.STARCODER2_NAMES, activation="gelu_pytorch_tanh"),
    "gpt2": Converted("gpt2", names.GPT2_NAMES, activation="gelu_new"),
    "gptneox": Converted("gpt_neox", names.GPT_NEOX_NAMES, sorted_qkv=True, activation="gelu"),
    "bloom": Converted("bloom", names.BLOOM_NAMES, sorted_qkv=True, activation="gelu_pytorch_tanh"),
    "falcon": Converted("falcon", names.FALCON_NAMES, sorted_qkv=True, activation="gelu"),
    "mamba": Converted("mamba", names.MAMBA_NAMES, mixer=True),
    "jamba": Converted("jamba", names.JAMBA_NAMES, mixer=True),
}
"""By llama.cpp's names of architectures."""

UNKNOWN_CONVERSION = Converted("", activation="")
"""Of an architecture that is not in the table: names and rows as they are in the file."""
PERMUTED_ELSEWHERE = frozenset(
    {
        *("deci", "granitemoe", "granitehybrid", "arctic", "llada", "baichuan", "internlm2"),
        *("chameleon", "bailingmoe", "deepseek", "orion", "llama-embed"),
    }
)
"""Architectures without a table whose q and k rows were brought into pairs, too."""


def conversion_of(architecture: str, experts: int) -> Converted:
    """How a file of this architecture, with so many experts in a layer, was converted."""
    converted = CONVERTED.get(architecture)
    if converted is None:
        paired = architecture in PERMUTED_ELSEWHERE
        return Converted(architecture, pairs=True, activation="") if paired else UNKNOWN_CONVERSION
    return converted.with_experts if experts and converted.with_experts else converted
