"""The same weights in transformers' names and in another toolkit's, written and compared.

How each toolkit stores them is written down here once more, from its own code for converting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from modeldiff.architectures import understand
from modeldiff.changes import Change, pair
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.engine.engine import walk
from modeldiff.checkpoints import open_checkpoint
from tests.support.named_shapes import tiny

Array = npt.NDArray[np.float32]
Tensors = dict[str, Array]
Convert = Callable[[Tensors], Tensors]

WIDTH, HEADS, KV_HEADS, HEAD, INNER, EXPERTS = 48, 8, 2, 6, 80, 3
LAYERS = 2
CONFIG = {
    "model_type": "llama",
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
}
PARAMS = {"dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "n_kv_heads": KV_HEADS}
"""What lies beside Meta's and Mistral's own files, in place of a config."""


def values(shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def llama(kv_heads: int = KV_HEADS, *, biases: bool = False, experts: bool = False) -> Tensors:
    """A Llama in transformers' names; Qwen2's biases, or Mixtral's experts."""
    key = kv_heads * HEAD
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (WIDTH,),
        "self_attn.q_proj.weight": (WIDTH, WIDTH),
        "self_attn.k_proj.weight": (key, WIDTH),
        "self_attn.v_proj.weight": (key, WIDTH),
        "self_attn.o_proj.weight": (WIDTH, WIDTH),
        "post_attention_layernorm.weight": (WIDTH,),
    }
    if biases:
        layer |= {
            f"self_attn.{p}_proj.bias": (n,) for p, n in (("q", WIDTH), ("k", key), ("v", key))
        }
    mlp = {"gate_proj": (INNER, WIDTH), "up_proj": (INNER, WIDTH), "down_proj": (WIDTH, INNER)}
    if experts:
        layer["mlp.gate.weight"] = (EXPERTS, WIDTH)
        layer |= {
            f"mlp.experts.{e}.{part}.weight": shape
            for e in range(EXPERTS)
            for part, shape in mlp.items()
        }
    else:
        layer |= {f"mlp.{part}.weight": shape for part, shape in mlp.items()}
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (20, WIDTH)}
    shapes |= {f"model.layers.{n}.{k}": s for n in range(LAYERS) for k, s in layer.items()}
    return values({**shapes, "model.norm.weight": (WIDTH,), "lm_head.weight": (20, WIDTH)})


def renamed(*table: tuple[str, str]) -> Convert:
    def convert(tensors: Tensors) -> Tensors:
        found = {}
        for name, tensor in tensors.items():
            for pattern, put in table:
                name = re.sub(pattern, put, name)
            found[name] = tensor
        return found

    return convert


def fused(parts: tuple[str, ...], into: str, join: Callable[[list[Array]], Array]) -> Convert:
    """Tensors whose names differ in ``parts`` alone, joined in one."""

    def convert(tensors: Tensors) -> Tensors:
        found: Tensors = {}
        for name, tensor in tensors.items():
            part = next((part for part in parts if f".{part}." in name), None)
            if part is None:
                found[name] = tensor
            elif part == parts[0]:
                each = [tensors[name.replace(part, other)] for other in parts]
                found[name.replace(part, into)] = join(each)
        return found

    return convert


def one_after_the_other(parts: list[Array]) -> Array:
    return np.concatenate(parts)


def by_group(parts: list[Array]) -> Array:
    """Each KV head's queries, its key, its value: litgpt's and Megatron's ``qkv`` and InternLM2's
    ``rearrange(…, "(h gs d) …", gs=2 + groups)``."""
    groups = [p.reshape(KV_HEADS, -1, HEAD, *p.shape[1:]) for p in parts]
    return np.concatenate(groups, axis=1).reshape(-1, *parts[0].shape[1:])


