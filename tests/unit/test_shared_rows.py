"""Vocabularies of two sizes: the rows that both have are compared, and no others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.changes import Change, ChangeTable
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.shared_rows import row_numbers
from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.selected_rows import select_rows
from modeldiff.comparison import Comparison
from modeldiff.drawings.report import report_html
from modeldiff.findings.narrative import narrate
from modeldiff.results import (
    DrillDown,
    load_drill_down,
    load_result,
    result_document,
    run_diff,
    run_drill_down,
)
from tests.support.planted import HIDDEN, Values, llama_values, write_values
from tests.support.results import cache_at

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def _texts(count: int) -> list[str]:
    return [f"t{number}" for number in range(count)]


def _write(
    folder: Path, values: Values, tokens: Sequence[str] | None = None, dtype: str = "F32"
) -> Path:
    write_values(folder, values, dtype)
    if tokens is not None:
        vocabulary = {text: row for row, text in enumerate(tokens)}
        written = {"model": {"type": "BPE", "vocab": vocabulary}}
        (folder / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")
    return folder


def _resized(values: Values, rows: npt.NDArray[np.int64] | list[int], extra: int = 0) -> Values:
    """The model whose vocabulary is these rows, then some of zeros."""
    made = dict(values)
    for name in (EMBEDDING, HEAD):
        zeros = np.zeros((extra, HIDDEN))
        made[name] = np.concatenate([values[name][rows], zeros]) * 1.25
    return made


def _row(changes: ChangeTable, component: str) -> Change:
    return next(row for row in changes if row.pair.place.component == component)


class TestByNumber:
    def test_the_first_rows_are_compared_and_the_others_counted(self, tmp_path: Path) -> None:
        base = llama_values(2)
        references = [
            str(_write(tmp_path / "base", base)),
            str(_write(tmp_path / "target", _resized(base, np.arange(96), extra=8))),
        ]
        with cache_at(tmp_path / "cache"):
            comparison = Comparison.open(*references)
            result = run_diff(comparison, device="cpu")
            stored = load_result(comparison.key)
        row = _row(result.changes, "embed_tokens")
        assert row.pair.status == "compared" and row.statistics is not None
        assert row.statistics.median_pct == pytest.approx(25, abs=0.001)
        assert row.statistics.sums is not None and row.statistics.sums.n == 96 * HIDDEN
        assert row.pair.shapes == ((96, HIDDEN), (104, HIDDEN))
        assert row.pair.reason.startswith("first 96 of 104 rows, by row number, as neither")
        assert stored is not None and _row(stored.changes, "lm_head").pair.shared == row.pair.shared
        facts = " ".join(narrate(result.changes).facts)
        assert "the 96 rows that both have were compared, by number: base has no others" in facts
        assert "target has 8 others" in facts
        written = result_document(result)["tensors"]
        html = report_html(result, comparison)
        assert "25.0 %, first 96 of 104 rows, by row number" in html
        assert "median relative change 25.0 %, only rows that both have" in html
        [document] = [each for each in written if each["component"] == "embed_tokens"]
        assert document["compared_rows"] == 96 and document["target_shape"] == [104, HIDDEN]
        assert document["elements"] == 96 * HIDDEN

    def test_equal_rows_are_not_the_same_model(self, tmp_path: Path) -> None:
        base = llama_values(2)
        longer = {
            n: np.concatenate([v, v[:4]]) if n in (EMBEDDING, HEAD) else v for n, v in base.items()
        }
        references = [
            str(_write(tmp_path / "base", base)),
            str(_write(tmp_path / "target", longer)),
        ]
        with cache_at(tmp_path / "cache"):
            narrative = narrate(run_diff(Comparison.open(*references), device="cpu").changes)
        assert not any("same model" in sentence for sentence in narrative.likeness)

    def test_other_columns_stay_another_shape(self, tmp_path: Path) -> None:
        base = llama_values(2)
        other = {**base, EMBEDDING: np.ones((90, HIDDEN * 2))}
        references = [str(_write(tmp_path / "base", base)), str(_write(tmp_path / "target", other))]
        pairs = Comparison.open(*references).pairs
        [embedding] = [each for each in pairs if each.place.component == "embed_tokens"]
        assert embedding.status == "different_shape" and embedding.shared is None


class TestByText:
    def test_rows_of_one_token_are_partners_wherever_they_stand(self, tmp_path: Path) -> None:
        base, random = llama_values(2), np.random.default_rng(5)
        order = random.permutation(96)[:80]
        tokens = _texts(96)
        target_tokens = [*(tokens[row] for row in order), "new 1", "new 2"]
        target = _resized(base, order, extra=6)  # of them four that no token has
        references = [
            str(_write(tmp_path / "base", base, tokens)),
            str(_write(tmp_path / "target", target, target_tokens)),
        ]
        with cache_at(tmp_path / "cache"):
            changes = run_diff(Comparison.open(*references), device="cpu").changes
        for component in ("embed_tokens", "lm_head"):
            row = _row(changes, component)
            assert row.pair.shared is not None and row.pair.shared.compared == 80
            assert row.pair.reason == "80 of 96 rows, by token text"
            assert row.statistics is not None
            assert row.statistics.median_pct == pytest.approx(25, abs=0.001)
            assert row.statistics.p99_pct == pytest.approx(25, abs=0.001)
            again = Comparison.open(*references).unmeasured.at(row.pair.place)
            assert again is not None
            ours, theirs = row_numbers(again.pair)
            assert dict(zip(theirs, ours, strict=True)) == dict(enumerate(order))

    def test_a_text_that_occurs_twice_is_left_out(self, tmp_path: Path) -> None:
        base = llama_values(2)
        tokens = [*_texts(95)[:94], "▁x", " x"]  # both are read as a space and an x
        references = [
            str(_write(tmp_path / "base", base, tokens)),
            str(_write(tmp_path / "target", _resized(base, np.arange(96), 4), [*tokens, "new"])),
        ]
        pairs = Comparison.open(*references).pairs
        [head] = [each for each in pairs if each.place.component == "lm_head"]
        assert head.reason == "first 94 of 100 rows, by token text"

    def test_the_tokenizers_are_part_of_the_question(self, tmp_path: Path) -> None:
        base = llama_values(2)
        references = [
            str(_write(tmp_path / "base", base)),
            str(_write(tmp_path / "target", _resized(base, np.arange(1, 96)))),
        ]
        by_number = Comparison.open(*references)
        assert by_number.options == {"rows": "number"}
        for folder, tokens in zip(references, (_texts(96), _texts(96)[1:]), strict=True):
            _add_tokenizer(Path(folder), tokens)
        by_text = Comparison.open(*references)
        assert by_number.key != by_text.key
        with cache_at(tmp_path / "cache"):
            assert run_diff(by_number, device="cpu").key == by_number.key
            row = _row(run_diff(by_text, device="cpu").changes, "embed_tokens")
        assert row.statistics is not None
        assert row.statistics.p99_pct == pytest.approx(25, abs=0.001)

    def test_nothing_in_common_is_not_compared(self, tmp_path: Path) -> None:
        base = llama_values(2)
        references = [
            str(_write(tmp_path / "base", base, _texts(96))),
            str(_write(tmp_path / "target", _resized(base, np.arange(90)), ["a", "b"])),
        ]
        pairs = Comparison.open(*references).pairs
        [head] = [each for each in pairs if each.place.component == "lm_head"]
        assert head.status == "different_shape"
        assert head.reason == "no token text is in both tokenizers"


def test_the_rows_of_one_side_are_listed(tmp_path: Path) -> None:
    base = llama_values(2)
    tokens = _texts(96)
    target = _resized(base, np.arange(90), extra=3)
    target[HEAD][91] = 7.0
    references = [
        str(_write(tmp_path / "base", base, tokens)),
        str(_write(tmp_path / "target", target, [*tokens[:90], "new"])),
    ]
    with cache_at(tmp_path / "cache"):
        comparison = Comparison.open(*references)
        run_diff(comparison, device="cpu")
        head = next(p for p in comparison.pairs if p.place.component == "lm_head")
        measured = run_drill_down(comparison, DrillDown(head.place, "rows"))
        stored = load_drill_down(comparison.key, DrillDown(head.place, "rows"))
    for rows in (measured, stored):
        assert rows.dropped.numbers.tolist() == [90, 91, 92, 93, 94, 95]
        assert rows.new.numbers.tolist() == [90, 91, 92]
        assert rows.new.rms.tolist() == [0, 7, 0]
        assert rows.new.filling.tolist() == [0, 2]
        assert not rows.dropped.filling.size
        assert rows.base_rows.tolist() == rows.target_rows.tolist() == [*range(90)]
        assert rows.rel_frobenius_pct == pytest.approx(25)


def _add_tokenizer(folder: Path, tokens: Sequence[str]) -> None:
    written = {"model": {"vocab": {text: row for row, text in enumerate(tokens)}}}
    (folder / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_selected_rows_are_read_from_any_element_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    dtype = data.draw(st.sampled_from(["F32", "BF16", "F8_E4M3"]))
    rows = np.array(data.draw(st.lists(st.integers(0, 95), min_size=1, max_size=120)))
    folder = tmp_path_factory.mktemp("rows")
    checkpoint = open_checkpoint(str(write_values(folder / "m", llama_values(1), dtype)))
    tensor = checkpoint[EMBEDDING]
    width = tensor.nbytes // tensor.elements
    stored = (folder / "m" / tensor.file).read_bytes()[tensor.offset :][: tensor.nbytes]
    expected = np.frombuffer(stored, np.uint8).reshape(96, -1)[rows].reshape(-1)
    view = select_rows(tensor, rows)
    assert view.shape == (rows.size, HIDDEN) and view.nbytes == expected.size
    first = data.draw(st.integers(0, view.elements - 1))
    count = data.draw(st.integers(1, view.elements - first))
    buffer = np.zeros(count * width, np.uint8)
    files = OpenFiles(checkpoint, [view])
    for file in files.names:
        files.fetch(file)
    files.fill(view, first, buffer)
    files.close()
    assert np.array_equal(buffer, expected[first * width : (first + count) * width])


def test_rows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    tensor = open_checkpoint(str(write_values(tmp_path / "m", llama_values(1))))[EMBEDDING]
    for numbers in ([96], [-1, 2]):
        with pytest.raises(ValueError, match="has 96 rows"):
            select_rows(tensor, np.array(numbers))


def test_a_tied_head_against_a_longer_one_is_compared_by_shared_rows(tmp_path: Path) -> None:
    base, target = llama_values(2), _resized(llama_values(2), np.arange(96), extra=4)
    del base[HEAD]
    references = [str(_write(tmp_path / "base", base)), str(_write(tmp_path / "target", target))]
    for folder in references:
        config = json.loads((Path(folder) / "config.json").read_text())
        config["tie_word_embeddings"] = folder == references[0]
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with cache_at(tmp_path / "cache"):
        changes = run_diff(Comparison.open(*references), device="cpu").changes
    head = _row(changes, "lm_head")
    assert head.pair.shared is not None and head.pair.shared.compared == 96
    assert "its embedding stands in for it; first 96 of 100 rows" in head.pair.reason
    assert head.statistics is not None
    assert head.statistics.rel_frobenius_pct is not None
    assert head.statistics.rel_frobenius_pct > 100
