"""The numbers that an architecture is built of: tensors first, the config where they are silent."""

from __future__ import annotations

from dataclasses import dataclass

from modeldiff.architectures.config.config_values import (
    EXPERT_KEYS,
    HEAD_KEYS,
    WIDTH_KEYS,
    Setting,
    Settings,
)
from modeldiff.architectures.config.shapes import Shapes, Stored


@dataclass(frozen=True)
class Dimension:
    """A number, where it comes from, and what contradicts it (``config says 40``)."""

    value: int
    source: str
    contradiction: str = ""


@dataclass(frozen=True)
class Dimensions:
    """What is known; None where neither tensors nor config say it."""

    layers: Dimension | None
    hidden: Dimension | None
    intermediate: Dimension | None
    heads: Dimension | None
    kv_heads: Dimension | None
    head_dim: Dimension | None
    kv_width: Dimension | None
    vocabulary: Dimension | None
    context: Dimension | None
    experts: Dimension | None
    experts_per_token: Dimension | None
    expert_width: Dimension | None


def read_dimensions(shapes: Shapes, settings: Settings, expert_count: int) -> Dimensions:
    """All numbers of the main stack. ``expert_count`` is how many experts the places tell apart."""
    head_dim, heads, kv_heads, kv_width = _attention(shapes, settings)
    return Dimensions(
        layers=_weigh(
            _counted(len(shapes.layers), "tensors"),
            settings.count("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
        ),
        hidden=_weigh(_hidden(shapes), settings.count(*WIDTH_KEYS)),
        intermediate=_weigh(
            _rows(shapes.first("mlp.up_proj", "mlp.gate_proj"))
            or _rows(shapes["mlp.gate_up_proj"], divisor=2),
            settings.count("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff")
            if "mlp.experts.down_proj" not in shapes or "mlp.down_proj" in shapes
            else None,
        ),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        kv_width=kv_width,
        vocabulary=_weigh(_vocabulary(shapes), settings.count("vocab_size", "padded_vocab_size")),
        context=_weigh(
            None,
            settings.count(
                "max_position_embeddings",
                "n_positions",
                "max_sequence_length",
                "seq_length",
                "max_seq_len",
                "n_ctx",
            ),
        )
        or _weigh(_rows(shapes["embed_positions"]), None),
        experts=_weigh(
            _counted(expert_count, "tensors") or _rows(shapes["mlp.router"]),
            settings.count(*EXPERT_KEYS),
        ),
        experts_per_token=_weigh(
            None, settings.count("num_experts_per_tok", "experts_per_token", "moe_topk")
        ),
        expert_width=_weigh(
            _rows(shapes.first("mlp.experts.up_proj", "mlp.experts.gate_proj"))
            if expert_count
            else None,
            settings.count("moe_intermediate_size")
            or (None if "mlp.down_proj" in shapes else settings.count("intermediate_size")),
        ),
    )


def _weigh(tensor: Setting[int] | None, config: Setting[int] | None) -> Dimension | None:
    if tensor is None:
        return Dimension(config.value, config.source) if config else None
    if config is None or config.value == tensor.value:
        return Dimension(tensor.value, tensor.source)
    return Dimension(tensor.value, tensor.source, _says(config))


def _says(config: Setting[int]) -> str:
    return f"{config.source.partition(':')[0]} says {config.value:,}"


def _counted(count: int, source: str) -> Setting[int] | None:
    return Setting(count, source) if count else None


def _rows(stored: Stored | None, *, divisor: int = 1) -> Setting[int] | None:
    if stored is None or not stored.shape or stored.out < divisor:
        return None
    return Setting(stored.out // divisor, f"tensor: {stored.name}")


def _hidden(shapes: Shapes) -> Setting[int] | None:
    norm = shapes.first("input_layernorm", "post_self_attn_layernorm", "norm")
    if norm is not None and len(norm.shape) == 1:
        return _rows(norm)
    for matrix in (shapes.first("self_attn.q_proj", "self_attn.qkv_proj"), shapes["embed_tokens"]):
        if matrix is not None and matrix.width_in:
            return Setting(matrix.width_in, f"tensor: {matrix.name}")
    return None


def _vocabulary(shapes: Shapes) -> Setting[int] | None:
    known = _rows(shapes.first("embed_tokens", "lm_head"))
    if known is not None:
        return known
    # In an unknown family: the tallest matrix that calls itself an embedding.
    named = [
        stored
        for column, stored in shapes.stored.items()
        if stored.width_in and stored.out > stored.width_in and _is_embedding(column)
    ]
    return _rows(max(named, key=lambda stored: stored.out)) if named else None


def _is_embedding(column: str) -> bool:
    name = column.lower()
    return ("emb" in name or name.endswith("wte")) and "pos" not in name


def _attention(
    shapes: Shapes, settings: Settings
) -> tuple[Dimension | None, Dimension | None, Dimension | None, Dimension | None]:
    """Head dim, heads, KV heads and KV width; a state space's heads are not attention's."""
    columns = tuple(shapes.stored)
    mixes = any(column.startswith("mixer.") for column in columns)
    if mixes and not any(column.startswith("self_attn.") for column in columns):
        return None, None, None, None
    head_dim, heads = _heads(shapes, settings)
    return head_dim, heads, *_kv(shapes, settings, head_dim, heads)


def _query(shapes: Shapes) -> Setting[int] | None:
    """The width of all queries of one token: the query's rows, or what the output reads."""
    own = _rows(shapes.first("self_attn.q_proj", "self_attn.q_b_proj"))
    output = shapes["self_attn.o_proj"]
    if own is not None or output is None or not output.width_in:
        return own
    return Setting(output.width_in, f"tensor: {output.name}")


def _heads(shapes: Shapes, settings: Settings) -> tuple[Dimension | None, Dimension | None]:
    """Head dim and heads: the config counts the heads, the query's rows must hold them."""
    said = settings.count(*HEAD_KEYS)
    said_dim = settings.count("head_dim", "kv_channels")
    query = _query(shapes)
    per_head = shapes["self_attn.q_norm"]
    if query is None or query.value == 0:
        return _heads_said(said, said_dim, settings)
    if per_head is not None and 0 < per_head.out < query.value:
        width = Setting(per_head.out, f"tensor: {per_head.name}")
    elif said is not None and query.value % said.value == 0:
        width = Setting(query.value // said.value, f"{query.source} ÷ {said.source}")
    elif said_dim is not None and query.value % said_dim.value == 0:
        width = said_dim
    else:
        contradiction = f"does not divide the {query.value:,} rows of the query"
        return None, Dimension(said.value, said.source, contradiction) if said else None
    head_dim = _weigh(width, said_dim)
    if query.value % width.value:
        return head_dim, _weigh(None, said)
    counted = Setting(query.value // width.value, f"{query.source} ÷ head dim")
    if said is not None and said.value == counted.value:
        return head_dim, Dimension(said.value, said.source)
    return head_dim, _weigh(counted, said)


def _heads_said(
    said: Setting[int] | None, said_dim: Setting[int] | None, settings: Settings
) -> tuple[Dimension | None, Dimension | None]:
    """Without a query to measure: what the config says."""
    hidden = settings.count(*WIDTH_KEYS)
    if said_dim is None and said and hidden and hidden.value % said.value == 0:
        said_dim = Setting(hidden.value // said.value, f"{hidden.source} ÷ {said.source}")
    return _weigh(None, said_dim), _weigh(None, said)


def _kv(
    shapes: Shapes, settings: Settings, head_dim: Dimension | None, heads: Dimension | None
) -> tuple[Dimension | None, Dimension | None]:
    """KV heads, and the width of all keys of one token (the values' width is the same)."""
    said = settings.count("num_key_value_heads", "num_kv_heads", "n_head_kv")
    multi_query = settings.flag("multi_query")
    if said is None and multi_query is not None and multi_query.value:
        said = Setting(1, multi_query.source)
    if said is None and heads is not None:
        said = Setting(heads.value, heads.source)
    key = _rows(shapes["self_attn.k_proj"])
    fused = shapes["self_attn.qkv_proj"]
    query = _query(shapes)
    if key is None and fused is not None and query is not None:
        rest = fused.out - query.value
        if rest > 0 and rest % 2 == 0:
            key = Setting(rest // 2, f"tensor: {fused.name}")
    if key is None:
        if said is None or head_dim is None or shapes.layers:
            return _weigh(None, said), None
        return _weigh(None, said), Dimension(said.value * head_dim.value, said.source)
    width = Dimension(key.value, key.source)
    if head_dim is None or key.value % head_dim.value:
        return _weigh(None, said), width
    counted = Setting(key.value // head_dim.value, f"{key.source} ÷ head dim")
    if said is not None and said.value == counted.value:
        return Dimension(said.value, said.source), width
    return _weigh(counted, said), width
