"""Checkpoints of which each rank wrote a part, against the same tensors whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.checkpoint.state_dict_saver import save
from transformers import LlamaConfig, LlamaForCausalLM

from modeldiff import diff
from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.formats.sharded.flat_vectors import FlatVector, boxes_of_runs
from modeldiff.checkpoints.tensor import Piece
from modeldiff.errors import CheckpointError, DamagedCheckpoint, UnsupportedFormat
from tests.support.opened_values import bytes_of

DATA = Path(__file__).parents[1] / "data" / "distributed"
ZERO = DATA.parent / "zero"


def require_equal(reference: Path, expected: dict[str, torch.Tensor]) -> None:
    checkpoint = open_checkpoint(str(reference))
    assert set(checkpoint) == set(expected)
    for name, tensor in expected.items():
        stored = checkpoint[name]
        assert stored.shape == tuple(tensor.shape)
        values = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        assert bytes_of(checkpoint, stored) == values, name


class TestDistributedCheckpoints:
    def test_boxes_of_four_ranks_are_the_whole(self) -> None:
        require_equal(DATA / "checkpoint", load_file(DATA / "whole.safetensors"))
        warnings = " ".join(open_checkpoint(str(DATA / "checkpoint")).warnings)
        assert "optimizer" in warnings

    @pytest.mark.filterwarnings("ignore")
    def test_what_this_torch_writes(self, tmp_path: Path) -> None:
        tensors = {"model.a": torch.randn(5, 7), "model.b": torch.randn(9).bfloat16()}
        save({**tensors, "step": 3}, checkpoint_id=tmp_path / "run", no_dist=True)
        require_equal(tmp_path / "run", tensors)

    def test_a_subfolder_of_a_trainers_checkpoint(self, tmp_path: Path) -> None:
        shutil.copytree(DATA / "checkpoint", tmp_path / "pytorch_model_fsdp_0")
        shutil.copytree(DATA / "checkpoint", tmp_path / "optimizer_0")
        require_equal(tmp_path, load_file(DATA / "whole.safetensors"))

    @pytest.mark.parametrize("file", ["__1_0.distcp", "__3_0.distcp"])
    def test_a_missing_or_cut_part_is_named(self, tmp_path: Path, file: str) -> None:
        folder = tmp_path / "run"
        shutil.copytree(DATA / "checkpoint", folder)
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: len(content) // 2])
        with pytest.raises(DamagedCheckpoint, match=file):
            open_checkpoint(str(folder))
        (folder / file).unlink()
        with pytest.raises(DamagedCheckpoint, match=file):
            open_checkpoint(str(folder))

    def test_a_flipped_byte_is_an_error_or_the_same_shapes(self, tmp_path: Path) -> None:
        shutil.copytree(DATA / "checkpoint", tmp_path / "run")
        metadata = tmp_path / "run" / ".metadata"
        content = metadata.read_bytes()
        shapes = {t.name: t.shape for t in open_checkpoint(str(tmp_path / "run")).tensors}
        for at in range(0, len(content), 5):
            metadata.write_bytes(content[:at] + bytes((content[at] ^ 0x21,)) + content[at + 1 :])
            try:
                checkpoint = open_checkpoint(str(tmp_path / "run"))
            except CheckpointError as error:
                assert error.hint
                continue
            for tensor in checkpoint.tensors:
                assert shapes.get(tensor.name, tensor.shape) == tensor.shape

    def test_a_path_that_leads_out_is_refused(self, tmp_path: Path) -> None:
        shutil.copytree(DATA / "checkpoint", tmp_path / "run")
        metadata = tmp_path / "run" / ".metadata"
        metadata.write_bytes(metadata.read_bytes().replace(b"__1_0.distcp", b"../0_0.distc"))
        with pytest.raises(DamagedCheckpoint, match=r"\.\./0_0"):
            open_checkpoint(str(tmp_path / "run"))


class TestDeepSpeedsZero:
    """Files in DeepSpeed's layout against what its own zero_to_fp32.py makes of them."""

    @pytest.mark.parametrize("stage", ["stage2", "stage3"])
    @pytest.mark.parametrize("folder", ["", "global_step3"])
    def test_the_weights_in_fp32(self, stage: str, folder: str) -> None:
        expected = load_file(ZERO / f"{stage}.safetensors")
        assert torch.equal(expected.pop("lm_head.weight"), expected["model.embed_tokens.weight"])
        # The converter widens what is not fp32; it is read as it is stored.
        frozen, buffer = "model.frozen.weight", "model.rotary.inv_freq"
        expected[frozen], expected[buffer] = expected[frozen].bfloat16(), expected[buffer].half()
        require_equal(ZERO / stage / folder, expected)
        warnings = " ".join(open_checkpoint(str(ZERO / stage / folder)).warnings)
        assert "tied to it: 'lm_head.weight'" in warnings
        assert ("subfolder 'global_step3'" in warnings) == (not folder)

    def test_the_latest_of_several_saves(self, tmp_path: Path) -> None:
        run = shutil.copytree(ZERO / "stage2", tmp_path / "run")
        shutil.copytree(run / "global_step3", run / "global_step10")
        assert open_checkpoint(str(run)).tensors
        (run / "latest").write_text("global_step4")
        with pytest.raises(UnsupportedFormat, match=r"several.*global_step3"):
            open_checkpoint(str(run))

    @pytest.mark.parametrize("stage", ["stage2", "stage3"])
    @pytest.mark.parametrize("kind", ["model", "optim"])
    def test_a_missing_rank_is_named(self, tmp_path: Path, stage: str, kind: str) -> None:
        run = shutil.copytree(ZERO / stage / "global_step3", tmp_path / "run")
        *_, last = sorted(run.glob(f"*{kind}_states.pt"))
        last.unlink()
        if (stage, kind) == ("stage2", "model"):
            says = r"lacks the model_states\.pt"
        else:
            says = "not all ranks have" if kind == "model" else r"ranks, and the optim_states\.pt"
        with pytest.raises(DamagedCheckpoint, match=says):
            open_checkpoint(str(run))

    def test_ranks_that_hold_another_number_of_weights(self, tmp_path: Path) -> None:
        run = shutil.copytree(ZERO / "stage2" / "global_step3", tmp_path / "run")
        (file,) = run.glob("*model_states.pt")
        content = torch.load(file)
        del content["param_shapes"][0]["model.layers.0.mlp.experts"]
        torch.save(content, file)
        with pytest.raises(DamagedCheckpoint, match=r"names 43 weights where the ranks hold 61"):
            open_checkpoint(str(run))

    def test_without_the_optimizer_the_models_own_are_taken(self, tmp_path: Path) -> None:
        run = shutil.copytree(ZERO / "stage2" / "global_step3", tmp_path / "run")
        for file in run.glob("*optim*"):
            file.unlink()
        checkpoint = open_checkpoint(str(run))
        assert "model.embed_tokens.weight" in checkpoint
        assert "not here: those that the model computed with" in " ".join(checkpoint.warnings)

    @pytest.mark.parametrize(
        "file",
        [
            "zero_pp_rank_0_mp_rank_01_optim_states.pt",
            "layer_1_expert_0_mp_rank_00_model_states.pt",
        ],
    )
    def test_other_parallelism_is_refused(self, tmp_path: Path, file: str) -> None:
        run = shutil.copytree(ZERO / "stage2" / "global_step3", tmp_path / "run")
        (run / file).write_bytes(b"")
        with pytest.raises(UnsupportedFormat, match=r"(tensor|expert) parallelism"):
            open_checkpoint(str(run))

    def test_a_run_over_many_rows(self) -> None:
        """Each part of a rank begins and ends amid a row, at every depth."""
        shape = (3, 4, 5)
        whole = torch.arange(60, dtype=torch.float32).reshape(shape)
        piece = Piece("file", 0, 240, "F32", (60,))
        for cut in range(1, 60):
            vector = FlatVector([piece._replace(shape=(60,))])
            runs = [*vector.cut(0, cut), *vector.cut(cut, 60)]
            seen = torch.full(shape, -1.0)
            for box in boxes_of_runs(runs, shape):
                index = tuple(slice(s, s + n) for s, n in zip(box.start, box.shape, strict=True))
                first = box.offset // 4
                values = torch.arange(first, first + box.nbytes // 4, dtype=torch.float32)
                seen[index] = values.reshape(box.shape)
            assert torch.equal(seen, whole)


class TestMegatronsDistributedCheckpoints:
    """A Llama of two ranks, its layers in one tensor each, against transformers' own file."""

    RUN = DATA.parent / "megatron" / "run"

    @pytest.mark.parametrize("folder", ["", "iter_0000020"])
    def test_the_layers_are_those_of_the_model(self, folder: str) -> None:
        table = diff(str(self.RUN.parent / "transformers"), str(self.RUN / folder)).to_pandas()
        assert len(table) == 2 * 9 + 3
        assert (table["status"] == "compared").all()
        assert (table["unchanged_pct"] == 100).all()

    def test_what_the_runs_arguments_say(self) -> None:
        checkpoint = open_checkpoint(str(self.RUN))
        said = json.loads((self.RUN.parent / "transformers" / "config.json").read_text())
        assert checkpoint.config is not None
        for name, value in checkpoint.config.items():
            assert said.get(name, value) == value, name
        assert checkpoint.config["num_key_value_heads"] == 2
        assert "Left out: the optimizer's 2 entries." in checkpoint.warnings

    def test_the_latest_of_several_iterations(self, tmp_path: Path) -> None:
        run = shutil.copytree(self.RUN, tmp_path / "run")
        shutil.copytree(run / "iter_0000020", run / "iter_0000010")
        assert "iter_0000020" in open_checkpoint(str(run)).tensors[0].file
        (run / "latest_checkpointed_iteration.txt").write_text("release")
        with pytest.raises(UnsupportedFormat, match="several"):
            open_checkpoint(str(run))


class TestMetasShards:
    """The same small Llama as transformers saves it and as Meta's files hold it, cut as they are:
    https://github.com/huggingface/transformers, convert_llama_weights_to_hf.py."""

    ROWS = ("wq", "wk", "wv", "w1", "w3", "output")
    NAMES = (
        ("self_attn.q_proj", "attention.wq"),
        ("self_attn.k_proj", "attention.wk"),
        ("self_attn.v_proj", "attention.wv"),
        ("self_attn.o_proj", "attention.wo"),
        ("mlp.gate_proj", "feed_forward.w1"),
        ("mlp.down_proj", "feed_forward.w2"),
        ("mlp.up_proj", "feed_forward.w3"),
        ("input_layernorm", "attention_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("model.embed_tokens", "tok_embeddings"),
        ("model.norm", "norm"),
        ("lm_head", "output"),
    )

    @pytest.fixture
    def model(self, tmp_path: Path) -> LlamaForCausalLM:
        torch.manual_seed(3)
        config = LlamaConfig(
            vocab_size=96,
            hidden_size=32,
            intermediate_size=80,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=False,
        )
        model = LlamaForCausalLM(config).bfloat16()
        model.save_pretrained(tmp_path / "hf")
        return model

    def write(self, model: LlamaForCausalLM, folder: Path, *, embedding_axis: int) -> None:
        folder.mkdir()
        ranks: list[dict[str, torch.Tensor]] = [{}, {}]
        for name, tensor in model.state_dict().items():
            meta = name.removesuffix(".weight")
            for theirs, metas in self.NAMES:
                meta = meta.replace(theirs, metas)
            meta = meta.removeprefix("model.") + ".weight"
            if "wq" in meta or "wk" in meta:  # Meta keeps the rows of a head in pairs
                rows, columns = tensor.shape
                heads = rows // 8
                tensor = tensor.view(heads, 2, 4, columns).transpose(1, 2).reshape(rows, columns)
            last = meta.split(".")[-2]
            axis = embedding_axis if last == "tok_embeddings" else int(last not in self.ROWS)
            for rank in (0, 1):
                whole = tensor.ndim == 1
                ranks[rank][meta] = (tensor if whole else tensor.chunk(2, axis)[rank]).clone()
        for rank, tensors in enumerate(ranks):
            torch.save(tensors, folder / f"consolidated.{rank:02}.pth")
        config = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "norm_eps": 1e-6}
        (folder / "params.json").write_text(json.dumps({**config, "vocab_size": 96}))

    @pytest.mark.parametrize("embedding_axis", [0, 1])
    def test_two_ranks_are_the_model(
        self, model: LlamaForCausalLM, tmp_path: Path, embedding_axis: int
    ) -> None:
        self.write(model, tmp_path / "meta", embedding_axis=embedding_axis)
        table = diff(str(tmp_path / "hf"), str(tmp_path / "meta")).to_pandas()
        assert len(table) == len(model.state_dict())
        assert (table["status"] == "compared").all()
        assert (table["unchanged_pct"] == 100).all()

    def test_a_missing_rank_is_named(self, model: LlamaForCausalLM, tmp_path: Path) -> None:
        self.write(model, tmp_path / "meta", embedding_axis=1)
        (tmp_path / "meta" / "consolidated.00.pth").unlink()
        with pytest.raises(DamagedCheckpoint, match=r"consolidated\.00\.pth"):
            open_checkpoint(str(tmp_path / "meta"))

    def test_what_cannot_be_told_is_refused(self, tmp_path: Path) -> None:
        for rank in (0, 1):
            content = {"norm.weight": torch.ones(4), "unknown.weight": torch.ones(3, 3)}
            torch.save(content, tmp_path / f"consolidated.{rank:02}.pth")
        with pytest.raises(UnsupportedFormat, match="unknown"):
            open_checkpoint(str(tmp_path))
