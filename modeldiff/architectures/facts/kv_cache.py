"""What a model keeps of each token while it writes: keys and values, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from modeldiff.architectures.config.positions import keeps_tokens
from modeldiff.architectures.config.shapes import oriented
from modeldiff.architectures.spec import ModelSpec

CACHE_BYTES = 2
"""Bytes of one number in the KV cache: bf16 or float16, whatever the weights are stored in."""

_LATENT, _KEY, _VALUE = "self_attn.kv_a_proj", "self_attn.k_proj", "self_attn.v_proj"
_FUSED, _OUTPUT = "self_attn.qkv_proj", "self_attn.o_proj"

Matrices = Mapping[str, tuple[int, ...]]
"""The shapes of one layer's attention matrices, [out, in], by component."""


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
    if spec.family is not None and not spec.family.writes:
        return None
    if not spec.shapes.layers:
        return _by_config(spec)
    matrices, names = _attention_matrices(spec)
    shared = spec.settings.count("num_kv_shared_layers")
    first_shared = spec.shapes.layers[-1] + 1 - (shared.value if shared else 0)
    layers = []
    for layer, own in sorted(matrices.items()):
        numbers = _numbers(own)
        if numbers and layer < first_shared and keeps_tokens(spec.positions.kind_of(layer)):
            layers.append(LayerCache(numbers, spec.positions.window_of(layer)))
    return Cache(tuple(layers), f"tensor: {names[min(names)]}") if layers else None


def _by_config(spec: ModelSpec) -> Cache | None:
    """Without a tensor of a layer: what the config's numbers make."""
    dimensions = spec.dimensions
    layers, heads, width = dimensions.layers, dimensions.kv_heads, dimensions.head_dim
    if layers is None or heads is None or width is None:
        return None
    each = 2 * heads.value * width.value
    windows = (spec.positions.window_of(layer) for layer in range(layers.value))
    return Cache(tuple(LayerCache(each, window) for window in windows), heads.source)


def _attention_matrices(
    spec: ModelSpec,
) -> tuple[dict[int, dict[str, tuple[int, ...]]], dict[int, str]]:
    """The matrices that tell how wide keys and values are, by layer, and one's name each."""
    matrices: dict[int, dict[str, tuple[int, ...]]] = {}
    names: dict[int, str] = {}
    for parameter in spec.parameters:
        place = parameter.place
        if (
            place.layer is None
            or place.tower != spec.shapes.tower
            or place.parameter != "weight"
            or place.component not in (_LATENT, _KEY, _VALUE, _FUSED, _OUTPUT)
        ):
            continue
        matrices.setdefault(place.layer, {})[place.component] = oriented(parameter)
        if place.component != _OUTPUT:
            names.setdefault(place.layer, parameter.tensor.label)
    return matrices, names


def _numbers(matrices: Matrices) -> int:
    """Numbers that one layer keeps of each token; 0 where its matrices do not tell."""
    latent, key = matrices.get(_LATENT), matrices.get(_KEY)
    if latent:
        return latent[0]
    if key:
        return key[0] + matrices.get(_VALUE, key)[0]
    fused, output = matrices.get(_FUSED), matrices.get(_OUTPUT)
    return fused[0] - output[1] if fused and output and len(output) == 2 else 0
