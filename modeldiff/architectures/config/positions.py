"""How positions get into the attention: kind, RoPE's base and its scaling, sliding windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modeldiff.architectures.config.config_values import Setting, Settings
from modeldiff.architectures.config.rope_scaling import in_short, spelled_out
from modeldiff.architectures.config.shapes import Shapes
from modeldiff.architectures.families.family import Family

_DEFAULT_THETA = 10_000.0


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


def read_positions(
    shapes: Shapes, settings: Settings, family: Family | None, layers: int
) -> Positions:
    """Positions from the tensors (learned ones), the config, and the family's habit."""
    kind = _kind(shapes, settings, family)
    rotary = kind is not None and kind.value == "RoPE"
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


def _rope(settings: Settings) -> Setting[Mapping[str, Any]] | None:
    """The table of RoPE's parameters, old spelling or new; for full attention where it has two."""
    found = settings.mapping("rope_parameters", "rope_scaling")
    if found is None:
        return None
    nested = found.value.get("full_attention")
    if isinstance(nested, Mapping):
        return Setting(nested, f"{found.source}.full_attention")
    return found


def _theta(settings: Settings) -> Setting[float]:
    found = settings.number("rope_theta", "rotary_emb_base")
    rope = _rope(settings)
    if found is None and rope is not None:
        inner = Settings(rope.value).number("rope_theta")
        found = Setting(inner.value, f"{rope.source}.rope_theta") if inner else None
    return found or Setting(_DEFAULT_THETA, "default: rope_theta")


def _sliding_theta(settings: Settings) -> Setting[float] | None:
    said = settings.number("rope_local_base_freq")
    both = settings.mapping("rope_parameters")
    if said is not None or both is None:
        return said
    sliding = Settings(both.value).mapping("sliding_attention")
    inner = Settings(sliding.value).number("rope_theta") if sliding else None
    source = f"{both.source}.sliding_attention.rope_theta"
    return Setting(inner.value, source) if inner else None


def _scaling(settings: Settings) -> Setting[str]:
    rope = _rope(settings)
    said = in_short(Settings(rope.value if rope else None))
    return Setting(said, rope.source if rope else "default: rope_scaling")


def _scaling_words(settings: Settings) -> str:
    rope = _rope(settings)
    start = settings.count("original_max_position_embeddings")
    return spelled_out(Settings(rope.value if rope else None), start.value if start else None)


def _share(settings: Settings) -> Setting[float] | None:
    found = settings.number("partial_rotary_factor", "rotary_pct")
    rope = _rope(settings)
    if found is None and rope is not None:
        inner = Settings(rope.value).number("partial_rotary_factor")
        found = Setting(inner.value, f"{rope.source}.partial_rotary_factor") if inner else None
    return found


def _layer_kinds(settings: Settings, layers: int) -> tuple[str, ...]:
    listed = settings.words("layer_types")
    if listed is not None and len(listed.value) == layers:
        return listed.value
    every = settings.count("sliding_window_pattern", "_sliding_window_pattern")
    if every is None or every.value > max(layers, 1):
        return ()
    return tuple(
        "full_attention" if (layer + 1) % every.value == 0 else "sliding_attention"
        for layer in range(layers)
    )


def _window(settings: Settings, kinds: tuple[str, ...]) -> Setting[int] | None:
    used = settings.flag("use_sliding_window")
    if used is not None and not used.value:
        return None
    if kinds and not any("sliding" in kind for kind in kinds):
        return None
    return settings.count("sliding_window")
