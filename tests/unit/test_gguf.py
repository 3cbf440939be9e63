"""GGUF: every type to the bit, names and rows turned back, which files make up a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import pytest

from modeldiff import diff
from modeldiff.architectures import understand
from modeldiff.changes import ChangeTable, measure, pair
from modeldiff.changes.engine.decoding import Decoders
from modeldiff.changes.table.arrow_columns import changes_of, table_of
from modeldiff.checkpoints import Checkpoint, TensorInfo, open_checkpoint
from modeldiff.checkpoints.formats.gguf.names import GPT2_NAMES, LLAMA_NAMES, MOE_NAMES
from modeldiff.checkpoints.formats.gguf.sets import gguf_sets
from modeldiff.checkpoints.recipes.ggml_blocks import GgmlBlocks
from modeldiff.checkpoints.recipes.ggml_types import BLOCK_TYPES
from modeldiff.errors import DamagedCheckpoint, MissingExtra, UnsupportedFormat
from modeldiff.findings.narrative import narrate
from tests.support.gguf_files import in_pairs, llama_tensors, numbered, values_of, write_gguf
from tests.support.safetensors_files import encode
from tests.support.small_checkpoints import in_shapes, write_checkpoint

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, VOCABULARY = 256, 512, 2, 4, 2, 96
ENTRIES = {
    "block_count": LAYERS,
    "embedding_length": HIDDEN,
    "feed_forward_length": INNER,
    "attention.head_count": HEADS,
    "attention.head_count_kv": KV_HEADS,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "rope.freq_base": 500_000.0,
    "context_length": 4096,
}


def llama_weights(seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """A small Llama's tensors, each value one that bf16 has."""
    random = np.random.default_rng(seed)
    width = HIDDEN // HEADS
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}."
        shapes |= {
            f"{stem}input_layernorm.weight": (HIDDEN,),
            f"{stem}self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"{stem}self_attn.k_proj.weight": (KV_HEADS * width, HIDDEN),
            f"{stem}self_attn.v_proj.weight": (KV_HEADS * width, HIDDEN),
            f"{stem}self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"{stem}post_attention_layernorm.weight": (HIDDEN,),
            f"{stem}mlp.gate_proj.weight": (INNER, HIDDEN),
            f"{stem}mlp.up_proj.weight": (INNER, HIDDEN),
            f"{stem}mlp.down_proj.weight": (HIDDEN, INNER),
        }
    shapes |= {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}
    return {
        name: rounded(random.normal(1 if len(shape) == 1 else 0, 0.02, shape))
        for name, shape in shapes.items()
    }


def rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Cut to bf16."""
    bits = values.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return np.ascontiguousarray(bits).view(np.float32)


def safetensors_of(folder: Path, weights: dict[str, npt.NDArray[np.float32]]) -> Checkpoint:
    """The weights as a folder of safetensors, in bf16."""
    entries, data = {}, b""
    for name, values in weights.items():
        halves = (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16).tobytes()
        end = len(data) + len(halves)
        entries[name] = {
            "dtype": "BF16",
            "shape": list(values.shape),
            "data_offsets": [len(data), end],
        }
        data += halves
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(encode(entries, data))
    config = {
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "hidden_size": HIDDEN,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(str(folder))


def changes_between(base: Path, target: Path) -> ChangeTable:
    return diff(str(base), str(target), device="cpu", cache=False)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model as ``hf``, and as GGUF in several types."""
    folder = tmp_path_factory.mktemp("llama")
    weights = llama_weights()
    safetensors_of(folder / "hf", weights)
    converted = llama_tensors(weights, HEADS, KV_HEADS)
    for kind in ("F32", "F16", "BF16", "Q8_0", "Q4_0"):
        write_gguf(folder / f"llama-{kind}.gguf", "llama", converted, kind, ENTRIES)
    return folder


