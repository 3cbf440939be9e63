"""What all tests share: caches of their own, no way out to the Hub, and models saved once."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from hypothesis import settings

# A slow machine is no failure.
settings.register_profile("modeldiff", deadline=None)
settings.load_profile("modeldiff")

_CACHES = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is imported that reads these variables once: keep the user's caches and
    tokens out of the tests, and the tests off the network (nothing listens on port 9)."""
    config.stash[_CACHES] = tempfile.mkdtemp(prefix="modeldiff-tests-")
    caches = Path(config.stash[_CACHES])
    os.environ["MODELDIFF_CACHE"] = str(caches / "modeldiff")
    # Compiling the kernels takes seconds, so it is done once a machine and not once a run.
    kernels = platformdirs.user_cache_path("modeldiff-tests")
    os.environ.setdefault("MODELDIFF_KERNELS", str(kernels))
    # The workers keep the processors busy already. Threads of torch and BLAS beside these wait for
    # each other, spinning: ten times the work where they share a processor.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["HF_HOME"] = str(caches / "huggingface")
    os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TRITON_INTERPRET"] = "1"  # kernels on tensors of the processor, by NumPy
    for name in (
        *("MODELDIFF_ROOTS", "MODELDIFF_GALLERY", "MODELDIFF_HUB"),
        *("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"),
    ):
        os.environ.pop(name, None)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_CACHES], ignore_errors=True)


def _save_tiny_llama(folder: Path, **options: Any) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder, **options)
    return folder


@pytest.fixture(scope="session")
def tiny_llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A three-layer Llama in bf16 as transformers saves it: one file. Not to be changed."""
    return _save_tiny_llama(tmp_path_factory.mktemp("tiny") / "llama")


@pytest.fixture(scope="session")
def sharded_llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with an index and several shards. Not to be changed."""
    return _save_tiny_llama(tmp_path_factory.mktemp("sharded") / "llama", max_shard_size="16KB")
