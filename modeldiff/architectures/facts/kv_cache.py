"""What a model keeps of each token while it writes: keys and values, layer by layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import cycle

from modeldiff.architectures.config.positions import keeps_tokens
from modeldiff.architectures.facts.attention_matrices import Attention, attentions_of
from modeldiff.architectures.spec import ModelSpec
from modeldiff.processes.late_dataclass import dataclass

CACHE_BYTES = 2
"""Bytes of one number in the KV cache: bf16 or float16, whatever the weights are stored in."""

_NOT_WRITING = re.compile(
    r"For(?!CausalLM|ConditionalGeneration|TextToText|VisionText2Text)\w+$|(?<!LMHead)(?<!Decoder)Model$"
)
"""What config's architectures are called that take a text in and do not write one."""


@dataclass(frozen=True)
class LayerCache:
    """One attention's part: how many ``numbers`` it keeps of each token, and of how many tokens at
    most (``window``, None for all)."""

    numbers: int
    window: int | None


@dataclass(frozen=True)
class Cache:
    """What all layers keep. ``source`` says where the numbers come from."""

    layers: tuple[LayerCache, ...]
    source: str

    def nbytes(self, tokens: int) -> int:
        """Bytes that one text of so many tokens takes in the cache."""
        kept = (
            layer.numbers * (tokens if layer.window is None else min(tokens, layer.window))
            for layer in self.layers
        )
        return CACHE_BYTES * sum(kept)

    @property
    def formula(self) -> str:
        """How the bytes of one token come about: layers × numbers × bytes, windows, source."""
        widths = Counter(layer.numbers for layer in self.layers)
        terms = [f"{count} layers × {numbers:,} numbers" for numbers, count in widths.items()]
        sum_of = terms[0] if len(terms) == 1 else f"({' + '.join(terms)})"
        text = f"{sum_of} × {CACHE_BYTES} bytes, {self.source}"
        total = len(self.layers)
        windows = Counter(layer.window for layer in self.layers if layer.window is not None)
        for window, count in windows.items():
            where = f"{count} of {total}" if count < total else f"all {total}"
            text += f"; {where} layers keep only the last {window:,} tokens"
        return text


def read_cache(spec: ModelSpec) -> Cache | None:
    """What is kept of each token: keys and values of every layer that attends to the text; with
    latent attention the latent and its rotary part, once for all heads. None for a model that does
    not write token by token, or none of whose attention is known."""
    if not _writes(spec):
        return None
    if not spec.shapes.layers:
        return _by_config(spec)
    shared = spec.settings.count("num_kv_shared_layers")
    first_shared = spec.shapes.layers[-1] + 1 - (shared.value if shared else 0)
    attentions = attentions_of(spec.parameters, spec.shapes.tower)
    layers = []
    for layer, attention in _used(spec, attentions):
        if layer < first_shared and keeps_tokens(spec.positions.kind_of(layer)):
            window = spec.positions.window_of(layer)
            layers.append(LayerCache(attention.numbers, window))
    return Cache(tuple(layers), f"tensor: {attentions[0].tensor}") if layers else None


def _used(spec: ModelSpec, attentions: Iterable[Attention]) -> Iterator[tuple[int, Attention]]:
    """Each layer with an attention that it uses. One that several layers share is stored in the
    first of them, and those are the layers that config calls hybrid; as many are used in turn, as
    are stored."""
    own = [attention for attention in attentions if not attention.shared]
    shared = [attention for attention in attentions if attention.shared]
    yield from ((attention.layer, attention) for attention in own)
    if shared:
        hybrid = [n for n in spec.shapes.layers if "hybrid" in spec.positions.kind_of(n)]
        yield from zip(hybrid, cycle(shared))


def _writes(spec: ModelSpec) -> bool:
    """Whether a model writes token by token: by its family or what the config makes of it, else by
    the names of its architectures, else by a head that words come from."""
    listed = spec.settings.words("architectures")
    reads = listed is not None and all(map(_NOT_WRITING.search, listed.value))
    if reads and spec.shapes.tower == "encoder":
        return False
    if spec.family is not None:
        decodes = spec.settings.flag("is_decoder")
        return spec.family.writes or (decodes is not None and decodes.value)
    return "lm_head" in spec.shapes if listed is None else not reads


def _by_config(spec: ModelSpec) -> Cache | None:
    """Without a tensor of a layer: what the config's numbers make."""
    dimensions = spec.dimensions
    layers, heads, width = dimensions.layers, dimensions.kv_heads, dimensions.head_dim
    if layers is None or heads is None or width is None:
        return None
    each = 2 * heads.value * width.value
    windows = (spec.positions.window_of(layer) for layer in range(layers.value))
    return Cache(tuple(LayerCache(each, window) for window in windows), heads.source)