class TestTypes:
    @pytest.mark.parametrize("kind", BLOCK_TYPES)
    def test_random_blocks_decode_as_gguf_py_does(self, kind: str) -> None:
        """Every scale there can be, infinities and NaN among them; NaN's payload says nothing."""
        block = BLOCK_TYPES[kind]
        count = 300 if block.by_kernel else 70
        random = np.random.default_rng(len(kind))
        stored = random.integers(0, 256, (count, block.nbytes), dtype=np.uint8)
        with np.errstate(all="ignore"):
            wanted = gguf.quants.dequantize(stored, gguf.GGMLQuantizationType[kind]).reshape(-1)
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]] == (
            block.values,
            block.nbytes,
        )

        def read(_: TensorInfo, first: int, out: memoryview) -> None:
            out[:] = stored.reshape(-1).data[first : first + len(out)]

        codes = TensorInfo.stored("w", "U8", stored.shape, "", 0, stored.size)
        decoder = GgmlBlocks(codes, kind).open(read)
        given = np.full(count * block.values, -1, np.float32)
        middle = count // 3 * block.values
        decoder.fill(0, middle, given[:middle].data.cast("B"))
        decoder.fill(middle, given.size, given[middle:].data.cast("B"))
        nan = np.isnan(wanted)
        np.testing.assert_array_equal(np.isnan(given), nan)
        np.testing.assert_array_equal(
            given[~nan].view(np.uint32), wanted[~nan].view(np.uint32), strict=True
        )

    @pytest.mark.parametrize("kind", ["Q8_0", "Q6_K", "IQ2_XXS"])
    def test_runs_from_anywhere_are_the_values_there(self, kind: str) -> None:
        block = BLOCK_TYPES[kind]
        random = np.random.default_rng(1)
        stored = random.integers(0, 128, (8, 4 * block.nbytes), dtype=np.uint8)

        def read(_: TensorInfo, first: int, out: memoryview) -> None:
            out[:] = stored.reshape(-1).data[first : first + len(out)]

        codes = TensorInfo.stored("w", "U8", stored.shape, "", 0, stored.size)
        shape = 8, 4 * block.values
        tensor = TensorInfo.made("w", shape, "F32", GgmlBlocks(codes, kind))
        whole = np.empty(tensor.elements, np.uint32)
        decoders = Decoders(read)
        decoders.fill(tensor, 0, whole.view(np.uint8))
        for length in (1, 40, 3 * block.values):
            last = tensor.elements - length
            for firsts in ([0, last], [7, 3, block.values - 1], [block.values * n for n in (4, 2)]):
                runs = np.empty((len(firsts), length), np.uint32)
                decoders.fill_runs(tensor, firsts, runs.reshape(-1).view(np.uint8))
                for first, run in zip(firsts, runs, strict=True):
                    assert np.array_equal(run, whole[first : first + length])

    def test_without_the_library_its_types_say_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("modeldiff.extras.find_spec", lambda name: None)
        codes = TensorInfo.stored("w", "U8", (1, 66), "", 0, 66)
        with pytest.raises(MissingExtra, match="IQ2_XXS needs gguf"):
            GgmlBlocks(codes, "IQ2_XXS").open(lambda *_: None)


