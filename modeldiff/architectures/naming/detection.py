"""The naming families that are described, and how a checkpoint is told to be of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modeldiff.architectures.families.family import Family
from modeldiff.architectures.families.known.baichuan import BAICHUAN
from modeldiff.architectures.families.known.bert import BERT, DISTILBERT
from modeldiff.architectures.families.known.cohere import COHERE, GPTJ
from modeldiff.architectures.families.known.deepseek import DEEPSEEK
from modeldiff.architectures.families.known.encoder_decoder import BART, T5, WHISPER
from modeldiff.architectures.families.known.falcon import BLOOM, FALCON
from modeldiff.architectures.families.known.gemma import GEMMA, GEMMA2, GEMMA3
from modeldiff.architectures.families.known.glm import GLM
from modeldiff.architectures.families.known.gpt2 import GPT2, GPT_BIGCODE, GPT_NEO
from modeldiff.architectures.families.known.gpt_neox import GPT_NEOX
from modeldiff.architectures.families.known.gpt_oss import GPT_OSS
from modeldiff.architectures.families.known.granite import GRANITE_HYBRID, GRANITE_MOE
from modeldiff.architectures.families.known.litgpt import LITGPT, LITGPT_OLD
from modeldiff.architectures.families.known.llama import LLAMA, STABLELM, STARCODER2
from modeldiff.architectures.families.known.llama4 import LLAMA4, LLAMA_VISION
from modeldiff.architectures.families.known.llama_cpp import LLAMA_CPP
from modeldiff.architectures.families.known.mamba import BAMBA, JAMBA, MAMBA
from modeldiff.architectures.families.known.megatron import CHATGLM, MEGATRON, MEGATRON_CORE
from modeldiff.architectures.families.known.meta import INTERNLM2, META
from modeldiff.architectures.families.known.mixtral import MIXTRAL, QWEN_MOE
from modeldiff.architectures.families.known.mpt import MPT
from modeldiff.architectures.families.known.olmo import OLMO, OLMO2
from modeldiff.architectures.families.known.openai_whisper import OPENAI_WHISPER
from modeldiff.architectures.families.known.opt import OPT
from modeldiff.architectures.families.known.phi import PHI, PHI3
from modeldiff.architectures.families.known.qwen1 import QWEN1
from modeldiff.architectures.families.known.raschka import RASCHKA, RASCHKA_GPT
from modeldiff.architectures.families.known.torchtune import TORCHTUNE
from modeldiff.architectures.families.known.vision import BESIDE, CLIP, VIT

FAMILIES: tuple[Family, ...] = (
    LLAMA,
    GPT2,
    MIXTRAL,
    QWEN_MOE,
    DEEPSEEK,
    GPT_OSS,
    GRANITE_MOE,
    PHI3,
    GLM,
    OLMO2,
    GEMMA2,
    GEMMA3,
    GEMMA,
    OLMO,
    GPT_NEOX,
    FALCON,  # knows all of BLOOM's names but one, which BLOOM always has
    BLOOM,
    OPT,
    PHI,
    COHERE,
    GPTJ,
    GPT_NEO,
    GPT_BIGCODE,
    STARCODER2,
    STABLELM,
    JAMBA,
    MAMBA,
    T5,
    WHISPER,
    BART,
    BERT,
    DISTILBERT,
    VIT,
    CLIP,
    MPT,
    BAMBA,
    GRANITE_HYBRID,
    LLAMA4,
    LLAMA_VISION,
    BAICHUAN,
    META,
    INTERNLM2,
    QWEN1,
    LITGPT,
    LITGPT_OLD,
    TORCHTUNE,
    LLAMA_CPP,
    MEGATRON_CORE,
    MEGATRON,
    CHATGLM,
    OPENAI_WHISPER,
    RASCHKA,
    RASCHKA_GPT,
)
"""In the order in which they are tried on names alone: the first of two equals wins."""

_ENOUGH = 0.6
"""Share of the names that a description must know to be taken on names alone."""

_HALF = 0.5

_MOST_KINDS = 600
"""Kinds of names that are looked up in every description. Models have hundreds at most; made-up
files may have any number, of which as many are picked evenly."""


def family_of(config: Mapping[str, Any] | None, patterns: Iterable[str]) -> Family | None:
    """The family that describes these names, or None where no description fits.

    ``patterns`` are plain names, one of each kind. The config's model type decides if a
    description of that type knows the names about as well as the one that knows most of them; else
    that one is taken, if it knows enough. So a config that lies, or is missing, does not lose the
    names. Names with numbers decide, where there are any: what stands in layers is the same
    whatever head a model has.
    """
    names = _evenly(tuple(patterns))
    beside = tower_beside(names)
    if beside is not None:
        names = tuple(n for n in names if beside.split(n)[0] == "") or names
    counted = tuple(name for name in names if any(map(str.isdigit, name.split(".")))) or names
    known = {family.name: _known(family, counted) for family in FAMILIES}
    most = max(known.values())
    for model_type in model_types(config):
        called = [family for family in FAMILIES if model_type in family.model_types]
        own = max(called, key=lambda family: known[family.name], default=None)
        if own is not None and known[own.name] > most / 2:
            return own
    if most < _ENOUGH:
        return None
    equals = (family for family in FAMILIES if known[family.name] == most)
    return max(equals, key=lambda family: _known(family, names))


def tower_beside(patterns: Iterable[str]) -> Family | None:
    """The description of the tower that looks at pictures, for the names of a multimodal model."""
    names = _evenly(tuple(patterns))
    best, most = None, _HALF
    for tower in BESIDE:
        opened = tuple(name for name in names if tower.split(name)[0])
        known = _known(tower, opened)
        if known > most:
            best, most = tower, known
    return best


def _evenly(names: tuple[str, ...]) -> tuple[str, ...]:
    count = min(len(names), _MOST_KINDS)
    return tuple(names[at * len(names) // count] for at in range(count))


def model_types(config: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a config calls its model: of the whole and of the text part."""
    if not isinstance(config, Mapping):
        return ()
    text = config.get("text_config")
    configs = (config, text if isinstance(text, Mapping) else {})
    return tuple(t for c in configs if isinstance(t := c.get("model_type"), str))


def _known(family: Family, names: tuple[str, ...]) -> float:
    count = sum(_look_up(family, name) is not None for name in names)
    return count / len(names) if names else 0.0


def _look_up(family: Family, name: str) -> str | None:
    tower, layer, path = family.split(name)
    entry = family.look_up(path, in_layer=layer is not None, tower=tower)
    return entry[0] if entry else None
