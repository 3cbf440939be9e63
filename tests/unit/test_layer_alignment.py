"""Layers meet by content: planted chains are found, and where none is plain nothing is claimed."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff import diff
from modeldiff.architectures import Place
from modeldiff.architectures.place import LayerNumbers
from modeldiff.changes import ChangeTable, Shard, measure_together
from modeldiff.changes.alignment.chain import NotPlain, find_chain, is_by_position
from modeldiff.changes.alignment.similarity import layer_cosines
from modeldiff.changes.layer_chains import Chain
from modeldiff.changes.table.arrow_columns import changes_of
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_reports import report_diff
from modeldiff.comparison import Comparison
from modeldiff.drawings import METRICS, heatmap_svg
from modeldiff.drawings.heatmap.options import PAGE, PHONE
from modeldiff.drawings.report import report_html
from modeldiff.findings.narrative import narrate
from modeldiff.results import DrillDown, Result, join_shards, run_diff, run_drill_down, run_shard
from modeldiff.results.jobs.manager import JobManager
from tests.support.heatmaps import heatmap_of
from tests.support.planted import Values, llama_values, write_values
from tests.support.results import cache_at

_SIZE = 1_500
Plan = list[int | None]
"""For each layer of target the layer of base that it is; None for one made anew."""


def _samples(layers: int, plan: Sequence[int | None], noise: float, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    base: dict[object, Any] = {}
    target: dict[object, Any] = {}
    for witness in range(3):
        ours = random.standard_normal((layers, _SIZE)).astype(np.float32)
        base[witness] = dict(enumerate(ours))
        target[witness] = {
            at: random.standard_normal(_SIZE).astype(np.float32)
            if origin is None
            else ours[origin] + np.float32(noise) * random.standard_normal(_SIZE).astype(np.float32)
            for at, origin in enumerate(plan)
        }
    return base, target


def _chain(layers: int, plan: Sequence[int | None], noise: float = 0.1, seed: int = 0) -> Chain:
    base, target = _samples(layers, plan, noise, seed)
    numbers = range(layers), range(len(plan))
    return find_chain(*numbers, *layer_cosines(base, target, *numbers))


@st.composite
def _plans(draw: st.DrawFn) -> tuple[int, Plan]:
    """A number of layers, and what was done to them: some removed, a block doubled, some put
    between, two swapped."""
    layers = draw(st.integers(4, 14))
    plan: Plan = list(range(layers))
    for layer in draw(st.sets(st.integers(0, layers - 1), max_size=layers // 2)):
        plan.remove(layer)
    if draw(st.booleans()):
        start = draw(st.integers(0, len(plan) - 1))
        end = draw(st.integers(start + 1, len(plan)))
        plan[end:end] = plan[start:end]
    if draw(st.booleans()):
        one, other = (draw(st.integers(0, len(plan) - 1)) for _ in range(2))
        plan[one], plan[other] = plan[other], plan[one]
    for _ in range(draw(st.integers(0, 2))):
        plan.insert(draw(st.integers(0, len(plan))), None)
    return layers, plan


@settings(max_examples=60, deadline=None)
@given(_plans(), st.floats(0, 0.2), st.integers(0, 1_000))
def test_a_planted_chain_is_found(planted: tuple[int, Plan], noise: float, seed: int) -> None:
    layers, plan = planted
    chain = _chain(layers, plan, noise, seed)
    ours = [one for one in chain if one.target is not None]
    assert [one.target for one in ours] == list(range(len(plan)))
    for one, origin in zip(ours, plan, strict=True):
        if origin is not None:
            assert one.base == origin
        else:  # made anew: it has no partner, or the layer of base whose place it took
            assert one.base is None or one.base not in plan
    removed = [one.base for one in chain if one.target is None]
    assert {*removed, *(one.base for one in ours)} - {None} == {*range(layers)}
    assert len(set(removed)) == len(removed)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 1_000))
def test_strangers_have_no_chain(layers: int, others: int, seed: int) -> None:
    with pytest.raises(NotPlain, match="no layer of target is plainly one of base's"):
        _chain(layers, [None] * others, seed=seed)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.floats(0, 0.5), st.integers(0, 1_000))
def test_layers_that_correspond_meet_by_position(layers: int, noise: float, seed: int) -> None:
    assert is_by_position(_chain(layers, list(range(layers)), noise, seed))


def test_what_lies_between_kept_and_strange_is_not_plain() -> None:
    base, target = _samples(6, [0, 1, 2, 3], 0.0, 1)
    for witness, samples in target.items():
        samples[2] = base[witness][2] + base[witness][5]
    numbers = range(6), range(4)
    with pytest.raises(NotPlain, match="layer 2 is like several"):
        find_chain(*numbers, *layer_cosines(base, target, *numbers))
    with pytest.raises(NotPlain, match="somewhat like one"):
        _chain(6, [0, 1, 2, 3], noise=2.0)


def test_of_copies_in_base_the_one_that_goes_on_is_taken() -> None:
    base, _ = _samples(4, [], 0.0, 3)
    doubled = [0, 1, 2, 1, 2, 3]
    ours = {w: {at: s[o] for at, o in enumerate(doubled)} for w, s in base.items()}
    numbers = range(6), range(6)
    assert is_by_position(find_chain(*numbers, *layer_cosines(ours, ours, *numbers)))


def test_one_layer_made_anew_stays_the_partner_of_its_number() -> None:
    assert is_by_position(_chain(6, [0, 1, None, 3, 4, 5]))


def test_a_matrix_that_is_alike_in_all_layers_tells_nothing() -> None:
    base, target = _samples(5, [0, 2, 4], 0.05, 7)
    same = np.ones(_SIZE, np.float32)
    for _ in range(5):
        base[object()] = dict.fromkeys(range(5), same)
    for witness in [*base][3:]:
        target[witness] = dict.fromkeys(range(3), same)
    numbers = range(5), range(3)
    chain = find_chain(*numbers, *layer_cosines(base, target, *numbers))
    assert [one.base for one in chain if one.target is not None] == [0, 2, 4]


# Whole models.


def _relayered(values: Values, plan: Sequence[int | None], noise: float = 0.0) -> Values:
    """The model whose layer k is layer ``plan[k]`` of this one, moved by ``noise``."""
    random = np.random.default_rng(11)

    def moved(value: Any, *, anew: bool = False) -> Any:
        if value.ndim < 2:
            return value
        if anew:
            return random.standard_normal(value.shape)
        return value + noise * random.standard_normal(value.shape)

    made = {name: moved(value) for name, value in values.items() if ".layers." not in name}
    for at, origin in enumerate(plan):
        for name, value in values.items():
            if f".layers.{origin or 0}." in name:
                new = re.sub(r"layers\.\d+\.", f"layers.{at}.", name)
                made[new] = moved(value, anew=origin is None)
    return made


def _pair(folder: Path, plan: Sequence[int | None], noise: float = 0.0) -> list[str]:
    base = llama_values(8)
    write_values(folder / "base", base, "F32")
    write_values(folder / "target", _relayered(base, plan, noise), "F32")
    return [str(folder / "base"), str(folder / "target")]


def _numbers(changes: ChangeTable) -> set[tuple[LayerNumbers, str]]:
    return {
        (row.pair.place.numbers, row.pair.status)
        for row in changes
        if row.pair.place.layer is not None
    }


CUT, DOUBLED, SWAPPED = [0, 1, 5, 6, 7], [0, 1, 2, 3, 4, 3, 4, 5, 6, 7], [0, 2, 1, *range(3, 8)]


@pytest.mark.parametrize(
    ("plan", "headline"),
    [
        (CUT, "Layers 2–4 were removed; the other 5 moved by "),
        (DOUBLED, "Layers 3–4 occur twice; all 10 moved by "),
        (SWAPPED, "Layers 1 and 2 were swapped; all 8 moved by "),
        ([0, 1, None, *range(2, 8)], "Layer 2 of target is new; the other 8 moved by "),
    ],
)
def test_what_was_done_to_the_layers_is_said_first_and_measured_there(
    tmp_path: Path, plan: list[int | None], headline: str
) -> None:
    with cache_at(tmp_path / "cache"):
        changes = diff(*_pair(tmp_path, plan, 0.05), device="cpu")
    assert narrate(changes).headline.startswith(headline)
    for row in changes:
        place, statistics = row.pair.place, row.statistics
        if place.layer is None or statistics is None or row.pair.base is None:
            continue
        assert f".layers.{place.numbers.base}." in row.pair.base.name
        assert row.pair.target and f".layers.{place.numbers.target}." in row.pair.target.name
        assert plan[place.numbers.target or 0] == place.numbers.base
        if len(row.pair.base.shape) > 1:
            assert statistics.rel_frobenius_pct == pytest.approx(5, rel=0.15)
    both = {numbers for numbers, status in _numbers(changes) if status == "compared"}
    assert both == {(origin, at) for at, origin in enumerate(plan) if origin is not None}
    removed = {numbers.base for numbers, status in _numbers(changes) if status == "only_in_base"}
    assert removed == set(range(8)) - set(plan)
    new = {numbers.target for numbers, status in _numbers(changes) if status == "only_in_target"}
    assert new == {at for at, origin in enumerate(plan) if origin is None}


def test_equal_layers_in_another_order_are_not_called_the_same_model(tmp_path: Path) -> None:
    with cache_at(tmp_path / "cache"):
        changes = diff(*_pair(tmp_path, SWAPPED), device="cpu")
    narrative = narrate(changes)
    text = " ".join([narrative.headline, *narrative.facts, *narrative.likeness])
    assert narrative.headline == "Layers 1 and 2 were swapped; all 8 are exactly equal."
    assert "identical" not in text and "same model" not in text


def test_by_position_is_another_question_with_an_answer_of_its_own(tmp_path: Path) -> None:
    references = _pair(tmp_path, SWAPPED)
    with cache_at(tmp_path / "cache"):
        by_content = Comparison.open(*references)
        by_position = Comparison.open(*references, layers="position")
        assert by_content.key != by_position.key
        assert run_diff(by_content, device="cpu").header.options == {}
        result = run_diff(by_position, device="cpu")
        assert result.header.options == {"layers": "position"}
        assert result.key == by_position.key
    assert not result.changes.alignment
    row = result.changes.at(Place(1, "self_attn.q_proj"))
    assert (
        row and row.statistics and row.statistics.rel_frobenius_pct == pytest.approx(141, rel=0.1)
    )


def test_strangers_of_other_depth_stay_by_position_and_it_is_said(tmp_path: Path) -> None:
    with cache_at(tmp_path / "cache"):
        changes = diff(*_pair(tmp_path, [None] * 6), device="cpu")
    assert not changes.alignment
    facts = " ".join(narrate(changes).facts)
    assert "Layers 6–7 are compared by position: no layer of target is plainly one" in facts


def test_layers_that_correspond_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing is to be sampled")

    monkeypatch.setattr("modeldiff.changes.alignment.sampling.read_samples", refuse)
    with cache_at(tmp_path / "cache"):
        changes = diff(*_pair(tmp_path, list(range(8)), 0.05), device="cpu")
    assert not changes.alignment


def test_rows_of_pairs_that_stay_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def counting(base, targets, **options):  # type: ignore[no-untyped-def]
        ((_, pairs),) = targets
        measured.append(len([each for each in pairs if each.status == "compared"]))
        return measure_together(base, targets, **options)

    monkeypatch.setattr("modeldiff.changes.measurer.measure_together", counting)
    with cache_at(tmp_path / "cache"):
        changes = diff(*_pair(tmp_path, SWAPPED), device="cpu")
    in_layers = len(changes.layer(0))
    assert measured == [len(changes), 2 * in_layers]


def test_the_stored_result_and_a_table_of_arrow_keep_both_numbers(tmp_path: Path) -> None:
    references = _pair(tmp_path, [0, None, 2, 1, 1, 7])
    with cache_at(tmp_path / "cache"):
        measured = run_diff(Comparison.open(*references), device="cpu").changes
        stored = run_diff(Comparison.open(*references), device="cpu").changes
    for table in (stored, ChangeTable(changes_of(measured.to_arrow()))):
        assert table == measured
        assert [row.pair.place.layers for row in table] == [
            row.pair.place.layers for row in measured
        ]
        assert table.alignment == measured.alignment
    frame = measured.to_pandas()
    numbers = zip(*(frame[name].astype(object) for name in ("layer", "target_layer")), strict=True)
    assert {(2, 2), (1, 3), (1, 4), (7, 5)} <= set(numbers)


def test_shards_join_to_the_same_rows(tmp_path: Path) -> None:
    for number, plan in enumerate((CUT, SWAPPED)):
        references = _pair(tmp_path / str(number), plan, 0.05)
        with cache_at(tmp_path / f"whole {number}"):
            whole = run_diff(Comparison.open(*references), device="cpu")
        with cache_at(tmp_path / f"shards {number}"):
            for shard in (1, 2):
                run_shard(Comparison.open(*references), Shard(number=shard, count=2), device="cpu")
            joined = join_shards(Comparison.open(*references))
        assert joined.changes == whole.changes
        assert joined.changes.alignment == whole.changes.alignment
        assert joined.key == whole.key


def test_a_drill_down_reads_the_layers_that_met(tmp_path: Path) -> None:
    references = _pair(tmp_path, CUT)
    with cache_at(tmp_path / "cache"):
        result = run_diff(Comparison.open(*references), device="cpu")
        rows = (row for row in result.changes if row.pair.place.numbers == (7, 4))
        place = next(row.pair.place for row in rows if row.pair.place.component == "mlp.up_proj")
        image = run_drill_down(Comparison.open(*references), DrillDown(place, "image"))
        assert np.nanmax(image.pct) == 0


# What shows them.


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Result]:
    """A pair whose layers 2 to 4 were removed, and whose new last layer is nobody's."""
    folder = tmp_path_factory.mktemp("cut")
    comparison = Comparison.open(*_pair(folder, [0, 1, 5, 6, 7, None], 0.05))
    return comparison, run_diff(comparison, device="cpu", cache=False)


