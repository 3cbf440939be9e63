"""GGUF's headers: what lies is refused soon, and what is long is stepped over."""

from __future__ import annotations

import json
import resource
import struct
from hashlib import sha256
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.checkpoints import open_checkpoint, read_tokens
from modeldiff.checkpoints.opening import open_source
from modeldiff.cli import main
from modeldiff.companions import Glance
from modeldiff.companions.tokenizer.tokenizer import compare_tokenizers
from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointError, CheckpointNotFound, DamagedCheckpoint
from modeldiff.findings.companions.tokenizer_facts import tokenizer_facts
from tests.support.gguf_files import (
    array,
    header,
    numbered,
    tensor,
    text,
    values_of,
    write_gguf,
)
from tests.support.memory_source import MemoryFiles
from tests.support.safetensors_files import simple

NAME = text("a")
TOKEN_TYPES = "tokenizer.ggml.token_type"
HOSTILE = {
    "an array of 2**40": (header(array(4, 1 << 40)), "longer than the file"),
    "2**26 texts": (header(array(8, 1 << 26)), "longer than the file"),
    "arrays in arrays": (header(array(9, 5)), "of type 9"),
    "2**60 tensors": (header(tensors=1 << 60), "tensors"),
    "2**60 entries": (header(claimed=1 << 60), "entries"),
    "a text of 2**50": (header(NAME + struct.pack("<IQ", 8, 1 << 50)), "text"),
    "a name of 2**50": (header(struct.pack("<Q", 1 << 50), claimed=1), "name"),
    "a key twice": (
        header(NAME + struct.pack("<IB", 0, 1), NAME + struct.pack("<IB", 0, 1)),
        "twice",
    ),
    "2**80 elements": (header(tensors=1) + tensor("w", (1 << 40, 1 << 40)), "more elements"),
    "an element too many": (header(tensors=1) + tensor("w", (1 << 20,)), "cut short"),
    "an offset of 2**63": (header(tensors=1) + tensor("w", (1,), 0, 1 << 63) + bytes(64), "cut"),
    "two upon another": (
        header(tensors=2) + tensor("w", (8,)) + tensor("v", (8,)) + bytes(128),
        "overlaps",
    ),
    "one name twice": (
        header(tensors=2) + tensor("w", (8,)) + tensor("w", (8,), 0, 32) + bytes(128),
        "twice",
    ),
    "half a block": (header(tensors=1) + tensor("w", (2, 16), 2) + bytes(99), "whole blocks"),
    "nine dimensions": (header(tensors=1) + tensor("w", (1,) * 9) + bytes(99), "9 dimensions"),
    "no alignment": (
        header(text("general.alignment") + struct.pack("<II", 4, 0), tensors=1)
        + tensor("w", (8,))
        + bytes(99),
        "alignment",
    ),
    "nothing": (b"GGUF", "left"),
    "something else": (b"anything at all", "does not begin"),
    "a type of later": (header(tensors=1) + tensor("w", (32,), 99) + bytes(99), "type 99"),
    "version 1": (header(version=1), "version 1"),
    "big-endian": (b"GGUF" + struct.pack(">I", 3) + bytes(16), "big-endian"),
}


class TestHostile:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_header_that_lies(self, name: str) -> None:
        content, words = HOSTILE[name]
        with pytest.raises(CheckpointError, match=words) as caught:
            open_source(MemoryFiles({"m.gguf": content}))
        assert "m.gguf" in caught.value.message and caught.value.hint

    @given(st.data())
    def test_any_byte_may_be_another(self, data: st.DataObject) -> None:
        content = bytearray(
            header(array(8, 2, text("x") + text("y")), tensors=2)
            + tensor("blk.0.attn_q.weight", (4, 32), 2)
            + tensor("output_norm.weight", (8,), 0, 96)
            + bytes(200)
        )
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(4, 190))
            content[at] = data.draw(st.integers(0, 255))
        try:
            checkpoint = open_source(MemoryFiles({"m.gguf": bytes(content)}))
        except CheckpointError:
            return
        for tensor_ in checkpoint.tensors:
            piece = tensor_.pieces[0]
            assert 0 <= piece.offset <= piece.offset + piece.nbytes <= len(content)

    def test_a_bomb_of_empty_texts_is_refused_soon(self, tmp_path: Path) -> None:
        """What memory and time it takes is bounded by what the file has: here 2**23 texts."""
        path = tmp_path / "bomb.gguf"
        path.write_bytes(header(array(8, 1 << 23)) + bytes(8 << 23))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(DamagedCheckpoint, match="texts"):
            open_checkpoint(str(path))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000

    def test_a_vocabulary_is_stepped_over(self, tmp_path: Path) -> None:
        """Across every edge of what is read at once, and hashed to the last byte."""
        words = [f"token {n}" * (1 + n % 40) for n in range(20_000)]
        content = header(
            array(8, len(words), b"".join(map(text, words)), "tokenizer.ggml.tokens"),
            array(5, 20_000, bytes(80_000), "tokenizer.ggml.token_type"),
            tensors=1,
        ) + tensor("w", (8,))
        data = content + bytes(-len(content) % 32) + numbered(8).tobytes()
        (tmp_path / "v.gguf").write_bytes(data)
        checkpoint = open_checkpoint(str(tmp_path / "v.gguf"))
        np.testing.assert_array_equal(values_of(checkpoint, checkpoint["w"]), numbered(8))
        heads = checkpoint.source.heads  # type: ignore[attr-defined]
        assert heads["v.gguf"].sha256 == sha256(content).hexdigest()


