"""What storing and running a model takes: types, counts, bytes on disk, in memory and per token."""

from __future__ import annotations

from collections.abc import Iterator

from modeldiff.architectures.architecture import Fact
from modeldiff.architectures.config.parameter_counts import PARTS
from modeldiff.architectures.facts.kv_cache import Cache, read_cache
from modeldiff.architectures.spec import ModelSpec
from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.text.formatting import format_bytes, format_share
from modeldiff.text.magnitudes import short_count

ESTIMATE_TOKENS = 8_192
"""The length of text for which the memory is estimated, or the model's context if that is less."""

_TYPE_NAMES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"}
_WHOLE_TYPES = frozenset(_TYPE_NAMES.values())
"""Stored types of weights that nobody quantised."""


def footprint_facts(spec: ModelSpec) -> Iterator[Fact]:
    """Stored types, parameters (all, active, by part), bytes of files, cache and memory."""
    composition = spec.composition
    if composition.types:
        total = sum(composition.types.values()) or 1
        texts = [f"{name} ({format_share(n, total)})" for name, n in composition.types.items()]
        names = list(composition.types)
        text = names[0] if len(names) == 1 else ", ".join(texts)
        setting = spec.settings.word("dtype", "torch_dtype")
        of_config = _TYPE_NAMES.get(setting.value.removeprefix("torch.")) if setting else None
        if of_config and of_config not in names and set(names) <= _WHOLE_TYPES:
            text += f" (config says {of_config})"
        yield Fact("stored_types", "Stored types", ", ".join(sorted(names)), text, "tensors")
        if not STORED_TYPES.keys() >= set(names):
            yield _bits(spec)
    if not spec.parameters:
        return
    yield _count("parameters", "Parameters", composition.parameters)
    active = _active(spec)
    if active is not None:
        yield _count("parameters_active", "Active parameters per token", active)
    for part, count in composition.parts.items():
        yield _count(f"parameters_{part}", f"Parameters in {PARTS[part]}", count)
    size = composition.nbytes
    yield Fact("checkpoint_bytes", "Checkpoint size", size, _bytes(size), "tensors")
    cache = read_cache(spec)
    if cache is not None:
        yield from _cache_facts(spec, cache)
    yield _memory(spec, cache)


def _bits(spec: ModelSpec) -> Fact:
    """How many bits a weight takes, scales and all."""
    stored = [p.tensor for p in spec.parameters if p.role == "parameter"]
    elements = sum(tensor.elements for tensor in stored) or 1
    bits = 8 * sum(tensor.nbytes for tensor in stored) / elements
    return Fact("bits_per_weight", "Bits a weight", round(bits, 3), f"{bits:.2f}", "tensors")


def _count(key: str, label: str, count: int) -> Fact:
    text = f"{count:,}" if count < 1000 else f"{count:,} ({short_count(count)})"
    return Fact(key, label, count, text, "tensors")


def _active(spec: ModelSpec) -> int | None:
    """Parameters that one token passes: all but the experts that the router does not choose. None
    where experts are known by their names in the attention only, as JetMoE's."""
    experts, chosen = spec.dimensions.experts, spec.dimensions.experts_per_token
    routed = spec.composition.parts.get("experts")
    known = any("experts" in c and "att" not in c for c in spec.shapes.stored)
    if experts is None or chosen is None or not routed or chosen.value > experts.value or not known:
        return None
    idle = routed - routed * chosen.value // experts.value
    return spec.composition.parameters - idle


def _cache_facts(spec: ModelSpec, cache: Cache) -> Iterator[Fact]:
    """Bytes of one token, and of a text that fills the context."""
    size = cache.nbytes(1)
    text = f"{_bytes(size)} in bf16"
    yield Fact("kv_cache_bytes_per_token", "KV cache per token", size, text, cache.formula)
    context = spec.dimensions.context
    if context is not None:
        full = cache.nbytes(context.value)
        source = f"KV cache per token × context, {context.source}"
        yield Fact("kv_cache_bytes", "KV cache at full context", full, _bytes(full), source)


def _bytes(size: int) -> str:
    return f"{size:,} bytes ({format_bytes(size)})" if size >= 1000 else f"{size:,} bytes"


def _memory(spec: ModelSpec, cache: Cache | None) -> Fact:
    """An estimate: the weights as they are stored, and the cache of one text."""
    weights, context = spec.composition.nbytes, spec.dimensions.context
    tokens = min(ESTIMATE_TOKENS, context.value) if context else ESTIMATE_TOKENS
    kept = cache.nbytes(tokens) if cache is not None else 0
    words = [f"weights {format_bytes(weights)}"]
    formula = ["checkpoint size"]
    if kept:
        assumed = "" if context else " (its context is not known)"
        words.append(f"KV cache {format_bytes(kept)} for {tokens:,} tokens{assumed}")
        formula.append(f"KV cache of {tokens:,} tokens in bf16")
    text = f"about {format_bytes(weights + kept)}: {' + '.join(words)}"
    if "experts" in spec.composition.parts:
        text += "; all experts included"
    quantised = spec.settings.mapping("quantization_config")
    if quantised is not None and spec.composition.types.keys() <= _WHOLE_TYPES:
        text += "; the published files are quantised and need less"
    source = f"estimate: {' + '.join(formula)}, without activations"
    return Fact("memory_bytes", "Memory to run it", weights + kept, text, source)
