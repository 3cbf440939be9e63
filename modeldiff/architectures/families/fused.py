"""How several matrices can stand in one tensor, in words that a family's description uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class Fused:
    """The strides of a fused matrix along its outputs (its rows, or columns where it is stored
    [in, out]); its bias, and the blocks and scales of a packed one, are laid out alike.

    ``parts`` are the components in the order in which they stand, without what the fused one's
    name has before them. They take turns: ``once`` each as a whole; a ``kv_head`` at a time, each
    KV head's queries, its key and its value; or an ``output`` at a time.
    """

    parts: tuple[str, ...]
    turns: Literal["once", "kv_head", "output"] = "once"


QKV = Fused(("q_proj", "k_proj", "v_proj"))
"""q | k | v: GPT-2, Phi-3, the vision tower of Qwen-VL."""

QKV_BY_HEAD = Fused(QKV.parts, "kv_head")
"""[q, k, v] head by head (GPT-NeoX, BLOOM) or group by group (Falcon 40B); with a single KV head
(Falcon 7B) that is q | k | v."""

GATE_UP = Fused(("gate_proj", "up_proj"))
"""gate | up: Phi-3, GLM, Granite-MoE, and whoever does not say otherwise."""

USUAL: Mapping[str, Fused] = {
    f"{stem}.gate_up_proj": GATE_UP for stem in ("mlp", "mlp.experts", "mlp.shared_expert")
}
"""How components are fused where a family's description does not speak of them."""

GATE_UP_IN_TURN = Fused(GATE_UP.parts, "output")
"""Even outputs gate, odd ones up: gpt-oss."""
