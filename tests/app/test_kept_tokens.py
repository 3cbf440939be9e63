"""Tokenizers that were compared are kept with their pair, but not so many that they fill the
memory: a link is enough to have two of a million tokens compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled
from modeldiff.processes.wanted import wanted_while
from modeldiff.ui.session import opening
from modeldiff.ui.session.opening import compare_sides, forget_openings, open_side
from tests.support.safetensors_files import write_sharded

TOKENS = 50


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, ...]:
    """Models with tokenizers of fifty tokens, each its own."""
    folders = []
    for name in "abcdef":
        folder = tmp_path / name
        write_sharded(folder, {"model-00001-of-00001.safetensors": ("a.weight",)})
        vocabulary = {f"{name}{row}": row for row in range(TOKENS)}
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
        folders.append(str(folder))
    forget_openings()
    opening._compared.clear()
    opening._compare.clear()
    return tuple(folders)


def _compared(base: str, target: str) -> Comparison:
    comparison = compare_sides(open_side(base), open_side(target))
    assert comparison is not None
    return comparison


def test_those_compared_last_stay(
    folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_MOST_TOKENS", 5 * TOKENS)
    pairs = [(folders[0], folder) for folder in folders[1:]]
    looked_at = []
    for pair in pairs:
        comparison = _compared(*pair)
        assert comparison.companions and comparison.tokens_held == 2 * TOKENS
        looked_at.append(comparison)
    kept = [_compared(*pair) is before for pair, before in zip(pairs, looked_at, strict=True)]
    # Two pairs fit. What is asked for anew was not read yet, and takes nobody's place.
    assert kept == [False, False, False, True, True]


def test_a_pair_without_tokens_makes_no_room(
    folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_MOST_TOKENS", 1)
    first, second = _compared(*folders[:2]), _compared(*folders[2:4])
    assert first.tokens_held == second.tokens_held == 0
    assert _compared(*folders[:2]) is first and _compared(*folders[2:4]) is second


def test_one_list_is_counted_once(folders: tuple[str, ...]) -> None:
    comparison = _compared(folders[0], folders[0])
    assert comparison.companions and comparison.tokens_held == TOKENS


def test_a_token_in_a_far_row_costs_no_more_than_its_row(folders: tuple[str, ...]) -> None:
    far = 1_000_000
    path = Path(folders[0]) / "tokenizer.json"
    path.write_text(json.dumps({"model": {"vocab": {"a": far}}}))
    vocabulary = _compared(*folders[:2]).companions.tokenizer.vocabulary
    assert vocabulary is not None and vocabulary.shared == 0
    assert [(each.text, each.base) for each in vocabulary.removed] == [("a", far)]
    assert len(vocabulary.added) == TOKENS


def test_who_leaves_ends_it_between_two_steps(folders: tuple[str, ...]) -> None:
    comparison = _compared(*folders[:2])
    asked: list[int] = []

    def wanted() -> bool:
        asked.append(len(asked))
        return len(asked) < 4

    with wanted_while(wanted), pytest.raises(Cancelled):
        assert comparison.companions
    assert len(asked) == 4 and comparison.tokens_held == 0
    assert comparison.companions  # whoever asks next has it
