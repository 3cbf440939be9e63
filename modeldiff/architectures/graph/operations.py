"""Which operations without parameters a model computes, by what it stores and its config says."""

from __future__ import annotations

from collections.abc import Collection

from modeldiff.architectures.spec import ModelSpec

NETWORKS = ("mlp", "mlp.experts", "mlp.shared_expert")
"""What the components of the networks of an MLP begin with."""

_ADDED = ("_tokens", "_positions", "_token_types", "_patches", "_class", ".shared")
"""The embeddings that are added to each other, without ``embed``."""


def has_any(start: str, components: Collection[str]) -> bool:
    """Whether any of the components begins so (``mixer.``)."""
    return any(component.startswith(start) for component in components)


def has_gate(network: str, components: Collection[str]) -> bool:
    """Whether one of ``NETWORKS`` has a gate, on its own or in one matrix with what it gates."""
    return any(f"{network}.{part}" in components for part in ("gate_proj", "gate_up_proj"))


def layer_operations(components: Collection[str], spec: ModelSpec, described: bool) -> set[str]:
    """The operations that a layer with these components computes. What only the config tells is
    not known of a tower that the family's description does not speak of (not ``described``)."""
    operations: set[str] = set()
    positions = spec.positions.kind
    if has_any("self_attn.", components):
        operations.add("self_attn.attention")
        if described and positions is not None and positions.value == "RoPE":
            operations.add("self_attn.rope")
    if has_any("cross_attn.", components):
        operations |= {"cross_attn.attention", "cross_attn.encoder"}
    for network in NETWORKS:
        gated = has_gate(network, components)
        if gated or f"{network}.up_proj" in components:
            operations.add(f"{network}.activation")
        if gated:
            operations.add(f"{network}.multiply")
    if "mlp.router" in components:
        operations.add("mlp.combine")
    if has_any("mixer.", components):
        operations.add("mixer.scan")
    if described and spec.family is not None and spec.family.bare_norms:
        operations |= {"input_layernorm", "post_attention_layernorm"}
    return operations


def outside_operations(present: Collection[str], spec: ModelSpec, main: bool) -> set[str]:
    """The operations before and after the layers of the main tower, or of another, beside what is
    ``present`` there."""
    operations: set[str] = set()
    family = spec.family
    if sum(f"embed{name}" in present for name in _ADDED) > 1:
        operations.add("embed.add")
    if not main:
        return operations
    if family is not None and family.embedding_scale:
        operations.add("embed.scale")
    if family is not None and family.bare_norms:
        operations.add("norm")
    if spec.settings.number("final_logit_softcapping") is not None:
        operations.add("lm_head.softcap")
    return operations
