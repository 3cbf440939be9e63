"""Folders as people have them: what can be read is read and its oddity said, else it is said what
it is. Cases from public bug reports: clones without Git LFS, interrupted downloads, old indexes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from modeldiff.checkpoints import Checkpoint, open_checkpoint, read_tokens
from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointError, DamagedCheckpoint, NoWeights, UnsupportedFormat
from modeldiff.findings.narrative import narrate
from modeldiff.results import run_diff
from tests.support.safetensors_files import encode, simple, write_sharded

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 4976698672\n"
XET = b"# xet version 0\nfilesize = 4976698672\nhash = 'aa'\n"
STAND_INS = {
    "Git LFS pointer": (LFS, "git lfs pull"),
    "a Git LFS pointer": (LFS.replace(b"\n", b"\r\n"), "git lfs pull"),  # a checkout of Windows
    "Xet pointer": (XET, "git-xet"),
    "web page": (b"\n<!DOCTYPE html><html><head><title>Access</title>", "token"),
    "error that was saved": (b'{ "error": "Repository not found"}', "token"),
}


def opened(folder: Path) -> Checkpoint:
    return open_checkpoint(str(folder))


def fails(folder: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        opened(folder)
    return caught.value


def said(checkpoint: Checkpoint) -> str:
    return " ".join(checkpoint.warnings)


@pytest.mark.parametrize("what", STAND_INS)
class TestStandIns:
    @pytest.mark.parametrize(
        "file", ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]
    )
    def test_of_weights_and_index(self, tmp_path: Path, what: str, file: str) -> None:
        content, todo = STAND_INS[what]
        (tmp_path / file).write_bytes(content)
        (tmp_path / "config.json").write_text("{}")
        error = fails(tmp_path)
        assert what in error.message and file in error.message
        assert todo in error.hint

    def test_of_config_and_tokenizer(self, tmp_path: Path, what: str) -> None:
        content, todo = STAND_INS[what]
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / "config.json").write_bytes(content)
        (tmp_path / "tokenizer.json").write_bytes(content)
        checkpoint = opened(tmp_path)
        assert checkpoint.config is None
        assert "config.json is a" in said(checkpoint) and what in said(checkpoint)
        with pytest.raises(DamagedCheckpoint, match=what) as caught:
            read_tokens(checkpoint)
        assert todo in caught.value.hint


def test_words_of_a_server_are_shown_and_binary_is_not(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"Access to model a/b is restricted. You must be authenticated.")
    assert "says 'Access to model a/b is restricted" in fails(tmp_path).message
    file.write_bytes(b"Access \x00\x1b[31m" + bytes(100))
    assert "does not begin with a header" in fails(tmp_path).message


EMBEDDING = {"model-1.safetensors": ("model.embed_tokens.weight", "model.layers.0.w")}


class TestIndexAtOdds:
    @pytest.mark.parametrize(
        ("lacking", "config", "opens"),
        [
            ("lm_head.weight", {"tie_word_embeddings": True}, True),
            ("lm_head.weight", {"text_config": {"tie_word_embeddings": True}}, True),
            ("lm_head.weight", {}, True),
            ("lm_head.weight", {"tie_word_embeddings": False}, False),
            ("lm_head.weight", None, False),
            ("model.layers.0.self_attn.rotary_emb.inv_freq", None, True),
            ("model.layers.0.attention.output.weight", {"tie_word_embeddings": True}, False),
            ("model.norm.weight", {"tie_word_embeddings": True}, False),
        ],
    )
    def test_only_what_a_model_is_whole_without_may_be_lacking(
        self, tmp_path: Path, lacking: str, config: object, opens: bool
    ) -> None:
        write_sharded(tmp_path, EMBEDDING, weight_map={lacking: "model-1.safetensors"})
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config))
        if opens:
            assert f"The index lists '{lacking}'" in said(opened(tmp_path))
        else:
            assert lacking in fails(tmp_path).message

    def test_a_repeated_tensor_counts_as_in_transformers(
        self, sharded_llama_folder: Path, tmp_path: Path
    ) -> None:
        from transformers import AutoModelForCausalLM

        folder = tmp_path / "repeated"
        shutil.copytree(sharded_llama_folder, folder)
        first, *_, last = sorted(path.name for path in folder.glob("*.safetensors"))
        weights, late = load_file(folder / first), load_file(folder / last)
        name = next(name for name in weights if name.startswith("model."))
        save_file(late | {name: weights[name] + 1}, folder / last, metadata={"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder)
        checkpoint = opened(folder)
        assert repr(name) in said(checkpoint)
        (file,) = checkpoint[name].files
        with safe_open(folder / file, framework="pt") as stored:
            counts = stored.get_tensor(name).float().numpy()
        loaded = model.state_dict()[name].float().numpy()
        assert np.array_equal(counts, loaded)
        assert checkpoint[name].file == last and len(set(checkpoint)) == len(checkpoint.tensors)

    def numbered(self, folder: Path, *tensors: str, total: int) -> None:
        folder.mkdir(exist_ok=True)
        for number, name in enumerate(tensors, 1):
            file = folder / f"model-{number:05}-of-{total:05}.safetensors"
            file.write_bytes(simple(name))

    def test_an_old_index_beside_complete_shards(self, tmp_path: Path) -> None:
        write_sharded(tmp_path, {"model-00001-of-00001.safetensors": ("a", "b")})
        (tmp_path / "model-00001-of-00001.safetensors").unlink()
        self.numbered(tmp_path, "a", "b", total=2)
        checkpoint = opened(tmp_path)
        assert list(checkpoint) == ["a", "b"]
        assert "The index is of another save" in said(checkpoint)
        self.numbered(tmp_path, "a", "c", total=2)  # not what the index promises
        assert "'b (model-00001-of-00001.safetensors)'" in fails(tmp_path).message
        (tmp_path / "model-00002-of-00002.safetensors").unlink()
        assert "1 of 1 shards are missing" in fails(tmp_path).message

    def test_a_download_in_part_over_an_old_save_is_not_that_save(self, tmp_path: Path) -> None:
        new = {f"model-0000{n}-of-00003.safetensors": (name,) for n, name in enumerate("abc", 1)}
        write_sharded(tmp_path, new)
        (tmp_path / "model-00003-of-00003.safetensors").unlink()
        self.numbered(tmp_path, "a", "b", total=2)
        assert "1 of 3 shards are missing" in fails(tmp_path).message

    def test_a_single_file_beside_an_index_says_which_is_older(self, tmp_path: Path) -> None:
        write_sharded(tmp_path, {"model-1.safetensors": ("a",)})
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        index = tmp_path / "model.safetensors.index.json"
        os.utime(tmp_path / "model.safetensors", (0, 86400))
        os.utime(index, (0, 90000))
        checkpoint = opened(tmp_path)
        assert list(checkpoint) == ["w"]
        assert "changed at 1970-01-02 00:00:00 UTC and 1970-01-02 01:00:00 UTC" in said(checkpoint)
        index.unlink()
        index.symlink_to("nowhere")
        assert "index.json was left aside." in said(opened(tmp_path))


class TestWhatItIs:
    def test_a_folder_of_folders(self, tmp_path: Path) -> None:
        for name in ("checkpoint-1000", "checkpoint-500", "models--a--b/snapshots/" + "c" * 40):
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / "trainer_state.json").write_text("{}")
        hint = fails(tmp_path).hint
        assert hint.index("'checkpoint-500'") < hint.index("'checkpoint-1000'")
        assert "'models--a--b/snapshots/ccc" in hint

    @pytest.mark.parametrize(
        ("names", "says"),
        [
            (["optimizer.pt", "scheduler.pt", "rng_state.pth"], "the state of a training run"),
            (["optimizer.pt", "pytorch_model_fsdp_0"], "the shards of a training run"),
            (["trainer_state.json", "global_step500"], "the shards of a training run"),
        ],
    )
    def test_a_training_run(self, tmp_path: Path, names: list[str], says: str) -> None:
        for name in names:
            make = Path.touch if "." in name else Path.mkdir
            make(tmp_path / name)
        assert says in fails(tmp_path).message

    def test_an_adapter_beside_a_model_is_not_applied(self, tmp_path: Path) -> None:
        (tmp_path / "adapter_model.safetensors").write_bytes(simple("q_proj.lora_A.weight"))
        config = {"peft_type": "LORA", "r": 4, "base_model_name_or_path": "acme/tiny"}
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        assert "an adapter (LoRA, rank 4) of 'acme/tiny'. It was not" in said(opened(tmp_path))
        (tmp_path / "adapter_config.json").write_text("[" * 10_000)
        assert "an adapter. It was not applied" in said(opened(tmp_path))

    def test_a_download_that_was_not_finished(self, tmp_path: Path) -> None:
        part = tmp_path / ".cache" / "huggingface" / "download" / "x.incomplete"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"x")
        assert "1 file is there in part" in fails(tmp_path).message
        write_sharded(tmp_path, {"model-1.safetensors": ("a",), "model-2.safetensors": ("b",)})
        (tmp_path / "model-2.safetensors").unlink()
        error = fails(tmp_path)
        assert isinstance(error, DamagedCheckpoint) and "1 of 2 shards" in error.message
        assert "Run the download again" in error.hint
        snapshot = tmp_path / "hub" / "models--a--b" / "snapshots" / "main"
        snapshot.mkdir(parents=True)
        (snapshot.parents[1] / "blobs").mkdir()
        (snapshot.parents[1] / "blobs" / "y.incomplete").touch()
        for folder in (snapshot, snapshot.parents[1]):
            assert "was not finished" in fails(folder).message


class TestPartsThatAreNotRead:
    @pytest.mark.parametrize(
        "file",
        [
            "2_Dense/model.safetensors",
            "text_encoder/model.safetensors",
            "2_Dense/pytorch_model.bin",
        ],
    )
    def test_are_named(self, tmp_path: Path, file: str) -> None:
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(encode({}))
        folder = file.partition("/")[0]
        assert f"Weights in subfolders were not read: '{folder}'" in said(opened(tmp_path))

    def test_are_part_of_what_is_said_of_a_diff(self, tmp_path: Path) -> None:
        for side in ("base", "target"):
            (tmp_path / side).mkdir()
            (tmp_path / side / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / "target" / "2_Dense").mkdir()
        (tmp_path / "target" / "2_Dense" / "model.safetensors").write_bytes(simple("w"))
        (tmp_path / "target" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4}')
        base, target = str(tmp_path / "base"), str(tmp_path / "target")
        result = run_diff(Comparison.open(base, target), device="cpu")
        narrative = narrate(result.changes, unread=result.header.unread)
        assert narrative.facts[0].endswith("'2_Dense' and an adapter (LoRA, rank 4) of target.")
        assert "nothing is known of those beside them" in narrative.likeness[0]
        # The same weights without anything beside them: a result of equal contents is found again.
        (tmp_path / "target" / "adapter_config.json").unlink()
        (tmp_path / "target" / "2_Dense" / "model.safetensors").unlink()
        again = run_diff(Comparison.open(base, target), device="cpu")
        assert again.header.unread == ((), ())
        assert (
            "nothing is known" not in narrate(again.changes, unread=again.header.unread).likeness[0]
        )
        assert again.key == result.key

    def test_what_was_read_or_is_none_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "parts").mkdir()
        write_sharded(tmp_path, {"parts/one.safetensors": ("w",)})
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text("{}")
        assert opened(tmp_path).warnings == ()

    def test_looks_are_bounded_and_follow_no_link(self, tmp_path: Path) -> None:
        folder, other = tmp_path / "folder", tmp_path / "other"
        other.mkdir()
        (other / "model.safetensors").write_bytes(simple("w"))
        (folder / "deep" / "deeper").mkdir(parents=True)
        (folder / "deep" / "deeper" / "model.safetensors").write_bytes(simple("w"))
        (folder / "link").symlink_to(other)
        (folder / "loop").symlink_to(folder)
        error = fails(folder)
        assert isinstance(error, NoWeights) and "subfolders" not in error.hint


class TestShardsOfTensorParallelism:
    @pytest.mark.parametrize(
        "files",
        [
            ("mp_rank_00/model.safetensors", "mp_rank_01/model.safetensors"),
            ("mp_rank_00_000/model.safetensors", "mp_rank_01_000/model.safetensors"),
            ("mp_rank_00/model_optim_rng.pt", "mp_rank_01/model_optim_rng.pt"),
            ("mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt"),
            ("consolidated.00.safetensors", "consolidated.01.safetensors"),
            ("model-rank-0-part-0.safetensors", "model-rank-1-part-0.safetensors"),
        ],
    )
    def test_are_called_so(self, tmp_path: Path, files: tuple[str, ...]) -> None:
        for file in files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(simple("w"))
        error = fails(tmp_path)
        assert isinstance(error, UnsupportedFormat)
        assert "2 ranks of tensor parallelism" in error.message and "together" in error.hint
        # A whole model beside them is what is meant.
        (tmp_path / "model.safetensors").write_bytes(simple("w"))
        assert list(opened(tmp_path)) == ["w"]

    def test_one_of_them_is_read_with_a_warning(self, tmp_path: Path) -> None:
        for rank in ("00", "01"):
            (tmp_path / f"mp_rank_{rank}").mkdir()
            for path in (f"mp_rank_{rank}/model.safetensors", f"consolidated.{rank}.safetensors"):
                (tmp_path / path).write_bytes(simple("w"))
        for name in ("mp_rank_00", "consolidated.01.safetensors"):
            assert f"'{name}' is one rank's part" in said(opened(tmp_path / name))

    def test_a_single_rank_is_a_whole_model(self, tmp_path: Path) -> None:
        (tmp_path / "mp_rank_00").mkdir()
        for path in ("mp_rank_00/model.safetensors", "consolidated.00.safetensors"):
            (tmp_path / path).write_bytes(simple("w"))
        assert opened(tmp_path / "mp_rank_00").warnings == ()
        assert "one rank" not in said(opened(tmp_path))
