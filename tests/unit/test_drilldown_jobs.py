"""Drill-downs through the whole path: planted in files, asked of the job manager, kept on disk."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file

from modeldiff.architectures import Place
from modeldiff.changes import (
    ChangeImage,
    Pair,
    Progress,
    RowChanges,
    SingularValues,
    UnitChanges,
)
from modeldiff.checkpoints import TensorInfo
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption
from modeldiff.results import (
    DrillDown,
    JobSnapshot,
    delete_result,
    load_drill_down,
    load_result,
    possible_drill_downs,
    run_diff,
    run_drill_down,
)
from modeldiff.results.drilldown import save_drill_down
from modeldiff.results.drilldowns.registry import drill_down_kind, register
from modeldiff.results.jobs import lanes
from modeldiff.results.jobs.manager import JobManager
from tests.support.drilldowns import COLUMNS, ColumnChanges, offering_columns
from tests.support.results import cache_at

Tensors = dict[str, npt.NDArray[Any]]

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 120,
}
MIXTRAL = LLAMA | {
    "model_type": "mixtral",
    "architectures": ["MixtralForCausalLM"],
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
Q = DrillDown(Place(1, "self_attn.q_proj"), "units")


def noise(*shape: int, seed: int) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layers(*, experts: int = 0) -> Tensors:
    tensors = {"model.embed_tokens.weight": noise(120, 64, seed=1)}
    for layer in range(2):
        name = f"model.layers.{layer}"
        tensors[f"{name}.self_attn.q_proj.weight"] = noise(64, 64, seed=10 + layer)
        tensors[f"{name}.self_attn.k_proj.weight"] = noise(16, 64, seed=20 + layer)
        tensors[f"{name}.input_layernorm.weight"] = noise(64, seed=25 + layer)
        if not experts:
            tensors[f"{name}.mlp.down_proj.weight"] = noise(64, 96, seed=30 + layer)
        for expert in range(experts):
            expert_name = f"{name}.block_sparse_moe.experts.{expert}"
            tensors[f"{expert_name}.w1.weight"] = noise(96, 64, seed=40 + 8 * layer + expert)
    tensors["model.norm.weight"] = noise(64, seed=2)
    return tensors


def write(folder: Path, tensors: Tensors, config: dict[str, Any] = LLAMA) -> str:
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[JobManager]:
    with cache_at(tmp_path / "cache"):
        yield JobManager()


@pytest.fixture
def references(tmp_path: Path) -> tuple[str, str]:
    """Two models that differ in one head, one token, one block and by a rank of 4."""
    base = layers()
    target = {name: values.copy() for name, values in base.items()}
    target["model.layers.1.self_attn.q_proj.weight"][40:48] *= 1.5  # query head 5
    target["model.embed_tokens.weight"][77] *= -1
    down = target["model.layers.0.mlp.down_proj.weight"]
    down += 0.1 * noise(64, 4, seed=3) @ noise(4, 96, seed=4)
    target["model.layers.1.mlp.down_proj.weight"][3:5, 90] *= 3
    return write(tmp_path / "base", base), write(tmp_path / "target", target)


def over(manager: JobManager, job: JobSnapshot) -> JobSnapshot:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        snapshot = manager.job(job.id)
        assert snapshot is not None
        if snapshot.state in ("done", "failed", "cancelled"):
            return snapshot
        time.sleep(0.005)
    raise AssertionError(f"after a minute: {manager.job(job.id)}")


def measured(manager: JobManager, references: tuple[str, str], place: Place, kind: str) -> object:
    """The result of a drill-down, as a page gets it."""
    request = DrillDown(place, kind)
    done = over(manager, manager.submit(Comparison.open(*references), drill_down=request))
    assert (done.state, done.error, done.drill_down) == ("done", None, request)
    assert done.key is not None
    result = load_drill_down(done.key, request)
    assert result is not None
    return result


def same(one: Any, other: Any) -> bool:
    """Whether two results agree in every bit."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())
    if not is_dataclass(one):
        return bool(one == other)
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return type(one) is type(other) and all(same(a, b) for a, b in pairs)


