"""The numbers that an architecture is built of: tensors first, the config where they are silent."""

from __future__ import annotations

from collections.abc import Iterable

from modeldiff.architectures.config.config_values import (
    EXPERT_KEYS,
    HEAD_KEYS,
    WIDTH_KEYS,
    Setting,
    Settings,
)
from modeldiff.architectures.config.rope_scaling import stretched_context
from modeldiff.architectures.config.shapes import Shapes, Stored
from modeldiff.processes.late_dataclass import dataclass

LAYER_KEYS = (
    "decoder_layers",
    "num_decoder_layers",
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
)
INNER_KEYS = (
    "intermediate_size_mlp",
    "decoder_ffn_dim",
    "intermediate_size",
    "n_inner",
    "ffn_dim",
    "ffn_hidden_size",
    "d_ff",
)
CONTEXT_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_target_positions",
    "max_sequence_length",
    "seq_length",
    "max_seq_len",
    "n_ctx",
    "model_max_length",
    "context_length",
)
KV_HEAD_KEYS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "kv_n_heads")
HEAD_WIDTH_KEYS = ("head_dim", "attention_head_dim", "kv_channels", "d_kv")
CHOSEN_KEYS = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "experts_per_token",
    "experts_per_tok",
    "top_k_experts",
    "moe_topk",
    "moe_top_k",
    "moe_k",
    "num_selected_experts",
)
EXPERT_WIDTH_KEYS = ("moe_intermediate_size", "expert_ffn_hidden_size")
VOCABULARY_KEYS = ("vocab_size", "padded_vocab_size", "n_words")
"""What configs call these sizes; where several are there, the first."""


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
    vocabulary: Dimension | None
    context: Dimension | None
    experts: Dimension | None
    experts_per_token: Dimension | None
    expert_width: Dimension | None


def read_dimensions(shapes: Shapes, settings: Settings, expert_count: int) -> Dimensions:
    """All numbers of the main stack. ``expert_count`` is how many experts the places tell apart."""
    head_dim, heads, kv_heads = _attention(shapes, settings)
    return Dimensions(
        layers=_weigh(
            _counted(len(shapes.layers), "tensors"),
            settings.count(*LAYER_KEYS),
        ),
        hidden=_weigh(_hidden(shapes), settings.count(*WIDTH_KEYS)),
        intermediate=_weigh(
            _rows(shapes.first("mlp.up_proj", "mlp.gate_proj"))
            or _rows(shapes["mlp.gate_up_proj"], divisor=2),
            settings.count(*INNER_KEYS)
            if "mlp.experts.down_proj" not in shapes or "mlp.down_proj" in shapes
            else None,
        ),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=_vocabulary(shapes, settings.count(*VOCABULARY_KEYS)),
        context=_context(shapes, settings),
        experts=_weigh(
            _counted(expert_count, "tensors") or _rows(shapes["mlp.router"]),
            settings.count(*EXPERT_KEYS),
        ),
        experts_per_token=_weigh(None, settings.count(*CHOSEN_KEYS)),
        expert_width=_weigh(
            _rows(shapes.first("mlp.experts.up_proj", "mlp.experts.gate_proj"))
            if expert_count
            else None,
            settings.count(*EXPERT_WIDTH_KEYS)
            or (None if "mlp.down_proj" in shapes else settings.count("intermediate_size")),
        ),
    )


def _weigh(tensor: Setting[int] | None, config: Setting[int] | None) -> Dimension | None:
    if tensor is None:
        return Dimension(config.value, config.source) if config else None
    if config is None or not config.in_config or config.value == tensor.value:
        return Dimension(tensor.value, tensor.source)
    return Dimension(tensor.value, tensor.source, f"config says {config.value:,}")


def _context(shapes: Shapes, settings: Settings) -> Dimension | None:
    setting = settings.count(*CONTEXT_KEYS)
    stretched = stretched_context(settings, setting)
    if stretched is not None and (setting is None or stretched.value > setting.value):
        also = (
            f"config's {setting.source.partition(': ')[2]} is {setting.value:,}" if setting else ""
        )
        return Dimension(stretched.value, stretched.source, also)
    return _weigh(None, setting) or _weigh(_rows(shapes["embed_positions"]), None)


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


def _vocabulary(shapes: Shapes, setting: Setting[int] | None) -> Dimension | None:
    known = _rows(shapes.first("embed_tokens", "lm_head"))
    if known is None:
        # In an unknown family: a matrix that calls itself an embedding, the one as tall as the
        # config says, else the tallest.
        called = (shapes.stored[column] for column in shapes.stored if _is_embedding(column))
        named = [each for each in called if each.width_in and each.out > each.width_in]
        tallest = max(named, key=lambda stored: stored.out, default=None)
        agreeing = (stored for stored in named if setting and stored.out == setting.value)
        known = _rows(next(agreeing, tallest))
    return _weigh(known, setting)


def _is_embedding(column: str) -> bool:
    name = column.lower()
    return ("emb" in name or name.endswith("wte")) and "pos" not in name