def in_pairs(tensors: Tensors) -> Tensors:
    """The inverse of ``permute`` in transformers' ``convert_llama_weights_to_hf.py``."""
    found = dict(tensors)
    for name, tensor in tensors.items():
        if re.search(r"\.(q|k)_proj\.", name):
            halves = tensor.reshape(-1, 2, HEAD // 2, *tensor.shape[1:])
            found[name] = halves.swapaxes(1, 2).reshape(tensor.shape)
    return found


def turned(*words: str) -> Convert:
    def convert(tensors: Tensors) -> Tensors:
        return {n: t.T if any(w in n for w in words) else t for n, t in tensors.items()}

    return convert


def both(*steps: Convert) -> Convert:
    def convert(tensors: Tensors) -> Tensors:
        for step in steps:
            tensors = step(tensors)
        return tensors

    return convert


QKV = ("q_proj", "k_proj", "v_proj")
BARE = (r"^model\.", "")
NATIVE = (
    BARE,
    (r"self_attn\.(.)_proj", r"attention.w\1"),
    (r"mlp\.experts\.", "feed_forward.experts."),
    (r"mlp\.gate\.", "feed_forward.gate."),
    (r"mlp\.", "feed_forward."),
    ("gate_proj", "w1"),
    ("down_proj", "w2"),
    ("up_proj", "w3"),
    ("input_layernorm", "attention_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("embed_tokens", "tok_embeddings"),
    ("lm_head", "output"),
)
LITGPT = (
    (r"model\.layers", "transformer.h"),
    (r"self_attn\.o_proj", "attn.proj"),
    ("self_attn", "attn"),
    ("gate_proj", "fc_1"),
    ("up_proj", "fc_2"),
    ("down_proj", "proj"),
    ("input_layernorm", "norm_1"),
    ("post_attention_layernorm", "norm_2"),
    (r"model\.embed_tokens", "transformer.wte"),
    (r"model\.norm", "transformer.ln_f"),
)
CORE = (
    (r"model\.layers", "decoder.layers"),
    (r"self_attn\.o_proj", "self_attention.linear_proj"),
    ("self_attn", "self_attention"),
    ("down_proj", "linear_fc2"),
    (r"input_layernorm\.", "self_attention.linear_qkv.layer_norm_"),
    (r"post_attention_layernorm\.", "mlp.linear_fc1.layer_norm_"),
    (r"model\.embed_tokens", "embedding.word_embeddings"),
    (r"model\.norm", "decoder.final_layernorm"),
    ("lm_head", "output_layer"),
)
MEGATRON = (
    (r"model\.layers", "transformer.encoder.layers"),
    (r"self_attn\.o_proj", "self_attention.dense"),
    ("self_attn", "self_attention"),
    ("down_proj", "dense_4h_to_h"),
    (r"model\.embed_tokens", "transformer.embedding.word_embeddings"),
    (r"model\.norm", "transformer.encoder.final_layernorm"),
    ("lm_head", "transformer.output_layer"),
)
GATE_UP = ("gate_proj", "up_proj")
NORMS = ("input", "post_attention")

LIKE_LLAMA: Mapping[str, tuple[Tensors, Convert, Mapping[str, Any] | None]] = {
    "Meta": (llama(), both(in_pairs, renamed(*NATIVE)), PARAMS),
    "Meta, with biases": (llama(biases=True), both(in_pairs, renamed(*NATIVE)), PARAMS),
    "Meta, trained in parallel": (
        llama(),
        both(in_pairs, renamed(*NATIVE), renamed((r"^", "module._orig_mod."))),
        PARAMS,
    ),
    "Mistral's experts": (
        llama(experts=True),
        both(in_pairs, renamed(*NATIVE)),
        {**PARAMS, "moe": {"num_experts": EXPERTS, "num_experts_per_tok": 2}},
    ),
    "InternLM2": (
        llama(),
        both(
            fused(QKV, "wqkv", by_group),
            renamed(*NATIVE[1:], ("self_attn", "attention")),
        ),
        {**CONFIG, "model_type": "internlm2"},
    ),
    "Baichuan": (
        llama(HEADS),
        fused(QKV, "W_pack", one_after_the_other),
        {**CONFIG, "model_type": "baichuan"},
    ),
    "litgpt": (
        llama(),
        both(fused(QKV, "qkv", one_after_the_other), renamed(*LITGPT)),
        CONFIG,
    ),
    "litgpt, of old": (llama(), both(fused(QKV, "attn", by_group), renamed(*LITGPT)), CONFIG),
    "litgpt, experts": (
        llama(experts=True),
        both(fused(QKV, "qkv", one_after_the_other), renamed(*LITGPT)),
        CONFIG,
    ),
    "Qwen, the first": (
        llama(HEADS, biases=True),
        both(
            fused(QKV, "c_attn", one_after_the_other),
            renamed(
                (r"model\.layers", "transformer.h"),
                (r"self_attn\.o_proj", "attn.c_proj"),
                ("self_attn", "attn"),
                ("gate_proj", "w2"),
                ("up_proj", "w1"),
                ("down_proj", "c_proj"),
                ("input_layernorm", "ln_1"),
                ("post_attention_layernorm", "ln_2"),
                (r"model\.embed_tokens", "transformer.wte"),
                (r"model\.norm", "transformer.ln_f"),
            ),
        ),
        {**CONFIG, "model_type": "qwen"},
    ),
    "torchtune": (
        llama(),
        renamed(
            BARE,
            (r"self_attn\.o_proj", "attn.output_proj"),
            ("self_attn", "attn"),
            ("gate_proj", "w1"),
            ("down_proj", "w2"),
            ("up_proj", "w3"),
            (r"input_layernorm\.weight", "sa_norm.scale"),
            (r"post_attention_layernorm\.weight", "mlp_norm.scale"),
            (r"^norm\.weight", "norm.scale"),
            ("embed_tokens", "tok_embeddings"),
            ("lm_head", "output"),
        ),
        None,
    ),
    "llama.cpp": (
        llama(),
        renamed(
            (r"^model\.layers", "blk"),
            (r"self_attn\.o_proj", "attn_output"),
            (r"self_attn\.(.)_proj", r"attn_\1"),
            (r"mlp\.(.*)_proj", r"ffn_\1"),
            ("input_layernorm", "attn_norm"),
            ("post_attention_layernorm", "ffn_norm"),
            (r"model\.embed_tokens", "token_embd"),
            (r"model\.norm", "output_norm"),
            ("lm_head", "output"),
        ),
        None,
    ),
    "a book's Llama": (
        llama(),
        renamed(
            (r"^model\.layers", "trf_blocks"),
            (r"self_attn\.o_proj", "att.out_proj"),
            (r"self_attn\.q_proj", "att.W_query"),
            (r"self_attn\.k_proj", "att.W_key"),
            (r"self_attn\.v_proj", "att.W_value"),
            (r"mlp\.gate_proj", "ff.fc1"),
            (r"mlp\.up_proj", "ff.fc2"),
            (r"mlp\.down_proj", "ff.fc3"),
            (r"input_layernorm\.weight", "norm1.scale"),
            (r"post_attention_layernorm\.weight", "norm2.scale"),
            (r"model\.embed_tokens", "tok_emb"),
            (r"model\.norm", "final_norm"),
            ("lm_head", "out_head"),
        ),
        None,
    ),
    "Megatron": (
        llama(),
        both(
            fused(QKV, "linear_qkv", by_group),
            fused(GATE_UP, "linear_fc1", one_after_the_other),
            renamed(*CORE),
        ),
        CONFIG,
    ),
    "Megatron, of old": (
        llama(),
        both(
            fused(QKV, "query_key_value", by_group),
            fused(GATE_UP, "dense_h_to_4h", one_after_the_other),
            renamed(*MEGATRON, (r"^transformer", "model.language_model")),
        ),
        CONFIG,
    ),
    "ChatGLM": (
        llama(),
        both(
            fused(QKV, "query_key_value", one_after_the_other),
            fused(GATE_UP, "dense_h_to_4h", one_after_the_other),
            renamed(*MEGATRON),
        ),
        {**CONFIG, "model_type": "chatglm"},
    ),
    "vLLM's fusions": (
        llama(),
        both(
            fused(QKV, "qkv_proj", one_after_the_other),
            fused(GATE_UP, "gate_up_proj", one_after_the_other),
        ),
        CONFIG,
    ),
    "the other way round": (llama(), turned("_proj"), CONFIG),
}


def write(folder: Path, tensors: Tensors, config: Mapping[str, Any] | None) -> str:
    folder.mkdir()
    stored = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(stored, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def compare(base: str, target: str) -> list[Change]:
    """All changes of two folders; a pair that is not measured has no statistics."""
    sides = open_checkpoint(base), open_checkpoint(target)
    rows = pair(understand(sides[0]), understand(sides[1]))
    compared = [row for row in rows if row.status == "compared"]
    rest = [Change(row) for row in rows if row.status not in ("compared", "tied", "buffer")]
    return [*walk(compared, *sides, CpuBackend()), *rest]


def assert_unchanged(changes: list[Change]) -> None:
    for change in changes:
        assert change.statistics is not None, (change.pair.place, change.pair.status)
        assert change.statistics.unchanged_pct == 100.0, change.pair.place


@pytest.mark.parametrize("toolkit", LIKE_LLAMA)
def test_the_same_weights_in_two_namings_are_unchanged(tmp_path: Path, toolkit: str) -> None:
    tensors, convert, config = LIKE_LLAMA[toolkit]
    is_mixture = any("experts" in name for name in tensors)
    base = write(
        tmp_path / "base", tensors, {**CONFIG, "model_type": "qwen3_moe"} if is_mixture else CONFIG
    )
    target = write(tmp_path / "target", convert(tensors), config)
    for sides in ((base, target), (target, base)):
        changes = compare(*sides)
        assert_unchanged(changes)
        assert len(changes) == len(tensors)


def test_rows_in_another_order_are_said_to_be_read_so(tmp_path: Path) -> None:
    tensors, convert, params = LIKE_LLAMA["Meta"]
    base = write(tmp_path / "base", tensors, CONFIG)
    native = convert(tensors)
    known = compare(base, write(tmp_path / "known", native, params))
    said = {c.pair.place.component for c in known if "in halves" in c.pair.reason}
    assert said == {"self_attn.q_proj", "self_attn.k_proj"}
    # Without the number of heads their rows can't be told apart, so they differ, and why is said.
    unknown = compare(base, write(tmp_path / "unknown", native, None))
    moved = [c for c in unknown if c.statistics and c.statistics.unchanged_pct != 100.0]
    assert {c.pair.place.component for c in moved} == said
    assert all("counts the heads" in c.pair.reason for c in moved)
    # Of two files in Meta's order there is nothing to say.
    again = write(tmp_path / "again", native, params)
    assert {c.pair.reason for c in compare(str(tmp_path / "known"), again)} == {""}


def test_a_fusion_that_no_config_explains_stays_whole_and_says_so(tmp_path: Path) -> None:
    tensors, convert, _ = LIKE_LLAMA["Megatron"]
    base = write(tmp_path / "base", tensors, CONFIG)
    changes = compare(base, write(tmp_path / "target", convert(tensors), None))
    assert_unchanged([change for change in changes if change.statistics is not None])
    [whole] = {c.pair.reason for c in changes if c.pair.status == "only_in_target"}
    assert "q, k, v in one tensor" in whole
    alone = {c.pair.place.component for c in changes if c.pair.status == "only_in_base"}
    assert alone == {f"self_attn.{part}" for part in QKV}


def neox() -> Tensors:
    """GPT-NeoX in transformers' names."""
    layer = {
        **{f"{norm}_layernorm.{p}": (WIDTH,) for norm in NORMS for p in ("weight", "bias")},
        "attention.query_key_value.weight": (3 * WIDTH, WIDTH),
        "attention.query_key_value.bias": (3 * WIDTH,),
        "attention.dense.weight": (WIDTH, WIDTH),
        "mlp.dense_h_to_4h.weight": (INNER, WIDTH),
        "mlp.dense_4h_to_h.weight": (WIDTH, INNER),
    }
    shapes = {f"gpt_neox.layers.{n}.{k}": s for n in range(LAYERS) for k, s in layer.items()}
    shapes |= {"gpt_neox.embed_in.weight": (20, WIDTH), "embed_out.weight": (20, WIDTH)}
    return values(shapes | {f"gpt_neox.final_layer_norm.{p}": (WIDTH,) for p in ("weight", "bias")})


@pytest.mark.parametrize("of_old", [True, False])
@pytest.mark.parametrize("wrap", ["", "module."])
def test_a_pipelines_modules_are_layers_and_what_stands_around_them(
    tmp_path: Path, wrap: str, of_old: bool
) -> None:
    """The numbers are those of GPT-NeoX' own tools/ckpts/convert_neox_to_hf.py: layers from 2 on,
    the last norm 3 and the head 4 after as many as there are layers."""
    tensors = neox()
    linear = [] if of_old else [("dense_h_to_4h", "linear1"), ("dense_4h_to_h", "linear2")]
    own = renamed(
        *((rf"gpt_neox\.layers\.{n}\.", f"sequential.{n + 2}.") for n in reversed(range(LAYERS))),
        (r"gpt_neox\.embed_in", "sequential.0.word_embeddings"),
        (r"gpt_neox\.final_layer_norm", f"sequential.{LAYERS + 3}.norm"),
        ("embed_out", f"sequential.{LAYERS + 4}.final_linear"),
        *linear,
        ("^", wrap),
    )(tensors)
    config = {"model_type": "gpt_neox", "num_attention_heads": HEADS, "hidden_size": WIDTH}
    base = write(tmp_path / "base", tensors, config)
    changes = compare(base, write(tmp_path / "target", own, config))
    assert_unchanged(changes)
    assert len(changes) == len(tensors) + 2 * 2 * LAYERS  # q, k and v apart
    # Without a config nothing counts the heads, so what is fused stays whole; all else is there.
    unknown = compare(base, write(tmp_path / "unknown", own, None))
    assert_unchanged([change for change in unknown if change.statistics is not None])
    left = {c.pair.place.component for c in unknown if c.statistics is None}
    assert left == {"self_attn.qkv_proj", *(f"self_attn.{part}" for part in QKV)}


def test_a_ranks_part_is_read_by_the_heads_of_the_whole(tmp_path: Path) -> None:
    """Meta's larger files hold a share of the heads each: heads are as wide as in the whole."""
    tensors, convert, params = LIKE_LLAMA["Meta"]
    half = {n: t[: len(t) // 2] for n, t in tensors.items() if ".q_proj" in n or ".k_proj" in n}
    native = {n: t[: len(t) // 2] for n, t in convert(tensors).items() if ".wq" in n or ".wk" in n}
    norms = {n: t for n, t in tensors.items() if "norm" in n}
    base = write(tmp_path / "base", norms | half, CONFIG)
    target = write(tmp_path / "target", renamed(*NATIVE)(norms) | native, params)
    changes = compare(base, target)
    assert_unchanged(changes)
    assert len(changes) == len(norms | half)


@pytest.mark.parametrize("toolkit", ["Meta", "Megatron", "Megatron, of old"])
def test_heads_that_no_config_counts_are_not_known(tmp_path: Path, toolkit: str) -> None:
    tensors, convert, _ = LIKE_LLAMA[toolkit]
    architecture = understand(open_checkpoint(write(tmp_path / "own", convert(tensors), None)))
    facts = {fact.key for fact in architecture.facts}
    assert "hidden_size" in facts
    assert not facts & {"heads", "kv_heads", "head_dim"}


def test_nano_gpt_is_gpt2_with_its_matrices_turned(tmp_path: Path) -> None:
    layer = {
        "ln_1.weight": (WIDTH,),
        "attn.c_attn.weight": (WIDTH, 3 * WIDTH),
        "attn.c_attn.bias": (3 * WIDTH,),
        "attn.c_proj.weight": (WIDTH, WIDTH),
        "ln_2.weight": (WIDTH,),
        "mlp.c_fc.weight": (WIDTH, 4 * WIDTH),
        "mlp.c_proj.weight": (4 * WIDTH, WIDTH),
    }
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (20, WIDTH), "wpe.weight": (16, WIDTH)}
    shapes |= {f"h.{n}.{name}": shape for n in range(LAYERS) for name, shape in layer.items()}
    gpt2 = values({**shapes, "ln_f.weight": (WIDTH,)})
    nano = {
        f"_orig_mod.transformer.{name}": tensor.T if "attn.c" in name or "mlp.c" in name else tensor
        for name, tensor in gpt2.items()
    }
    nano |= {n: t[::1] for n, t in nano.items() if n.endswith("bias")}
    nano["_orig_mod.lm_head.weight"] = gpt2["wte.weight"]
    config = {"model_type": "gpt2", "n_embd": WIDTH, "n_head": HEADS}
    base = write(tmp_path / "base", gpt2, config)
    for said in (config, None):
        target = write(tmp_path / f"target{said is None}", nano, said)
        changes = compare(base, target)
        assert_unchanged(changes)
        squares = [c for c in changes if c.pair.place.component == "self_attn.o_proj"]
        assert all("as the matrices around it are" in c.pair.reason for c in squares)
        assert len(changes) == len(gpt2) + 2 * 2 * LAYERS + 1


def test_openais_whisper_is_transformers_whisper(tmp_path: Path) -> None:
    source = tiny("whisper")
    tensors = values({t.name: t.shape for t in source.tensors if not t.name.startswith("proj_out")})
    convert = renamed(
        (r"^model\.", ""),
        (r"layers\.", "blocks."),
        (r"(?<=[a-z]\.)self_attn_layer_norm|self_attn_layer_norm", "attn_ln"),
        ("encoder_attn_layer_norm", "cross_attn_ln"),
        ("final_layer_norm", "mlp_ln"),
        (r"encoder_attn\.", "cross_attn."),
        (r"self_attn\.", "attn."),
        ("q_proj", "query"),
        ("k_proj", "key"),
        ("v_proj", "value"),
        ("out_proj", "out"),
        ("fc1", "mlp.0"),
        ("fc2", "mlp.2"),
        ("embed_tokens", "token_embedding"),
        (r"embed_positions\.weight", "positional_embedding"),
        (r"encoder\.layer_norm", "encoder.ln_post"),
        (r"decoder\.layer_norm", "decoder.ln"),
    )
    base = write(tmp_path / "base", tensors, source.config)
    for config in (None, {"model_type": "whisper"}):
        target = write(tmp_path / f"target{config is None}", convert(tensors), config)
        changes = compare(base, target)
        assert_unchanged(changes)
        assert len(changes) == len(tensors)


MIXTURES = (
    *("mixtral", "qwen2_moe", "qwen3_moe", "olmoe"),
    *("deepseek_v2", "deepseek_v3", "glm4_moe", "jamba"),
)


@pytest.mark.parametrize("turn", [False, True], ids=["[E, 2I, H]", "[E, H, 2I]"])
@pytest.mark.parametrize("name", MIXTURES)
def test_stacked_experts_are_the_experts_one_by_one(tmp_path: Path, name: str, turn: bool) -> None:
    source = tiny(name)
    tensors = values({tensor.name: tensor.shape for tensor in source.tensors})
    parts = {"w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}
    experts: dict[str, dict[str, list[Array]]] = {}
    stacked: Tensors = {}
    for stored, tensor in tensors.items():
        found = re.fullmatch(r"(.*)\.experts\.\d+\.(\w+)\.weight", stored)
        if found is None:
            stacked[stored] = tensor
        else:
            part = parts.get(found[2], found[2])
            experts.setdefault(found[1], {}).setdefault(part, []).append(tensor)
    for stem, held in experts.items():
        gate_up = np.concatenate([np.stack(held["gate_proj"]), np.stack(held["up_proj"])], axis=1)
        down = np.stack(held["down_proj"])
        stacked[f"{stem}.experts.gate_up_proj"] = gate_up.swapaxes(1, 2) if turn else gate_up
        stacked[f"{stem}.experts.down_proj"] = down.swapaxes(1, 2) if turn else down
    assert experts
    base = write(tmp_path / "base", tensors, source.config)
    changes = compare(base, write(tmp_path / "target", stacked, source.config))
    assert_unchanged(changes)
