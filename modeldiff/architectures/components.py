"""The common decoder layer: every component that the families have, in the order of the data.

One superset graph in Llama's names, extended where other families have more. A layer is drawn by
leaving out what it lacks: a norm or an operation that is absent passes its inputs through, a
matrix that is absent simply is not an input. The same graph gives the order of all columns.

Names beyond Llama's: ``post_self_attn_layernorm`` and ``post_mlp_layernorm`` norm a sublayer's
*output* (``post_attention_layernorm`` always norms the MLP's *input*, as in Llama, whatever a
family calls its norms); ``qkv_proj`` and ``gate_up_proj`` are fused matrices; ``q_a_proj``,
``kv_a_proj`` and their ``_b_`` halves are the low-rank pairs of multi-head latent attention.
"""

from __future__ import annotations

from modeldiff.architectures.architecture import NodeKind
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class NodeTemplate:
    """A component or operation of the graph, and what it reads when that is there."""

    id: str
    kind: NodeKind
    inputs: tuple[str, ...] = ()
    optional: bool = False

    @property
    def passes(self) -> bool:
        """Whether data goes straight through where this node is absent."""
        return self.optional or self.kind in ("norm", "operation")


TemplateRows = tuple[tuple[NodeTemplate, ...], ...]


def _norm(id: str, *inputs: str) -> NodeTemplate:
    return NodeTemplate(id, "norm", inputs)


def _linear(id: str, *inputs: str) -> NodeTemplate:
    return NodeTemplate(id, "linear", inputs)


def _operation(id: str, *inputs: str) -> NodeTemplate:
    return NodeTemplate(id, "operation", inputs)


def _attention(name: str, norm: str, output_norm: str, keys_of: str = "") -> TemplateRows:
    """The rows of an attention sublayer whose components begin with ``name``; keys and values are
    made ``keys_of`` something else than the query where that is named."""

    def at(part: str) -> str:
        return f"{name}.{part}"

    return (
        (_norm(norm), *([NodeTemplate(keys_of, "input")] if keys_of else [])),
        tuple(
            _linear(at(part), (keys_of or norm) if part in ("k_proj", "v_proj") else norm)
            for part in ("q_a_proj", "q_proj", "k_proj", "v_proj", "qkv_proj", "kv_a_proj")
        ),
        (
            _norm(at("q_a_layernorm"), at("q_a_proj")),
            _norm(at("kv_a_layernorm"), at("kv_a_proj")),
        ),
        (
            _linear(at("q_b_proj"), at("q_a_layernorm")),
            _linear(at("kv_b_proj"), at("kv_a_layernorm")),
        ),
        (
            _norm(at("q_norm"), at("q_proj"), at("q_b_proj"), at("qkv_proj")),
            _norm(at("k_norm"), at("k_proj"), at("qkv_proj")),
        ),
        (
            _operation(at("rope"), at("q_norm"), at("k_norm"), at("kv_a_proj")),
            NodeTemplate(at("sinks"), "parameter"),
            NodeTemplate(at("position_bias"), "parameter"),
        ),
        (
            _operation(
                at("attention"),
                at("rope"),
                at("v_proj"),
                at("qkv_proj"),
                at("kv_b_proj"),
                at("sinks"),
                at("position_bias"),
            ),
        ),
        (_norm(at("o_norm"), at("attention")),),
        (_linear(at("o_proj"), at("o_norm")),),
        (_norm(output_norm, at("o_proj")),),
    )


ATTENTION_ROWS = _attention("self_attn", "input_layernorm", "post_self_attn_layernorm")
CROSS_ATTENTION_ROWS = _attention(
    "cross_attn", "cross_attn_layernorm", "post_cross_attn_layernorm", "cross_attn.encoder"
)

