"""Every family as transformers saves it: each tensor at its place, measured, drawn and listed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from modeldiff.architectures import Architecture, Parameter, Place, understand
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.drawings import METRICS
from modeldiff.results import run_diff
from tests.support.expected_places import expected, split_name
from tests.support.heatmaps import heatmap_frame
from tests.support.saved_models import TINY, save_pair


@dataclass(frozen=True)
class Saved:
    name: str
    base: Checkpoint
    target: Checkpoint
    parameters: int

    @property
    def architecture(self) -> Architecture:
        return understand(self.base)


@pytest.fixture(scope="module", params=TINY)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp("family")
    count = save_pair(request.param, folder)
    sides = [open_checkpoint(str(folder / side)) for side in ("base", "target")]
    return Saved(request.param, sides[0], sides[1], count)


def stored(architecture: Architecture) -> dict[str, list[Parameter]]:
    """The parameters of each stored name."""
    found: dict[str, list[Parameter]] = {}
    for parameter in architecture.parameters:
        if parameter.role != "tied":
            found.setdefault(parameter.tensor.name, []).append(parameter)
    return found


def belongs(family: str, name: str, shape: tuple[int, ...]) -> list[Place]:
    """Where a stored tensor's parts belong by the tables; a stack's first axis counts experts."""
    _, layer, expert = split_name(name)
    tower, parts = expected(family, name)
    stacked = expert is None and parts[0][0].startswith("mlp.experts.")
    return [
        Place(layer, component, parameter, number, tower)
        for number in (range(shape[0]) if stacked else (expert,))
        for component, parameter in parts
    ]


def test_every_tensor_is_at_its_place_and_none_is_lost_or_doubled(saved: Saved) -> None:
    found = stored(saved.architecture)
    assert set(found) == {tensor.name for tensor in saved.base.tensors}
    for tensor in saved.base.tensors:
        wanted = belongs(saved.name, tensor.name, tensor.shape)
        assert {p.place for p in found[tensor.name]} == set(wanted), tensor.name
        assert len(found[tensor.name]) == len(wanted)
        assert sum(p.tensor.elements for p in found[tensor.name]) == tensor.elements
    every = [p.place for p in saved.architecture.parameters]
    assert len(set(every)) == len(every)


def test_the_total_is_transformers_own(saved: Saved) -> None:
    fact = saved.architecture.fact("parameters")
    assert fact is not None and fact.value == saved.parameters


def test_a_diff_measures_every_place_and_heatmap_and_table_hold_it(saved: Saved) -> None:
    result = run_diff(Comparison.of(saved.base, saved.target), device="cpu", cache=False)
    places = {p.place for p in saved.architecture.parameters}
    assert {change.pair.place for change in result.changes} == places
    compared = [change for change in result.changes if change.pair.status == "compared"]
    roles = {p.place: p.role for p in saved.architecture.parameters}
    assert {c.pair.place for c in compared} == {p for p in places if roles[p] == "parameter"}
    for change in compared:
        # Every stored value is half as large again, so every part is too, wherever it was read.
        assert change.statistics is not None and change.statistics.median_pct is not None
        assert change.statistics.median_pct == pytest.approx(50, abs=1e-4)
        assert change.pair.base is not None
        assert change.statistics.sums is not None
        assert change.statistics.sums.n == change.pair.base.elements

    table = result.changes.to_pandas()
    assert len(table) == len(result.changes)
    assert table["median_pct"].notna().sum() == len(compared)

    frame = heatmap_frame(result.changes, saved.architecture, understand(saved.target), METRICS[0])
    layers = [None if layer < 0 else int(layer) for layer in frame["layer"].fillna(-1)]
    where = zip(layers, frame["column"], strict=True)
    cells = dict(zip(where, zip(frame["value"], frame["mark"], strict=True), strict=True))
    assert len(cells) == len(frame)
    for change in compared:
        value, mark = cells[change.pair.place.layer, change.pair.place.column]
        # Several experts are one cell, whose median is read off the sum of their histograms.
        assert mark == "" and value == pytest.approx(50, rel=0.02)


def test_the_layer_that_predicts_further_is_a_tower_of_its_own(tmp_path: Path) -> None:
    """Published files of DeepSeek-V3 hold it after the layers that the config counts."""
    from safetensors.numpy import load_file, save_file

    name = "deepseek_v3"
    save_pair(name, tmp_path)
    tensors = load_file(tmp_path / "base" / "model.safetensors")
    last, own = "model.layers.1.", "model.layers.2."
    layer = {own + n.removeprefix(last): t for n, t in tensors.items() if n.startswith(last)}
    for part, like in (
        ("embed_tokens", "model.embed_tokens"),
        ("enorm", "model.norm"),
        ("hnorm", "model.norm"),
        ("eh_proj", "lm_head"),
        ("shared_head.norm", "model.norm"),
        ("shared_head.head", "lm_head"),
    ):
        layer[f"{own}{part}.weight"] = tensors[f"{like}.weight"]
    folder = tmp_path / "published"
    shutil.copytree(tmp_path / "base", folder)
    save_file(tensors | layer, folder / "model.safetensors")

    architecture = understand(open_checkpoint(str(folder)))
    found = stored(architecture)
    for tensor in layer:
        wanted = belongs("deepseek_v3's prediction layer", tensor, ())
        assert [p.place for p in found[tensor]] == [replace(place, layer=0) for place in wanted]
    assert architecture.layer_count == 2
    assert set(found) == set(tensors) | set(layer)
