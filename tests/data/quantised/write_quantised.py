"""Writes this folder: one small matrix by each library's own quantiser, with what it makes of it.

    python tests/data/quantised/write_quantised.py SOURCES [LIBRARY …]

Needs torch, safetensors, bitsandbytes 0.50.2, torchao 0.18.0, hqq 0.2.8.post1, optimum-quanto
0.2.7, mlx 0.32.4 (mlx-cpu on Linux) and transformers 5.23.0; SOURCES is a folder with the unpacked
source distributions gptqmodel-7.7.0 and autoawq-0.2.9, whose packers are run from there. With
libraries named (``hqq``), theirs alone are written, and the others' stay as they are. The libraries
take gigabytes, so that the tests read what is written here. ``forms.json`` has the config that each
form's files would have, and of the values [out, in] that the library returns, as float32, their
hash and the first eight.
"""

# Libraries that only this script needs have no types here.
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sys
import types
import typing
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

HERE = Path(__file__).parent
NAME = "model.layers.0.mlp.down_proj"
OUTPUTS, INPUTS = 64, 128
torch.manual_seed(0)
torch.set_grad_enabled(False)
WEIGHT = (torch.randn(OUTPUTS, INPUTS) * 0.02).bfloat16()
FORMS: dict[str, object] = {}


def keep(form, tensors, expected, config, metadata=None):
    """One form: its file, what is known of its values, the config."""
    stored = {NAME + last: tensor.contiguous() for last, tensor in tensors.items()}
    save_file(stored, HERE / f"{form}.safetensors", metadata=metadata)
    # Plus zero: a product that is zero has either sign, by the order of the factors.
    values = (expected.float().contiguous() + 0.0).numpy()
    FORMS[form] = {
        "config": config,
        "type": str(expected.dtype).removeprefix("torch."),
        "shape": list(values.shape),
        "first": values.reshape(-1)[:8].tolist(),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
    }


def write_bitsandbytes():
    import bitsandbytes as bnb
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    config = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    for form, kind, nested in (
        ("bnb-nf4", "nf4", False),
        ("bnb-nf4-twice", "nf4", True),
        ("bnb-fp4", "fp4", False),
    ):
        codes, state = quantize_4bit(WEIGHT, quant_type=kind, compress_statistics=nested)
        beside = {f".weight.{key}": value for key, value in state.as_dict(packed=True).items()}
        # The library computes in float32 and rounds to the weight's type at last.
        state.dtype = torch.float32
        keep(form, {".weight": codes, **beside}, dequantize_4bit(codes, state), config)
    codes, scales, _ = bnb.functional.int8_vectorwise_quant(WEIGHT.half())
    form = torch.tensor(0, dtype=torch.uint8)
    values = bnb.functional.int8_vectorwise_dequant(codes, scales)
    tensors = {".weight": codes, ".SCB": scales, ".weight_format": form}
    keep("bnb-int8", tensors, values, {"quantization_config": {"quant_method": "bitsandbytes"}})


def write_torchao():
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import (
        Float8WeightOnlyConfig,
        Int8WeightOnlyConfig,
        quantize_,
    )

    for form, config in (
        ("torchao-int8", Int8WeightOnlyConfig(version=2)),
        ("torchao-fp8", Float8WeightOnlyConfig()),
    ):
        linear = torch.nn.Linear(INPUTS, OUTPUTS, bias=False, dtype=torch.bfloat16)
        linear.weight = torch.nn.Parameter(WEIGHT.clone())
        quantize_(linear, config)
        tensors, metadata = flatten_tensor_state_dict({f"{NAME}.weight": linear.weight})
        tensors = {name.removeprefix(NAME): one for name, one in tensors.items()}
        keep(
            form,
            tensors,
            linear.weight.dequantize(),
            {"quantization_config": {"quant_method": "torchao"}},
            metadata,
        )