class TestPlanted:
    def test_one_head(self, manager: JobManager, references: tuple[str, str]) -> None:
        result = measured(manager, references, Place(1, "self_attn.q_proj"), "units")
        assert isinstance(result, UnitChanges)
        assert result.units.kind == "query head"
        assert result.units.groups == (0, 0, 0, 0, 1, 1, 1, 1)
        medians = [each.median_pct for each in result.statistics]
        assert medians == [0, 0, 0, 0, 0, pytest.approx(50), 0, 0]

    def test_one_token(self, manager: JobManager, references: tuple[str, str]) -> None:
        result = measured(manager, references, Place(None, "embed_tokens"), "rows")
        assert isinstance(result, RowChanges)
        assert np.flatnonzero(result.rel_frobenius_pct).tolist() == [77]
        assert result.rel_frobenius_pct[77] == pytest.approx(200)

    def test_one_expert(self, manager: JobManager, tmp_path: Path) -> None:
        base = layers(experts=4)
        target = {name: values.copy() for name, values in base.items()}
        target["model.layers.1.block_sparse_moe.experts.2.w1.weight"][24:27] *= 2
        references = (
            write(tmp_path / "base", base, MIXTRAL),
            write(tmp_path / "target", target, MIXTRAL),
        )
        pairs = Comparison.open(*references).pairs
        (name,) = {each.place.component for each in pairs if each.place.expert is not None}
        for expert in (1, 2):
            result = measured(manager, references, Place(1, name, expert=expert), "units")
            assert isinstance(result, UnitChanges)
            assert result.units.kind == "neuron block"
            changed = [each.unchanged_pct != 100 for each in result.statistics]
            assert np.flatnonzero(changed).tolist() == ([16, 17] if expert == 2 else [])

    @pytest.mark.parametrize(("name", "part"), [("q_proj", 0), ("v_proj", 2)])
    def test_one_head_of_a_fused_and_turned_matrix(
        self, name: str, part: int, manager: JobManager, tmp_path: Path
    ) -> None:
        config = {"model_type": "gpt2", "n_embd": 32, "n_head": 4, "n_layer": 1, "vocab_size": 50}
        base = {
            "h.0.attn.c_attn.weight": noise(32, 96, seed=1),
            "h.0.mlp.c_fc.weight": noise(32, 128, seed=2),
            "wte.weight": noise(50, 32, seed=3),
        }
        target = {each: values.copy() for each, values in base.items()}
        start = 32 * part + 16  # stored [in, out]: head 2 of 8 columns
        target["h.0.attn.c_attn.weight"][:, start : start + 8] *= 1.5
        references = (
            write(tmp_path / "base", base, config),
            write(tmp_path / "target", target, config),
        )
        place = Place(0, f"self_attn.{name}")
        result = measured(manager, references, place, "units")
        assert isinstance(result, UnitChanges)
        medians = [each.median_pct for each in result.statistics]
        assert medians == [0, 0, pytest.approx(50), 0]
        spectrum = measured(manager, references, place, "spectrum")
        assert isinstance(spectrum, SingularValues)
        assert spectrum.fitting_rank == 8

    def test_a_rank_of_four(self, manager: JobManager, references: tuple[str, str]) -> None:
        result = measured(manager, references, Place(0, "mlp.down_proj"), "spectrum")
        assert isinstance(result, SingularValues)
        assert result.fitting_rank == 4
        assert result.energy_share(4) == pytest.approx(1)

    @pytest.mark.parametrize("name", ["q_proj", "v_proj"])
    def test_the_rank_of_a_merged_adapter(self, name: str, manager: JobManager) -> None:
        place = Place(3, f"self_attn.{name}")
        result = measured(manager, ("demo:base", "demo:lora"), place, "spectrum")
        assert isinstance(result, SingularValues)
        assert result.fitting_rank == 4

    def test_one_block_of_the_image(self, manager: JobManager, references: tuple[str, str]) -> None:
        result = measured(manager, references, Place(1, "mlp.down_proj"), "image")
        assert isinstance(result, ChangeImage)
        assert (result.height, result.width) == (64, 96)
        assert np.argwhere(result.pct).tolist() == [[3, 90], [4, 90]]
        assert result.pct[3, 90] == pytest.approx(200)


