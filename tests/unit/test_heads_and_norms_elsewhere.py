"""What one side stores under another name, or as the embedding's bytes, is not on one side only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modeldiff import diff
from modeldiff.architectures import understand
from modeldiff.comparison import Comparison
from modeldiff.model import Model
from tests.support.gguf_files import write_gguf
from tests.support.named_shapes import checkpoint

ZERO = Path(__file__).parent.parent / "data" / "zero"
FALCON = {
    "transformer.word_embeddings.weight": (16, 32),
    "transformer.ln_f.weight": (32,),
    "transformer.h.0.self_attention.query_key_value.weight": (64, 32),
    "transformer.h.0.self_attention.dense.weight": (32, 32),
    "transformer.h.0.mlp.dense_h_to_4h.weight": (64, 32),
    "transformer.h.0.mlp.dense_4h_to_h.weight": (32, 64),
}
SEPARATE = {f"transformer.h.0.{name}.weight": (32,) for name in ("ln_attn", "ln_mlp")}
IN_GGUF = {
    "word_embeddings": "token_embd",
    "ln_f": "output_norm",
    "self_attention.dense": "attn_output",
    "mlp.dense_h_to_4h": "ffn_up",
    "mlp.dense_4h_to_h": "ffn_down",
    # llama.cpp's converter: the norm that 7B has is the one before the MLP of 40B.
    "ln_attn": "attn_norm_2",
    "ln_mlp": "attn_norm",
    "input_layernorm": "attn_norm",
}


def statuses(comparison: Comparison) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for pair in comparison.pairs:
        found.setdefault(pair.status, set()).add(pair.place.column)
    return found


@pytest.mark.parametrize("stage", ["stage2", "stage3"])
def test_a_head_that_the_ranks_share_is_the_embedding(stage: str) -> None:
    whole, run = str(ZERO / f"{stage}.safetensors"), str(ZERO / stage)
    found = statuses(Comparison.open(whole, run))
    assert "lm_head" in found["compared"] and "only_in_base" not in found
    fact = Model.open(run).architecture.fact("tied_head")
    assert fact is not None and fact.value is True and fact.source == "tensors"
    (head,) = (
        c for c in diff(whole, run, device="cpu", cache=False) if c.pair.place.column == "lm_head"
    )
    assert head.statistics is not None and head.statistics.unchanged_pct == 100
    assert "its embedding stands in for it" in head.pair.reason


def test_a_head_that_a_pickle_shares_is_the_embedding(tmp_path: Path) -> None:
    embedding = torch.randn(8, 4)
    names = ("model.embed_tokens.weight", "lm_head.weight")
    torch.save(dict.fromkeys(names, embedding), tmp_path / "run.pt")
    save_file({name: embedding.clone() for name in names}, tmp_path / "whole.safetensors")
    comparison = Comparison.open(str(tmp_path / "whole.safetensors"), str(tmp_path / "run.pt"))
    assert "only_in_base" not in statuses(comparison)
    # A head of its own is one, whatever else is tied.
    torch.save({**dict.fromkeys(names, embedding), names[1]: embedding + 1}, tmp_path / "own.pt")
    fact = Model.open(str(tmp_path / "own.pt")).architecture.fact("tied_head")
    assert fact is not None and fact.value is False


@pytest.mark.parametrize("norms", [["ln_attn", "ln_mlp"], ["input_layernorm"]])
def test_falcons_norms_in_a_gguf(tmp_path: Path, norms: list[str]) -> None:
    random = np.random.default_rng(3)
    shapes = {name: shape for name, shape in FALCON.items() if "query_key" not in name}
    shapes |= {f"transformer.h.0.{norm}.weight": (32,) for norm in norms}
    values = {name: random.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    stored = {}
    for name, tensor in values.items():
        plain = name.removeprefix("transformer.").removeprefix("h.0.").removesuffix(".weight")
        layer = "blk.0." if ".h.0." in name else ""
        stored[f"{layer}{IN_GGUF[plain]}.weight"] = tensor
    write_gguf(tmp_path / "falcon.gguf", "falcon", stored)
    file = tmp_path / "falcon.safetensors"
    save_file({name: torch.from_numpy(tensor) for name, tensor in values.items()}, file)
    changes = diff(str(file), str(tmp_path / "falcon.gguf"), device="cpu", cache=False)
    for change in changes:
        if change.pair.status != "tied":
            assert change.pair.status == "compared", change.pair
            assert change.statistics is not None and change.statistics.unchanged_pct == 100


@pytest.mark.parametrize("norms", [SEPARATE, {"transformer.h.0.input_layernorm.weight": (32,)}])
def test_falcon_without_a_config_is_not_called_bloom(norms: dict[str, tuple[int, ...]]) -> None:
    """BLOOM always has a norm after its embedding."""
    bare = understand(checkpoint({**FALCON, **norms}))
    assert bare.family == "falcon"
    position = bare.fact("position")
    assert position is None or position.value != "ALiBi"
    bloom = {**FALCON, **norms, "transformer.word_embeddings_layernorm.weight": (32,)}
    if norms is not SEPARATE:
        assert understand(checkpoint(bloom)).family == "bloom"
