"""Adapters that PEFT itself makes, and what it makes of them when it merges."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import peft
import torch
import transformers
from safetensors.torch import save_file

from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo

SMALL: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
_EXPERTS: dict[str, Any] = {"num_experts_per_tok": 2, "head_dim": 16}
_CONFIGS: Mapping[str, Any] = {
    "llama": lambda: transformers.LlamaConfig(**SMALL),
    "tied": lambda: transformers.LlamaConfig(**SMALL, tie_word_embeddings=True),
    "qwen2": lambda: transformers.Qwen2Config(**SMALL),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=96, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=1
    ),
    "experts": lambda: transformers.Qwen3MoeConfig(
        **SMALL, **_EXPERTS, num_experts=4, moe_intermediate_size=48
    ),
    "turned_experts": lambda: transformers.GptOssConfig(
        **{**SMALL, "intermediate_size": 48}, **_EXPERTS, num_local_experts=4
    ),
}
_TYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}


def write_base(name: str, folder: Path, kind: torch.dtype = torch.bfloat16) -> Path:
    """A small model with random weights; experts stacked, as transformers computes with them."""
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(_CONFIGS[name]()).to(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    if "experts" in name:
        save_file(stored_state(model), folder / "model.safetensors", {"format": "pt"})
    return folder


def write_adapter(
    base: Path, folder: Path, kind: torch.dtype = torch.bfloat16, **config: Any
) -> Path:
    """A LoRA of PEFT on the model in ``base``, with random numbers for what training makes."""
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(
            _load(base, kind),
            peft.LoraConfig(r=8, lora_alpha=16, task_type="CAUSAL_LM", **config),
        )
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += torch.randn_like(parameter) * 0.01
        model.save_pretrained(folder)
    return folder


def merged(base: Path, adapter: Path, kind: torch.dtype = torch.bfloat16) -> dict[str, Any]:
    """The tensors that ``merge_and_unload`` leaves, as they would be stored."""
    return stored_state(merged_model(base, adapter, kind))


def merged_model(base: Path, adapter: Path, kind: torch.dtype = torch.bfloat16) -> Any:
    """The model that ``merge_and_unload`` leaves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.PeftModel.from_pretrained(_load(base, kind), adapter)
        return model.merge_and_unload()


def stored_state(model: Any) -> dict[str, Any]:
    """A model's tensors, of those that share memory the first alone."""
    state, seen = {}, set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            state[name] = tensor.contiguous()
    return state


def values_of(checkpoint: Checkpoint, name: str, kind: torch.dtype = torch.bfloat16) -> Any:
    """A tensor of a checkpoint as torch has it, read in ranges that fit nothing."""
    tensor = checkpoint[name]
    assert tensor.values == _TYPES[kind]
    return torch.frombuffer(_content(checkpoint, tensor), dtype=kind).reshape(tensor.shape)


def part_values(checkpoint: Checkpoint, tensor: TensorInfo) -> npt.NDArray[np.float64]:
    """The values of a tensor of a checkpoint in BF16, or of a slice of one."""
    values = torch.frombuffer(_content(checkpoint, tensor), dtype=torch.bfloat16)
    return np.asarray(values.double().numpy().reshape(tensor.shape))


def _content(checkpoint: Checkpoint, tensor: TensorInfo) -> bytearray:
    width = STORED_TYPES[tensor.values].bits // 8
    files = OpenFiles(checkpoint, [tensor])
    for file in files.names:
        files.fetch(file)
    content = np.empty(tensor.elements * width, np.uint8)
    for start in range(0, tensor.elements, 1111):
        files.fill(tensor, start, content[start * width : (start + 1111) * width])
    files.close()
    return bytearray(content.tobytes())


def _load(base: Path, kind: torch.dtype) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(base, dtype=kind)
