"""Embeddings and heads of two vocabularies: the rows that both have, so that these are compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from modeldiff.changes.change import Pair, SharedRows
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.selected_rows import RowNumbers, SelectedRows, select_rows
from modeldiff.errors import CheckpointError
from modeldiff.processes.late_dataclass import dataclass

_BY_TOKEN = ("embed_tokens", "lm_head")


@dataclass(frozen=True)
class _Matching:
    """Rows that are partners: ``base[i]`` and ``target[i]``; ``words`` say by what."""

    base: RowNumbers
    target: RowNumbers
    shared: SharedRows
    words: str


def compare_shared_rows(
    pairs: Sequence[Pair], base: Checkpoint, target: Checkpoint
) -> tuple[Pair, ...]:
    """The pairs, with those of embeddings and heads that differ in their number of rows alone
    compared by the rows that both have: those of one token, where both tokenizers are at hand, else
    those of one number. ``reason`` says which, and of how many.

    Tokenizers are read where there is such a pair, and only then.
    """
    if not any(_is_resized(each) for each in pairs):
        return tuple(pairs)
    tokens = _Tokenizers(base, target)
    return tuple(_by_shared_rows(each, tokens) if _is_resized(each) else each for each in pairs)


def row_numbers(pair: Pair) -> tuple[RowNumbers, RowNumbers]:
    """Which rows of base's and of target's stored tensor the rows of a pair are. Raises
    ``ValueError`` for a pair without two sides that have rows."""
    if pair.base is None or pair.target is None or not pair.base.shape:
        raise ValueError("a side is missing")
    sides = []
    for tensor in (pair.base, pair.target):
        recipe = tensor.recipe
        everything = np.arange(tensor.shape[0])
        sides.append(recipe.numbers if isinstance(recipe, SelectedRows) else everything)
    return sides[0], sides[1]


def shared_rows_id(pairs: Iterable[Pair]) -> str:
    """Which rows are partners in these pairs, as ``number`` or ``text`` with 16 hex digits."""
    digest = hashlib.sha256()
    kinds = set()
    for each in pairs:
        if each.shared is not None:
            kinds.add(each.shared.by)
            for numbers in row_numbers(each):
                digest.update(np.ascontiguousarray(numbers, "<i8").tobytes())
    return f"text {digest.hexdigest()[:16]}" if "text" in kinds else "number"


def _is_resized(pair: Pair) -> bool:
    one, other = pair.base, pair.target
    return (
        pair.status == "different_shape"
        and one is not None
        and other is not None
        and pair.place.layer is None
        and pair.place.component.rpartition(".")[2] in _BY_TOKEN
        and 1 <= len(one.shape) == len(other.shape)
        and one.shape[1:] == other.shape[1:]
        and one.elements > 0
        and other.elements > 0
    )


class _Tokenizers:
    """Both tokenizers, read when they are first asked for; matchings of equal sizes are shared."""

    def __init__(self, base: Checkpoint, target: Checkpoint) -> None:
        self._texts = [_texts(side) for side in (base, target)]
        self._known: dict[tuple[int, int], _Matching | None] = {}

    def matching(self, base_rows: int, target_rows: int) -> _Matching | None:
        """The partners of matrices with so many rows; None where no token is in both."""
        key = base_rows, target_rows
        if key not in self._known:
            self._known[key] = self._match(*key)
        return self._known[key]

    def _match(self, base_rows: int, target_rows: int) -> _Matching | None:
        ours, theirs = self._texts
        if ours is None or theirs is None:
            shared = SharedRows(min(base_rows, target_rows), base_rows, target_rows, "number")
            numbers = np.arange(shared.compared)
            lacking = "base" if ours is None else "target"
            if ours is None and theirs is None:
                lacking = "neither side"
            verb = "has a" if lacking == "neither side" else "has no"
            words = f"by row number, as {lacking} {verb} tokenizer that can be read"
            return _Matching(numbers, numbers, shared, words)
        rows_of_text = dict(_single(theirs[:target_rows]))
        partners = [
            (row, rows_of_text[text])
            for text, row in _single(ours[:base_rows])
            if text in rows_of_text
        ]
        if not partners:
            return None
        numbers = np.array(sorted(partners), np.int64)
        shared = SharedRows(len(partners), base_rows, target_rows, "text")
        return _Matching(numbers[:, 0], numbers[:, 1], shared, "by token text")


def _by_shared_rows(pair: Pair, tokenizers: _Tokenizers) -> Pair:
    assert pair.base is not None and pair.target is not None
    matching = tokenizers.matching(pair.base.shape[0], pair.target.shape[0])
    if matching is None:
        return replace(pair, reason=_joined(pair.reason, "no token text is in both tokenizers"))
    try:
        base = select_rows(pair.base, matching.base)
        target = select_rows(pair.target, matching.target)
    except ValueError:
        return pair
    first = np.arange(matching.shared.compared)
    is_first = np.array_equal(first, matching.base) and np.array_equal(first, matching.target)
    counted = f"{'first ' if is_first else ''}{matching.shared.compared:,}"
    larger = max(matching.shared.base, matching.shared.target)
    reason = _joined(pair.reason, f"{counted} of {larger:,} rows, {matching.words}")
    return Pair(pair.place, "compared", base, target, reason, matching.shared)


def _texts(checkpoint: Checkpoint) -> tuple[str | None, ...] | None:
    try:
        from modeldiff.checkpoints.tokenizer import read_tokens

        return read_tokens(checkpoint).texts
    except CheckpointError:
        return None


def _single(texts: Iterable[str | None]) -> Iterable[tuple[str, int]]:
    """The texts that occur once, with their rows."""
    listed = list(texts)
    counts = Counter(listed)
    return (
        (text, row) for row, text in enumerate(listed) if text is not None and counts[text] == 1
    )


def _joined(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))