class TestJobs:
    def test_asked_twice_it_is_joined_and_a_diff_is_another_job(
        self, manager: JobManager, references: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached, go_on = threading.Event(), threading.Event()

        def at_the_gate(*sides: Any, progress: Any, **options: Any) -> object:
            def wait(report: Progress) -> None:
                progress(report)
                reached.set()
                assert go_on.wait(60)

            return run_drill_down(*sides, progress=wait, **options)

        monkeypatch.setattr(lanes, "run_drill_down", at_the_gate)
        first = manager.submit(Comparison.open(*references), drill_down=Q)
        assert reached.wait(60)
        running = manager.find(Comparison.open(*references), drill_down=Q)
        assert running is not None and running.progress is not None
        assert (running.id, running.state) == (first.id, "measuring")
        assert running.progress.bytes_total == 2 * 64 * 64 * 4
        assert manager.submit(Comparison.open(*references), drill_down=Q).id == first.id
        assert (
            manager.find(Comparison.open(*references), drill_down=replace(Q, kind="image")) is None
        )
        assert manager.find(Comparison.open(*references)) is None
        # A diff and singular values are asked meanwhile, and wait for nothing.
        diff = manager.submit(Comparison.open(*references))
        spectrum = manager.submit(
            Comparison.open(*references), drill_down=replace(Q, kind="spectrum")
        )
        assert over(manager, diff).state == "done"
        go_on.set()
        assert over(manager, first).state == over(manager, spectrum).state == "done"

    def test_a_drill_down_is_done_while_a_diff_runs(
        self, manager: JobManager, references: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached, go_on = threading.Event(), threading.Event()

        def at_the_gate(*sides: Any, **options: Any) -> Any:
            reached.set()
            assert go_on.wait(60)
            return run_diff(*sides, **options)

        monkeypatch.setattr(lanes, "run_diff", at_the_gate)
        diff = manager.submit(Comparison.open(*references))
        assert reached.wait(60)
        assert isinstance(measured(manager, references, Q.place, "units"), UnitChanges)
        go_on.set()
        done = over(manager, diff)
        assert done.state == "done"
        measured(manager, references, Q.place, "image")
        again = manager.job(diff.id)
        assert again is not None and again.changes == done.changes != ()

    def test_cancelled_it_leaves_nothing(
        self, manager: JobManager, references: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cancelled(*sides: Any, progress: Any, **options: Any) -> object:
            job = manager.find(Comparison.open(*references), drill_down=Q)
            assert job is not None
            manager.cancel(job.id)
            return run_drill_down(*sides, progress=progress, **options)

        with monkeypatch.context() as patch:
            patch.setattr(lanes, "run_drill_down", cancelled)
            stopped = over(manager, manager.submit(Comparison.open(*references), drill_down=Q))
        assert (stopped.state, stopped.error) == ("cancelled", None)
        assert stopped.key is not None and load_drill_down(stopped.key, Q) is None
        assert (
            over(manager, manager.submit(Comparison.open(*references), drill_down=Q)).state
            == "done"
        )

    @pytest.mark.parametrize(
        "drill_down",
        [
            DrillDown(Place(7, "self_attn.q_proj"), "units"),
            DrillDown(Place(None, "norm"), "units"),
            DrillDown(Place(None, "norm"), "spectrum"),
        ],
    )
    def test_a_mistake_is_said(
        self, drill_down: DrillDown, manager: JobManager, references: tuple[str, str]
    ) -> None:
        failed = over(manager, manager.submit(Comparison.open(*references), drill_down=drill_down))
        assert failed.state == "failed"
        assert type(failed.error) is InvalidOption
        assert failed.error.hint


class TestKept:
    @pytest.mark.parametrize("kind", ["units", "rows", "image", "spectrum"])
    def test_every_bit_comes_back_and_nothing_is_read_again(
        self,
        kind: str,
        manager: JobManager,
        references: tuple[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        comparison = Comparison.open(*references)
        request = DrillDown(Place(0, "mlp.down_proj"), kind)
        result = run_drill_down(comparison, request, device="cpu")
        stored = load_drill_down(comparison.key, request)
        assert stored is not None and same(result, stored)
        for folder in references:
            (Path(folder) / "model.safetensors").unlink()
        assert same(run_drill_down(comparison, request), result)

    def test_values_that_are_no_numbers_come_back(self, manager: JobManager) -> None:
        key = "0" * 64
        odd = np.array([0.0, np.inf, np.nan], np.float32)
        image = ChangeImage(odd.reshape(1, 3), 1, 3)
        request = DrillDown(Place(None, "lm_head"), "image")
        save_drill_down(key, request, image)
        result = load_drill_down(key, request)
        assert result is not None and same(result, image)

    def test_deleted_with_the_result(
        self, manager: JobManager, references: tuple[str, str]
    ) -> None:
        reverse = references[1], references[0]
        keys = []
        for each in (references, reverse):
            assert over(manager, manager.submit(Comparison.open(*each))).state == "done"
            measured(manager, each, Q.place, "units")
            keys.append(Comparison.open(*each).key)
        delete_result(keys[0])
        assert load_drill_down(keys[0], Q) is None and load_result(keys[0]) is None
        assert load_drill_down(keys[1], Q) is not None and load_result(keys[1]) is not None
        delete_result(keys[0])  # there is none any more

    @pytest.mark.parametrize("damage", ["half", "flipped", "foreign", "another", "empty"])
    def test_what_cannot_be_used_is_measured_anew(
        self,
        damage: str,
        manager: JobManager,
        references: tuple[str, str],
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        comparison = Comparison.open(*references)
        result = run_drill_down(comparison, Q)
        (path,) = (tmp_path / "cache" / "results" / "details").rglob("*.parquet")
        content = bytearray(path.read_bytes())
        if damage == "half":
            content = content[: len(content) // 2]
        elif damage == "flipped":
            content[len(content) // 3] ^= 0x10
        elif damage == "foreign":
            content = bytearray((tmp_path / "base" / "model.safetensors").read_bytes())
        elif damage == "another":
            run_drill_down(comparison, replace(Q, place=Place(0, "self_attn.q_proj")))
            others = path.parent.glob("*.parquet")
            content = bytearray(next(p for p in others if p != path).read_bytes())
        else:
            content = bytearray()
        path.write_bytes(content)
        with caplog.at_level(logging.WARNING):
            assert load_drill_down(comparison.key, Q) is None
        assert "can't be used" in caplog.text
        assert same(run_drill_down(comparison, Q), result)
        assert load_drill_down(comparison.key, Q) is not None

    @pytest.mark.parametrize(
        "name", ["../../../escaped", "/etc/passwd", "a\0b", "x" * 5000, "..", "\ud800", ""]
    )
    def test_a_name_is_never_a_path(self, name: str, manager: JobManager, tmp_path: Path) -> None:
        request = DrillDown(Place(0, name, name, tower=name), "image")
        image = ChangeImage(np.ones((2, 2), np.float32), 2, 2)
        save_drill_down("a" * 64, request, image)
        result = load_drill_down("a" * 64, request)
        assert result is not None and same(result, image)
        folder = tmp_path / "cache" / "results" / "details" / ("a" * 64)
        written = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        assert [path.parent for path in written] == [folder]

    @pytest.mark.parametrize("key", ["", "..", "../../../../etc", "A" * 64, "a" * 63])
    def test_a_key_from_a_link_is_never_a_path(
        self, key: str, manager: JobManager, references: tuple[str, str], tmp_path: Path
    ) -> None:
        run_drill_down(Comparison.open(*references), Q)
        before = sorted((tmp_path).rglob("*"))
        assert load_drill_down(key, Q) is None
        delete_result(key)
        assert sorted((tmp_path).rglob("*")) == before


def test_which_drill_downs_there_are(references: tuple[str, str], tmp_path: Path) -> None:
    comparison = Comparison.open(*references)
    offered = {
        (each.place.layer, each.place.component): [
            kind.name for kind in possible_drill_downs(each, comparison)
        ]
        for each in comparison.pairs
    }
    assert offered[None, "embed_tokens"] == ["rows", "image", "spectrum"]
    assert offered[1, "self_attn.k_proj"] == ["units", "image", "spectrum"]
    assert offered[0, "input_layernorm"] == []
    tensors = layers() | {"model.embed_tokens.weight": noise(100, 32, seed=1)}
    shorter = Comparison.open(references[0], write(tmp_path / "shorter", tensors))
    other = {each.place.component: each for each in shorter.pairs}["embed_tokens"]
    assert (other.status, possible_drill_downs(other, shorter)) == ("different_shape", ())


def test_a_model_beside_itself_shows_its_own_singular_values(references: tuple[str, str]) -> None:
    place = Place(1, "mlp.down_proj")
    alone = Comparison.open(references[0], references[0])
    row = next(each for each in alone.pairs if each.place == place)
    assert "weights" in [kind.name for kind in possible_drill_downs(row, alone)]
    spectrum = run_drill_down(alone, DrillDown(place, "weights"), device="cpu")
    folder = Path(references[0]) / "model.safetensors"
    weights = load_file(folder)["model.layers.1.mlp.down_proj.weight"].astype(np.float64)
    wanted = np.linalg.svd(weights, compute_uv=False)
    assert np.abs(spectrum.values - wanted).max() <= spectrum.error + 1e-12
    assert same(load_drill_down(alone.key, DrillDown(place, "weights")), spectrum)


class TestRegistry:
    def test_a_further_kind_goes_all_the_way_by_one_value(
        self, manager: JobManager, references: tuple[str, str]
    ) -> None:
        place = Place(1, "mlp.down_proj")
        comparison = Comparison.open(*references)
        row = next(each for each in comparison.pairs if each.place == place)
        with offering_columns():
            names = [kind.name for kind in possible_drill_downs(row, comparison)]
            assert names == ["units", "image", "spectrum", "columns"]
            result = measured(manager, references, place, "columns")
            assert isinstance(result, ColumnChanges)
            base, target = (
                load_file(Path(folder) / "model.safetensors")["model.layers.1.mlp.down_proj.weight"]
                for folder in references
            )
            np.testing.assert_array_equal(result.largest, np.abs(target - base).max(axis=0))
            assert np.flatnonzero(result.largest).tolist() == [90]
            assert result.thread == "modeldiff columns", "it waits for no other kind"
            assert same(run_drill_down(comparison, DrillDown(place, "columns")), result)
            delete_result(comparison.key)
            assert load_drill_down(comparison.key, DrillDown(place, "columns")) is None
        assert [kind.name for kind in possible_drill_downs(row, comparison)] == names[:3]

    def test_an_unknown_kind_is_refused_at_once(
        self, manager: JobManager, references: tuple[str, str]
    ) -> None:
        with pytest.raises(InvalidOption, match="columns") as refusal:
            manager.submit(Comparison.open(*references), drill_down=DrillDown(Q.place, "columns"))
        assert "spectrum" in refusal.value.hint

    def test_a_name_is_given_once(self) -> None:
        with offering_columns(), pytest.raises(ValueError, match="already"):
            register(replace(COLUMNS, lane="another"))

    @pytest.mark.parametrize(
        ("kind", "side", "passes", "at_once"),
        [
            ("image", 64, 1, True),
            ("spectrum", 64, 1, True),
            ("spectrum", 4096, 1, False),
            ("spectrum", 40960, 5, False),
            ("image", 40960, 1, False),
        ],
    )
    def test_what_it_costs_is_known_from_headers(
        self, kind: str, side: int, passes: int, at_once: bool
    ) -> None:
        tensor = TensorInfo.stored(
            "w", "BF16", (side, side), "model.safetensors", 0, 2 * side * side
        )
        row = Pair(Place(0, "mlp.up_proj"), "compared", tensor, tensor)
        cost = drill_down_kind(kind).cost(row)
        assert (cost.nbytes, cost.passes) == (4 * side * side, passes)
        # Trying three ranks looks for the directions once and for each rank again.
        assert cost.more_passes == (16 if kind == "spectrum" else 0)
        assert ("16 times more" in cost.computing) == (kind == "spectrum" and side > 64)
        assert drill_down_kind(kind).starts_by_itself(row) == at_once
