"""Architectures made by hand, so that drawings are tested on values and not on the reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from modeldiff.architectures.architecture import Architecture, GivenFlow, LayerKind, Node, Sublayer
from modeldiff.architectures.place import Parameter, ParameterRole, Place
from modeldiff.checkpoints.tensor import TensorInfo

Shapes = dict[str, tuple[int, ...]]


def tensor(name: str, shape: tuple[int, ...], dtype: str = "BF16") -> TensorInfo:
    """A header's entry; the bytes behind it do not exist."""
    count = 1
    for size in shape:
        count *= size
    return TensorInfo.stored(name, dtype, shape, "model.safetensors", 0, 2 * count)


def parameter(
    layer: int | None,
    column: str,
    shape: tuple[int, ...],
    *,
    role: ParameterRole = "parameter",
    expert: int | None = None,
    stored: str | None = None,
) -> Parameter:
    """A stored tensor at ``column`` (a component, with ``.bias`` where it is one)."""
    component, kind = (column[:-5], "bias") if column.endswith(".bias") else (column, "weight")
    within = "" if expert is None else f".experts.{expert}"
    prefix = "model" if layer is None else f"model.layers.{layer}"
    name = stored or f"{prefix}.{component}{within}.{kind}"
    return Parameter(Place(layer, component, kind, expert), tensor(name, shape), role)


def decoder(
    title: str,
    layers: int,
    columns: Shapes,
    outside: Shapes,
    sublayers: tuple[Sublayer, ...],
    *,
    stem: tuple[Node, ...],
    tail: tuple[Node, ...],
    tied: tuple[str, ...] = (),
    parallel: bool = False,
) -> Architecture:
    """A decoder of ``layers`` layers of one kind."""
    parameters = [
        parameter(None, column, shape, role="tied", stored="model.embed_tokens.weight")
        if column in tied
        else parameter(None, column, shape)
        for column, shape in outside.items()
    ]
    parameters += [
        parameter(layer, column, shape)
        for layer in range(layers)
        for column, shape in columns.items()
    ]
    kind = LayerKind("decoder", tuple(range(layers)), sublayers, parallel)
    return Architecture(
        family=title.lower(),
        title=title,
        facts=(),
        parameters=tuple(parameters),
        layer_count=layers,
        flow=GivenFlow(tuple(columns), tuple(outside), stem, (kind,), tail),
    )


def linear(component: str, reads: tuple[str, ...], shape: str) -> Node:
    return Node(component, component.rpartition(".")[2], "linear", reads, shape)


def operation(name: str, label: str, reads: tuple[str, ...], detail: str = "") -> Node:
    return Node(name, label, "operation", reads, detail=detail)


def llama_like(
    layers: int = 32,
    *,
    width: int = 4096,
    kv: int = 1024,
    hidden: int = 14336,
    vocabulary: int = 128256,
    qkv_bias: bool = False,
    tied: bool = False,
) -> Architecture:
    """Llama 3 8B's shape unless told otherwise; with ``qkv_bias`` that of Qwen2."""
    q, k, v, o = (f"self_attn.{letter}_proj" for letter in "qkvo")
    gate, up, down = (f"mlp.{name}_proj" for name in ("gate", "up", "down"))
    columns: Shapes = {"input_layernorm": (width,)}
    for component, out in ((q, width), (k, kv), (v, kv)):
        columns[component] = (out, width)
        if qkv_bias:
            columns[f"{component}.bias"] = (out,)
    columns |= {
        o: (width, width),
        "post_attention_layernorm": (width,),
        gate: (hidden, width),
        up: (hidden, width),
        down: (width, hidden),
    }
    attention = Sublayer(
        "Self-attention",
        (
            (Node("input_layernorm", "input_layernorm", "norm", (), str(width), "RMSNorm"),),
            (
                linear(q, ("input_layernorm",), f"{width} → {width}"),
                linear(k, ("input_layernorm",), f"{width} → {kv}"),
                linear(v, ("input_layernorm",), f"{width} → {kv}"),
            ),
            (operation("self_attn.rope", "RoPE", (q, k), "θ 500,000"),),
            (
                operation(
                    "self_attn.attention",
                    "Attention",
                    ("self_attn.rope", v),
                    "32 heads × 128, 8 KV heads",
                ),
            ),
            (linear(o, ("self_attn.attention",), f"{width} → {width}"),),
        ),
    )
    norm = "post_attention_layernorm"
    mlp = Sublayer(
        "MLP",
        (
            (Node(norm, norm, "norm", (), str(width), "RMSNorm"),),
            (
                linear(gate, (norm,), f"{width} → {hidden}"),
                linear(up, (norm,), f"{width} → {hidden}"),
            ),
            (operation("mlp.act", "SiLU", (gate,)),),
            (operation("mlp.multiply", "×", ("mlp.act", up)),),
            (linear(down, ("mlp.multiply",), f"{hidden} → {width}"),),
        ),
    )
    outside: Shapes = {
        "embed_tokens": (vocabulary, width),
        "norm": (width,),
        "lm_head": (vocabulary, width),
    }
    return decoder(
        "Llama-like",
        layers,
        columns,
        outside,
        (attention, mlp),
        stem=(Node("embed_tokens", "embed_tokens", "embedding", (), f"{vocabulary} × {width}"),),
        tail=(
            Node("norm", "norm", "norm", (), str(width), "RMSNorm"),
            Node("lm_head", "lm_head", "linear", ("norm",), f"{width} → {vocabulary}"),
        ),
        tied=("lm_head",) if tied else (),
    )


