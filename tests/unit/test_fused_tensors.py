"""Fused tensors against the same weights stored apart, part by part and value by value.

The fused side is a model that transformers itself saved. The other side holds what transformers'
own modelling code makes of the fused output (its views and splits, written down here once more, or
its own methods where it has some), under Llama's or Mixtral's names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from modeldiff.architectures import understand
from modeldiff.changes import Change, pair
from modeldiff.changes.backends.backend import Backend
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.torch_backend import TorchBackend
from modeldiff.changes.engine.engine import walk
from modeldiff.changes.kernels.bins import LEAF
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.comparison import Comparison
from tests.support.parts import assert_nothing_lost_or_doubled, elements_of

Tensors = dict[str, torch.Tensor]
Split = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
"""What each part is of a fused weight [out, in] or bias [out]."""

WIDTH, HEADS, KV_HEADS, INNER, EXPERTS = 288, 8, 2, 256, 3
HEAD = WIDTH // HEADS
"""A query matrix is larger than a leaf, so a small chunk does not hold it."""
COMMON = {"vocab_size": 32, "num_hidden_layers": 2, "bos_token_id": 1, "eos_token_id": 2}
LLAMA = {
    **COMMON,
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "pad_token_id": 0,
}
PLAIN = {**COMMON, "hidden_size": WIDTH, "num_attention_heads": HEADS}
GPT2 = {**COMMON, "n_embd": WIDTH, "n_head": HEADS, "n_positions": 16}
MOE = {**LLAMA, "num_local_experts": EXPERTS, "num_experts_per_tok": 2}


def by_head(fused: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """``view(…, heads, 3 * head_size).chunk(3, dim=-1)``: GPT-NeoX, GPT-BigCode."""
    heads = fused.reshape(HEADS, 3 * HEAD, *fused.shape[1:])
    return tuple(part.reshape(WIDTH, *fused.shape[1:]) for part in heads.chunk(3, dim=1))


def in_rows(*sizes: int) -> Split:
    """``split(sizes, dim=-1)``: Phi-3, GPT-2, GPT-BigCode with one KV head."""
    return lambda fused: torch.split(fused, list(sizes), dim=0)


def halves(fused: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """``chunk(2, dim=-1)``: GLM, Granite."""
    return fused.chunk(2, dim=0)


def in_turn(fused: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """``[..., ::2], [..., 1::2]``: gpt-oss."""
    return fused[::2], fused[1::2]


def by_method(model: str, config: str, options: Mapping[str, Any], method: str) -> Split:
    """The attention's own method, given the weight as if it were an output of [1, in, out]."""

    def split(fused: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.device("meta"):
            built = getattr(transformers, model)(getattr(transformers, config)(**options))
        attention = built.transformer.h[0].self_attention
        wide = fused if fused.ndim == 2 else fused[:, None]
        parts: list[torch.Tensor] = []
        for part in getattr(attention, method)(wide.T[None]):
            # BLOOM gives [batch, heads, in, head], Falcon [batch, in, heads, head].
            heads = part[0].transpose(0, 1) if method == "_reshape" else part[0]
            rows = heads.permute(1, 2, 0)
            if options.get("new_decoder_architecture") and parts:
                # Keys and values come out once for each query of their group.
                rows = rows[:: HEADS // KV_HEADS]
            parts.append(rows.reshape(-1, *fused.shape[1:]))
        return tuple(parts)

    return split


@dataclass(frozen=True)
class Fusion:
    """A model of transformers, and how its fused tensors are taken apart.

    ``parts`` has the path of each fused tensor in a layer, how it is split, and the paths of the
    parts. ``#`` in these is an expert of a stack. ``turned`` ones are stored [in, out].
    """

    model: str
    config: str
    options: Mapping[str, Any]
    prefix: str
    parts: tuple[tuple[str, Split, tuple[str, ...]], ...]
    turned: frozenset[str] = frozenset()
    apart: str = "llama"


QKV = tuple(f"self_attn.{part}_proj" for part in "qkv")
GATE_UP = ("mlp.gate_proj", "mlp.up_proj")
EXPERT = "block_sparse_moe.experts.#"
FALCON = {**PLAIN, "alibi": False, "bias": False}
FALCON_NEW = {**FALCON, "new_decoder_architecture": True, "num_kv_heads": KV_HEADS}
FALCON_7B = {**FALCON, "new_decoder_architecture": False, "multi_query": True}
FALCON_RW = {**FALCON, "new_decoder_architecture": False, "multi_query": False, "bias": True}
BLOOM = {**COMMON, "hidden_size": WIDTH, "n_head": HEADS}


def _falcon(options: Mapping[str, Any]) -> Fusion:
    split = by_method("FalconForCausalLM", "FalconConfig", options, "_split_heads")
    parts = ((("self_attention.query_key_value"), split, QKV),)
    return Fusion("FalconForCausalLM", "FalconConfig", options, "transformer.h", parts)


def _gpt_bigcode(multi_query: bool) -> Fusion:
    options = {**GPT2, "multi_query": multi_query}
    split = in_rows(WIDTH, HEAD, HEAD) if multi_query else by_head
    parts = (("attn.c_attn", split, QKV),)
    return Fusion("GPTBigCodeForCausalLM", "GPTBigCodeConfig", options, "transformer.h", parts)


def _whole(fused: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (fused,)


FUSIONS = {
    "gpt2": Fusion(
        "GPT2LMHeadModel",
        "GPT2Config",
        GPT2,
        "transformer.h",
        (
            ("attn.c_attn", in_rows(WIDTH, WIDTH, WIDTH), QKV),
            ("attn.c_proj", _whole, ("self_attn.o_proj",)),
            ("mlp.c_fc", _whole, ("mlp.up_proj",)),
        ),
        turned=frozenset({"attn.c_attn", "attn.c_proj", "mlp.c_fc"}),
    ),
    "gpt-bigcode, one KV head": _gpt_bigcode(True),
    "gpt-bigcode": _gpt_bigcode(False),
    "gpt-neox": Fusion(
        "GPTNeoXForCausalLM",
        "GPTNeoXConfig",
        {**PLAIN, "intermediate_size": INNER},
        "gpt_neox.layers",
        (("attention.query_key_value", by_head, QKV),),
    ),
    "bloom": Fusion(
        "BloomForCausalLM",
        "BloomConfig",
        BLOOM,
        "transformer.h",
        (
            (
                "self_attention.query_key_value",
                by_method("BloomForCausalLM", "BloomConfig", BLOOM, "_reshape"),
                QKV,
            ),
        ),
    ),
    "falcon, groups": _falcon(FALCON_NEW),
    "falcon, one KV head": _falcon(FALCON_7B),
    "falcon, head by head": _falcon(FALCON_RW),
    "mpt": Fusion(
        "MptForCausalLM",
        "MptConfig",
        {"vocab_size": 32, "d_model": WIDTH, "n_heads": HEADS, "n_layers": 2, "max_seq_len": 16},
        "transformer.blocks",
        (("attn.Wqkv", in_rows(WIDTH, WIDTH, WIDTH), QKV),),
    ),
    "phi3": Fusion(
        "Phi3ForCausalLM",
        "Phi3Config",
        LLAMA,
        "model.layers",
        (
            ("self_attn.qkv_proj", in_rows(WIDTH, KV_HEADS * HEAD, KV_HEADS * HEAD), QKV),
            ("mlp.gate_up_proj", halves, GATE_UP),
        ),
    ),
    "glm4": Fusion(
        "Glm4ForCausalLM",
        "Glm4Config",
        {**LLAMA, "head_dim": HEAD},
        "model.layers",
        (("mlp.gate_up_proj", halves, GATE_UP),),
    ),
    "granite moe": Fusion(
        "GraniteMoeForCausalLM",
        "GraniteMoeConfig",
        MOE,
        "model.layers",
        (
            ("block_sparse_moe.input_linear", halves, (f"{EXPERT}.w1", f"{EXPERT}.w3")),
            ("block_sparse_moe.output_linear", _whole, (f"{EXPERT}.w2",)),
        ),
        apart="mixtral",
    ),
    "gpt-oss": Fusion(
        "GptOssForCausalLM",
        "GptOssConfig",
        {**MOE, "head_dim": HEAD},
        "model.layers",
        (
            ("mlp.experts.gate_up_proj", in_turn, (f"{EXPERT}.w1", f"{EXPERT}.w3")),
            ("mlp.experts.down_proj", _whole, (f"{EXPERT}.w2",)),
        ),
        turned=frozenset({"mlp.experts.gate_up_proj", "mlp.experts.down_proj"}),
        apart="mixtral",
    ),
}


def taken_apart(fusion: Fusion, stored: Tensors) -> Tensors:
    """The fused tensors' parts, under the other family's names."""
    found: Tensors = {}
    for layer in range(2):
        for path, split, parts in fusion.parts:
            for parameter in ("weight", "bias"):
                at = f"{fusion.prefix}.{layer}.{path}"
                spellings = (f"{at}.{parameter}", at if parameter == "weight" else f"{at}_bias")
                fused = next((stored[name] for name in spellings if name in stored), None)
                if fused is None:
                    continue
                stack = fused if "#" in parts[0] else fused[None]
                for expert, own in enumerate(stack):
                    turned = own.T if path in fusion.turned and parameter == "weight" else own
                    for part, values in zip(parts, split(turned), strict=True):
                        name = f"model.layers.{layer}.{part}.{parameter}"
                        found[name.replace("#", str(expert))] = values.contiguous()
    return found


@cache
def _saved(name: str, folder: Path) -> tuple[Path, Path]:
    """The fused model, and its parts stored apart."""
    fusion = FUSIONS[name]
    config = getattr(transformers, fusion.config)(**fusion.options)
    torch.manual_seed(1)
    model = getattr(transformers, fusion.model)(config).to(torch.bfloat16)
    for parameter in model.parameters():  # biases begin as zeros
        torch.nn.init.normal_(parameter, std=0.02)
    fused, apart = folder / f"{name}-fused", folder / f"{name}-apart"
    model.save_pretrained(fused)
    write_apart(apart, taken_apart(fusion, load_file(fused / "model.safetensors")), fusion.apart)
    return fused, apart


def write_apart(folder: Path, tensors: Tensors, model_type: str) -> None:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(f'{{"model_type": "{model_type}"}}')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fused")


WORKSHOPS: dict[str, Callable[[], Backend]] = {
    "cpu": CpuBackend,
    "cpu, small chunks": lambda: CpuBackend(2, 2 * LEAF),
    "torch": lambda: TorchBackend("cpu", 2 * LEAF, small=-1),
}


def compared(base: Checkpoint, target: Checkpoint, backend: Backend) -> list[Change]:
    """The changes of all that stands apart, which is all that the target holds."""
    pairs = pair(understand(base), understand(target))
    assert {row.status for row in pairs} == {"compared", "only_in_base"} or {
        row.status for row in pairs
    } == {"compared", "only_in_base", "tied"}
    rows = [row for row in pairs if row.status == "compared"]
    assert sorted(row.target.name for row in rows if row.target) == sorted(
        tensor.name for tensor in target.tensors
    )
    return list(walk(rows, base, target, backend))


@pytest.mark.parametrize("where", WORKSHOPS)
@pytest.mark.parametrize("name", FUSIONS)
def test_fused_and_apart_are_the_same_part_by_part(folder: Path, name: str, where: str) -> None:
    fused, apart = (open_checkpoint(str(path)) for path in _saved(name, folder))
    assert_nothing_lost_or_doubled(fused, understand(fused))
    for sides in ((fused, apart), (apart, fused)) if where == "cpu" else ((fused, apart),):
        rows = sides if sides[0] is fused else (sides[1], sides[0])
        for change in compared(*rows, WORKSHOPS[where]()):
            found, place = change.statistics, change.pair.place
            assert found is not None and change.pair.target is not None
            assert (found.unchanged_pct, found.max_abs_delta) == (100.0, 0.0), place
            assert found.sums is not None
            assert found.sums.n == change.pair.target.elements


@pytest.mark.parametrize("name", FUSIONS)
def test_a_change_in_one_part_is_that_parts_alone(folder: Path, tmp_path: Path, name: str) -> None:
    fused, apart = _saved(name, folder)
    tensors = load_file(apart / "model.safetensors")
    planted = [name for name in tensors if ".1." in name and name.endswith(("k_proj.weight",))]
    planted = planted or [name for name in tensors if "experts.1.w3.weight" in name]
    planted = planted or [name for name in tensors if "up_proj.weight" in name]
    tensors[planted[-1]] += 0.5
    write_apart(tmp_path / "apart", tensors, FUSIONS[name].apart)
    base, target = open_checkpoint(str(fused)), open_checkpoint(str(tmp_path / "apart"))
    for change in compared(base, target, CpuBackend(2, 2 * LEAF)):
        assert change.statistics is not None and change.pair.target is not None
        changed = change.pair.target.name == planted[-1]
        assert (change.statistics.unchanged_pct == 0.0) is changed
        assert (change.statistics.unchanged_pct == 100.0) is not changed
    unchanged = Comparison.of(base, open_checkpoint(str(apart)))
    assert Comparison.of(base, target).key != unchanged.key


@pytest.mark.parametrize("width", [64, 96])
def test_what_looks_beside_a_model_is_split_by_its_own_sizes(tmp_path: Path, width: int) -> None:
    """Qwen-VL's vision tower against its attention's own ``reshape(seq, 3, heads, -1)``; the text
    model's width says nothing about it, even where it would fit."""
    at, heads = "visual.blocks.0.attn", 4
    fused = {
        f"{at}.qkv.weight": torch.randn(3 * width, width),
        f"{at}.qkv.bias": torch.randn(3 * width),
    }
    rest = {
        f"{at}.proj.weight": torch.randn(width, width),
        "model.layers.0.self_attn.q_proj.weight": torch.randn(128, 128),
    }
    save_file({**fused, **rest}, tmp_path / "model.safetensors")
    said = '{"model_type": "qwen2_vl", "hidden_size": 128, "num_attention_heads": 8}'
    (tmp_path / "config.json").write_text(said)
    checkpoint = open_checkpoint(str(tmp_path))
    architecture = understand(checkpoint)
    assert_nothing_lost_or_doubled(checkpoint, architecture)
    whole = {tensor.name: tensor for tensor in checkpoint.tensors}
    found = {(p.place.component, p.tensor.name): p for p in architecture.parameters}
    for name, stored in fused.items():
        wide = stored if stored.ndim == 2 else stored[:, None]
        outputs = wide.T.reshape(-1, 3, heads, width // heads).permute(1, 0, 2, 3)
        for part, values in zip("qkv", outputs.unbind(0), strict=True):
            parameter = found[f"self_attn.{part}_proj", name]
            assert (parameter.place.tower, parameter.place.layer) == ("vision", 0)
            cut = torch.from_numpy(elements_of(parameter.tensor, whole[name]))
            own = stored.reshape(-1)[cut].reshape(width, -1)
            assert torch.equal(own, values.reshape(-1, width).T)


def test_without_the_heads_a_matrix_in_groups_stays_whole(folder: Path, tmp_path: Path) -> None:
    fused, _ = _saved("gpt-neox", folder)
    copyfile(fused / "model.safetensors", tmp_path / "model.safetensors")
    for said in ('{"model_type": "gpt_neox"}', '{"num_attention_heads": 7}'):
        (tmp_path / "config.json").write_text(said)
        checkpoint = open_checkpoint(str(tmp_path))
        architecture = understand(checkpoint)
        assert_nothing_lost_or_doubled(checkpoint, architecture)
        assert "self_attn.qkv_proj" in architecture.columns
        assert "self_attn.k_proj" not in architecture.columns
