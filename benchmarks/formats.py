"""A diff of the same pair in every format that can hold it, beside the one of safetensors."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from benchmarks.pairs import Shape, write_plain
from benchmarks.programs import Program
from benchmarks.report import machine
from benchmarks.running import Run

SHAPE = Shape(4, 2048, 8192, 512, 32, 8192, tied=True, shard_bytes=2_000_000_000)
"""A quarter of the layers of Llama 3.2 1B and a small vocabulary: a quarter of a billion values."""
_VALUES = sum(prod(shape) for shape in SHAPE.tensors().values())
_BLOCKS = {"Q8_0": 0, "Q4_K": 0, "Q6_K": 208}
"""Where a block keeps its scale, in bytes."""
_START, _OPENING = "starting alone: a pair of one norm", "opening one tensor"
_MANY = 10_000
_VOCABULARY = 128_256
_GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    **{f"self_attn.{part}_proj": f"attn_{part}" for part in "qkv"},
    "self_attn.o_proj": "attn_output",
    **{f"mlp.{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")},
}

Octets = npt.NDArray[np.uint8]


def format_programs(folder: Path) -> list[Program]:
    """A diff of base and each target, and what opens a large header. What is missing is built below
    ``folder``."""
    whole = folder / "formats"
    base, target = write_plain(SHAPE, whole)
    _as_torch(target, whole)
    for kind in _BLOCKS:
        _as_gguf(kind, whole)
    _many_tensors(whole / "many.bin")
    _vocabulary(whole / "vocabulary.gguf")
    norm = {"model.norm.weight": np.ones(8, np.float32)}
    one = whole / "one.safetensors"
    save_file(norm, one)
    targets = {
        "safetensors, bf16": target,
        "`pytorch_model.bin`": whole / "bin",
        "DCP, one rank": whole / "dcp",
    }
    for kind in _BLOCKS:
        targets[f"bf16 of {kind}"] = whole / f"plain-{kind}"
        targets[f"GGUF, {kind}"] = whole / f"{kind}.gguf"
    python = (sys.executable, "-m", "modeldiff")
    options = ("--no-cache", "--quiet", "--device", "cpu")
    start = Program(_START, (*python, "diff", str(one), str(one), *options), "nothing")
    programs = [start] + [
        Program(name, (*python, "diff", str(base), str(path), *options), "all columns")
        for name, path in targets.items()
    ]
    for name, path in (
        (_OPENING, whole / "one.safetensors"),
        (f"opening a `.bin` of {_MANY:,} tensors", whole / "many.bin"),
        (f"opening a GGUF of {_VOCABULARY:,} tokens", whole / "vocabulary.gguf"),
    ):
        code = f"from modeldiff.checkpoints import open_checkpoint; open_checkpoint({str(path)!r})"
        programs.append(Program(name, (sys.executable, "-c", code), "headers"))
    return programs


def format_table(runs: Mapping[Program, Sequence[Run]]) -> str:
    """Medians of processor and wall time; the former, without what starting takes, also beside
    that of the same values in safetensors. In Markdown."""
    lines = [
        f"### Formats: {_VALUES / 1e9:.2f} billion values a side",
        "",
        "| target | CPU | beside the same values in safetensors | wall | peak memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    start = plain = 0.0
    for program, measured in runs.items():
        seconds = median(run.processor for run in measured)
        if program.name in (_START, _OPENING):
            start, beside = seconds, ""
        elif program.name.startswith("opening"):
            beside = f"+ {seconds - start:.2f} s"
        else:
            if program.name.startswith(("safetensors", "bf16")):
                plain = seconds
            beside = f"{(seconds - start) / (plain - start):.2f} ×"
        wall = median(run.seconds for run in measured)
        memory = max(run.memory for run in measured) / 1e6
        lines.append(
            f"| {program.name} | {seconds:.2f} s | {beside} | {wall:.2f} s | {memory:,.0f} MB |"
        )
    rounds = min(len(measured) for measured in runs.values())
    return "\n".join([*lines, "", f"Medians of {rounds} rounds. {machine()}"])


def _as_torch(target: Path, whole: Path) -> None:
    """The same tensors as torch.save and torch's distributed checkpoints keep them."""
    if (whole / "dcp" / ".metadata").is_file():
        return
    import torch
    from safetensors.torch import load_file
    from torch.distributed.checkpoint.state_dict_saver import save

    tensors = load_file(target / "model.safetensors")
    (whole / "bin").mkdir(exist_ok=True)
    torch.save(tensors, whole / "bin" / "pytorch_model.bin")
    save(dict(tensors), checkpoint_id=whole / "dcp", no_dist=True)
    for name in ("bin", "dcp"):
        shutil.copyfile(target / "config.json", whole / name / "config.json")


def _as_gguf(kind: str, whole: Path) -> None:
    """Blocks of random codes, and the values that they are in safetensors."""
    plain = whole / f"plain-{kind}"
    if (plain / "config.json").is_file():
        return
    import gguf
    import torch
    from safetensors.torch import save_file as save_tensors

    number: Any = gguf.GGMLQuantizationType[kind]
    values, nbytes = gguf.GGML_QUANT_SIZES[number]
    random = np.random.default_rng(3)
    writer = gguf.GGUFWriter(whole / f"{kind}.gguf", "qwen2")
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in SHAPE.tensors().items():
        stored = f"{_gguf_name(name.removesuffix('.weight'))}.weight"
        if len(shape) == 1:
            norm = np.ones(shape, np.float32)
            writer.add_tensor(stored, norm)
            tensors[name] = torch.from_numpy(norm).bfloat16()
            continue
        blocks = random.integers(0, 256, (*shape[:-1], shape[-1] // values, nbytes), np.uint8)
        at = _BLOCKS[kind]
        blocks[..., at : at + 2] = np.frombuffer(np.float16(1e-4).tobytes(), np.uint8)
        if kind == "Q4_K":
            blocks[..., 2:4] = blocks[..., :2]
        blocks = blocks.reshape(*shape[:-1], -1)
        writer.add_tensor(stored, blocks, raw_dtype=number)
        decoded = gguf.quants.dequantize(blocks, number)
        tensors[name] = torch.from_numpy(decoded).bfloat16()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    plain.mkdir(exist_ok=True)
    save_tensors(tensors, plain / "model.safetensors")
    (plain / "config.json").write_text(json.dumps(SHAPE.config()))


def _gguf_name(name: str) -> str:
    if not name.startswith("model.layers."):
        return _GGUF_NAMES[name]
    _, _, layer, inner = name.split(".", 3)
    return f"blk.{layer}.{_GGUF_NAMES[inner]}"


def _many_tensors(path: Path) -> None:
    if not path.is_file():
        import torch

        names = (f"model.layers.{n // 100}.mlp.experts.{n % 100}.w.weight" for n in range(_MANY))
        torch.save({name: torch.zeros(4, 4) for name in names}, path)


def _vocabulary(path: Path) -> None:
    if path.is_file():
        return
    import gguf

    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(list(_words("token", _VOCABULARY)))
    writer.add_token_types([1] * _VOCABULARY)
    writer.add_token_merges(list(_words("to ken", 2 * _VOCABULARY)))
    writer.add_tensor("output_norm.weight", np.ones(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _words(stem: str, count: int) -> Iterator[str]:
    return (f"{stem}{number}" for number in range(count))