class TestAgainstSafetensors:
    @pytest.mark.parametrize("kind", ["F32", "BF16"])
    def test_the_same_weights_are_equal(self, llama: Path, kind: str) -> None:
        changes = changes_between(llama / "hf", llama / f"llama-{kind}.gguf")
        assert len(changes) == 3 + 9 * LAYERS
        for change in changes:
            assert change.pair.status == "compared" and change.statistics is not None
            assert change.statistics.unchanged_pct == 100

    @pytest.mark.parametrize(("kind", "size"), [("Q8_0", 0.54), ("Q4_0", 8.62)])
    def test_quantised_weights_lie_at_their_types_floor(
        self, llama: Path, kind: str, size: float
    ) -> None:
        changes = changes_between(llama / "hf", llama / f"llama-{kind}.gguf")
        for change in changes:
            statistics, target = change.statistics, change.pair.target
            assert statistics is not None and target is not None
            if len(target.shape) == 1:
                assert statistics.unchanged_pct == 100
                continue
            assert statistics.rel_frobenius_pct == pytest.approx(size, rel=0.05)
            assert target.dtype == kind and statistics.resolution_pct is None
            assert target.nbytes == target.elements // 32 * BLOCK_TYPES[kind].nbytes
        narrative = narrate(changes)
        assert narrative.likeness[0].startswith("Nothing but the quantisation")
        assert not any(
            "training" in sentence and "Like" in sentence for sentence in narrative.facts
        )
        assert f"in {kind}: relative Frobenius" in " ".join(narrative.facts)

    def test_a_fine_tune_is_more_than_its_quantisation(self, llama: Path, tmp_path: Path) -> None:
        weights = llama_weights()
        random = np.random.default_rng(5)
        tuned = {
            name: rounded(values + random.normal(0, 0.001, values.shape))
            for name, values in weights.items()
        }
        converted = llama_tensors(tuned, HEADS, KV_HEADS)
        path = write_gguf(tmp_path / "tuned.gguf", "llama", converted, "Q8_0", ENTRIES)
        narrative = narrate(changes_between(llama / "hf", path))
        assert narrative.likeness[0].startswith("Something else, too")
        assert "stored without loss moved, too" in " ".join(narrative.likeness)

    def test_one_edited_matrix_is_named(self, llama: Path, tmp_path: Path) -> None:
        weights = llama_weights()
        name = "model.layers.1.mlp.up_proj.weight"
        noise = np.random.default_rng(3).normal(0, 0.004, weights[name].shape)
        weights[name] = rounded(weights[name] + noise)
        converted = llama_tensors(weights, HEADS, KV_HEADS)
        path = write_gguf(tmp_path / "edited.gguf", "llama", converted, "Q4_0", ENTRIES)
        facts = " ".join(narrate(changes_between(llama / "hf", path)).facts)
        assert "1 tensor moved by more than 1.5 times what the type makes: mlp.up_proj" in facts

    def test_rows_that_were_not_permuted_are_named_and_no_change(
        self, llama: Path, tmp_path: Path
    ) -> None:
        weights = llama_weights()
        stored = dict(llama_tensors(weights, HEADS, KV_HEADS))
        for layer, part in ((n, part) for n in range(LAYERS) for part in "qk"):
            name = f"model.layers.{layer}.self_attn.{part}_proj.weight"
            stored[f"blk.{layer}.attn_{part}.weight"] = weights[name]
        path = write_gguf(tmp_path / "wrong.gguf", "llama", stored, "Q8_0", ENTRIES)
        narrative = narrate(changes_between(llama / "hf", path))
        assert "halved rotary order in place of the interleaved" in " ".join(narrative.facts)
        assert "the other rotary order" in narrative.likeness[0]
        assert "Nothing but the quantisation: what else moved" in narrative.likeness[1]

    @pytest.mark.parametrize("kind", ["F32", "BF16", "Q8_0"])
    def test_norms_with_one_added_by_mistake_are_named(
        self, llama: Path, tmp_path: Path, kind: str
    ) -> None:
        """Norms are near 1, so that one more is nearly twice as much: that is not what is said."""
        converted = {
            name: values + np.float32(1) if "norm" in name else values
            for name, values in llama_tensors(llama_weights(), HEADS, KV_HEADS).items()
        }
        target = write_gguf(tmp_path / "plus.gguf", "llama", converted, kind, ENTRIES)
        narrative = narrate(changes_between(llama / "hf", target))
        words = " ".join((*narrative.facts, *narrative.likeness))
        assert "5 tensors differ by 1 in every element" in words
        assert "stores as w and the other as 1 + w" in words
        assert "times 2" not in words

    def test_norms_of_some_layers_alone_are_no_convention(
        self, llama: Path, tmp_path: Path
    ) -> None:
        converted = {
            name: values + np.float32(1) if "blk.1" in name and "norm" in name else values
            for name, values in llama_tensors(llama_weights(), HEADS, KV_HEADS).items()
        }
        target = write_gguf(tmp_path / "plus.gguf", "llama", converted, "Q4_0", ENTRIES)
        said = narrate(changes_between(llama / "hf", target)).likeness[0]
        assert "one of the two sides is at odds with itself" in said and "convention" not in said

    @pytest.mark.parametrize("kind", ["F32", "Q8_0"])
    def test_keys_converted_by_the_number_of_queries_are_named(
        self, llama: Path, tmp_path: Path, kind: str
    ) -> None:
        weights = llama_weights()
        stored = dict(llama_tensors(weights, HEADS, KV_HEADS))
        for layer in range(LAYERS):
            keys = weights[f"model.layers.{layer}.self_attn.k_proj.weight"]
            stored[f"blk.{layer}.attn_k.weight"] = in_pairs(keys, HEADS)
        path = write_gguf(tmp_path / "wrong.gguf", "llama", stored, kind, ENTRIES)
        narrative = narrate(changes_between(llama / "hf", path))
        assert "back into halves by heads of another, 32 the shorter" in " ".join(narrative.facts)
        assert "converted by the number of query heads" in narrative.likeness[0]

    @pytest.mark.parametrize("kind", ["F32", "Q4_0"])
    @pytest.mark.parametrize("stored", [False, True])
    def test_a_head_that_is_the_embedding_is_named(
        self, llama: Path, tmp_path: Path, kind: str, *, stored: bool
    ) -> None:
        """Left out, so that the embedding stands in for it, or stored over it."""
        converted = dict(llama_tensors(llama_weights(), HEADS, KV_HEADS))
        head = converted.pop("output.weight")
        if stored:
            converted["output.weight"] = converted["token_embd.weight"]
            assert not np.array_equal(converted["output.weight"], head)
        path = write_gguf(tmp_path / "tied.gguf", "llama", converted, kind, ENTRIES)
        narrative = narrate(changes_between(llama / "hf", path))
        assert "lm_head is base's embed_tokens" in " ".join(narrative.facts)
        assert narrative.likeness[0].startswith("A head that is base's embedding is not training")

    def test_a_result_that_was_kept_says_the_stored_type(self, llama: Path) -> None:
        changes = changes_between(llama / "hf", llama / "llama-Q8_0.gguf")
        again = ChangeTable(changes_of(table_of(changes)))
        assert {c.pair.target.dtype for c in again if c.pair.target} == {"Q8_0", "F32"}
        assert narrate(again) == narrate(changes)

    def test_the_config_is_in_transformers_words(self, llama: Path) -> None:
        checkpoint = open_checkpoint(str(llama / "llama-Q8_0.gguf"))
        assert checkpoint.format == "gguf" and checkpoint.warnings == ()
        assert checkpoint.config == {
            "model_type": "llama",
            "num_hidden_layers": LAYERS,
            "hidden_size": HIDDEN,
            "intermediate_size": INNER,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500_000.0,
            "max_position_embeddings": 4096,
            "vocab_size": VOCABULARY,
            "tie_word_embeddings": False,
            "hidden_act": "silu",  # llama.cpp computes every Llama with it
        }
        architecture = understand(checkpoint)
        assert architecture.family == "llama"
        facts = {fact.key: fact.text for fact in architecture.facts}
        assert facts["kv_heads"] == "2" and facts["rope_theta"] == "500,000"
        assert facts["stored_types"].startswith("Q8_0")
        assert facts["mlp"] == "SwiGLU"
        assert 8.5 < float(facts["bits_per_weight"]) < 8.6

    @pytest.mark.parametrize(("layers", "act"), [(LAYERS, "gelu"), (LAYERS + 1, "silu")])
    def test_a_config_beside_it_fills_what_it_leaves_unsaid(
        self, llama: Path, tmp_path: Path, layers: int, act: str
    ) -> None:
        """Where it is of that model, by its sizes; what the file says itself stands."""
        path = shutil.copy(llama / "llama-F16.gguf", tmp_path)
        alone = open_checkpoint(str(path))
        sizes = {"hidden_size": HIDDEN, "num_attention_heads": HEADS, "vocab_size": VOCABULARY}
        config = {**sizes, "num_hidden_layers": layers, "hidden_act": "gelu", "rope_theta": 1.0}
        (tmp_path / "config.json").write_text(json.dumps(config))
        checkpoint = open_checkpoint(str(path))
        assert checkpoint.config is not None and alone.config is not None
        assert checkpoint.config.get("hidden_act") == act
        assert checkpoint.config["rope_theta"] == 500_000.0
        assert (checkpoint.fingerprint == alone.fingerprint) == (act == "silu")