def test_the_command_line_takes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    tensors = {"token_embd.weight": numbered(8, 32), "output_norm.weight": numbered(32)}
    for kind in ("F32", "Q8_0"):
        write_gguf(tmp_path / f"m-{kind}.gguf", "llama", tensors, kind)
    assert main(["inspect", f"{tmp_path}:Q8_0"]) == 0
    assert "Bits a weight" in capsys.readouterr().out
    assert main(["diff", f"{tmp_path}:F32", f"{tmp_path}:Q8_0", "--device", "cpu"]) == 0
    assert "1 tensor in Q8_0: relative Frobenius" in capsys.readouterr().out


class TestTokens:
    """Against the same tokenizer as transformers keeps it."""

    def write(self, folder: Path, model: str, tokens: list[str], types: list[int]) -> Path:
        words = b"".join(map(text, tokens))
        named = text("tokenizer.ggml.model") + struct.pack("<I", 8) + text(model)
        content = header(
            named,
            array(8, len(tokens), words, "tokenizer.ggml.tokens"),
            array(5, len(tokens), struct.pack(f"<{len(types)}i", *types), TOKEN_TYPES),
            tensors=1,
        ) + tensor("token_embd.weight", (len(tokens),))
        data = content + bytes(-len(content) % 32) + bytes(4 * len(tokens))
        (folder / "model.gguf").write_bytes(data)
        return folder / "model.gguf"

    @pytest.mark.parametrize("model", ["gpt2", "llama"])
    def test_are_those_of_the_tokenizer_json(self, tmp_path: Path, model: str) -> None:
        space = {"gpt2": "Ġ", "llama": "▁"}[model]
        tokens = ["<s>", "<0x0A>", *(f"{space}word{n}" for n in range(6000)), "<extra> token"]
        path = self.write(tmp_path, model, tokens, [3, 6, *[1] * 6000, 4])
        (tmp_path / "hf").mkdir()
        (tmp_path / "hf" / "model.safetensors").write_bytes(simple("w"))
        added = [{"id": row, "content": tokens[row]} for row in (0, len(tokens) - 1)]
        parsed = {
            "model": {"vocab": {token: row for row, token in enumerate(tokens)}},
            "added_tokens": added,
            "decoder": {"type": "ByteLevel" if model == "gpt2" else "Metaspace"},
        }
        (tmp_path / "hf" / "tokenizer.json").write_text(json.dumps(parsed))
        ours, theirs = open_checkpoint(str(path)), open_checkpoint(str(tmp_path / "hf"))
        mine, wanted = read_tokens(ours), read_tokens(theirs)
        assert mine.texts == wanted.texts and mine.added == wanted.added
        difference = compare_tokenizers(ours, theirs).vocabulary
        assert difference is not None and difference.shared == len(tokens)

    def test_a_list_that_is_none(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "gpt2", ["a"], [1])
        path.write_bytes(path.read_bytes().replace(b"ggml.tokens", b"ggml.tokenx"))
        with pytest.raises(CheckpointNotFound, match=r"no tokenizer\.json"):
            read_tokens(open_checkpoint(str(path)))

    def test_merges_special_tokens_and_templates_come_from_the_metadata(
        self, tmp_path: Path
    ) -> None:
        """Beside the folder that the file was made from nothing differs; then one merge does."""
        tokens, merges = ["<s>", "</s>", "a", "b", "ab"], ["a b"]
        template = "{{ bos_token }}{{ messages[0].content }}" + " " * 2000
        folder = tmp_path / "hf"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(simple("w"))
        document = {
            "model": {"type": "BPE", "vocab": {t: n for n, t in enumerate(tokens)}},
            "added_tokens": [{"id": n, "content": tokens[n], "special": True} for n in (0, 1)],
            "decoder": {"type": "ByteLevel"},
        }
        document["model"] |= {"merges": merges}  # type: ignore[operator]
        (folder / "tokenizer.json").write_text(json.dumps(document))
        settings = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": template}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        for name, rules in (("same", merges), ("other", ["b a"])):
            writer = gguf.GGUFWriter(tmp_path / f"{name}.gguf", "llama")
            writer.add_tokenizer_model("gpt2")
            writer.add_token_list(tokens)
            writer.add_token_types([3, 3, 1, 1, 1])
            writer.add_token_merges(rules)
            writer.add_bos_token_id(0)
            writer.add_eos_token_id(1)
            writer.add_unk_token_id(99)
            writer.add_chat_template(template)
            writer.add_tensor("w", np.ones(4, np.float32))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
        for name, differing in (("same", set()), ("other", {"Merges"})):
            comparison = Comparison.open(str(folder), str(tmp_path / f"{name}.gguf"))
            companions = comparison.companions
            facts = list(tokenizer_facts(companions))
            assert {fact.label for fact in facts if not fact.same} == differing
            assert companions.tokenizer.target.special == {"bos_token": "<s>", "eos_token": "</s>"}
            assert companions.templates[0].sources == companions.templates[1].sources
            assert comparison.differing_companions == Glance()
            assert not companions.tokenizer.target.is_whole  # nothing says how text is cut
