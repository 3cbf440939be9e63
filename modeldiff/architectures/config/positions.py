"""How positions get into the attention: kind, RoPE's base and its scaling, sliding windows."""

from __future__ import annotations

from modeldiff.architectures.config.config_values import Setting, Settings
from modeldiff.architectures.config.rope_scaling import in_short, rope_table, spelled_out
from modeldiff.architectures.config.shapes import Shapes
from modeldiff.architectures.families.family import Family
from modeldiff.processes.late_dataclass import dataclass

_DEFAULT_THETA = 10_000.0
_FULL, _SLIDING = "full_attention", "sliding_attention"
_KINDS_KEYS = ("layer_types", "layers_block_type", "attention_layers")
_WINDOW_KEYS = (
    "sliding_window",
    "sliding_window_size",
    "attention_window_size",
    "local_attention",
    "attention_chunk_size",
)


@dataclass(frozen=True)
class Positions:
    """``theta`` and ``scaling`` are None where there is no RoPE; an unscaled RoPE says ``none``.

    ``sliding_theta`` is the θ of sliding layers where they have one of their own. ``window``
    is the sliding window in tokens; ``kinds`` one word a layer (``sliding_attention``,
    ``full_attention``) where layers differ or the config lists them.
    """

    kind: Setting[str] | None
    theta: Setting[float] | None
    sliding_theta: Setting[float] | None
    scaling: Setting[str] | None
    scaling_words: str
    share: Setting[float] | None
    window: Setting[int] | None
    kinds: tuple[str, ...]

    def kind_of(self, layer: int) -> str:
        """The layer's word; empty where the config has none for it."""
        return self.kinds[layer] if 0 <= layer < len(self.kinds) else ""

    def window_of(self, layer: int) -> int | None:
        """To how many tokens the layer looks back at most; None for all of them."""
        if self.window is None or (self.kinds and not slides(self.kind_of(layer))):
            return None
        return self.window.value


def slides(kind: str) -> bool:
    """Whether a layer of this kind looks back over a window only: ``sliding_attention``."""
    return any(word in kind for word in ("sliding", "chunked", "local", "window"))


def keeps_tokens(kind: str) -> bool:
    """Whether a layer of this kind keeps something of every token: one with a state does not."""
    return not any(word in kind for word in ("linear", "mamba", "conv", "recurrent", "cross"))


def read_positions(
    shapes: Shapes, settings: Settings, family: Family | None, layers: int
) -> Positions:
    """Positions from the tensors (learned ones), the config, and the family's habit."""
    kind = _kind(shapes, settings, family)
    # Without a config nothing is known of how RoPE turns: its usual numbers are no facts.
    rotary = kind is not None and kind.value == "RoPE" and settings.given
    kinds = _layer_kinds(settings, layers)
    return Positions(
        kind=kind,
        theta=_theta(settings) if rotary else None,
        sliding_theta=_sliding_theta(settings) if rotary else None,
        scaling=_scaling(settings) if rotary else None,
        scaling_words=_scaling_words(settings) if rotary else "",
        share=_share(settings) if rotary else None,
        window=_window(settings, kinds),
        kinds=kinds,
    )


def _kind(shapes: Shapes, settings: Settings, family: Family | None) -> Setting[str] | None:
    learned = shapes["embed_positions"]
    if learned is not None:
        return Setting("learned", f"tensor: {learned.name}")
    if family is not None and family.position in ("none", "relative"):
        return Setting(family.position, f"family: {family.name}")
    alibi = settings.flag("alibi")
    if alibi is not None and alibi.value:
        return Setting("ALiBi", alibi.source)
    theta = settings.number("rope_theta") or settings.mapping("rope_parameters")
    if theta is not None:
        return Setting("RoPE", theta.source)
    return Setting(family.position, f"family: {family.name}") if family else None


def _theta(settings: Settings) -> Setting[float]:
    theta = settings.number("rope_theta", "rotary_emb_base")
    rope = rope_table(settings)
    if theta is None and rope is not None:
        inner = Settings(rope.value).number("rope_theta")
        theta = Setting(inner.value, f"{rope.source}.rope_theta") if inner else None
    return theta or Setting(_DEFAULT_THETA, "default: rope_theta")


def _sliding_theta(settings: Settings) -> Setting[float] | None:
    theta = settings.number("rope_local_base_freq")
    both = settings.mapping("rope_parameters")
    if theta is not None or both is None:
        return theta
    sliding = Settings(both.value).mapping("sliding_attention")
    inner = Settings(sliding.value).number("rope_theta") if sliding else None
    source = f"{both.source}.sliding_attention.rope_theta"
    return Setting(inner.value, source) if inner else None


def _scaling(settings: Settings) -> Setting[str]:
    rope = rope_table(settings)
    words = in_short(Settings(rope.value if rope else None))
    return Setting(words, rope.source if rope else "default: rope_scaling")


def _scaling_words(settings: Settings) -> str:
    rope = rope_table(settings)
    start = settings.count("original_max_position_embeddings")
    return spelled_out(Settings(rope.value if rope else None), start.value if start else None)


def _share(settings: Settings) -> Setting[float] | None:
    share = settings.number("partial_rotary_factor", "rotary_pct")
    rope = rope_table(settings)
    if share is None and rope is not None:
        inner = Settings(rope.value).number("partial_rotary_factor")
        share = Setting(inner.value, f"{rope.source}.partial_rotary_factor") if inner else None
    return share


def _layer_kinds(settings: Settings, layers: int) -> tuple[str, ...]:
    listed = settings.words(*_KINDS_KEYS)
    if listed is not None and len(listed.value) == layers:
        return listed.value
    dense = settings.count("max_window_layers")
    if dense is not None and _uses_windows(settings):
        return (_FULL,) * min(dense.value, layers) + (_SLIDING,) * max(layers - dense.value, 0)
    every = settings.count("sliding_window_pattern", "_sliding_window_pattern")
    if every is None or every.value > max(layers, 1):
        return ()
    return tuple(_FULL if (layer + 1) % every.value == 0 else _SLIDING for layer in range(layers))


def _uses_windows(settings: Settings) -> bool:
    """Whether windows are used: a config that counts the layers before them (Qwen2's, Qwen3's)
    has them off where it does not turn them on."""
    used = settings.flag("use_sliding_window")
    return used.value if used is not None else settings.count("max_window_layers") is None


def _window(settings: Settings, kinds: tuple[str, ...]) -> Setting[int] | None:
    if kinds and not any(map(slides, kinds)):
        return None
    # GPT-Neo's word for it is another thing in configs of models that listen or look.
    keys = (*_WINDOW_KEYS, "window_size") if kinds else _WINDOW_KEYS
    return settings.count(*keys) if _uses_windows(settings) else None
