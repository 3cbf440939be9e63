"""Codes are no weights: never measured, and no fact is taken from the shape they are packed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from modeldiff.architectures import Architecture, compare_facts, understand
from modeldiff.architectures.facts.config_entries import ENTRY
from modeldiff.architectures.place import trained_elements
from modeldiff.changes import pair
from tests.support.named_shapes import checkpoint, llama_shapes

CONFIG = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "num_hidden_layers": 2,
    "vocab_size": 512,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}
PLAIN = llama_shapes(CONFIG)
MATRICES = [name for name in PLAIN if "_proj." in name]

Stored = Mapping[str, tuple[tuple[int, ...], str]]
"""The last parts of the names that stand for a matrix, with shapes and types."""


@dataclass(frozen=True)
class Format:
    """How a matrix [out, in] is stored, as the tools' own code for packing does."""

    stored: Callable[[int, int], Stored]
    codes: str
    config: Mapping[str, Any] = field(default_factory=dict)
    bits: int = 4


def said(method: str, **more: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": method, **more}}


def hqq(bits: int, group: int = 64) -> Callable[[int, int], Stored]:
    """What hqq 0.2.8 saves along its first axis: a group a row, rows packed into one another."""
    each = {8: 1, 4: 2, 3: 10, 2: 4, 1: 8}[bits]

    def stored(outputs: int, inputs: int) -> Stored:
        groups = outputs * inputs // group
        return {
            "W_q": ((-(-groups // each), group), "I32" if bits == 3 else "U8"),
            "scale": ((groups, 1), "F16"),
            "zero": ((groups, 1), "F16"),
            "shape": ((2,), "I64"),
            **dict.fromkeys(("nbits", "group_size", "axis"), ((), "I32")),
            "packing": ((7,), "U8"),
            "unpack_view_dtype": ((11,), "U8"),
            "compute_dtype": ((13,), "U8"),
            **dict.fromkeys(
                (
                    "view_as_float",
                    "quant_scale",
                    "quant_zero",
                    "offload_meta",
                    "encoded_state_dict",
                    "stores_quant_config",
                    "channel_wise",
                    "optimize",
                    "round_zero",
                ),
                ((), "U8"),
            ),
        }

    return stored


def quanto(bits: int, group: int = 128) -> Callable[[int, int], Stored]:
    """What optimum-quanto 0.2.7 saves in fewer bits than a byte."""

    def stored(outputs: int, inputs: int) -> Stored:
        groups = outputs * inputs // group
        return {
            "weight._data._data": ((groups * bits // 8, group), "U8"),
            "weight._scale": ((groups, 1), "BF16"),
            "weight._shift": ((groups, 1), "BF16"),
            "input_scale": ((), "BF16"),
            "output_scale": ((), "BF16"),
        }

    return stored


FORMATS: Mapping[str, Format] = {
    **{
        f"HQQ in {bits} bits, without a config": Format(hqq(bits), "W_q", bits=bits)
        for bits in (8, 4, 3, 2, 1)
    },
    "HQQ": Format(
        hqq(8),
        "W_q",
        said("hqq", quant_config={"weight_quant_params": {"nbits": 8, "group_size": 64}}),
        8,
    ),
    "quanto's int8": Format(
        lambda o, i: {
            "weight._data": ((o, i), "I8"),
            "weight._scale": ((o, 1), "BF16"),
            "input_scale": ((), "BF16"),
            "output_scale": ((), "BF16"),
        },
        "weight._data",
        bits=8,
    ),
    "quanto's float8": Format(
        lambda o, i: {
            "weight._data": ((o, i), "F8_E4M3"),
            "weight._scale": ((o, 1), "BF16"),
            "input_scale": ((), "BF16"),
            "output_scale": ((), "BF16"),
        },
        "weight._data",
        bits=8,
    ),
    "quanto's int4": Format(quanto(4), "weight._data._data"),
    "quanto's int2": Format(quanto(2), "weight._data._data", bits=2),
    # As flatten_tensor_state_dict of torchao 0.18 names them; up to 0.14 with a colon.
    "torchao's int8": Format(
        lambda o, i: {
            "_weight_qdata": ((o, i), "I8"),
            "_weight_scale": ((o, 1), "F32"),
            "_weight_zero_point": ((o, 1), "I8"),
        },
        "_weight_qdata",
        said("torchao", quant_type={"default": {"_type": "Int8WeightOnlyConfig"}}),
        8,
    ),
    "torchao's float8": Format(
        lambda o, i: {"_weight_qdata": ((o, i), "F8_E4M3"), "_weight_scale": ((o, 1), "F32")},
        "_weight_qdata",
        bits=8,
    ),
    "torchao's int4": Format(
        lambda o, i: {
            "_weight_qdata": ((o, i // 2), "U8"),
            "_weight_scale": ((i // 32, o), "BF16"),
            "_weight_zero_point": ((i // 32, o), "BF16"),
            "_weight_act_pre_scale": ((i,), "BF16"),
        },
        "_weight_qdata",
        said("torchao", quant_type={"default": {"_type": "Int4WeightOnlyConfig"}}),
    ),
    "torchao's int4 in tiles": Format(
        lambda o, i: {
            "_weight_qdata": ((o // 8, i // 128, 32, 4), "I32"),
            "_weight_scale_and_zero": ((i // 32, o, 2), "BF16"),
        },
        "_weight_qdata",
    ),
    "torchao up to 0.14": Format(
        lambda o, i: {"weight:qdata": ((o, i), "F8_E4M3"), "weight:scale": ((o, 1), "F32")},
        "weight:qdata",
        bits=8,
    ),
    "FP8 in blocks": Format(
        lambda o, i: {
            "weight": ((o, i), "F8_E4M3"),
            "weight_scale_inv": ((1, i // 128), "F32"),
        },
        "weight",
        said("fp8", weight_block_size=[128, 128]),
        8,
    ),
    "FP8 under a config alone": Format(
        lambda o, i: {"weight": ((o, i), "F8_E4M3")}, "weight", said("fp8"), 8
    ),
    "int8 with a scale, without a config": Format(
        lambda o, i: {"weight": ((o, i), "I8"), "weight_scale": ((o, 1), "F32")}, "weight", bits=8
    ),
    "GPTQ": Format(
        lambda o, i: {
            "qweight": ((i // 8, o), "I32"),
            "qzeros": ((1, o // 8), "I32"),
            "scales": ((1, o), "F16"),
            "g_idx": ((i,), "I32"),
        },
        "qweight",
        said("gptq", bits=4, group_size=128),
    ),
    "GPTQ in 8 bits": Format(
        lambda o, i: {"qweight": ((i // 4, o), "I32"), "scales": ((1, o), "F16")},
        "qweight",
        said("gptq", bits=8),
        8,
    ),
    "AWQ": Format(
        lambda o, i: {
            "qweight": ((i, o // 8), "I32"),
            "qzeros": ((1, o // 8), "I32"),
            "scales": ((1, o), "F16"),
        },
        "qweight",
        said("awq", bits=4),
    ),
    "bitsandbytes, 4 bits": Format(
        lambda o, i: {
            "weight": ((o * i // 2, 1), "U8"),
            "weight.absmax": ((o * i // 64,), "U8"),
            "weight.quant_map": ((16,), "F32"),
            "weight.nested_absmax": ((4,), "F32"),
            "weight.quant_state.bitsandbytes__nf4": ((70,), "U8"),
        },
        "weight",
        said("bitsandbytes", load_in_4bit=True),
    ),
    "bitsandbytes, 8 bits": Format(
        lambda o, i: {"weight": ((o, i), "I8"), "SCB": ((o,), "F32"), "weight_format": ((), "U8")},
        "weight",
        said("bitsandbytes", load_in_8bit=True),
        8,
    ),
    "MLX": Format(
        lambda o, i: {
            "weight": ((o, i // 8), "U32"),
            "scales": ((o, i // 64), "BF16"),
            "biases": ((o, i // 64), "BF16"),
        },
        "weight",
        {"quantization": {"bits": 4, "group_size": 64}},
    ),
    "compressed-tensors": Format(
        lambda o, i: {
            "weight_packed": ((o, i // 8), "I32"),
            "weight_scale": ((o, 1), "BF16"),
            "weight_shape": ((2,), "I64"),
        },
        "weight_packed",
        said(
            "compressed-tensors",
            kv_cache_scheme={"num_bits": 8},
            config_groups={
                "group_0": {"input_activations": {"num_bits": 8}, "weights": {"num_bits": 4}}
            },
        ),
    ),
    "NVFP4": Format(
        lambda o, i: {
            "weight": ((o, i // 2), "U8"),
            "weight_scale": ((o, i // 16), "F8_E4M3"),
            "weight_scale_2": ((), "F32"),
            "input_scale": ((), "F32"),
        },
        "weight",
        said("modelopt", quant_algo="NVFP4"),
    ),
}


def quantised(form: Format, wrap: str = "") -> Architecture:
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    for name, shape in PLAIN.items():
        if name not in MATRICES:
            shapes[wrap + name] = shape
            continue
        for last, (own, dtype) in form.stored(*shape).items():
            stored = wrap + name.removesuffix("weight") + last
            shapes[stored], dtypes[stored] = own, dtype
    return understand(checkpoint(shapes, {**CONFIG, **form.config}, dtypes=dtypes))


@pytest.mark.parametrize("wrap", ["", "module.", "language_model."])
@pytest.mark.parametrize("name", FORMATS)
def test_codes_are_at_their_weights_place_and_are_not_measured(name: str, wrap: str) -> None:
    form = FORMATS[name]
    plain, coded = understand(checkpoint(PLAIN, CONFIG)), quantised(form, wrap)
    for sides in ((plain, coded), (coded, plain), (coded, coded)):
        rows = pair(*sides)
        assert len({row.place for row in rows}) == len(rows)
        matrices = [row for row in rows if row.status == "quantised"]
        assert len(matrices) == len(MATRICES)
        assert all(row.nbytes == 0 and row.base and row.target for row in matrices)
        assert all(f"{form.bits}-bit codes" in row.reason for row in matrices)
        rest = {row.status for row in rows if row not in matrices}
        assert rest <= {"compared", "buffer"}
        buffers = [row for row in rows if row.status == "buffer"]
        assert all("codes are read with" in row.reason for row in buffers)
        assert len(buffers) == len(MATRICES) * (len(form.stored(128, 128)) - 1)
    assert set(coded.columns) == set(plain.columns)


@pytest.mark.parametrize("name", FORMATS)
def test_the_facts_are_those_of_the_weights(name: str) -> None:
    plain, coded = understand(checkpoint(PLAIN, CONFIG)), quantised(FORMATS[name])
    differ = {fact.key for fact in compare_facts(plain, coded) if not fact.same}
    # What is stored, and what that takes, is another; so is what the config says of it.
    differ -= {key for key in differ if key.startswith(f"{ENTRY}config.json: quantization")}
    assert differ <= {"dtypes", "stored_types", "size_bytes", "checkpoint_bytes", "memory_bytes"}, (
        differ
    )
    assert sum(map(trained_elements, plain.parameters)) == sum(
        trained_elements(p) for p in coded.parameters if p.role != "buffer"
    )
    shapes = {p.place: p.shape for p in coded.parameters if p.role == "quantised"}
    assert shapes == {p.place: p.shape for p in plain.parameters if p.place in shapes}


def test_numbers_that_only_look_like_codes_are_weights() -> None:
    """A plain cast to FP8 holds values; a scale beside plain floats is not theirs."""
    cast = understand(checkpoint(PLAIN, CONFIG, dtypes=dict.fromkeys(MATRICES, "F8_E4M3")))
    assert {p.role for p in cast.parameters} == {"parameter"}
    scaled = dict(PLAIN) | {f"{name}_scale": (1,) for name in MATRICES}
    architecture = understand(checkpoint(scaled, CONFIG))
    roles = {p.tensor.name: p.role for p in architecture.parameters}
    assert {roles[name] for name in PLAIN} == {"parameter"}
    norms = {"layers.0.norm.scale": (8,), "layers.0.norm.bias": (8,)}
    assert {p.role for p in understand(checkpoint(norms)).parameters} == {"parameter"}
