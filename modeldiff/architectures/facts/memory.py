"""What storing and running a model takes: types, counts, bytes on disk, in memory and per token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modeldiff.architectures.architecture import Fact
from modeldiff.architectures.config.parameter_counts import PARTS
from modeldiff.architectures.spec import ModelSpec
from modeldiff.text.formatting import format_bytes, format_share
from modeldiff.text.magnitudes import short_count

CACHE_BYTES = 2
"""Bytes of one number in the KV cache: bf16 or float16, whatever the weights are stored in."""

ESTIMATE_TOKENS = 8_192
"""The length of text for which the memory is estimated, or the model's context if that is less."""

_WHOLE_TYPES = frozenset({"BF16", "F16", "F32", "F64"})
"""Stored types of weights that nobody quantised."""

_KEYS = frozenset(f"self_attn.{part}" for part in ("k_proj", "qkv_proj", "kv_a_proj"))


@dataclass(frozen=True)
class Cache:
    """What the KV cache holds of each token: ``each`` numbers in each of ``full`` layers, and in
    ``sliding`` layers of tokens within the ``window`` only. ``source`` is of ``each``."""

    each: int
    full: int
    sliding: int
    window: int
    source: str

    def nbytes(self, tokens: int) -> int:
        """Bytes that one text of so many tokens takes in the cache."""
        kept = self.full * tokens + self.sliding * min(tokens, self.window)
        return CACHE_BYTES * self.each * kept


def footprint_facts(spec: ModelSpec) -> Iterator[Fact]:
    """Stored types, parameters (all, active, by part), bytes of files, cache and memory."""
    composition = spec.composition
    if composition.types:
        total = sum(composition.types.values()) or 1
        texts = [f"{name} ({format_share(n, total)})" for name, n in composition.types.items()]
        names = list(composition.types)
        text = names[0] if len(names) == 1 else ", ".join(texts)
        yield Fact("stored_types", "Stored types", ", ".join(sorted(names)), text, "tensors")
    if not spec.parameters:
        return
    yield _count("parameters", "Parameters", composition.parameters)
    active = _active(spec)
    if active is not None:
        yield _count("parameters_active", "Parameters active a token", active)
    for part, count in composition.parts.items():
        yield _count(f"parameters_{part}", f"Parameters in {PARTS[part]}", count)
    size = composition.nbytes
    yield Fact("checkpoint_bytes", "Checkpoint size", size, _bytes(size), "tensors")
    cache = read_cache(spec)
    if cache is not None:
        yield from _cache_facts(spec, cache)
    yield _memory(spec, cache)


def read_cache(spec: ModelSpec) -> Cache | None:
    """What is kept of each token: keys and values of every layer that attends to the text; with
    latent attention the latent and its rotary part, once for all heads. None for a model that does
    not write token by token, or whose attention is not known."""
    family, shapes, width = spec.family, spec.shapes, spec.dimensions.kv_width
    latent = shapes["self_attn.kv_a_proj"]
    if family is not None and not family.writes:
        return None
    if latent is not None:
        each, source = latent.out, f"tensor: {latent.name}"
    elif width is not None:
        each, source = 2 * width.value, width.source
    else:
        return None
    attending = {
        parameter.place.layer
        for parameter in spec.parameters
        if parameter.place.component in _KEYS and parameter.place.tower == shapes.tower
    }
    said = spec.dimensions.layers
    layers = attending - {None} or set(range(said.value if said else 0))
    window, kinds = spec.positions.window, spec.positions.kinds
    sliding = 0
    if window is not None:
        sliding = sum(
            not kinds or (layer is not None and layer < len(kinds) and "sliding" in kinds[layer])
            for layer in layers
        )
    return Cache(each, len(layers) - sliding, sliding, window.value if window else 0, source)


def _count(key: str, label: str, count: int) -> Fact:
    text = f"{count:,}" if count < 1000 else f"{count:,} ({short_count(count)})"
    return Fact(key, label, count, text, "tensors")


def _active(spec: ModelSpec) -> int | None:
    """Parameters that one token passes: all but the experts that the router does not choose."""
    experts, chosen = spec.dimensions.experts, spec.dimensions.experts_per_token
    routed = spec.composition.parts.get("experts")
    if experts is None or chosen is None or not routed or chosen.value > experts.value:
        return None
    idle = routed - routed * chosen.value // experts.value
    return spec.composition.parameters - idle


def _cache_facts(spec: ModelSpec, cache: Cache) -> Iterator[Fact]:
    """Bytes of one token, and of a text that fills the context."""
    size, layers = cache.nbytes(1), cache.full + cache.sliding
    text = f"{_bytes(size)} in bf16"
    source = f"{layers} layers × {cache.each:,} numbers × {CACHE_BYTES} bytes, {cache.source}"
    if cache.sliding:
        where = f"{cache.sliding} of {layers}" if cache.full else f"all {layers}"
        source += f"; {where} layers keep only the last {cache.window:,} tokens"
    yield Fact("kv_cache_bytes_per_token", "KV cache a token", size, text, source)
    context = spec.dimensions.context
    if context is not None:
        full = cache.nbytes(context.value)
        source = f"KV cache a token × context, {context.source}"
        yield Fact("kv_cache_bytes", "KV cache of a full context", full, _bytes(full), source)


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
        words.append(f"KV cache {format_bytes(kept)} for a text of {tokens:,} tokens")
        formula.append(f"KV cache of {tokens:,} tokens in bf16")
    text = f"about {format_bytes(weights + kept)}: {' + '.join(words)}"
    if "experts" in spec.composition.parts:
        text += "; all experts, since any may be chosen"
    quantised = spec.settings.mapping("quantization_config")
    if quantised is not None and spec.composition.types.keys() <= _WHOLE_TYPES:
        text += "; the published files are quantised and need less"
    source = f"estimate: {' + '.join(formula)}, without what is computed on the way"
    return Fact("memory_bytes", "Memory to run it", weights + kept, text, source)
