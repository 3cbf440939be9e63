"""Checkpoints of other formats than safetensors, bent at random: each opens with tensors that lie
in its files, or with one of our errors and a word on what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.checkpoints import open_checkpoint, read_tokens
from tests.fuzz.bending import bent_bytes
from tests.support.fuzzed import DATA, only_our_errors, require_readable, saved

FUZZ = settings.get_profile("fuzz")


@pytest.mark.parametrize("zipped", [True, False])
@FUZZ
@given(st.data())
def test_files_of_torch_save(zipped: bool, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(data.draw(bent_bytes(saved(zipped=zipped))))
    with only_our_errors():
        require_readable(path)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("distributed/checkpoint", ".metadata"),
        ("distributed/checkpoint", "__1_0.distcp"),
        ("megatron/run/iter_0000020", ".metadata"),
        ("megatron/run/iter_0000020", "common.pt"),
        ("zero/stage2/global_step3", "mp_rank_00_model_states.pt"),
        ("zero/stage2/global_step3", "bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"),
        ("zero/stage3/global_step3", "zero_pp_rank_0_mp_rank_00_model_states.pt"),
        ("zero/stage3/global_step3", "zero_pp_rank_2_mp_rank_00_optim_states.pt"),
    ],
)
@FUZZ
@given(st.data())
def test_checkpoints_of_many_ranks(
    folder: str, file: str, tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "run"
    if not path.exists():
        shutil.copytree(DATA / folder, path)
    (path / file).write_bytes(data.draw(bent_bytes((DATA / folder / file).read_bytes())))
    with only_our_errors():
        require_readable(path)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["Ġthe", "<s>", "Ċ"])
    writer.add_token_types([1, 3, 1])
    writer.add_tensor("token_embd.weight", np.ones((3, 32), np.float32))
    blocks = gguf.quants.quantize(np.ones((4, 32), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@FUZZ
@given(st.data())
def test_gguf_files(converted: bytes, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(data.draw(bent_bytes(converted)))
    with only_our_errors():
        require_readable(path)
        tokens = read_tokens(open_checkpoint(str(path)))
        assert all(text is None or text.isprintable() for text in tokens.texts)


def test_what_is_bent_is_sound(converted: bytes, tmp_path: Path) -> None:
    """Else every target would be content with the first error."""
    for zipped in (True, False):
        path = tmp_path / f"{zipped}.bin"
        path.write_bytes(saved(zipped=zipped))
        require_readable(path)
    path = tmp_path / "model.gguf"
    path.write_bytes(converted)
    require_readable(path)
    tokens = read_tokens(open_checkpoint(str(path)))
    assert tokens.texts == ("␣the", "<s>", "↵")
    assert [*map(tokens.role, range(3))] == ["token", "special", "token"]
