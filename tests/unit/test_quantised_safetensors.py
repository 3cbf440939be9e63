"""Quantised safetensors: each form's values beside its own library's, what is refused, what is
said."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import compressed_tensors.compressors as compressors
import numpy as np
import numpy.typing as npt
import pytest
import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

from modeldiff import diff
from modeldiff.architectures import understand
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo, open_checkpoint
from modeldiff.checkpoints.recipes.column_codes import ColumnCodes
from modeldiff.checkpoints.recipes.small_floats import as_float32
from modeldiff.checkpoints.tensor import TensorUnreadable
from modeldiff.findings.narrative import narrate
from modeldiff.findings.quantised.floors import FLOORS, type_floor
from modeldiff.findings.quantised.grids import GRID_FLOORS, GRID_GROUPS

DATA = Path(__file__).parents[1] / "data" / "quantised"
FORMS: Mapping[str, Any] = json.loads((DATA / "forms.json").read_text())
NAME = "model.layers.0.mlp.down_proj"
Tensors = dict[str, torch.Tensor]


def values_of(checkpoint: Checkpoint, name: str, runs: int = 1) -> npt.NDArray[np.float32]:
    """A tensor's values, read in so many runs that cut groups and words."""
    tensor = checkpoint[name]
    files = OpenFiles(checkpoint, [tensor])
    for file in files.names:
        files.fetch(file)
    width = STORED_TYPES[tensor.values].bits // 8
    raw = np.empty(tensor.elements * width, np.uint8)
    ends = [tensor.elements * run // runs for run in range(runs + 1)]
    for first, last in pairwise(ends):
        files.fill(tensor, first, raw[first * width : last * width])
    files.close()
    return as_float32(raw, tensor.values).reshape(tensor.shape)


def write(folder: Path, tensors: Tensors, config: Mapping[str, Any] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(whole, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def rounded(values: npt.NDArray[np.float32], kind: torch.dtype) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = torch.from_numpy(values).to(kind).float().numpy()
    return array


@pytest.mark.parametrize("form", FORMS)
def test_values_are_those_of_the_library_that_wrote_them(form: str, tmp_path: Path) -> None:
    """The hash is of what the library itself made of the same file."""
    known = FORMS[form]
    shutil.copy(DATA / f"{form}.safetensors", tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(known["config"]))
    checkpoint = open_checkpoint(str(tmp_path))
    assert checkpoint.warnings == ()
    (tensor,) = checkpoint.tensors
    assert list(tensor.shape) == known["shape"]
    # bfloat16 where the library rounds so at last, though it computes in float32.
    values = rounded(values_of(checkpoint, tensor.name), getattr(torch, known["type"])) + 0.0
    assert values.reshape(-1)[:8].tolist() == known["first"]
    assert hashlib.sha256(values.tobytes()).hexdigest() == known["sha256"]
    in_runs = values_of(checkpoint, tensor.name, runs=7)
    np.testing.assert_array_equal(in_runs, values_of(checkpoint, tensor.name))
    assert tensor.nbytes < 2.2 * tensor.elements


def scheme(form: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return form, {"symmetric": True, **arguments}


POWERS = {"scale_dtype": torch.uint8, "group_size": 32, "strategy": "group", "type": "float"}
COMPRESSED = {
    "FP8 a tensor": scheme("float-quantized", num_bits=8, type="float", strategy="tensor"),
    "FP8 a row": scheme("float-quantized", num_bits=8, type="float", strategy="channel"),
    "FP8 in blocks": scheme(
        "float-quantized", num_bits=8, type="float", strategy="block", block_structure=[128, 128]
    ),
    "INT8 a row": scheme("int-quantized", num_bits=8, type="int", strategy="channel"),
    "MXFP8": scheme("mxfp8-quantized", num_bits=8, **POWERS),
    "MXFP4": scheme("mxfp4-pack-quantized", num_bits=4, **POWERS),
    "NVFP4": scheme(
        "nvfp4-pack-quantized",
        num_bits=4,
        type="float",
        strategy="tensor_group",
        group_size=16,
        scale_dtype=torch.float8_e4m3fn,
    ),
    **{
        f"{bits} bits{'' if symmetric else ', zeros'}": scheme(
            "pack-quantized",
            num_bits=bits,
            type="int",
            strategy="group",
            group_size=64,
            symmetric=symmetric,
        )
        for bits, symmetric in ((3, True), (4, True), (4, False), (8, True), (8, False))
    },
}


def compressed(
    weight: torch.Tensor, form: str, arguments: Mapping[str, Any]
) -> tuple[Tensors, torch.Tensor, dict[str, Any]]:
    """What compressed-tensors stores of a matrix, what it makes of that, and its config."""
    args = QuantizationArgs(**arguments)
    whole = weight.float()
    rows, columns = whole.shape
    one = None
    if args.strategy == "tensor":
        low, high = whole.amin().reshape(1), whole.amax().reshape(1)
    elif args.strategy == "channel":
        low, high = whole.amin(1, keepdim=True), whole.amax(1, keepdim=True)
    elif args.strategy == "block":
        padded = torch.nn.functional.pad(whole, (0, -columns % 128, 0, -rows % 128))
        blocks = padded.reshape(padded.shape[0] // 128, 128, padded.shape[1] // 128, 128)
        low, high = blocks.amin((1, 3)), blocks.amax((1, 3))
    else:
        groups = whole.reshape(rows, -1, arguments["group_size"])
        low, high = groups.amin(-1), groups.amax(-1)
    if args.strategy == "tensor_group":
        one = (448.0 * 6.0 / whole.abs().max()).reshape(1)
    scale, zero = calculate_qparams(low, high, args, global_scale=one)
    small = scale.dtype in (torch.float8_e4m3fn, torch.uint8)
    state = {"weight": weight.clone(), "weight_scale": scale if small else scale.bfloat16()}
    if not arguments["symmetric"]:
        state["weight_zero_point"] = zero
    if one is not None:
        state["weight_global_scale"] = one
    described = QuantizationScheme(targets=["Linear"], weights=args, format=form)
    compressor = compressors.BaseCompressor.get_value_from_registry(form)
    stored = compressor.compress(dict(state), described)
    back = compressor.decompress(dict(stored), described)["weight"]
    entries = {key: value for key, value in arguments.items() if key != "scale_dtype"}
    config = {"config_groups": {"group_0": {"targets": ["Linear"], "weights": entries}}}
    return (
        {f"{NAME}.{last}": tensor for last, tensor in stored.items()},
        back,
        {"quantization_config": {"quant_method": "compressed-tensors", "format": form, **config}},
    )


@pytest.mark.parametrize("name", COMPRESSED)
def test_values_are_those_of_compressed_tensors(name: str, tmp_path: Path) -> None:
    torch.manual_seed(len(name))
    weight = (torch.randn(288, 320 if "blocks" in name else 256) * 0.02).bfloat16()
    stored, expected, config = compressed(weight, *COMPRESSED[name])
    checkpoint = open_checkpoint(str(write(tmp_path, stored, config)))
    assert checkpoint.warnings == ()
    assert [tensor.name for tensor in checkpoint.tensors] == [f"{NAME}.weight"]
    values = values_of(checkpoint, f"{NAME}.weight")
    np.testing.assert_array_equal(rounded(values, expected.dtype), expected.float().numpy())
    in_runs = values_of(checkpoint, f"{NAME}.weight", runs=5)
    np.testing.assert_array_equal(in_runs, values)


def fp8_blocks(
    weight: torch.Tensor, kind: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """DeepSeek's: codes, and a scale for each block of 128 × 128."""
    rows, columns = weight.shape
    scales = torch.zeros(-(-rows // 128), -(-columns // 128))
    codes = torch.empty(rows, columns, dtype=torch.float8_e4m3fn)
    for r in range(scales.shape[0]):
        for c in range(scales.shape[1]):
            at = (slice(r * 128, r * 128 + 128), slice(c * 128, c * 128 + 128))
            scale = (weight[at].abs().max() / 448).to(kind).float()
            if kind == torch.float8_e8m0fnu:
                scale = torch.exp2(torch.ceil(torch.log2(weight[at].abs().max() / 448)))
            scales[r, c] = scale
            codes[at] = (weight[at] / scale).to(torch.float8_e4m3fn)
    return codes, scales.to(kind)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("weight_scale_inv", torch.float32),
        ("weight_scale_inv", torch.bfloat16),
        ("scale", torch.float8_e8m0fnu),
        ("weight_scale", torch.float32),
    ],
)
def test_fp8_in_blocks_by_any_name(end: str, kind: torch.dtype, tmp_path: Path) -> None:
    """Rows and columns that no block divides, and no config that says anything."""
    torch.manual_seed(3)
    weight = torch.randn(576, 320) * 0.02
    codes, scales = fp8_blocks(weight, kind)
    stored = {f"{NAME}.weight": codes, f"{NAME}.{end}": scales}
    checkpoint = open_checkpoint(str(write(tmp_path, stored)))
    whole = scales.float().repeat_interleave(128, 0)[:576].repeat_interleave(128, 1)[:, :320]
    values = values_of(checkpoint, f"{NAME}.weight", runs=3)
    np.testing.assert_array_equal(values, (codes.float() * whole).numpy())


def test_a_stack_of_experts_has_a_scale_each(tmp_path: Path) -> None:
    torch.manual_seed(4)
    codes = (torch.randn(3, 256, 128) * 10).to(torch.float8_e4m3fn)
    for shape in ((3, 1, 1), (3, 256, 1), (3, 2, 1), (3, 1, 128), (3,)):
        scales = torch.rand(shape) + 0.5
        stored = {"experts.w": codes, "experts.w_scale": scales}
        checkpoint = open_checkpoint(str(write(tmp_path, stored)))
        rows = 256 // shape[1] if len(shape) > 1 else 256
        whole = scales.reshape(3, 1, 1) if len(shape) == 1 else scales.repeat_interleave(rows, 1)
        values = values_of(checkpoint, "experts.w")
        np.testing.assert_array_equal(values, (codes.float() * whole).numpy())


def test_modelopt_multiplies_by_the_second_scale(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    codes = torch.from_numpy(random.integers(0, 256, (32, 32), dtype=np.uint8))
    scales = (torch.rand(32, 4) * 100).to(torch.float8_e4m3fn)
    second = torch.tensor(0.0123)
    stored = {
        f"{NAME}.weight": codes,
        f"{NAME}.weight_scale": scales,
        f"{NAME}.weight_scale_2": second,
        f"{NAME}.input_scale": torch.tensor(1.0),
    }
    checkpoint = open_checkpoint(str(write(tmp_path / "whole", stored)))
    table = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    table = torch.cat([table, -table])
    pairs = torch.stack([table[(codes & 15).long()], table[(codes >> 4).long()]], -1)
    expected = pairs.reshape(32, 64) * (scales.float() * second).repeat_interleave(16, 1)
    np.testing.assert_array_equal(values_of(checkpoint, f"{NAME}.weight"), expected.numpy())
    del stored[f"{NAME}.weight_scale_2"]
    checkpoint = open_checkpoint(str(write(tmp_path / "less", stored)))
    assert "its scales' own scale is not there" in checkpoint.warnings[0]
    assert checkpoint[f"{NAME}.weight"].recipe is None


def gptq(form: str, folder: Path, bend: Callable[[Tensors, dict[str, Any]], None]) -> Checkpoint:
    """A form of GPTQ, bent."""
    from safetensors.torch import load_file

    tensors = load_file(DATA / f"{form}.safetensors")
    config = json.loads(json.dumps(FORMS[form]["config"]))
    bend(tensors, config["quantization_config"])
    return open_checkpoint(str(write(folder, tensors, config)))


def bent_form(form: str, folder: Path, bend: Callable[[Tensors], None], **config: Any) -> Path:
    """A written form, bent; entries of its config replaced."""
    from safetensors.torch import load_file

    tensors = load_file(DATA / f"{form}.safetensors")
    bend(tensors)
    return write(folder, tensors, {**FORMS[form]["config"], **config})


@pytest.mark.parametrize(
    ("form", "bend", "config", "why"),
    [
        ("hqq4", lambda t: t.pop(f"{NAME}.zero"), {}, "scale and zero are not there"),
        ("hqq4", lambda t: t.pop(f"{NAME}.shape"), {}, "shape and nbits are not there"),
        ("hqq4", lambda t: t[f"{NAME}.shape"].fill_(-1), {}, "its shape would be"),
        ("hqq4", lambda t: t[f"{NAME}.shape"].fill_(1 << 62), {}, "its shape would be"),
        ("hqq4", lambda t: t[f"{NAME}.shape"].fill_(7), {}, "does not fit a matrix of 7"),
        ("hqq4", lambda t: t[f"{NAME}.nbits"].fill_(2), {}, "are not 128 × 64 of 2 bits"),
        ("hqq4", lambda t: t[f"{NAME}.nbits"].fill_(7), {}, "codes of 7 bits"),
        ("quanto4", lambda t: t.pop(f"{NAME}.weight._shift"), {}, "its _shift is not there"),
        ("quanto8", lambda t: t.pop(f"{NAME}.weight._scale"), {}, "its _scale is not there"),
        ("quanto4-groups", lambda t: None, {"hidden_size": None}, "no file tells their matrix"),
        # As wide as no matrix in groups of 96 would have been cut.
        ("quanto4-groups", lambda t: None, {"hidden_size": 64}, "no file tells their matrix"),
    ],
)
def test_settings_that_do_not_fit_make_it_unreadable(
    form: str, bend: Callable[[Tensors], None], config: dict[str, Any], why: str, tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(bent_form(form, tmp_path, bend, **config)))
    assert why in checkpoint.warnings[0] and "not measured" in checkpoint.warnings[0]
    assert not any(tensor.lossy for tensor in checkpoint.tensors)


@pytest.mark.parametrize(
    ("shape", "nbits"),
    [
        ("{", "4"),
        ("[" * 90, "4"),
        ("[64, 128]", '"4"'),
        ("[64, true]", "4"),
        ("[64]", "4"),
        ("[64, 128]", "1e400"),
        ("[64, 128]", str(10**90)),
        ("[64, -128]", "4"),
        ("7", "NaN"),
    ],
)
def test_hqqs_settings_in_a_files_metadata_are_not_believed(
    shape: str, nbits: str, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    said = {f"{NAME}.shape": shape, f"{NAME}.nbits": nbits}
    save_file(load_file(DATA / "hqq4.safetensors"), tmp_path / "model.safetensors", metadata=said)
    assert "not measured" in open_checkpoint(str(tmp_path)).warnings[0]


def test_a_bias_tells_what_quantos_groups_hide(tmp_path: Path) -> None:
    def add_bias(tensors: Tensors) -> None:
        tensors[f"{NAME}.bias"] = torch.zeros(32)

    folder = bent_form("quanto4-groups", tmp_path, add_bias, hidden_size=None)
    assert open_checkpoint(str(folder))[f"{NAME}.weight"].shape == (32, 288)


@pytest.mark.parametrize("beside", [{}, {"model.rotary_emb.inv_freq": torch.ones(4)}])
def test_what_goes_with_codes_is_no_parameter_once_they_are_values(
    beside: Tensors, tmp_path: Path
) -> None:
    """Whatever else the file holds."""
    stored = {
        f"{NAME}.weight": torch.ones(64, 64).to(torch.float8_e4m3fn),
        f"{NAME}.weight_scale": torch.ones(1),
        f"{NAME}.input_scale": torch.ones(1),
    }
    architecture = understand(open_checkpoint(str(write(tmp_path, {**stored, **beside}))))
    roles = {each.tensor.name: each.role for each in architecture.parameters}
    assert (roles[f"{NAME}.weight"], roles[f"{NAME}.input_scale"]) == ("parameter", "buffer")


def test_torchao_says_what_its_bytes_are(tmp_path: Path) -> None:
    """Pairs of codes with scales [groups, out] would fit bytes of 64 × 1 blocks."""
    stored = {
        f"{NAME}._weight_qdata": torch.ones(512, 1024, dtype=torch.int8),
        f"{NAME}._weight_scale": torch.ones(8, 512),
        f"{NAME}._weight_zero_point": torch.zeros(8, 512),
    }
    for kind in ("Int4Tensor", ""):
        said = {f"{NAME}.weight": json.dumps({"_type": kind, "_data": {}})} if kind else {}
        save_file(stored, tmp_path / "model.safetensors", metadata=said)
        checkpoint = open_checkpoint(str(tmp_path))
        (warning,) = checkpoint.warnings
        assert (kind or "does not fit codes of shape [512, 1,024]") in warning
        assert not any(tensor.lossy for tensor in checkpoint.tensors)


class TestContradictions:
    def test_gptqs_zero_points_are_told_by_the_numbers(self, tmp_path: Path) -> None:
        """As a release that says the first form and stores the second (vllm#38966)."""

        def say_first(tensors: Tensors, config: dict[str, Any]) -> None:
            config["checkpoint_format"] = "gptq"

        checkpoint = gptq("gptq4", tmp_path, say_first)
        assert "second form, as they are, and are read so" in checkpoint.warnings[0]
        values = values_of(checkpoint, f"{NAME}.weight") + 0.0
        assert values.reshape(-1)[:8].tolist() == FORMS["gptq4"]["first"]

    def test_where_zero_points_differ_the_config_tells(self, tmp_path: Path) -> None:
        def say_first(tensors: Tensors, config: dict[str, Any]) -> None:
            config["checkpoint_format"] = "gptq"

        checkpoint = gptq("gptq4-order", tmp_path, say_first)
        (tensor,) = checkpoint.tensors
        assert isinstance(tensor.recipe, ColumnCodes) and tensor.recipe.more == 1
        assert checkpoint.warnings == ()

    def test_bits_and_groups_of_the_shapes_win(self, tmp_path: Path) -> None:
        def lie(tensors: Tensors, config: dict[str, Any]) -> None:
            config["bits"], config["group_size"] = 8, 128

        checkpoint = gptq("gptq4", tmp_path, lie)
        said = " ".join(checkpoint.warnings)
        assert "by the shapes they have 4" in said and "there are groups of 32" in said
        values = values_of(checkpoint, f"{NAME}.weight") + 0.0
        assert values.reshape(-1)[:8].tolist() == FORMS["gptq4"]["first"]

    def test_a_group_that_is_not_there_makes_it_unreadable(self, tmp_path: Path) -> None:
        def point_beyond(tensors: Tensors, config: dict[str, Any]) -> None:
            tensors[f"{NAME}.g_idx"][5] = 4

        checkpoint = gptq("gptq4", tmp_path, point_beyond)
        with pytest.raises(TensorUnreadable, match="groups that are not there"):
            values_of(checkpoint, f"{NAME}.weight")
        changes = diff(str(tmp_path), str(tmp_path), device="cpu", cache=False)
        assert [change.pair.status for change in changes] == ["unreadable"]


def a_matrix(form: str = "4 bits") -> tuple[Tensors, dict[str, Any]]:
    torch.manual_seed(1)
    stored, _, config = compressed((torch.randn(64, 128) * 0.02).bfloat16(), *COMPRESSED[form])
    return stored, config


def bent(last: str, shape: tuple[int, ...]) -> Callable[[Tensors], None]:
    def bend(tensors: Tensors) -> None:
        old = tensors[f"{NAME}.{last}"]
        tensors[f"{NAME}.{last}"] = torch.zeros(shape, dtype=old.dtype)

    return bend


def without(last: str) -> Callable[[Tensors], None]:
    return lambda tensors: tensors.__delitem__(f"{NAME}.{last}")


@pytest.mark.parametrize(
    ("form", "bend"),
    [
        ("4 bits", bent("weight_scale", (64, 3))),
        ("4 bits", bent("weight_scale", (0, 2))),
        ("4 bits", bent("weight_scale", (64, 0))),
        ("4 bits", bent("weight_shape", (2,))),
        ("4 bits, zeros", bent("weight_zero_point", (7, 2))),
        ("FP8 a row", bent("weight_scale", (63, 1))),
        ("FP8 in blocks", bent("weight_scale", (5, 5))),
        ("FP8 a row", without("weight_scale")),
        ("MXFP4", bent("weight_scale", (64, 3))),
        ("NVFP4", bent("weight_scale", (64, 9))),
        ("NVFP4", without("weight_global_scale")),
        ("4 bits", without("weight_scale")),
    ],
)
def test_what_does_not_fit_is_never_measured(
    form: str, bend: Callable[[Tensors], None], tmp_path: Path
) -> None:
    tensors, config = a_matrix(form)
    bend(tensors)
    folder = write(tmp_path / "bent", tensors, config)
    plain = write(tmp_path / "plain", {f"{NAME}.weight": torch.randn(64, 128).bfloat16()})
    changes = diff(str(plain), str(folder), device="cpu", cache=False)
    assert all(change.statistics is None for change in changes)
    assert any(change.pair.status == "quantised" for change in changes)
    assert narrate(changes).headline.startswith("No tensor could be compared")


_HALF = torch.float16
UNREAD: dict[str, dict[str, tuple[tuple[int, ...], torch.dtype]]] = {
    "torchao": {
        "_weight_qdata": ((8, 8, 32, 4), torch.int32),
        "_weight_scale_and_zero": ((8, 64, 2), torch.bfloat16),
    },
    "AQLM": {"codes": ((64, 16, 1), torch.int8), "codebooks": ((1, 256, 1, 8), _HALF)},
    "gptq_p": {
        "qweight": ((16, 64), torch.int32),
        "qzeros": ((1, 8), torch.int32),
        "scales": ((1, 64), _HALF),
    },
}
"""What each method stores of a matrix [64, 128]."""


@pytest.mark.parametrize("method", UNREAD)
def test_methods_that_are_not_read_say_so(method: str, tmp_path: Path) -> None:
    stored = {
        f"{NAME}.{last}": torch.ones(shape, dtype=kind)
        for last, (shape, kind) in UNREAD[method].items()
    }
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4, "format": method}}
    folder = write(tmp_path / "codes", stored, config if method == "gptq_p" else {})
    plain = write(tmp_path / "plain", {f"{NAME}.weight": torch.randn(64, 128).bfloat16()})
    changes = diff(str(plain), str(folder), device="cpu", cache=False)
    assert all(change.statistics is None for change in changes)
    (warning,) = open_checkpoint(str(folder)).warnings
    assert method in warning and "dequantise the model" in warning


def llama(seed: int = 0) -> Tensors:
    torch.manual_seed(seed)
    shapes = {"model.embed_tokens.weight": (96, 256), "model.norm.weight": (256,)}
    for layer in range(2):
        stem = f"model.layers.{layer}."
        for part in ("q", "k", "v", "o"):
            shapes[f"{stem}self_attn.{part}_proj.weight"] = (256, 256)
        shapes |= {
            f"{stem}mlp.gate_proj.weight": (512, 256),
            f"{stem}mlp.up_proj.weight": (512, 256),
            f"{stem}mlp.down_proj.weight": (256, 512),
            f"{stem}input_layernorm.weight": (256,),
            f"{stem}post_attention_layernorm.weight": (256,),
        }
    return {
        name: (torch.randn(shape) * 0.02 + (len(shape) == 1)).bfloat16()
        for name, shape in shapes.items()
    }


LLAMA = {"model_type": "llama", "hidden_size": 256, "num_attention_heads": 4}


def quantise_llama(weights: Tensors, form: str) -> tuple[Tensors, dict[str, Any]]:
    stored: Tensors = {}
    config: dict[str, Any] = {}
    for name, weight in weights.items():
        if "_proj" not in name:
            stored[name] = weight
            continue
        codes, _, config = compressed(weight, *COMPRESSED[form])
        stem = name.removesuffix(".weight")
        stored |= {stem + key.removeprefix(NAME): tensor for key, tensor in codes.items()}
    return stored, LLAMA | config


class TestWords:
    def test_fp8_against_its_original(self, tmp_path: Path) -> None:
        """Read bare it would have moved by half a million percent."""
        weights = llama()
        stored, config = dict(weights), dict(LLAMA)
        for name, weight in weights.items():
            if "_proj" in name:
                stored[name], stored[f"{name}_scale_inv"] = fp8_blocks(weight.float())
        plain = write(tmp_path / "plain", weights, LLAMA)
        changes = diff(
            str(plain), str(write(tmp_path / "fp8", stored, config)), device="cpu", cache=False
        )
        assert len(changes) == len(weights)
        for change in changes:
            assert change.statistics is not None
            if "_proj" in change.pair.place.component:
                assert change.statistics.rel_frobenius_pct == pytest.approx(2.65, rel=0.03)
                assert change.statistics.resolution_pct is None
        narrative = narrate(changes)
        assert any(s.startswith("Nothing but the quantisation") for s in narrative.likeness)
        assert "in FP8: relative Frobenius" in " ".join(narrative.facts)

    def test_one_matrix_without_its_scale_is_refused(self, tmp_path: Path) -> None:
        """Its neighbours have theirs, so its codes are none of plain FP8, config or not."""
        weights = llama()
        stored: Tensors = dict(weights)
        for name, weight in weights.items():
            if "_proj" in name:
                stored[name], stored[f"{name}_scale_inv"] = fp8_blocks(weight.float())
        lost = "model.layers.1.mlp.up_proj.weight"
        del stored[f"{lost}_scale_inv"]
        plain = write(tmp_path / "plain", weights, LLAMA)
        changes = diff(
            str(plain), str(write(tmp_path / "fp8", stored, LLAMA)), device="cpu", cache=False
        )
        refused = [c for c in changes if c.pair.status == "quantised"]
        assert [c.pair.target.name for c in refused if c.pair.target] == [lost]
        assert refused[0].statistics is None

    def test_another_model_is_more_than_the_quantisation(self, tmp_path: Path) -> None:
        weights = llama()
        tuned = {
            name: (w + torch.randn(w.shape) * 0.01).bfloat16() if w.ndim == 2 else w
            for name, w in weights.items()
        }
        stored, config = quantise_llama(tuned, "4 bits")
        plain = write(tmp_path / "plain", weights, LLAMA)
        changes = diff(
            str(plain), str(write(tmp_path / "int4", stored, config)), device="cpu", cache=False
        )
        assert narrate(changes).likeness[0].startswith("Something else, too")

    def test_two_quantisations_of_one_model(self, tmp_path: Path) -> None:
        weights = llama()
        folders = [
            write(tmp_path / form, *quantise_llama(weights, form))
            for form in ("INT8 a row", "4 bits, zeros")
        ]
        narrative = narrate(diff(*map(str, folders), device="cpu", cache=False))
        facts = " ".join(narrative.facts)
        assert "in INT8 in base and INT4-g64 in target: relative Frobenius" in facts
        first, nearer, *_ = narrative.likeness
        assert first.startswith("Nothing but the quantisation")
        assert "base is nearer to them in 14 tensors (INT8 loses" in nearer
        assert "was not measured" in nearer

    def test_one_type_in_some_layers_and_another_in_others(self, tmp_path: Path) -> None:
        """Which tensors have which type is said, and no layer is called far off for its type."""
        weights = llama()
        fine, config = quantise_llama(weights, "INT8 a row")
        coarse, _ = quantise_llama(weights, "4 bits")
        mixed = {
            name: value
            for source, of_layer in ((coarse, "0"), (fine, "1"))
            for name, value in source.items()
            if f".{of_layer}." in name or ".layers." not in name
        }
        plain = write(tmp_path / "plain", weights, LLAMA)
        path = write(tmp_path / "mixed", mixed, config)
        narrative = narrate(diff(str(plain), str(path), device="cpu", cache=False))
        facts = " ".join(narrative.facts)
        assert "7 tensors in INT4-g64 (" in facts and "7 tensors in INT8 (" in facts
        assert "than in their other layers" not in facts

    def test_a_quantisation_of_a_quantisation_is_named(self, tmp_path: Path) -> None:
        weights = llama()
        coarse, config = quantise_llama(weights, "4 bits, zeros")
        path = write(tmp_path / "coarse", coarse, config)
        checkpoint = open_checkpoint(str(path))
        values = {
            name: torch.from_numpy(values_of(checkpoint, name)) if "_proj" in name else weight
            for name, weight in weights.items()
        }
        for label, source in (("again", values), ("once", weights)):
            stored, own = quantise_llama(source, "INT8 a row")
            write(tmp_path / label, stored, own)
        told = {
            label: narrate(diff(str(path), str(tmp_path / label), device="cpu", cache=False))
            for label in ("again", "once")
        }
        assert told["again"].likeness[0].startswith("Like target being made of base's values")
        assert "nearer to them" not in " ".join(told["again"].likeness)
        assert told["once"].likeness[0].startswith("Nothing but the quantisation")

    def test_awq_scales_what_stands_before_a_matrix(self, tmp_path: Path) -> None:
        """Norms differ, and that is no sign of another model."""
        weights = llama()
        stored: Tensors = dict(weights)
        for name, weight in weights.items():
            if name.endswith("layernorm.weight"):
                channels = torch.linspace(0.8, 1.3, len(weight))
                stored[name] = (weight.float() * channels).bfloat16()
            if "_proj" not in name:
                continue
            stem, (outputs, inputs) = name.removesuffix("weight"), weight.shape
            scale = (weight.float().abs().max() / 8).half()
            codes = torch.round(weight.float() / scale + 8).clamp(0, 15).to(torch.int64)
            # Output j of a word stands at this place among its codes.
            places = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7]) * 4
            words = (codes.T.reshape(inputs, outputs // 8, 8) << places).sum(-1)
            eights = torch.full((1, outputs // 8), 0x88888888, dtype=torch.int64)
            del stored[name]
            stored[f"{stem}qweight"] = words.to(torch.uint32).view(torch.int32)
            stored[f"{stem}qzeros"] = eights.to(torch.uint32).view(torch.int32)
            stored[f"{stem}scales"] = scale.expand(1, outputs)
        plain = write(tmp_path / "plain", weights, LLAMA)
        awq = write(tmp_path / "awq", stored, LLAMA)
        narrative = narrate(diff(str(plain), str(awq), device="cpu", cache=False))
        assert "AWQ moves a factor of each channel" in " ".join(narrative.likeness)
        assert "in AWQ4: relative Frobenius" in " ".join(narrative.facts)


class TestFloors:
    def test_grids_are_what_rounding_makes_of_normal_numbers(self) -> None:
        values = np.random.default_rng(0).standard_normal((64, 4096)) * 0.02
        for bits, floors in GRID_FLOORS.items():
            for group, floor in zip(GRID_GROUPS, floors, strict=True):
                each = values.reshape(-1, group)
                step = 2 * np.abs(each).max(1, keepdims=True) / (2**bits - 1)
                codes = np.clip(np.round(each / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
                error = codes * step - each
                size = 100 * np.linalg.norm(error) / np.linalg.norm(each)
                assert size == pytest.approx(floor[1], rel=0.02), (bits, group)
                median = 100 * np.median(np.abs(error / each))
                assert median == pytest.approx(floor[0], rel=0.02), (bits, group)

    @pytest.mark.parametrize("kind", ["FP8", "FP8-E5M2"])
    def test_fp8(self, kind: str) -> None:
        torch.manual_seed(0)
        values = torch.randn(64, 4096) * 0.02
        dtype = torch.float8_e5m2 if "E5M2" in kind else torch.float8_e4m3fn
        scale = values.abs().max() / torch.finfo(dtype).max
        error = (values / scale).to(dtype).float() * scale - values
        size = 100 * error.norm() / values.norm()
        assert float(size) == pytest.approx(FLOORS[kind].rel_frobenius_pct, rel=0.02)

    def test_every_name_that_is_given_has_a_floor(self, tmp_path: Path) -> None:
        for form in FORMS:
            shutil.copy(DATA / f"{form}.safetensors", tmp_path / "model.safetensors")
            (tmp_path / "config.json").write_text(json.dumps(FORMS[form]["config"]))
            (tensor,) = open_checkpoint(str(tmp_path)).tensors
            assert type_floor(tensor.dtype) is not None, tensor.dtype
        assert type_floor("BF16") is None and type_floor("INT9-g64") is None


def test_bitsandbytes_text_is_not_believed(tmp_path: Path) -> None:
    """Sizes of blocks of 0, shapes of 2**60, no JSON: refused, nothing allocated."""
    from safetensors.torch import load_file

    tensors = load_file(DATA / "bnb-nf4.safetensors")
    key = f"{NAME}.weight.quant_state.bitsandbytes__nf4"
    state = json.loads(bytes(tensors[key].tolist()))
    lies: tuple[dict[str, Any], ...] = (
        {"blocksize": 0},
        {"blocksize": 1 << 62},
        {"shape": [1 << 60]},
        {"shape": [64, -128]},
        {"shape": [[]] * 100},
        {"shape": None},
    )
    for entries in lies:
        raw = json.dumps(state | entries).encode()
        tensors[key] = torch.tensor(list(raw), dtype=torch.uint8)
        checkpoint = open_checkpoint(str(write(tmp_path, tensors)))
        assert "not measured" in checkpoint.warnings[0]
        assert checkpoint[f"{NAME}.weight"].recipe is None
    tensors[key] = torch.tensor(list(b"[" * 4000), dtype=torch.uint8)
    assert "JSON" in open_checkpoint(str(write(tmp_path, tensors))).warnings[0]


def test_a_recipes_operands_are_its_files_bytes(tmp_path: Path) -> None:
    """What progress and rates count: every stored byte of the form, once."""
    for form in FORMS:
        shutil.copy(DATA / f"{form}.safetensors", tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(FORMS[form]["config"]))
        checkpoint = open_checkpoint(str(tmp_path))
        spans = sorted((piece.offset, piece.nbytes) for piece in _pieces(checkpoint.tensors))
        ends = [offset + nbytes for offset, nbytes in spans]
        assert all(a <= b for a, (b, _) in zip(ends, spans[1:], strict=False)), form


def _pieces(tensors: tuple[TensorInfo, ...]) -> list[Any]:
    return [piece for tensor in tensors for piece in tensor.pieces]


def test_gpt_oss_experts_meet_those_of_a_plain_copy(tmp_path: Path) -> None:
    """The packed ones are [out, in] with gate and up in turn, the plain ones [in, out]."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    torch.manual_seed(2)
    width, inner, experts = 64, 64, 2
    stem = "model.layers.0."
    packed: Tensors = {
        f"{stem}input_layernorm.weight": torch.ones(width).bfloat16(),
        f"{stem}post_attention_layernorm.weight": torch.ones(width).bfloat16(),
        f"{stem}mlp.router.weight": torch.randn(experts, width).bfloat16(),
    }
    plain = dict(packed)
    for part, outputs in (("gate_up_proj", 2 * inner), ("down_proj", width)):
        blocks = torch.randint(0, 256, (experts, outputs, width // 32, 16), dtype=torch.uint8)
        scales = torch.randint(118, 122, (experts, outputs, width // 32), dtype=torch.uint8)
        packed[f"{stem}mlp.experts.{part}_blocks"] = blocks
        packed[f"{stem}mlp.experts.{part}_scales"] = scales
        plain[f"{stem}mlp.experts.{part}"] = convert_moe_packed_tensors(
            blocks, scales, dtype=torch.bfloat16
        )
    config = {"model_type": "gpt_oss", "hidden_size": width, "num_local_experts": experts}
    folders = [write(tmp_path / "plain", plain, config), write(tmp_path / "mx", packed, config)]
    changes = diff(*map(str, folders), device="cpu", cache=False)
    components = {change.pair.place.component for change in changes}
    assert {"mlp.experts.gate_proj", "mlp.experts.up_proj"} <= components
    for change in changes:
        assert change.statistics is not None, change.pair
        assert change.statistics.unchanged_pct == 100, change.pair


def test_hqqs_own_file_keeps_its_settings_in_no_tensors(tmp_path: Path) -> None:
    """As ``save_quantized`` writes it: the same dict of each module, settings as they are."""
    from safetensors.torch import load_file

    tensors = load_file(DATA / "hqq4.safetensors")
    entries: dict[str, Any] = {
        name.removeprefix(f"{NAME}."): tensor for name, tensor in tensors.items()
    }
    settings = {"nbits": 4, "group_size": 64, "shape": torch.Size([64, 128]), "axis": 1}
    entries |= settings | {"packing": "4bit_u8", "compute_dtype": torch.float16}
    torch.save({NAME: entries, "model.norm": {"weight": torch.ones(4)}}, tmp_path / "qmodel.pt")
    checkpoint = open_checkpoint(str(tmp_path))
    values = values_of(checkpoint, f"{NAME}.weight") + 0.0
    assert hashlib.sha256(values.tobytes()).hexdigest() == FORMS["hqq4"]["sha256"]
    for size in (torch.Size([64]), torch.Size([64, 127]), (-64, 128), "64"):
        torch.save({NAME: entries | {"shape": size}}, tmp_path / "qmodel.pt")
        checkpoint = open_checkpoint(str(tmp_path))
        assert "not measured" in checkpoint.warnings[0]
