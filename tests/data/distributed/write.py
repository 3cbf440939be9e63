"""Writes what lies beside it: a distributed checkpoint of four ranks on a 2 × 2 mesh, by torch's
own writer, and the same tensors whole. ``python -m tests.data.distributed.write``
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.distributed.checkpoint.state_dict_saver import save as save_parts
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Placement, Replicate, Shard, distribute_tensor
from torch.multiprocessing.spawn import spawn

HERE = Path(__file__).parent


def whole() -> dict[str, torch.Tensor]:
    """The tensors, the same on every rank."""
    generator = torch.Generator().manual_seed(7)
    return {
        "model.rows_and_columns": torch.randn(10, 6, generator=generator),
        "model.uneven": torch.randn(7, 5, generator=generator).bfloat16(),
        "model.norm": torch.randn(3, generator=generator),
    }


def save(rank: int, ranks: int, folder: str) -> None:
    """One rank's part."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    tensors = whole()
    cut: dict[str, list[Placement]] = {
        "model.rows_and_columns": [Shard(0), Shard(1)],
        "model.uneven": [Replicate(), Shard(0)],
    }
    content = {
        name: distribute_tensor(tensor, mesh, cut[name]) if name in cut else tensor
        for name, tensor in tensors.items()
    }
    optimizer = {"state": {"exp_avg": torch.zeros(4)}}
    save_parts({**content, "step": 7, "optimizer": optimizer}, checkpoint_id=folder)
    dist.destroy_process_group()


def main() -> None:
    """Write into a folder of its own, then put it here."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(save, (4, folder), 4)  # type: ignore[no-untyped-call]
        shutil.rmtree(HERE / "checkpoint", ignore_errors=True)
        shutil.copytree(folder, HERE / "checkpoint")
    save_file(whole(), HERE / "whole.safetensors")


if __name__ == "__main__":
    main()