def write_torchao_small():
    """What has fewer bits, or scales in the order of a kernel."""
    from torchao.prototype.mx_formats import MXDynamicActivationMXWeightConfig
    from torchao.prototype.mx_formats.mx_tensor import MXTensor
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import (
        Int8WeightOnlyConfig,
        IntxWeightOnlyConfig,
        PerAxis,
        PerGroup,
        quantize_,
    )

    def by(config):
        linear = torch.nn.Linear(INPUTS, OUTPUTS, bias=False, dtype=torch.bfloat16)
        linear.weight = torch.nn.Parameter(WEIGHT.clone())
        quantize_(linear, config)
        return linear.weight

    wide = (torch.randn(160, 96) * 0.02).bfloat16()  # several tiles, and no whole ones
    whole = per_tensor_amax_to_scale(wide.abs().max())
    weights = {
        "torchao-int8-groups": by(Int8WeightOnlyConfig(version=2, granularity=PerGroup(32))),
        "torchao-int4": by(IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32))),
        "torchao-int2-row": by(
            IntxWeightOnlyConfig(weight_dtype=torch.int2, granularity=PerAxis(0))
        ),
        "torchao-mxfp8-tiles": by(MXDynamicActivationMXWeightConfig()),
        "torchao-mxfp8-e5m2": MXTensor.to_mx(WEIGHT, torch.float8_e5m2, 32),
        "torchao-mxfp4": MXTensor.to_mx(WEIGHT, torch.float4_e2m1fn_x2, 32),
        "torchao-nvfp4": NVFP4Tensor.to_nvfp4(WEIGHT),
        "torchao-nvfp4-tiles": NVFP4Tensor.to_nvfp4(
            wide, per_tensor_scale=whole, is_swizzled_scales=True
        ),
    }
    for form, weight in weights.items():
        tensors, metadata = flatten_tensor_state_dict({f"{NAME}.weight": weight})
        tensors = {name.removeprefix(NAME): one for name, one in tensors.items()}
        config = {"quantization_config": {"quant_method": "torchao"}}
        keep(form, tensors, weight.dequantize(), config, metadata)


def write_hqq():
    """As its layer saves itself for safetensors, with all of its settings."""
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    for form, bits, axis, group, kind, as_float in (
        ("hqq8-row", 8, 1, None, torch.float32, False),
        ("hqq5", 5, 1, 64, torch.bfloat16, False),
        ("hqq4", 4, 1, 64, torch.float16, False),
        ("hqq4-across", 4, 0, 64, torch.bfloat16, False),
        ("hqq3", 3, 1, 64, torch.bfloat16, False),
        ("hqq3-across", 3, 0, 32, torch.float16, False),
        ("hqq2-floats", 2, 1, 32, torch.bfloat16, True),
        ("hqq1.58", 1.58, 1, 64, torch.float16, False),
        ("hqq1", 1, 0, 64, torch.float16, False),
    ):
        linear = torch.nn.Linear(INPUTS, OUTPUTS, bias=False)
        linear.weight.data = WEIGHT.float()
        settings = BaseQuantizeConfig(
            nbits=bits, group_size=group, axis=axis, view_as_float=as_float
        )
        layer = HQQLinear(linear, settings, compute_dtype=kind, device="cpu")
        tensors = {f".{last}": tensor for last, tensor in layer.state_dict().items()}
        config = {"quantization_config": {"quant_method": "hqq"}}
        keep(form, tensors, layer.dequantize(), config)


def write_quanto():
    """A model of one layer, frozen: its state dict without what is of activations."""
    from optimum.quanto import MaxOptimizer, freeze, qfloat8, qint2, qint4, qint8, quantize

    def form_of(form, weight, weights, optimizer=None):
        layers = torch.nn.ModuleDict(
            {"layer": torch.nn.Linear(*reversed(weight.shape), bias=False)}
        )
        layers["layer"].weight = torch.nn.Parameter(weight.clone())
        quantize(layers, weights=weights, optimizer=optimizer)
        freeze(layers)
        tensors = {
            name.removeprefix("layer"): tensor
            for name, tensor in layers.state_dict().items()
            if name.startswith("layer.weight")
        }
        # The name of the matrix says that its rows are as many as the model is wide.
        config = {"hidden_size": weight.shape[0], "quantization_config": {"quant_method": "quanto"}}
        keep(form, tensors, layers["layer"].weight.dequantize(), config)

    wide = (torch.randn(32, 288) * 0.02).bfloat16()
    form_of("quanto8", WEIGHT, qint8)
    form_of("quanto-fp8", WEIGHT, qfloat8)
    form_of("quanto4", WEIGHT.half(), qint4)
    form_of("quanto4-groups", wide, qint4)
    form_of("quanto2-groups", wide[:31], qint2)
    form_of("quanto4-zeros", wide, qint4, optimizer=ZeroPoints(MaxOptimizer()))


