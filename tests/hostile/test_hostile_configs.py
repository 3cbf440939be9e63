"""Configs made to mislead: refused by their numbers, before any library is loaded for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.config_only.catalog import catalog_config, catalog_names
from modeldiff.checkpoints.config_only.limits import refuse_absurd
from modeldiff.errors import DamagedCheckpoint, ModeldiffError, UnsupportedFormat

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}
MANY = {"num_hidden_layers": 999, "num_local_experts": 999}
ABSURD: list[tuple[dict[str, Any], str]] = [
    ({"num_hidden_layers": 20_000}, "20,000 layers"),
    ({"text_config": {"num_hidden_layers": 20_000}}, "20,002 layers"),
    ({"vision_config": {"depth": 20_000}}, "20,002 layers"),
    ({"depths": [600, 600]}, "1,202 layers"),
    (MANY, "999 layers of 999 experts"),
    ({"num_attention_heads": 0}, "num_attention_heads"),
    ({"num_key_value_heads": 0}, "num_key_value_heads"),
    ({"hidden_size": -32}, "hidden_size"),
    ({"vocab_size": 10**15}, "vocab_size"),
    ({"vocab_size": 10**400}, "vocab_size"),
    ({"hidden_size": float("nan")}, "hidden_size"),
    ({"rms_norm_eps": float("inf")}, "rms_norm_eps"),
    ({"hidden_size": "wide"}, "not a whole number"),
    ({"num_hidden_layers": "2"}, "not a whole number"),
    ({"num_hidden_layers": 2.5}, "not a whole number"),
    ({"num_hidden_layers": True}, "not a whole number"),
    ({"num_labels": 10**8}, "100,000,000 labels"),
    ({"conv_dim": [1] * 100_000}, "lists 100,000"),
]


def written(folder: Path, config: object) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


@pytest.mark.parametrize(("change", "said"), ABSURD, ids=str)
def test_absurd_numbers_are_refused_by_what_they_say(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    reference = written(tmp_path, LLAMA | change)
    with pytest.raises(ModeldiffError) as caught:
        open_checkpoint(reference)
    error = caught.value
    assert isinstance(error, DamagedCheckpoint)
    assert said in error.message
    assert error.hint and len(error.message) < 300 and error.message.isprintable()


def test_a_number_of_more_digits_than_python_reads(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA)[:-1] + f', "rope_theta": 1{"0" * 5000}}}')
    with pytest.raises(DamagedCheckpoint, match="not the config of a model"):
        open_checkpoint(str(path))


def test_no_library_is_loaded_to_refuse(tmp_path: Path) -> None:
    """What takes no import takes no time, whatever the machine."""
    configs = [
        LLAMA | {"num_hidden_layers": 20_000},
        LLAMA | {"num_attention_heads": 0},
        LLAMA | {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}},
    ]
    for number, config in enumerate(configs):
        (tmp_path / str(number)).mkdir()
        written(tmp_path / str(number), config)
    script = f"""
import sys
from modeldiff.checkpoints import open_checkpoint
from modeldiff.errors import ModeldiffError
for number in range({len(configs)}):
    try:
        open_checkpoint({str(tmp_path)!r} + f"/{{number}}/config.json")
    except ModeldiffError as error:
        print(error.message)
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == len(configs)


def test_code_that_a_config_names_is_neither_run_nor_fetched(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('run')")
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (tmp_path / "unknown").mkdir()
    with pytest.raises(UnsupportedFormat, match="auto_map names is not run"):
        open_checkpoint(written(tmp_path / "unknown", {"model_type": "evil", "auto_map": code}))
    plain = open_checkpoint(written(tmp_path, LLAMA)).tensors
    harmless = LLAMA | {
        "auto_map": code,
        # The library would fetch a kernel of this name from the Hub and run it.
        "attn_implementation": "evil/kernel@main",
        "_attn_implementation_internal": "evil/kernel",
        "experts_implementation": "evil/kernel",
        "quantization_config": "evil",
        "architectures": [7],
        "torch_dtype": "float32",
    }
    assert open_checkpoint(written(tmp_path, harmless)).tensors == plain


@pytest.mark.parametrize("name", catalog_names())
def test_no_published_config_is_taken_for_absurd(name: str) -> None:
    refuse_absurd(catalog_config(name))