def gpt2_like(layers: int = 12, width: int = 768) -> Architecture:
    """GPT-2's shape: fused q, k and v, a bias everywhere, learned positions, a tied head."""
    fused, o, fc, proj = (
        "self_attn.qkv_proj",
        "self_attn.o_proj",
        "mlp.up_proj",
        "mlp.down_proj",
    )
    matrices: Shapes = {
        fused: (width, 3 * width),
        o: (width, width),
        fc: (width, 4 * width),
        proj: (4 * width, width),
    }
    columns: Shapes = {}
    for component in ("input_layernorm", fused, o, "post_attention_layernorm", fc, proj):
        shape = matrices.get(component, (width,))
        columns |= {component: shape, f"{component}.bias": shape[-1:]}
    attention = Sublayer(
        "Self-attention",
        (
            (Node("input_layernorm", "input_layernorm", "norm", (), str(width), "LayerNorm"),),
            (linear(fused, ("input_layernorm",), f"{width} → {3 * width}"),),
            (operation("self_attn.attention", "Attention", (fused,), "12 heads × 64"),),
            (linear(o, ("self_attn.attention",), f"{width} → {width}"),),
        ),
    )
    norm = "post_attention_layernorm"
    mlp = Sublayer(
        "MLP",
        (
            (Node(norm, norm, "norm", (), str(width), "LayerNorm"),),
            (linear(fc, (norm,), f"{width} → {4 * width}"),),
            (operation("mlp.act", "GELU", (fc,)),),
            (linear(proj, ("mlp.act",), f"{4 * width} → {width}"),),
        ),
    )
    return decoder(
        "GPT-2-like",
        layers,
        columns,
        {
            "embed_tokens": (50257, width),
            "embed_positions": (1024, width),
            "norm": (width,),
            "norm.bias": (width,),
            "lm_head": (50257, width),
        },
        (attention, mlp),
        stem=(
            Node("embed_tokens", "embed_tokens", "embedding", (), f"50257 × {width}"),
            Node("embed_positions", "embed_positions", "embedding", (), f"1024 × {width}"),
        ),
        tail=(
            Node("norm", "norm", "norm", (), str(width), "LayerNorm"),
            Node("lm_head", "lm_head", "linear", ("norm",), f"{width} → 50257"),
        ),
        tied=("lm_head",),
    )


def post_norm() -> Architecture:
    """GPT-2's shape with the norms after the additions, as BERT has them."""
    plain = gpt2_like(2)
    sublayers = []
    for one in plain.layer_kinds[0].sublayers:
        norm, last = one.rows[0][0], one.rows[-1][-1]
        rows = tuple(
            tuple(
                replace(node, inputs=tuple(i for i in node.inputs if i != norm.id)) for node in row
            )
            for row in one.rows[1:]
        )
        after = (replace(norm, inputs=(last.id,)),)
        sublayers.append(Sublayer(one.name, (*rows, after), norms_sum=True))
    kind = replace(plain.layer_kinds[0], sublayers=tuple(sublayers))
    return plain.with_kinds((kind,))


def two_towers() -> Architecture:
    """An encoder without anything after its layers beside a decoder, as BART has them."""
    plain = gpt2_like(2)
    encoder = tuple(
        replace(p, place=replace(p.place, tower="encoder"))
        for p in plain.parameters
        if p.place.layer is not None
    )
    sublayers = tuple(
        replace(
            one,
            rows=tuple(
                tuple(
                    replace(
                        node,
                        id=f"encoder.{node.id}",
                        inputs=tuple(f"encoder.{name}" for name in node.inputs),
                    )
                    for node in row
                )
                for row in one.rows
            ),
        )
        for one in plain.layer_kinds[0].sublayers
    )
    kind = LayerKind("Encoder layer", (0, 1), sublayers, tower="encoder")
    return replace(
        plain,
        parameters=(*plain.parameters, *encoder),
        flow=GivenFlow(
            (*plain.columns, *(f"encoder.{column}" for column in plain.columns)),
            plain.outside,
            plain.stem,
            (*plain.layer_kinds, kind),
            plain.tail,
        ),
    )