def _attention(
    shapes: Shapes, settings: Settings
) -> tuple[Dimension | None, Dimension | None, Dimension | None]:
    """Head dim, heads and KV heads; a state space's heads are not attention's."""
    columns = tuple(shapes.stored)
    mixes = any(column.startswith("mixer.") for column in columns)
    if mixes and not any(column.startswith("self_attn.") for column in columns):
        return None, None, None
    head_dim, heads = _heads(shapes, settings)
    return head_dim, heads, _kv_heads(shapes, settings, head_dim, heads)


def _query(shapes: Shapes) -> Setting[int] | None:
    """The width of all queries of one token: the query's rows, or what the output reads."""
    own = _rows(shapes.first("self_attn.q_proj", "self_attn.q_b_proj"))
    output = shapes["self_attn.o_proj"]
    if output is None or not output.width_in:
        return own
    read = Setting(output.width_in, f"tensor: {output.name}")
    return read if own is None or _gates(shapes, own.value, read.value) else own


def _gates(shapes: Shapes, rows: int, read: int) -> bool:
    """Whether the query's rows hold a gate of the attention's output beside the queries: twice the
    width that the output reads, and not because a head's values are half as wide as its keys."""
    key, value = shapes["self_attn.k_proj"], shapes["self_attn.v_proj"]
    return rows == 2 * read and key is not None and value is not None and key.out == value.out


def _heads(shapes: Shapes, settings: Settings) -> tuple[Dimension | None, Dimension | None]:
    """Head dim and heads: the config counts the heads, the query's rows must hold them."""
    heads = settings.count(*HEAD_KEYS)
    head_width = settings.count(*HEAD_WIDTH_KEYS)
    query = _query(shapes)
    per_head = _last_width(shapes["self_attn.q_norm"])
    if query is None or query.value == 0:
        return _heads_of_config(heads, head_width, settings)
    if per_head is not None and 0 < per_head.value < query.value:
        width = per_head
    elif heads is not None and query.value % heads.value == 0:
        width = Setting(query.value // heads.value, f"{query.source} ÷ {heads.source}")
    elif head_width is not None and query.value % head_width.value == 0:
        width = head_width
    else:
        contradiction = f"does not divide the {query.value:,} rows of the query"
        return None, Dimension(heads.value, heads.source, contradiction) if heads else None
    head_dim = _weigh(width, head_width)
    if query.value % width.value:
        return head_dim, _weigh(None, heads)
    counted = Setting(query.value // width.value, f"{query.source} ÷ head dim")
    if heads is not None and heads.value == counted.value:
        return head_dim, Dimension(heads.value, heads.source)
    return head_dim, _weigh(counted, heads)


def _last_width(norm: Stored | None) -> Setting[int] | None:
    """The width of what is normed: all of a norm for all heads, a row of one for each head."""
    return Setting(norm.shape[-1], f"tensor: {norm.name}") if norm and norm.shape else None


def _heads_of_config(
    heads: Setting[int] | None, head_width: Setting[int] | None, settings: Settings
) -> tuple[Dimension | None, Dimension | None]:
    """Without a query to measure: what the config says."""
    hidden = settings.count(*WIDTH_KEYS)
    if head_width is None and heads and hidden and hidden.value % heads.value == 0:
        head_width = Setting(hidden.value // heads.value, f"{hidden.source} ÷ {heads.source}")
    return _weigh(None, head_width), _weigh(None, heads)


def _kv_heads(
    shapes: Shapes, settings: Settings, head_dim: Dimension | None, heads: Dimension | None
) -> Dimension | None:
    """How many heads have keys and values of their own."""
    setting = settings.count(*KV_HEAD_KEYS)
    # A size in the guise of a yes: without a config a family's habit is no fact.
    multi_query = settings.flag("multi_query") if settings.given else None
    if setting is None and multi_query is not None and multi_query.value:
        setting = Setting(1, multi_query.source)
    key = _rows(shapes["self_attn.k_proj"])
    fused, query = shapes["self_attn.qkv_proj"], _query(shapes)
    if key is None and fused is not None and query is not None:
        rest = fused.out - query.value
        if rest > 0 and rest % 2 == 0:
            key = Setting(rest // 2, f"tensor: {fused.name}")
    if key is None or head_dim is None or key.value % head_dim.value:
        as_many = Setting(heads.value, heads.source) if heads is not None else None
        return _weigh(None, setting or as_many)
    counted = Setting(key.value // head_dim.value, f"{key.source} ÷ head dim")
    others = {width // head_dim.value for width in shapes.key_rows}
    if setting is not None and setting.value in others | {counted.value}:
        others.discard(setting.value)
        return Dimension(setting.value, setting.source, _elsewhere(others))
    others.discard(counted.value)
    if others:
        return Dimension(counted.value, counted.source, _elsewhere(others))
    return _weigh(counted, setting)


def _elsewhere(others: Iterable[int]) -> str:
    """What other layers have, where layers differ."""
    counts = " or ".join(f"{count:,}" for count in sorted(others))
    return f"in other layers {counts}" if counts else ""
