"""Adapters and quantised weights, bent at random in config, header or operands: each ends in values
that can be read, in tensors that are left as codes, or in one of our errors, within bounds."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from modeldiff.architectures.understand import understand
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.checkpoints.tensor import TensorUnreadable
from tests.fuzz.bending import bent_bytes, bent_json
from tests.support.fuzzed import only_our_errors
from tests.support.opened_values import bytes_of

FUZZ = settings.get_profile("fuzz")
DATA = Path(__file__).parents[1] / "data" / "quantised"
BENT = (
    *("awq", "bnb-int8", "bnb-nf4-twice", "gpt-oss", "gptq3", "gptq4-order"),
    *("mlx4", "mlx-mxfp4", "torchao-fp8", "torchao-nvfp4-tiles", "hqq3-across", "hqq4"),
    *("quanto4-groups", "quanto4-zeros"),
)
"""A form of each method."""
ALL: dict[str, Any] = json.loads((DATA / "forms.json").read_text())
FORMS = {form: ALL[form] for form in BENT}
MOST_SECONDS, MOST_MEGABYTES, MOST_ELEMENTS = 2.0, 100, 1 << 16
MATRIX = "model.layers.0.self_attn.q_proj"
LORA: dict[str, Any] = {
    "peft_type": "LORA",
    "base_model_name_or_path": "base",
    "r": 2,
    "lora_alpha": 4,
    "rank_pattern": {},
    "alpha_pattern": {r"layers\.0\..*q_proj": 8},
    "target_modules": ["q_proj"],
    "modules_to_save": ["lm_head"],
    "trainable_token_indices": {"embed_tokens": [1, 3]},
    "target_parameters": None,
    "use_rslora": False,
    "fan_in_fan_out": False,
}
BASE = {
    "model.embed_tokens.weight": torch.ones(6, 8).bfloat16(),
    f"{MATRIX}.weight": torch.arange(64.0).reshape(8, 8).bfloat16(),
    "lm_head.weight": torch.ones(6, 8).bfloat16(),
}
ADAPTER = {
    f"base_model.model.{MATRIX}.lora_A.weight": torch.ones(2, 8),
    f"base_model.model.{MATRIX}.lora_B.weight": torch.ones(8, 2),
    f"base_model.model.{MATRIX}.lora_magnitude_vector": torch.ones(8),
    "base_model.model.lm_head.weight": torch.zeros(6, 8),
    "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": torch.ones(2, 8),
}


@contextmanager
def bounded() -> Iterator[None]:
    """Only our errors, in no more than 2 s of the processor and 100 MB more than before."""
    started, before = time.process_time(), _peak_megabytes()
    with only_our_errors():
        yield
    assert time.process_time() - started < MOST_SECONDS
    assert _peak_megabytes() - before < MOST_MEGABYTES


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def read_all(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The values of all small tensors, but for those whose operands turn out to make no sense,
    which is told of each."""
    understand(checkpoint)
    values = {}
    for tensor in checkpoint.tensors:
        if tensor.elements < MOST_ELEMENTS:
            try:
                values[tensor.name] = bytes_of(checkpoint, tensor)
            except TensorUnreadable as error:
                assert str(error).isprintable()
    return values


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is compiled or imported once, is by now."""
    folder = tmp_path_factory.mktemp("warm")
    for form in FORMS:
        write_form(folder / form, form)
        read_all(open_checkpoint(str(folder / form)))
    write_adapter(folder / "lora")
    read_all(open_checkpoint(f"{folder}/lora/base + {folder}/lora/adapter"))


def write_form(folder: Path, form: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DATA / f"{form}.safetensors", folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(FORMS[form].get("config") or {}))
    return folder


def write_adapter(folder: Path) -> Path:
    for name, tensors in (("base/model", BASE), ("adapter/adapter_model", ADAPTER)):
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(save(tensors))
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps(LORA))
    return folder


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("form", sorted(FORMS))
@FUZZ
@given(st.data())
def test_quantised_files(form: str, tmp_path: Path, data: st.DataObject) -> None:
    folder = write_form(tmp_path / "model", form)
    file = folder / "model.safetensors"
    content = file.read_bytes()
    head = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:head])
    what = data.draw(st.sampled_from(("header", "operands", "config", "names")))
    if what == "header":
        bent = data.draw(bent_json(header))
        file.write_bytes(len(bent).to_bytes(8, "little") + bent + content[head:])
    elif what == "names":  # a scale that is gone, or is another tensor's
        names = [name for name in header if name != "__metadata__"]
        del header[data.draw(st.sampled_from(names))]
        bent = json.dumps(header).encode()
        file.write_bytes(len(bent).to_bytes(8, "little") + bent + content[head:])
    elif what == "operands":
        bent = data.draw(bent_bytes(content[head:]))
        kept = bent[: len(content) - head].ljust(len(content) - head, b"\xff")
        file.write_bytes(content[:head] + kept)
    else:
        config = FORMS[form].get("config") or {"quantization_config": {"bits": 4}}
        (folder / "config.json").write_bytes(data.draw(bent_json(config)))
    with bounded():
        read_all(open_checkpoint(str(folder)))


@pytest.mark.usefixtures("warm")
@FUZZ
@given(st.data())
def test_adapters(tmp_path: Path, data: st.DataObject) -> None:
    folder = write_adapter(tmp_path / "lora")
    weights = folder / "adapter" / "adapter_model.safetensors"
    what = data.draw(st.sampled_from(("config", "config's bytes", "weights", "names")))
    if what == "config":
        (folder / "adapter" / "adapter_config.json").write_bytes(data.draw(bent_json(LORA)))
    elif what == "config's bytes":
        bent = data.draw(bent_bytes(json.dumps(LORA).encode()))
        (folder / "adapter" / "adapter_config.json").write_bytes(bent)
    elif what == "weights":
        weights.write_bytes(data.draw(bent_bytes(weights.read_bytes())))
    else:
        left_out = data.draw(st.sampled_from(sorted(ADAPTER)))
        other = data.draw(st.sampled_from(sorted(ADAPTER)))
        tensors = {n: ADAPTER[other] if n == left_out else t for n, t in ADAPTER.items()}
        weights.write_bytes(save({n: t.clone() for n, t in tensors.items()}))
    with bounded():
        read_all(open_checkpoint(f"{folder}/base + {folder}/adapter"))


def test_what_is_bent_is_sound(tmp_path: Path) -> None:
    """Else every target would be content with the first error."""
    for form, known in FORMS.items():
        checkpoint = open_checkpoint(str(write_form(tmp_path / form, form)))
        assert any(tensor.recipe is not None for tensor in checkpoint.tensors), known
        assert read_all(checkpoint)
    folder = write_adapter(tmp_path / "lora")
    plain = read_all(open_checkpoint(f"{folder}/base"))
    adapted = read_all(open_checkpoint(f"{folder}/base + {folder}/adapter"))
    assert {name for name in plain if plain[name] != adapted[name]} >= {
        f"{MATRIX}.weight",
        "lm_head.weight",
    }
    assert np.frombuffer(adapted["lm_head.weight"], np.uint16).any() is np.False_