def test_each_side_is_shown_by_its_own_numbers(cut: tuple[Comparison, Result]) -> None:
    changes = cut[1].changes
    labels = [changes.layer_label(layer) for layer in changes.merged("layer")]
    assert labels == [
        *("0", "1", "2 removed", "3 removed", "4 removed"),
        *("2 ← 5", "3 ← 6", "4 ← 7", "5 new"),
    ]
    place = Place(2, "self_attn.q_proj")
    of_base, of_target = changes.seen_from("base").at(place), changes.seen_from("target").at(place)
    assert of_base is not None and of_base.pair.status == "only_in_base"
    assert of_target is not None and of_target.pair.base is not None
    assert ".layers.5." in of_target.pair.base.name
    assert changes.layer_with(LayerNumbers(6, 3)) == 6
    assert changes.layer_with(LayerNumbers(3, 3)) is None
    assert changes.layer_of("target", 3) == changes.layer_of("base", 6) == 6
    assert changes.layer_of("target", 6) is None


def test_the_heatmap_names_both_numbers(cut: tuple[Comparison, Result]) -> None:
    comparison, result = cut
    sides = comparison.base.architecture, comparison.target.architecture
    heatmap = heatmap_of(result.changes, *sides, METRICS[0])
    numbers = [line.numbers for line in heatmap.lines.layers]
    assert numbers[:6] == [(0, 0), (1, 1), (2, None), (3, None), (4, None), (5, 2)]
    assert numbers[-1] == (None, 5)
    blocks = [(block.words, block.layers) for block in heatmap.lines.blocks]
    assert blocks == [("removed", "layers 2–4"), ("inserted", "layer 5")]
    for size in (PAGE, PHONE):
        svg = ElementTree.fromstring(heatmap_svg(heatmap, size))
        texts = ["".join(e.itertext()) for e in svg.iter() if e.tag.endswith("}text")]
        moved = ["".join(e.itertext()) for e in svg.iter() if e.get("class") == "moved"]
        assert moved[:3] == ["2", "3", "4"]
        if not size.across:
            assert "2 ← 5" in texts and "layers 2–4 removed" in texts
    [described] = [
        one.place
        for one in heatmap.readings
        if (one.cell.layer, one.cell.column) == (5, "self_attn.q_proj")
    ]
    assert described == "layer 2 ← 5 · self_attn.q_proj"


def test_the_report_and_the_terminal_name_both_numbers(
    cut: tuple[Comparison, Result], capsys: pytest.CaptureFixture[str]
) -> None:
    comparison, result = cut
    html = report_html(result, comparison)
    assert "<td>2 ← 5</td>" in html and "<td>2 removed</td>" in html
    report_diff(result, Terminal())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    start = lines.index("target base")
    assert lines[start + 1 : start + 5] == ["0–1 ← 0–1", "removed 2–4", "2–4 ← 5–7", "5 new"]


def test_a_job_says_how_the_layers_of_its_rows_meet(tmp_path: Path) -> None:
    with cache_at(tmp_path / "cache"):
        comparison = Comparison.open(*_pair(tmp_path, CUT))
        manager = JobManager()
        job = manager.submit(comparison, device="cpu")
        while (now := manager.job(job.id)) is not None and now.active:
            time.sleep(0.01)
    assert now is not None and now.state == "done"
    aligned = comparison.aligned(now.alignment)
    table = aligned.unmeasured.with_measured(now.changes)
    assert not any(row.waiting for row in table)
    assert comparison.key == aligned.key == now.key
