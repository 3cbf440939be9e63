"""Writes what lies beside it: a small Llama as Megatron's ``torch_dist`` lays it out, by torch's
own writer on two ranks of tensor parallelism, and the same model as transformers saves it.
``python -m tests.data.megatron.write``

Names and shapes are those of ``sharded_state_dict`` in https://github.com/NVIDIA/Megatron-LM: all
layers in one tensor, q, k and v fused group by group, gate and up one behind the other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict_saver import save as save_parts
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.multiprocessing.spawn import spawn
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent
LAYERS, HEADS, GROUPS, WIDTH = 2, 4, 2, 16


def model() -> LlamaForCausalLM:
    """The model, the same on every rank."""
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=24,
        hidden_size=WIDTH,
        intermediate_size=20,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=GROUPS,
        max_position_embeddings=64,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).bfloat16()


def in_megatrons_words(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, int]]:
    """Each tensor, and along which dimension the ranks cut it (-1: along none)."""

    def stacked(*names: str) -> torch.Tensor:
        layers = (f"model.layers.{layer}." for layer in range(LAYERS))
        return torch.stack(
            [torch.cat([tensors[f"{of}{n}.weight"] for n in names]) for of in layers]
        )

    def by_group(part: str) -> torch.Tensor:
        whole = stacked(f"self_attn.{part}_proj")
        return whole.reshape(LAYERS, GROUPS, -1, WIDTH)

    qkv = torch.cat([by_group(part) for part in "qkv"], 2).reshape(LAYERS, -1, WIDTH)
    inner = "decoder.layers"
    return {
        f"{inner}.self_attention.linear_qkv.weight": (qkv, 1),
        f"{inner}.self_attention.linear_qkv.layer_norm_weight": (stacked("input_layernorm"), -1),
        f"{inner}.self_attention.linear_proj.weight": (stacked("self_attn.o_proj"), 2),
        f"{inner}.mlp.linear_fc1.weight": (stacked("mlp.gate_proj", "mlp.up_proj"), 1),
        f"{inner}.mlp.linear_fc1.layer_norm_weight": (stacked("post_attention_layernorm"), -1),
        f"{inner}.mlp.linear_fc2.weight": (stacked("mlp.down_proj"), 2),
        "embedding.word_embeddings.weight": (tensors["model.embed_tokens.weight"], 0),
        "decoder.final_layernorm.weight": (tensors["model.norm.weight"], -1),
        "output_layer.weight": (tensors["lm_head.weight"], 0),
    }


def save(rank: int, ranks: int, folder: str) -> None:
    """One rank's part."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29523"}
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    content = {
        name: tensor if axis < 0 else distribute_tensor(tensor, mesh, [Shard(axis)])
        for name, (tensor, axis) in in_megatrons_words(model().state_dict()).items()
    }
    states = {
        f"{of}.exp_avg.decoder.final_layernorm.weight": torch.zeros(WIDTH)
        for of in ("optimizer.state", "chained_0.optimizer.state")
    }
    save_parts({**content, **states}, checkpoint_id=folder)
    dist.destroy_process_group()


def main() -> None:
    """Write into a folder of its own, then put it here."""
    arguments = argparse.Namespace(
        num_layers=LAYERS,
        hidden_size=WIDTH,
        ffn_hidden_size=20,
        num_attention_heads=HEADS,
        group_query_attention=True,
        num_query_groups=GROUPS,
        kv_channels=WIDTH // HEADS,
        padded_vocab_size=24,
        max_position_embeddings=64,
        normalization="RMSNorm",
        norm_epsilon=1e-6,
        rotary_base=10000,
        untie_embeddings_and_output_weights=True,
        num_experts=None,
    )
    with tempfile.TemporaryDirectory() as folder:
        iteration = Path(folder) / "iter_0000020"
        spawn(save, (2, str(iteration)), 2)  # type: ignore[no-untyped-call]
        torch.save({"args": arguments, "iteration": 20}, iteration / "common.pt")
        metadata = '{"sharded_backend": "torch_dist", "sharded_backend_version": 1}'
        (iteration / "metadata.json").write_text(metadata)
        (Path(folder) / "latest_checkpointed_iteration.txt").write_text("20")
        shutil.rmtree(HERE / "run", ignore_errors=True)
        shutil.copytree(folder, HERE / "run")
    with tempfile.TemporaryDirectory() as folder:
        model().save_pretrained(folder)
        (HERE / "transformers").mkdir(exist_ok=True)
        for name in ("model.safetensors", "config.json"):
            shutil.copyfile(Path(folder) / name, HERE / "transformers" / name)


if __name__ == "__main__":
    main()