MIXER_ROWS: TemplateRows = (
    (_norm("input_layernorm"),),
    (_linear("mixer.in_proj", "input_layernorm"),),
    (_linear("mixer.conv1d", "mixer.in_proj"),),
    (_linear("mixer.x_proj", "mixer.conv1d"),),
    (
        _norm("mixer.dt_layernorm", "mixer.x_proj"),
        _norm("mixer.b_layernorm", "mixer.x_proj"),
        _norm("mixer.c_layernorm", "mixer.x_proj"),
    ),
    (
        _linear("mixer.dt_proj", "mixer.dt_layernorm"),
        NodeTemplate("mixer.dt_bias", "parameter"),
        NodeTemplate("mixer.A_log", "parameter"),
        NodeTemplate("mixer.D", "parameter"),
    ),
    (
        _operation(
            "mixer.scan",
            "mixer.conv1d",
            "mixer.dt_proj",
            "mixer.dt_bias",
            "mixer.b_layernorm",
            "mixer.c_layernorm",
            "mixer.A_log",
            "mixer.D",
        ),
    ),
    (_norm("mixer.norm", "mixer.scan"),),
    (_linear("mixer.out_proj", "mixer.norm"),),
)

_NETWORKS = ("mlp", "mlp.experts", "mlp.shared_expert")

MLP_ROWS: TemplateRows = (
    (_norm("post_attention_layernorm"),),
    (
        _linear("mlp.router", "post_attention_layernorm"),
        *(
            _linear(f"{name}.{part}", "post_attention_layernorm")
            for name in _NETWORKS
            for part in ("gate_proj", "up_proj", "gate_up_proj")
        ),
        _linear("mlp.shared_expert_gate", "post_attention_layernorm"),
    ),
    tuple(
        _operation(f"{name}.activation", f"{name}.gate_proj", f"{name}.gate_up_proj")
        for name in _NETWORKS
    ),
    tuple(
        _operation(
            f"{name}.multiply", f"{name}.activation", f"{name}.up_proj", f"{name}.gate_up_proj"
        )
        for name in _NETWORKS
    ),
    (_norm("mlp.norm", "mlp.multiply"),),
    tuple(
        _linear(f"{name}.down_proj", "mlp.norm" if name == "mlp" else f"{name}.multiply")
        for name in _NETWORKS
    ),
    (
        _operation(
            "mlp.combine",
            "mlp.router",
            "mlp.experts.down_proj",
            "mlp.shared_expert.down_proj",
            "mlp.shared_expert_gate",
            "mlp.down_proj",
        ),
    ),
    (_norm("post_mlp_layernorm", "mlp.combine"),),
)

STEM: tuple[NodeTemplate, ...] = (
    _linear("embed_patches"),
    NodeTemplate("embed_class", "parameter"),
    NodeTemplate("embed_tokens", "embedding"),
    NodeTemplate("embed.shared", "input"),
    _operation("embed.scale", "embed_tokens", "embed.shared"),
    NodeTemplate("project_in", "linear", ("embed.scale",), optional=True),
    NodeTemplate("embed_positions", "embedding"),
    NodeTemplate("embed_token_types", "embedding"),
    _operation(
        "embed.add",
        "embed_patches",
        "embed_class",
        "project_in",
        "embed_positions",
        "embed_token_types",
    ),
    _norm("embed_layernorm", "embed.add"),
)
TAIL: tuple[NodeTemplate, ...] = (
    _norm("norm"),
    NodeTemplate("project_out", "linear", ("norm",), optional=True),
    NodeTemplate("lm_head.dense", "linear", ("project_out",), optional=True),
    _norm("lm_head.norm", "lm_head.dense"),
    _linear("lm_head", "lm_head.norm"),
    _operation("lm_head.softcap", "lm_head"),
)


_TEMPLATES: tuple[NodeTemplate, ...] = (
    *STEM,
    *(
        template
        for rows in (ATTENTION_ROWS, MIXER_ROWS, CROSS_ATTENTION_ROWS, MLP_ROWS)
        for row in rows
        for template in row
    ),
    *TAIL,
)

ORDER = {id: rank for rank, id in enumerate(dict.fromkeys(one.id for one in _TEMPLATES))}
"""Rank of each known component and operation in the order in which data passes."""

NORMS = frozenset(template.id for template in _TEMPLATES if template.kind == "norm")
"""The components that are norms."""

COMPONENTS = frozenset(
    template.id for template in _TEMPLATES if template.kind not in ("operation", "input")
)
"""All that may have parameters."""
