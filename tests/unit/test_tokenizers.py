"""Two tokenizers compared: real ones, made with the library that runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modeldiff.checkpoints import Tokens
from modeldiff.companions.tokenizer.encoding import SAMPLES
from modeldiff.companions.tokenizer.settings import merges_of, read_settings
from modeldiff.companions.tokenizer.vocabulary import compare_vocabularies
from tests.support.companions import (
    byte_level_bpe,
    companions_of,
    parts_of,
    renamed,
    unigram,
    word_piece,
    write_companions,
)


def tokens(*texts: str | None, added: frozenset[int] = frozenset()) -> Tokens:
    return Tokens(texts, added, "tokenizer.json")


class TestVocabularies:
    def test_each_token_is_in_one_list(self) -> None:
        base = tokens("a", "b", "c", None, "<|reserved_1|>", "old", added=frozenset({4}))
        target = tokens("a", "c", "b", "new", "<|eom|>", None, "late", added=frozenset({4}))
        found = compare_vocabularies(base, target)
        assert found.shared == 1
        assert [(c.text, c.instead_of, c.base) for c in found.named] == [
            ("<|eom|>", "<|reserved_1|>", 4)
        ]
        assert [(c.text, c.target) for c in found.added] == [("new", 3), ("late", 6)]
        assert [(c.text, c.base) for c in found.removed] == [("old", 5)]
        assert [(c.text, c.base, c.target) for c in found.renumbered] == [("b", 1, 2), ("c", 2, 1)]
        assert found.shift is None

    def test_all_moved_by_the_same(self) -> None:
        found = compare_vocabularies(tokens("a", "b", "c"), tokens("<pad>", "a", "b", "c"))
        assert (found.shift, len(found.renumbered), found.shared) == (1, 3, 0)
        assert [c.text for c in found.added] == ["<pad>"]

    def test_plain_became_special(self) -> None:
        found = compare_vocabularies(tokens("a", "<x>"), tokens("a", "<x>", added=frozenset({1})))
        assert [(c.text, c.base) for c in found.roles] == [("<x>", 1)]
        assert not found.is_empty

    def test_a_name_that_became_reserved_is_said_so(self, tmp_path: Path) -> None:
        before = byte_level_bpe(special=["<|tool|>", "<|end|>"])
        after = renamed(before, {"<|tool|>": "<|reserved_special_token_9|>"})
        one = write_companions(tmp_path / "one", {"tokenizer.json": before})
        other = write_companions(tmp_path / "other", {"tokenizer.json": after})
        sentences = parts_of(one, other)["tokenizer"].sentences
        assert sentences[0].startswith("1 token is reserved now: <|reserved_special_token_9|>")


class TestKinds:
    @pytest.mark.parametrize(
        ("document", "kind", "merges"),
        [
            (byte_level_bpe(), "byte-level BPE", True),
            (word_piece(), "WordPiece", False),
            (unigram(), "Unigram", False),
        ],
        ids=["BPE", "WordPiece", "Unigram"],
    )
    def test_each_cuts_as_the_library_does(
        self, tmp_path: Path, document: dict[str, Any], kind: str, merges: bool
    ) -> None:
        from tokenizers import Tokenizer

        folder = write_companions(tmp_path / "one", {"tokenizer.json": document})
        # Another spelling of the same file, so that both are really run.
        other = write_companions(
            tmp_path / "other", {"tokenizer.json": json.dumps(document, indent=3)}
        )
        companions = companions_of(folder, other)
        pair = companions.tokenizer
        assert pair.base.settings is not None
        assert pair.base.settings.kind == document["model"]["type"]
        assert (pair.base.settings.merges is not None) == merges
        assert not pair.same_file
        assert pair.vocabulary is not None and pair.vocabulary.is_empty
        theirs = Tokenizer.from_str(json.dumps(document))
        assert len(companions.encodings) == len(SAMPLES)
        for text, (before, after) in zip(SAMPLES.values(), companions.encodings, strict=True):
            assert before.tokens == after.tokens and before.tokens is not None
            expected = theirs.encode(text)
            assert [token.row for token in before.tokens] == expected.ids
            assert [(token.start, token.end) for token in before.tokens] == expected.offsets
        part = parts_of(folder, other)["tokenizer"]
        assert not part.differs
        assert {fact.key: fact for fact in part.facts}["tokenizer.kind"].base is not None
        assert part.facts[0].base is not None and part.facts[0].base.text == kind
        assert "same tokens and rules" in part.sentences[0]

    def test_two_kinds(self, tmp_path: Path) -> None:
        one = write_companions(tmp_path / "one", {"tokenizer.json": word_piece()})
        other = write_companions(tmp_path / "other", {"tokenizer.json": unigram()})
        sentences = " ".join(parts_of(one, other)["tokenizer"].sentences)
        assert "split by another algorithm" in sentences
        assert "Other rules: normaliser, pre-tokeniser, decoder." in sentences
        assert "5 of 5 sample texts are tokenised differently." in sentences

    def test_the_same_file_is_not_run(self, tmp_path: Path) -> None:
        document = byte_level_bpe()
        one, other = (
            write_companions(tmp_path / name, {"tokenizer.json": document}) for name in "ab"
        )
        companions = companions_of(one, other)
        assert companions.tokenizer.same_file and companions.encodings == ()
        assert parts_of(one, other)["tokenizer"].sentences == (
            "Both have the same tokenizer, byte for byte.",
        )


class TestRules:
    def test_merges_in_both_spellings_are_the_same(self) -> None:
        document = byte_level_bpe()
        old = json.loads(json.dumps(document))
        old["model"]["merges"] = [" ".join(merge) for merge in document["model"]["merges"]]
        new_settings, old_settings = (
            read_settings(each, merges_of(each)) for each in (document, old)
        )
        assert new_settings == old_settings

    def test_other_merges_are_counted(self, tmp_path: Path) -> None:
        before = byte_level_bpe()
        after = json.loads(json.dumps(before))
        dropped = after["model"]["merges"].pop()
        one = write_companions(tmp_path / "one", {"tokenizer.json": before})
        other = write_companions(tmp_path / "other", {"tokenizer.json": after})
        pair = companions_of(one, other).tokenizer
        assert pair.shared_merges == len(before["model"]["merges"]) - 1
        facts = {fact.key: fact for fact in parts_of(one, other)["tokenizer"].facts}
        merges = facts["tokenizer.merges"]
        assert not merges.same and f"{pair.shared_merges:,} merges are in both" in merges.meaning
        # The order decides which is applied first.
        after["model"]["merges"] = [dropped, *before["model"]["merges"][:-1]]
        write_companions(other, {"tokenizer.json": after})
        meaning = {f.key: f for f in parts_of(one, other)["tokenizer"].facts}["tokenizer.merges"]
        assert "in another order" in meaning.meaning

    def test_a_pattern_far_behind_the_shown_text_still_differs(self, tmp_path: Path) -> None:
        def with_pattern(end: str) -> dict[str, Any]:
            document = byte_level_bpe()
            split = {
                "type": "Split",
                "pattern": {"Regex": "a?" * 200 + end},
                "behavior": "Isolated",
                "invert": False,
            }
            document["pre_tokenizer"] = {
                "type": "Sequence",
                "pretokenizers": [split, document["pre_tokenizer"]],
            }
            return document

        one = write_companions(tmp_path / "one", {"tokenizer.json": with_pattern("b")})
        other = write_companions(tmp_path / "other", {"tokenizer.json": with_pattern("c")})
        facts = {fact.key: fact for fact in parts_of(one, other)["tokenizer"].facts}
        assert not facts["tokenizer.pre_tokenizer"].same
        assert facts["tokenizer.normalizer"].same

    def test_special_tokens_and_options(self, tmp_path: Path) -> None:
        document = byte_level_bpe()
        one = write_companions(
            tmp_path / "one",
            {
                "tokenizer.json": document,
                "tokenizer_config.json": {
                    "eos_token": {"content": "</s>"},
                    "model_max_length": 512,
                },
            },
        )
        other = write_companions(
            tmp_path / "other",
            {
                "tokenizer.json": document,
                "tokenizer_config.json": {"model_max_length": 10**30},
                "special_tokens_map.json": {"eos_token": "<s>", "pad_token": "<s>"},
            },
        )
        part = parts_of(one, other)["tokenizer"]
        assert "Longest text: 512 tokens → no limit." in part.sentences
        assert "Other special tokens: eos_token, pad_token." in part.sentences


class TestWhatIsNotRead:
    def test_sentencepiece_alone(self, tmp_path: Path) -> None:
        one = write_companions(tmp_path / "one", {"tokenizer.model": b"\x0a\x0e"})
        other = write_companions(tmp_path / "other", {"tokenizer.model": b"\x0a\x0f"})
        part = parts_of(one, other)["tokenizer"]
        assert "not read, and their files differ" in part.sentences[0]
        assert part.differs
        assert len(part.notes) == 2 and all("tokenizer.json" in note for note in part.notes)
        same = parts_of(one, one)["tokenizer"]
        assert "the same tokenizer files, byte for byte" in same.sentences[0]
        assert not same.differs

    def test_one_side_has_none(self, tmp_path: Path) -> None:
        one = write_companions(tmp_path / "one")
        other = write_companions(tmp_path / "other", {"tokenizer.json": word_piece()})
        assert parts_of(one, other)["tokenizer"].sentences == (
            "Only the target is known to have a tokenizer that can be read.",
        )
        assert parts_of(one, one)["tokenizer"].sentences == (
            "Neither side has a tokenizer that can be read beside its weights.",
        )

    def test_gpt2_lists_its_tokens_and_no_rules(self, tmp_path: Path) -> None:
        one = write_companions(tmp_path / "one", {"vocab.json": {"!": 0, "Ġthe": 1}})
        other = write_companions(tmp_path / "other", {"vocab.json": {"!": 0, "Ġa": 1}})
        companions = companions_of(one, other)
        assert not companions.tokenizer.base.is_whole and companions.encodings == ()
        sentences = parts_of(one, other)["tokenizer"].sentences
        assert sentences == (
            "1 token was added: ␣a (1).",
            "1 token was removed: ␣the (1).",
        )