def one_layer(
    folder: Path, architecture: str, tensors: dict[str, npt.NDArray[np.float32]], kind: str = "F32"
) -> Checkpoint:
    entries = {"attention.head_count": 4, "attention.head_count_kv": 2, "expert_count": 3}
    if architecture in ("gemma2", "gpt2", "gptneox", "falcon", "mamba"):
        del entries["expert_count"]
    return open_checkpoint(
        str(write_gguf(folder / "one.gguf", architecture, tensors, kind, entries))
    )


class TestConversions:
    def test_norms_of_gemma_lose_the_one_that_was_added(self, tmp_path: Path) -> None:
        original = rounded(np.random.default_rng(0).normal(0, 0.3, 64))
        stored = {"blk.0.post_attention_norm.weight": original + np.float32(1)}
        checkpoint = one_layer(tmp_path, "gemma2", stored)
        name = "model.layers.0.post_attention_layernorm.weight"
        np.testing.assert_array_equal(values_of(checkpoint, checkpoint[name]), original)

    def test_rows_that_were_never_permuted_stay(self, tmp_path: Path) -> None:
        rows = numbered(16, 32)
        for architecture, wanted in (("qwen3", rows), ("llama", None), ("olmo", None)):
            checkpoint = one_layer(tmp_path, architecture, {"blk.0.attn_k.weight": rows})
            given = values_of(checkpoint, checkpoint.tensors[0])
            if wanted is not None:
                np.testing.assert_array_equal(given, wanted)
            else:
                np.testing.assert_array_equal(in_pairs(given, 2), rows)
                assert not np.array_equal(given, rows)

    @pytest.mark.parametrize("architecture", ["seed_oss", "glm4moe", "gpt-oss", "gemma3"])
    def test_the_norm_behind_attention_has_one_name(
        self, tmp_path: Path, architecture: str
    ) -> None:
        """llama.cpp calls it after its place where it is no norm of the MLP's input to it."""
        stored = {"blk.0.post_attention_norm.weight": np.ones(64, np.float32)}
        (tensor,) = one_layer(tmp_path, architecture, stored).tensors
        assert tensor.name == "model.layers.0.post_attention_layernorm.weight"

    def test_layers_may_have_other_numbers_of_heads(self, tmp_path: Path) -> None:
        rows = numbered(16, 32)
        entries = {"attention.head_count": [4, 2], "attention.head_count_kv": [2, 1]}
        stored = {f"blk.{n}.attn_k.weight": in_pairs(rows, 2 - n) for n in (0, 1)}
        path = write_gguf(tmp_path / "uneven.gguf", "llama", stored, "F32", entries)
        checkpoint = open_checkpoint(str(path))
        for tensor in checkpoint.tensors:
            np.testing.assert_array_equal(values_of(checkpoint, tensor), rows)

    @pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "F16"])
    def test_permuted_rows_of_blocks_and_biases(self, tmp_path: Path, kind: str) -> None:
        matrix = np.random.default_rng(1).normal(0, 1, (16, 64)).astype(np.float32)
        stored = {
            "blk.0.attn_q.weight": in_pairs(matrix, 4),
            "blk.0.attn_q.bias": in_pairs(matrix[:, 0].copy(), 4),
        }
        checkpoint = one_layer(tmp_path, "granite", stored, kind)
        type_ = gguf.GGMLQuantizationType[kind]
        wanted = gguf.quants.dequantize(gguf.quants.quantize(matrix, type_), type_)
        stem = "model.layers.0.self_attn.q_proj"
        weight, bias = checkpoint[f"{stem}.weight"], checkpoint[f"{stem}.bias"]
        np.testing.assert_array_equal(values_of(checkpoint, weight), wanted)
        np.testing.assert_array_equal(values_of(checkpoint, bias), matrix[:, 0])

    @pytest.mark.parametrize("kind", ["F32", "Q8_0"])
    def test_a_stack_is_cut_into_its_experts(self, tmp_path: Path, kind: str) -> None:
        stack = np.random.default_rng(2).normal(0, 1, (3, 32, 64)).astype(np.float32)
        stored = {"blk.0.ffn_up_exps.weight": stack, "blk.0.ffn_norm.weight": stack[0, 0]}
        checkpoint = one_layer(tmp_path, "qwen3moe", stored, kind)
        parameters = {p.place.expert: p.tensor for p in understand(checkpoint).parameters}
        type_ = gguf.GGMLQuantizationType[kind]
        wanted = gguf.quants.dequantize(gguf.quants.quantize(stack, type_), type_)
        for expert in range(3):
            tensor_ = parameters[expert]
            assert tensor_.shape == (32, 64) and tensor_.nbytes * 3 == (
                checkpoint.tensors[0].nbytes
            )
            np.testing.assert_array_equal(values_of(checkpoint, tensor_), wanted[expert])

    @pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0"])
    def test_keys_and_values_of_latent_attention_are_one_matrix_again(
        self, tmp_path: Path, kind: str
    ) -> None:
        heads, key, value, latent = 4, 32, 64, 96
        whole = np.random.default_rng(3).normal(0, 1, (heads * (key + value), latent))
        per_head = whole.astype(np.float32).reshape(heads, key + value, latent)
        keys = np.ascontiguousarray(per_head[:, :key].transpose(0, 2, 1))  # as the converter does
        values = np.ascontiguousarray(per_head[:, key:])
        stored = {"blk.0.attn_k_b.weight": keys, "blk.0.attn_v_b.weight": values}
        checkpoint = one_layer(tmp_path, "deepseek2", stored, kind)
        (tensor,) = checkpoint.tensors
        assert tensor.name == "model.layers.0.self_attn.kv_b_proj.weight"
        assert tensor.shape == whole.shape
        type_ = gguf.GGMLQuantizationType[kind]
        keys, values = (
            gguf.quants.dequantize(gguf.quants.quantize(part, type_), type_)
            for part in (keys, values)
        )
        wanted = np.concatenate([keys.transpose(0, 2, 1), values], axis=1).reshape(whole.shape)
        np.testing.assert_array_equal(values_of(checkpoint, tensor), wanted)
        (parameter,) = understand(checkpoint).parameters
        assert parameter.place.component == "self_attn.kv_b_proj"

    def test_keys_that_do_not_fit_their_values_stay_apart(self, tmp_path: Path) -> None:
        stored = {
            "blk.0.attn_k_b.weight": numbered(2, 64, 32),
            "blk.0.attn_v_b.weight": numbered(2, 32, 96),
        }
        checkpoint = one_layer(tmp_path, "deepseek2", stored)
        assert [tensor.shape for tensor in checkpoint.tensors] == [(2, 64, 32), (2, 32, 96)]

    @pytest.mark.parametrize(("architecture", "groups"), [("falcon", 2), ("gptneox", 2)])
    def test_sorted_queries_keys_and_values_stand_by_group_again(
        self, tmp_path: Path, architecture: str, groups: int
    ) -> None:
        width, columns = 8, 32
        original = numbered((4 + 2 * groups) * width, columns)
        grouped = original.reshape(groups, 4 // groups + 2, width, columns)
        stored = np.concatenate(
            [
                part.reshape(-1, columns)
                for part in (grouped[:, :-2], grouped[:, -2], grouped[:, -1])
            ]
        )
        checkpoint = one_layer(tmp_path, architecture, {"blk.0.attn_qkv.weight": stored})
        np.testing.assert_array_equal(values_of(checkpoint, checkpoint.tensors[0]), original)

    def test_gpt2_meets_its_matrices_that_stand_the_other_way_round(self, tmp_path: Path) -> None:
        weight = np.random.default_rng(4).normal(0, 1, (64, 256)).astype(np.float32)  # [in, out]
        norm = numbered(64)
        (tmp_path / "hf").mkdir()
        plain = {
            "transformer.h.0.mlp.c_fc.weight": ("F32", weight.reshape(-1).view(np.uint8)),
            "transformer.h.0.ln_2.weight": ("F32", norm.view(np.uint8)),
        }
        base = in_shapes(
            open_checkpoint(str(write_checkpoint(tmp_path / "hf", plain))),
            {"transformer.h.0.mlp.c_fc.weight": (64, 256), "transformer.h.0.ln_2.weight": (64,)},
        )
        base = replace(base, config={"model_type": "gpt2"})
        stored = {
            "blk.0.ffn_up.weight": np.ascontiguousarray(weight.T),
            "blk.0.ffn_norm.weight": norm,
        }
        target = one_layer(tmp_path, "gpt2", stored, "Q8_0")
        pairs = pair(understand(base), understand(target))
        changes = {c.pair.place.component: c for c in measure(pairs, base, target, device="cpu")}
        statistics = changes["mlp.up_proj"].statistics
        assert statistics is not None and statistics.rel_frobenius_pct is not None
        assert statistics.rel_frobenius_pct == pytest.approx(0.54, rel=0.1)

    def test_a_state_space(self, tmp_path: Path) -> None:
        logarithms = np.log(np.arange(1, 9, dtype=np.float32)).reshape(2, 4)
        stored = {"blk.0.ssm_a": -np.exp(logarithms), "blk.0.ssm_conv1d.weight": numbered(2, 4)}
        checkpoint = one_layer(tmp_path, "mamba", stored)
        given = values_of(checkpoint, checkpoint["backbone.layers.0.mixer.A_log"])
        np.testing.assert_allclose(given, logarithms, rtol=1e-6)
        assert checkpoint["backbone.layers.0.mixer.conv1d.weight"].shape == (2, 1, 4)

    def test_a_hybrid_of_state_spaces_and_attention(self, tmp_path: Path) -> None:
        """Jamba's mixers, attention, MLPs and stacked experts, each in layers of their own."""
        stored = {
            "blk.0.ssm_in.weight": numbered(4, 32),
            "blk.0.ssm_a": -np.exp(numbered(2, 4)),
            "blk.0.ssm_b_norm.weight": numbered(4),
            "blk.0.ffn_down.weight": numbered(4, 32),
            "blk.1.attn_q.weight": numbered(4, 32),
            "blk.1.ffn_norm.weight": numbered(4),
            "blk.1.ffn_up_exps.weight": numbered(3, 4, 32),
            "output_norm.weight": numbered(4),
        }
        checkpoint = one_layer(tmp_path, "jamba", stored)
        assert checkpoint.warnings == ()
        places = {str(each.place.column) for each in understand(checkpoint).parameters}
        assert places == {
            *("mixer.in_proj", "mixer.A_log", "mixer.b_layernorm", "mlp.down_proj", "norm"),
            *("self_attn.q_proj", "post_attention_layernorm", "mlp.experts.up_proj"),
        }

    def test_an_unknown_architecture_keeps_its_names_and_says_so(self, tmp_path: Path) -> None:
        stored = {"blk.0.attn_q.weight": numbered(4, 32), "blk.0.ffn_up.weight": numbered(4, 32)}
        checkpoint = one_layer(tmp_path, "novel", stored)
        assert list(checkpoint) == list(stored)
        assert "'novel'" in checkpoint.warnings[0]
        assert understand(checkpoint).parameters[0].place.layer == 0

    def test_names(self) -> None:
        assert MOE_NAMES.name("blk.7.ffn_gate.12.weight") == (
            "model.layers.7.mlp.experts.12.gate_proj.weight"
        )
        assert MOE_NAMES.name("blk.7.something.new") == "model.layers.7.something.new"
        assert GPT2_NAMES.name("position_embd.weight") == "transformer.wpe.weight"
        assert MOE_NAMES.name("rope_freqs.weight") == "model.rotary_emb.rope_freqs"


SHAPES: dict[str, Callable[[np.random.Generator], npt.NDArray[np.float64]]] = {
    "attn_k": lambda random: random.uniform(-1, 1, (64, 64)),
    "attn_q": lambda random: random.normal(0, 1, (64, 64)),
    "attn_v": lambda random: random.laplace(0, 1, (64, 64)),
    "ffn_gate": lambda random: random.standard_t(3, (64, 64)),
    "ffn_up": lambda random: 3 + random.normal(0, 1, (64, 64)),
}


def as_gguf_tools_compares(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """``tensors_avg_diff`` of gguf-tools.c: percent of the mean magnitude, times three quarters."""
    magnitude = (np.abs(one).mean(dtype=np.float64) + np.abs(other).mean(dtype=np.float64)) / 2
    return float(75 * np.abs(one - other).mean(dtype=np.float64) / magnitude)


@pytest.mark.parametrize("kinds", [("F16", "Q4_1"), ("Q4_1", "F16"), ("F32", "Q8_0")])
def test_tensors_are_ranked_as_gguf_tools_ranks_them(
    kinds: tuple[str, str], tmp_path: Path
) -> None:
    """antirez/gguf-tools#9: ``gguf-tools compare`` lists for each tensor how far it moved beside
    its mean magnitude: relative Frobenius with means in place of norms. Of weights that are spread
    in five ways, both give one order."""
    random = np.random.default_rng(7)
    tensors = {
        f"blk.0.{part}.weight": (10.0 ** random.uniform(-3, 0) * spread(random)).astype(np.float32)
        for part, spread in SHAPES.items()
    }
    heads = {"attention.head_count": 1, "attention.head_count_kv": 1}
    base, target = (
        write_gguf(tmp_path / f"m-{kind}.gguf", "llama", tensors, kind, heads) for kind in kinds
    )
    decoded = []
    for kind in kinds:
        stored = gguf.GGMLQuantizationType[kind]
        decoded.append(
            {
                name: gguf.quants.dequantize(gguf.quants.quantize(values, stored), stored)
                for name, values in tensors.items()
            }
        )
    theirs = {
        LLAMA_NAMES.name(name): as_gguf_tools_compares(decoded[0][name], decoded[1][name])
        for name in tensors
    }
    ours: dict[str, float] = {}
    means: dict[str, float | None] = {}
    for change in changes_between(base, target):
        assert change.pair.base is not None and change.statistics is not None
        name, statistics = change.pair.base.name, change.statistics
        ours[name] = statistics.rel_frobenius_pct or 0.0
        means[name] = statistics.mean_abs_delta
    assert sorted(ours, key=ours.__getitem__) == sorted(theirs, key=theirs.__getitem__)
    assert means == pytest.approx(
        {
            LLAMA_NAMES.name(name): np.abs(decoded[0][name] - decoded[1][name]).mean()
            for name in tensors
        },
        rel=1e-5,
    )


class TestSets:
    def test_a_split_is_one_model(self, llama: Path, tmp_path: Path) -> None:
        converted = list(llama_tensors(llama_weights(), HEADS, KV_HEADS).items())
        for number in range(3):
            entries = {"split.no": number, "split.count": 3, "split.tensors.count": len(converted)}
            part = dict(converted[number * 7 : (number + 1) * 7])
            path = tmp_path / f"m-BF16-{number + 1:05d}-of-00003.gguf"
            write_gguf(path, "llama", part, "BF16", entries | (ENTRIES if number == 0 else {}))
        for reference in (tmp_path, path):
            changes = changes_between(llama / "hf", reference)
            assert len(changes) == len(converted)
            assert all(c.statistics and c.statistics.unchanged_pct == 100 for c in changes)
        path.unlink()
        for reference in (tmp_path, tmp_path / "m-BF16-00001-of-00003.gguf"):
            with pytest.raises(DamagedCheckpoint, match=r"1 of 3 parts.*00003-of-00003"):
                open_checkpoint(str(reference))

    def test_parts_of_two_saves(self, tmp_path: Path) -> None:
        for number in range(2):
            entries = {"split.no": 0, "split.count": 2}
            path = tmp_path / f"m-{number + 1:05d}-of-00002.gguf"
            write_gguf(path, "llama", {f"x{number}": numbered(4, 32)}, "F32", entries)
        with pytest.raises(DamagedCheckpoint, match="part 2 of 2"):
            open_checkpoint(str(tmp_path))

    def test_several_models_are_told_apart_by_their_tags(self, llama: Path) -> None:
        with pytest.raises(UnsupportedFormat, match=r"'BF16'.*'Q4_0', 'Q8_0'") as caught:
            open_checkpoint(str(llama))
        assert f"{llama}:BF16" in caught.value.hint
        assert open_checkpoint(f"{llama}:q8_0").tensors[0].dtype == "Q8_0"
        assert open_checkpoint(f"{llama}:llama-Q8_0").tensors[0].dtype == "Q8_0"
        with pytest.raises(UnsupportedFormat, match="no weights called 'Q5_K_M': it holds"):
            open_checkpoint(f"{llama}:Q5_K_M")

    def test_what_lies_beside_models_is_none(self) -> None:
        names = ["a-UD-Q4_K_XL.gguf", "a-Q4_K_M.gguf", "mmproj-F16.gguf", "a.imatrix.gguf"]
        assert [s.tag for s in gguf_sets(names)] == ["Q4_K_M", "UD-Q4_K_XL"]
        names = ["x/a-Q8_0.gguf", "y/b-Q8_0.gguf"]
        assert [s.tag for s in gguf_sets(names)] == ["x/a-Q8_0", "y/b-Q8_0"]

    def test_safetensors_come_first(self, llama: Path, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(
            (llama / "hf" / "model.safetensors").read_bytes()
        )
        (tmp_path / "x-Q8_0.gguf").write_bytes((llama / "llama-Q8_0.gguf").read_bytes())
        assert open_checkpoint(str(tmp_path)).format == "safetensors"
        assert open_checkpoint(f"{tmp_path}:Q8_0").format == "gguf"

    def test_a_file_is_known_by_its_content(self, llama: Path, tmp_path: Path) -> None:
        path = tmp_path / "sha256-0123"
        path.write_bytes((llama / "llama-Q4_0.gguf").read_bytes())
        assert open_checkpoint(str(path)).format == "gguf"