class ZeroPoints:
    """quanto's optimiser, asked for whole zero points, which its layers never do."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def __call__(self, *arguments, **named):
        return self.optimizer(*arguments, zeropoint=True, **named)


def write_gptq(sources):
    """By GPTQModel's own packer, without its package: the function stands for itself."""
    lines = (
        (sources / "gptqmodel-7.7.0/gptqmodel/nn_modules/qlinear/__init__.py")
        .read_text()
        .split("\n")
    )
    at = next(n for n, line in enumerate(lines) if line.startswith("    def pack_original("))
    end = next(
        n
        for n in range(at + 1, len(lines))
        if lines[n].startswith(("    def ", "    @")) or (lines[n] and lines[n][0] != " ")
    )

    class NoLimit:
        threadpool_limits = staticmethod(lambda n: contextlib.nullcontext())

    names = {
        **vars(typing),
        "t": torch,
        "nn": torch.nn,
        "np": np,
        "math": math,
        "THREADPOOLCTL": NoLimit,
        "_ConvNd": torch.nn.modules.conv._ConvNd,
        "transformers": transformers,
    }
    exec("\n".join(line[4:] for line in lines[at:end]), names)

    class Layer:
        planar, pack_dtype_bits, g_idx, bias = False, 32, None, None
        pack_np_math_dtype, pack_np_dtype = np.uint32, np.int32

        def register_buffer(self, name, value):
            setattr(self, name, value)

    linear = torch.nn.Linear(INPUTS, OUTPUTS, bias=False)
    linear.weight.data = WEIGHT.float()
    group = 32
    for bits in (2, 3, 4, 8):
        for act_order in (False, True):
            layer = Layer()
            layer.bits, layer.pack_factor, layer.maxq = bits, 32 // bits, 2**bits - 1
            order = torch.arange(INPUTS) // group
            if act_order:
                order = order[torch.randperm(INPUTS)]
            parts = [linear.weight[:, order == g] for g in range(INPUTS // group)]
            asymmetric = bits == 4 and act_order
            if asymmetric:
                low = torch.stack([part.amin(1) for part in parts], 1)
                high = torch.stack([part.amax(1) for part in parts], 1)
                scales = ((high - low) / layer.maxq).half().float()
                zeros = torch.round(-low / scales)
            else:
                most = torch.stack([part.abs().amax(1) for part in parts], 1)
                scales = (2 * most / layer.maxq).half().float()
                zeros = torch.full_like(scales, 2 ** (bits - 1))
            names["pack_original"](layer, linear, scales, zeros, order.to(torch.int32))
            s, z = scales.T[order], zeros.T[order]
            codes = torch.round(linear.weight.T / s + z).clamp(0, layer.maxq)
            values = (s * (codes - z)).half().T
            qzeros = layer.qzeros
            version = "gptq_v2"
            if bits in (2, 8):  # as its export to the first form leaves them: less one
                version, ones = "gptq", sum(1 << at for at in range(0, 32, bits))
                less = qzeros.numpy().view(np.uint32) - np.uint32(ones)
                qzeros = torch.from_numpy(less.view(np.int32))
            keep(
                f"gptq{bits}{'-order' if act_order else ''}",
                {
                    ".qweight": layer.qweight,
                    ".qzeros": qzeros,
                    ".scales": layer.scales,
                    ".g_idx": layer.g_idx,
                },
                values,
                {
                    "quantization_config": {
                        "quant_method": "gptq",
                        "bits": bits,
                        "group_size": group,
                        "sym": not asymmetric,
                        "checkpoint_format": version,
                    }
                },
            )


def write_awq(sources):
    """By AutoAWQ's own layer, without the package's other imports."""

    def stub(name, **members):
        module = types.ModuleType(name)
        module.__dict__.update(members)
        module.__path__ = [str(sources / "autoawq-0.2.9" / name.replace(".", "/"))]
        sys.modules[name] = module

    stub("awq")
    stub("awq.utils")
    stub("awq.modules")
    stub("awq.modules.linear")
    stub("awq.utils.module", try_import=lambda name: (None, ""))
    stub("awq.utils.utils", get_best_device=lambda: "cpu")
    from awq.modules.linear.gemm import WQLinear_GEMM
    from awq.utils.packing_utils import dequantize_gemm

    group = 64
    groups = WEIGHT.float().reshape(OUTPUTS, INPUTS // group, group)
    low, high = groups.amin(-1), groups.amax(-1)
    scales = ((high - low).clamp(min=1e-5) / 15).half()
    zeros = (-torch.round(low / scales.float())).clamp(0, 15)
    linear = torch.nn.Linear(INPUTS, OUTPUTS, bias=False).half()
    linear.weight.data = WEIGHT.half()
    layer = WQLinear_GEMM.from_linear(
        linear, 4, group, scales=scales.t().contiguous(), zeros=zeros.t().contiguous()
    )
    values = dequantize_gemm(layer.qweight, layer.qzeros, layer.scales, 4, group)
    tensors = {f".{last}": getattr(layer, last) for last in ("qweight", "qzeros", "scales")}
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm"}
    keep("awq", tensors, values.T, {"quantization_config": config})


def write_mlx():
    import mlx.core as mx

    def of(array):
        if array.dtype == mx.bfloat16:
            return torch.from_numpy(np.array(array.astype(mx.float32))).bfloat16()
        return torch.from_numpy(np.array(array))

    weight = mx.array(WEIGHT.float().numpy())
    for bits in (2, 3, 4, 5, 6, 8):
        kind = {3: mx.float16, 5: mx.float32}.get(bits, mx.bfloat16)
        codes, scales, biases = mx.quantize(weight.astype(kind), group_size=64, bits=bits)
        values = mx.dequantize(codes, scales, biases, group_size=64, bits=bits)
        tensors = {".weight": of(codes), ".scales": of(scales), ".biases": of(biases)}
        config = {"quantization": {"group_size": 64, "bits": bits}}
        keep(f"mlx{bits}", tensors, of(values), config)
    codes, scales = mx.quantize(weight, group_size=32, bits=4, mode="mxfp4")
    values = mx.dequantize(codes, scales, group_size=32, bits=4, mode="mxfp4")
    config = {"quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4"}}
    keep("mlx-mxfp4", {".weight": of(codes), ".scales": of(scales)}, of(values), config)


def write_gpt_oss():
    """Random blocks: what transformers makes of them."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    blocks = torch.randint(0, 256, (2, 32, 4, 16), dtype=torch.uint8)
    scales = torch.randint(110, 135, (2, 32, 4), dtype=torch.uint8)
    values = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    keep(
        "gpt-oss",
        {"_blocks": blocks, "_scales": scales},
        values.transpose(1, 2),
        {"quantization_config": {"quant_method": "mxfp4"}},
    )


if __name__ == "__main__":
    sources = Path(sys.argv[1])
    writers = {
        "bitsandbytes": write_bitsandbytes,
        "torchao": write_torchao,
        "gptq": lambda: write_gptq(sources),
        "awq": lambda: write_awq(sources),
        "mlx": write_mlx,
        "gpt-oss": write_gpt_oss,
        "torchao-small": write_torchao_small,
        "hqq": write_hqq,
        "quanto": write_quanto,
    }
    if wanted := sys.argv[2:]:
        FORMS.update(json.loads((HERE / "forms.json").read_text()))
    for library in wanted or writers:
        writers[library]()
    lines = (f"{json.dumps(form)}: {json.dumps(known)}" for form, known in FORMS.items())
    (HERE / "forms.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
