"""Writes what lies beside it: checkpoints as DeepSpeed's ZeRO lays them out, and the weights that
its own ``zero_to_fp32.py`` makes of them. ``python -m tests.data.zero.write UNPACKED_SDIST``

The files are made by hand, after ``DeepSpeedEngine._save_checkpoint`` and the optimizers'
``state_dict`` of deepspeed 0.19.8, since DeepSpeed itself runs on several accelerators only. Of the
sdist nothing is installed: two of its modules are loaded from where it was unpacked.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import shutil
import sys
import tempfile
from collections import OrderedDict
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent


class ZeroStageEnum(IntEnum):
    """As it is pickled."""

    optimizer_states = 1
    gradients = 2
    weights = 3


def module(name: str, path: Path | None = None) -> ModuleType:
    """A module of that name: the file's, or an empty one."""
    if path is None:
        made = sys.modules[name] = ModuleType(name)
        return made
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def converter(sdist: Path) -> ModuleType:
    """DeepSpeed's ``zero_to_fp32``."""
    for name in (
        "deepspeed",
        "deepspeed.checkpoint",
        "deepspeed.runtime",
        "deepspeed.runtime.zero",
    ):
        module(name)
    module("deepspeed.utils").logger = logging.getLogger("deepspeed")  # type: ignore[attr-defined]
    config = module("deepspeed.runtime.zero.config")
    ZeroStageEnum.__module__ = config.__name__
    config.ZeroStageEnum = ZeroStageEnum  # type: ignore[attr-defined]
    module("deepspeed.checkpoint.constants", sdist / "deepspeed" / "checkpoint" / "constants.py")
    return module("zero_to_fp32", sdist / "deepspeed" / "utils" / "zero_to_fp32.py")


def model() -> dict[str, torch.Tensor]:
    """The trained parameters."""
    generator = torch.Generator().manual_seed(11)
    shapes = {
        "model.embed_tokens.weight": (7, 4),
        "model.layers.0.mlp.up_proj.weight": (5, 3),
        "model.layers.0.mlp.experts": (2, 3, 3),
        "model.layers.0.input_layernorm.weight": (5,),
        "model.scale": (),
    }
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def frozen() -> dict[str, torch.Tensor]:
    """Those that were not trained."""
    generator = torch.Generator().manual_seed(12)
    return {"model.frozen.weight": torch.randn(3, 5, generator=generator).bfloat16()}


def states(groups: list[list[str]], fragments: dict[str, torch.Tensor]) -> dict[str, Any]:
    """A rank's ``model_states``."""
    tensors, buffer = model(), torch.arange(3).half()
    head = {"lm_head.weight": "model.embed_tokens.weight"}
    return {
        "module": OrderedDict({"model.rotary.inv_freq": buffer, **tensors}),
        "buffer_names": ["model.rotary.inv_freq"],
        "optimizer": None,
        "param_shapes": [OrderedDict((n, tensors[n].shape) for n in group) for group in groups],
        "frozen_param_shapes": OrderedDict((n, t.shape) for n, t in frozen().items()),
        "frozen_param_fragments": OrderedDict(fragments),
        "shared_params": head,
        "global_steps": 3,
        "ds_config": {"zero_optimization": {"stage": 2}},
        "ds_version": "0.19.8",
    }


def write_stage_2(folder: Path) -> None:
    """Two ranks and two groups; what pads the last rank's part is cut off, as DeepSpeed does."""
    folder.mkdir(parents=True)
    names = list(model())
    groups = [names[:3], names[3:]]
    torch.save(states(groups, frozen()), folder / "mp_rank_00_model_states.pt")
    vectors = [torch.cat([model()[name].reshape(-1) for name in group]) for group in groups]
    for rank in range(2):
        parts = []
        for vector in vectors:
            part = -(-vector.numel() // 4) * 2
            whole = torch.cat([vector, torch.zeros(2 * part - vector.numel())])
            parts.append(whole[rank * part : (rank + 1) * part][: vector.numel() - rank * part])
        optimizer = {
            "zero_stage": ZeroStageEnum.gradients,
            "partition_count": [2, 2],
            "single_partition_of_fp32_groups": parts,
            "base_optimizer_state": {"state": {0: {"exp_avg": torch.zeros(3)}}},
            "group_paddings": [0, 0],
        }
        name = f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"
        torch.save({"optimizer_state_dict": optimizer, "ds_version": "0.19.8"}, folder / name)


def write_stage_3(folder: Path) -> None:
    """Three ranks: each parameter is padded and cut by itself; a rank has them in two vectors."""
    folder.mkdir(parents=True)
    for rank in range(3):
        parts = [share(tensor, rank) for tensor in model().values()]
        own = {name: share(tensor, rank) for name, tensor in frozen().items()}
        content = states([list(model())[:2], list(model())[2:]], own)
        content["module"] = {"model.rotary.inv_freq": content["module"]["model.rotary.inv_freq"]}
        torch.save(content, folder / f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt")
        vector = torch.cat(parts)
        optimizer = {
            "zero_stage": ZeroStageEnum.weights,
            "partition_count": 3,
            "fp32_flat_groups": [vector[:15].clone(), vector[15:].clone()],
        }
        name = f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"
        torch.save({"optimizer_state_dict": optimizer, "ds_version": "0.19.8"}, folder / name)


def share(tensor: torch.Tensor, rank: int, ranks: int = 3) -> torch.Tensor:
    """A rank's part of a parameter."""
    part = -(-tensor.numel() // ranks)
    padded = torch.cat([tensor.reshape(-1), tensor.new_zeros(part * ranks - tensor.numel())])
    return padded[rank * part : (rank + 1) * part].clone()


def main() -> None:
    """Write, convert, and put both here."""
    convert = converter(Path(sys.argv[1]))
    for stage, write in (("stage2", write_stage_2), ("stage3", write_stage_3)):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / "global_step3")
            (Path(folder) / "latest").write_text("global_step3")
            with contextlib.redirect_stdout(io.StringIO()):
                tensors = convert.get_fp32_state_dict_from_zero_checkpoint(folder)
            shutil.rmtree(HERE / stage, ignore_errors=True)
            shutil.copytree(folder, HERE / stage)
        expected = {name: tensor.clone() for name, tensor in tensors.items()}
        save_file(expected, HERE / f"{stage}.safetensors")


if __name__ == "__main__":
    main()