def strange(layers: int = 3) -> Architecture:
    """An unknown family: parallel branches, names made to break a page, a lone deep parameter."""
    evil = '<script>alert("1")</script>&amp;\'"'
    long = "an_extraordinarily_long_component_name_that_nobody_would_choose_but_somebody_did" * 3
    columns: Shapes = {evil: (64, 64), long: (64, 64), "mixer.decay": (64,), "mixer.out": (64, 64)}
    mixer = Sublayer(
        evil,
        (
            (linear(evil, (), "64 → 64"), linear(long, (), "64 → 64" * 20)),
            (
                Node("mixer.decay", "decay", "parameter", (), "64"),
                operation("mixer.scan", "Scan", (evil, long, "mixer.decay", "nowhere")),
            ),
        ),
    )
    out = Sublayer("Output", ((linear("mixer.out", (), "64 → 64"),),), adds=False)
    return decoder(
        "Strange",
        layers,
        columns,
        {"tok_table": (100, 64)},
        (mixer, out),
        stem=(Node("tok_table", "tok_table", "embedding", (), "100 × 64"),),
        tail=(),
        parallel=True,
    )


def moe_like(layers: int = 4, experts: int = 3) -> Architecture:
    """One layer with a dense MLP, the others with a router, experts and a shared expert."""
    dense = llama_like(1, width=64, kv=16, hidden=128, vocabulary=100)
    norm, router = "post_attention_layernorm", "mlp.router"

    def network(name: str) -> tuple[tuple[Node, ...], ...]:
        at = f"mlp.{name}"
        gate, up, down = (f"{at}.{part}_proj" for part in ("gate", "up", "down"))
        return (
            (linear(gate, (norm,), "64 → 32"), linear(up, (norm,), "64 → 32")),
            (operation(f"{at}.activation", "SiLU", (gate,)),),
            (operation(f"{at}.multiply", "×", (f"{at}.activation", up)),),
            (linear(down, (f"{at}.multiply",), "32 → 64"),),
        )

    rows = tuple(
        many + shared
        for many, shared in zip(network("experts"), network("shared_expert"), strict=True)
    )
    routed = Sublayer(
        "MLP",
        (
            (Node(norm, norm, "norm", (), "64", "RMSNorm"),),
            (linear(router, (norm,), f"64 → {experts}"), *rows[0]),
            *rows[1:],
            (
                operation(
                    "mlp.combine",
                    "Weighted sum",
                    (router, "mlp.experts.down_proj", "mlp.shared_expert.down_proj"),
                ),
            ),
        ),
    )
    attention, plain = dense.layer_kinds[0].sublayers
    within = [c for c in dense.columns if not c.startswith("mlp.")]
    parameters = list(dense.parameters)
    for layer in range(1, layers):
        parameters += [
            parameter(layer, c, p.tensor.shape)
            for c in within
            for p in dense.parameters
            if p.place.column == c
        ]
        parameters.append(parameter(layer, router, (experts, 64)))
        parameters.append(parameter(layer, f"{router}.bias", (experts,)))
        for part, shape in (("gate", (32, 64)), ("up", (32, 64)), ("down", (64, 32))):
            parameters.append(parameter(layer, f"mlp.shared_expert.{part}_proj", shape))
            parameters += [
                parameter(layer, f"mlp.experts.{part}_proj", shape, expert=expert)
                for expert in range(experts)
            ]
    columns = dict.fromkeys(p.place.column for p in parameters if p.place.layer is not None)
    return replace(
        dense,
        title="MoE-like",
        parameters=tuple(parameters),
        layer_count=layers,
        flow=GivenFlow(
            tuple(columns),
            dense.outside,
            dense.stem,
            (
                LayerKind("Dense layer", (0,), (attention, plain)),
                LayerKind("Mixture of experts", tuple(range(1, layers)), (attention, routed)),
            ),
            dense.tail,
        ),
    )


ALL: dict[str, Callable[[], Architecture]] = {
    "llama": llama_like,
    "qwen2": lambda: llama_like(
        28, width=3584, kv=512, hidden=18944, vocabulary=152064, qkv_bias=True
    ),
    "deep": lambda: llama_like(126, width=16384, hidden=53248),
    "tied": lambda: llama_like(16, width=2048, kv=512, hidden=8192, tied=True),
    "gpt2": gpt2_like,
    "moe": moe_like,
    "post-norm": post_norm,
    "towers": two_towers,
    "strange": strange,
}
