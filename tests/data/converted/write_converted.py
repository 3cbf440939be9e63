"""Writes this folder: tiny models by llama.cpp's own converter, and what transformers has in them.

    python tests/data/converted/write_converted.py LLAMA_CPP

Needs torch, safetensors and transformers 5.23.0; LLAMA_CPP is a folder with llama.cpp's source,
such as the one in the source distribution of llama-cpp-python 0.3.36. Weights are made here, with
no vocabulary. ``expected.json`` has, of each model and by transformers' name, the hash of each
tensor's values as bfloat16: a stack of experts under one name, [experts, out, in], gate and up
apart.
"""

# Libraries that only this script needs have no types here.
# mypy: ignore-errors

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

HERE = Path(__file__).parent
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "vocab_size": 16,
    "intermediate_size": 32,
    "tie_word_embeddings": False,
}
LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
}
EXPERTS = {
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
MODELS = {
    "qwen35": {"model_type": "qwen3_5_text", **SMALL, **LINEAR},
    "qwen35moe": {"model_type": "qwen3_5_moe_text", **SMALL, **LINEAR, **EXPERTS},
    "qwen3next": {"model_type": "qwen3_next", **SMALL, **LINEAR, **EXPERTS},
    # Its experts are square, as the published ones are.
    "gpt-oss": {
        "model_type": "gpt_oss",
        **SMALL,
        "num_hidden_layers": 1,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "sliding_window": 32,
    },
}
CONVERT = """
import sys
sys.path[:0] = [{0!r}, {0!r} + "/gguf-py"]
sys.argv = ["convert_hf_to_gguf.py", {1!r}, "--outfile", {2!r}, "--outtype", {3!r}, *{4!r}]
import conversion.base
from conversion import gpt_oss, qwen
for model in (qwen.Qwen3NextModel, qwen.Qwen3_5TextModel, qwen.Qwen3_5MoeTextModel,
              gpt_oss.GptOssModel):
    model.set_vocab = lambda self: None
import convert_hf_to_gguf
convert_hf_to_gguf.main()
"""
torch.manual_seed(0)
torch.set_grad_enabled(False)


def save_model(config, folder):
    settings = dict(config)
    built = AutoConfig.for_model(settings.pop("model_type"), **settings)
    model = AutoModelForCausalLM.from_config(built).bfloat16()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.05)
    model.save_pretrained(folder)


def add_predicted_layer(folder):
    """A layer that predicts the token after the next, which transformers does not save."""
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if ".layers.1." in name]:
        like = name.replace("model.layers.1.", "mtp.layers.0.")
        tensors[like] = torch.randn(tensors[name].shape).bfloat16() * 0.05
    for last, shape in (
        ("fc", (32, 64)),
        ("norm", (32,)),
        ("pre_fc_norm_embedding", (32,)),
        ("pre_fc_norm_hidden", (32,)),
    ):
        tensors[f"mtp.{last}.weight"] = torch.randn(shape).bfloat16() * 0.05
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["mtp_num_hidden_layers"] = 1
    (folder / "config.json").write_text(json.dumps(config))


def pack_experts(folder):
    """gpt-oss as it is published, experts in MXFP4: blocks of any content."""
    tensors, packed = load_file(folder / "model.safetensors"), {}
    for name, tensor in tensors.items():
        if name.endswith(("gate_up_proj", "down_proj")):
            experts, inputs, outputs = tensor.shape
            shape = (experts, outputs, inputs // 32)
            packed[f"{name}_blocks"] = torch.randint(0, 256, (*shape, 16), dtype=torch.uint8)
            packed[f"{name}_scales"] = torch.randint(118, 122, shape, dtype=torch.uint8)
        else:
            packed[name] = tensor
    save_file(packed, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config))


def expected(folder):
    """The hashes of what transformers has, with the experts stacked, and gate and up apart."""
    tensors = load_file(folder / "model.safetensors")
    values, stacks = {}, {}
    for name, tensor in tensors.items():
        if name.endswith("_scales"):
            continue
        if name.endswith("_blocks"):
            name = name.removesuffix("_blocks")
            scales = tensors[f"{name}_scales"]
            tensor = convert_moe_packed_tensors(tensor, scales, dtype=torch.bfloat16)
        if match := re.fullmatch(r"(.+\.experts)\.(\d+)\.(.+)", name):
            stacks.setdefault(f"{match[1]}.{match[3]}", {})[int(match[2])] = tensor
        elif name.endswith("gate_up_proj"):
            for part, half in (("gate", tensor[..., ::2]), ("up", tensor[..., 1::2])):
                stem = name.replace("gate_up", part)
                values[f"{stem}.weight"] = half.transpose(1, 2)
        elif name.endswith("gate_up_proj_bias"):
            for part, half in (("gate", tensor[..., ::2]), ("up", tensor[..., 1::2])):
                values[name.replace("gate_up_proj_bias", f"{part}_proj.bias")] = half
        elif name.endswith("experts.down_proj"):
            values[f"{name}.weight"] = tensor.transpose(1, 2)
        elif name.endswith("experts.down_proj_bias"):
            values[name.replace("_bias", ".bias")] = tensor
        else:
            values[name] = tensor
    for name, stack in stacks.items():
        values[name] = torch.stack([stack[number] for number in sorted(stack)])
    return {
        name: [
            list(tensor.shape),
            hashlib.sha256((tensor.float() + 0.0).contiguous().numpy().tobytes()).hexdigest(),
        ]
        for name, tensor in sorted(values.items())
    }


def convert(source, folder, name, kind, *more):
    to = str(HERE / f"{name}.gguf")
    code = CONVERT.format(source, str(folder), to, kind, list(more))
    subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    known = {}
    with tempfile.TemporaryDirectory() as made:
        for name, config in MODELS.items():
            folder = Path(made, name)
            save_model(config, folder)
            more = ["--no-mtp"] if "linear_num_key_heads" in config and name != "qwen35" else []
            if name == "qwen35":
                add_predicted_layer(folder)
            known[name] = expected(folder)
            convert(sys.argv[1], folder, name, "bf16", *more)
            if name == "qwen35":
                convert(sys.argv[1], folder, f"{name}-q8_0", "q8_0")
            if name == "gpt-oss":
                pack_experts(folder)
                known[f"{name}-mxfp4"] = expected(folder)
                convert(sys.argv[1], folder, f"{name}-mxfp4", "bf16")
    lines = (f"{json.dumps(name)}: {json.dumps(each)}" for name, each in known.items())
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
