"""Closer looks through the whole path: planted in files, asked of the job manager, kept on disk."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from modeldiff.architectures import Place, understand
from modeldiff.changes import (
    ChangeImage,
    Progress,
    RowChanges,
    SingularValues,
    UnitChanges,
    pair,
)
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption
from modeldiff.results import (
    DrillDown,
    DrillDownKind,
    DrillDownResult,
    JobSnapshot,
    delete_result,
    drill_down,
    load_drill_down,
    load_result,
    possible_drill_downs,
    result_key,
    run_diff,
)
from modeldiff.results import drilldown as looks
from modeldiff.results.jobs import manager as jobs
from modeldiff.results.jobs.manager import JobManager
from modeldiff.results.store.drilldown_files import save_drill_down
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


def seen(
    manager: JobManager, references: tuple[str, str], place: Place, kind: DrillDownKind
) -> DrillDownResult:
    """What a look shows, as a page gets it."""
    look = DrillDown(place, kind)
    done = over(manager, manager.submit(Comparison.open(*references), look=look))
    assert (done.state, done.error, done.look) == ("done", None, look)
    assert done.key is not None
    found = load_drill_down(done.key, look)
    assert found is not None
    return found


def opened(references: tuple[str, str]) -> tuple[Checkpoint, Checkpoint]:
    return open_checkpoint(references[0]), open_checkpoint(references[1])


def same(one: DrillDownResult, other: DrillDownResult) -> bool:
    """Whether two looks agree in every bit."""
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return type(one) is type(other) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a == b
        for a, b in pairs
    )


class TestPlanted:
    def test_one_head(self, manager: JobManager, references: tuple[str, str]) -> None:
        found = seen(manager, references, Place(1, "self_attn.q_proj"), "units")
        assert isinstance(found, UnitChanges)
        assert found.units.kind == "query head"
        assert found.units.groups == (0, 0, 0, 0, 1, 1, 1, 1)
        medians = [each.median_pct for each in found.statistics]
        assert medians == [0, 0, 0, 0, 0, pytest.approx(50), 0, 0]

    def test_one_token(self, manager: JobManager, references: tuple[str, str]) -> None:
        found = seen(manager, references, Place(None, "embed_tokens"), "rows")
        assert isinstance(found, RowChanges)
        assert np.flatnonzero(found.rel_frobenius_pct).tolist() == [77]
        assert found.rel_frobenius_pct[77] == pytest.approx(200)

    def test_one_expert(self, manager: JobManager, tmp_path: Path) -> None:
        base = layers(experts=4)
        target = {name: values.copy() for name, values in base.items()}
        target["model.layers.1.block_sparse_moe.experts.2.w1.weight"][24:27] *= 2
        references = tuple(
            write(tmp_path / name, tensors, MIXTRAL)
            for name, tensors in (("base", base), ("target", target))
        )
        assert len(references) == 2
        component = pair(*(understand(side) for side in opened(references)))
        (name,) = {each.place.component for each in component if each.place.expert is not None}
        for expert in (1, 2):
            found = seen(manager, references, Place(1, name, expert=expert), "units")
            assert isinstance(found, UnitChanges)
            assert found.units.kind == "neuron block"
            changed = [each.unchanged_pct != 100 for each in found.statistics]
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
        found = seen(manager, references, place, "units")
        assert isinstance(found, UnitChanges)
        medians = [each.median_pct for each in found.statistics]
        assert medians == [0, 0, pytest.approx(50), 0]
        spectrum = seen(manager, references, place, "spectrum")
        assert isinstance(spectrum, SingularValues)
        assert spectrum.fitting_rank == 8

    def test_a_rank_of_four(self, manager: JobManager, references: tuple[str, str]) -> None:
        found = seen(manager, references, Place(0, "mlp.down_proj"), "spectrum")
        assert isinstance(found, SingularValues)
        assert found.fitting_rank == 4
        assert found.energy_share(4) == pytest.approx(1)

    @pytest.mark.parametrize("name", ["q_proj", "v_proj"])
    def test_the_rank_of_a_merged_adapter(self, name: str, manager: JobManager) -> None:
        place = Place(3, f"self_attn.{name}")
        found = seen(manager, ("demo:base", "demo:lora"), place, "spectrum")
        assert isinstance(found, SingularValues)
        assert found.fitting_rank == 4

    def test_one_block_of_the_image(self, manager: JobManager, references: tuple[str, str]) -> None:
        found = seen(manager, references, Place(1, "mlp.down_proj"), "image")
        assert isinstance(found, ChangeImage)
        assert (found.height, found.width) == (64, 96)
        assert np.argwhere(found.pct).tolist() == [[3, 90], [4, 90]]
        assert found.pct[3, 90] == pytest.approx(200)


class TestJobs:
    def test_asked_twice_it_is_joined_and_a_diff_is_another_question(
        self, manager: JobManager, references: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached, go_on = threading.Event(), threading.Event()

        def held(*sides: Any, progress: Any, **options: Any) -> DrillDownResult:
            def at_the_gate(report: Progress) -> None:
                progress(report)
                reached.set()
                assert go_on.wait(60)

            return drill_down(*sides, progress=at_the_gate, **options)

        monkeypatch.setattr(jobs, "drill_down", held)
        first = manager.submit(Comparison.open(*references), look=Q)
        assert reached.wait(60)
        running = manager.find(Comparison.open(*references), look=Q)
        assert running is not None and running.progress is not None
        assert (running.id, running.state) == (first.id, "measuring")
        assert running.progress.bytes_total == 2 * 64 * 64 * 4
        assert manager.submit(Comparison.open(*references), look=Q).id == first.id
        assert manager.find(Comparison.open(*references), look=replace(Q, kind="image")) is None
        assert manager.find(Comparison.open(*references)) is None
        # A diff and singular values are asked meanwhile, and wait for nothing.
        diff = manager.submit(Comparison.open(*references))
        spectrum = manager.submit(Comparison.open(*references), look=replace(Q, kind="spectrum"))
        assert over(manager, diff).state == "done"
        go_on.set()
        assert over(manager, first).state == over(manager, spectrum).state == "done"

    def test_a_look_is_done_while_a_diff_runs(
        self, manager: JobManager, references: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached, go_on = threading.Event(), threading.Event()

        def held(*sides: Any, **options: Any) -> Any:
            reached.set()
            assert go_on.wait(60)
            return run_diff(*sides, **options)

        monkeypatch.setattr(jobs, "run_diff", held)
        diff = manager.submit(Comparison.open(*references))
        assert reached.wait(60)
        assert isinstance(seen(manager, references, Q.place, "units"), UnitChanges)
        go_on.set()
        done = over(manager, diff)
        assert done.state == "done"
        seen(manager, references, Q.place, "image")
        again = manager.job(diff.id)
        assert again is not None and again.changes == done.changes != ()

    def test_cancelled_it_leaves_nothing(
        self, manager: JobManager, references: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cancelled(*sides: Any, progress: Any, **options: Any) -> DrillDownResult:
            job = manager.find(Comparison.open(*references), look=Q)
            assert job is not None
            manager.cancel(job.id)
            return drill_down(*sides, progress=progress, **options)

        with monkeypatch.context() as patch:
            patch.setattr(jobs, "drill_down", cancelled)
            stopped = over(manager, manager.submit(Comparison.open(*references), look=Q))
        assert (stopped.state, stopped.error) == ("cancelled", None)
        assert stopped.key is not None and load_drill_down(stopped.key, Q) is None
        assert over(manager, manager.submit(Comparison.open(*references), look=Q)).state == "done"

    @pytest.mark.parametrize(
        "look",
        [
            DrillDown(Place(7, "self_attn.q_proj"), "units"),
            DrillDown(Place(None, "norm"), "units"),
            DrillDown(Place(None, "norm"), "spectrum"),
        ],
    )
    def test_a_mistake_is_said(
        self, look: DrillDown, manager: JobManager, references: tuple[str, str]
    ) -> None:
        failed = over(manager, manager.submit(Comparison.open(*references), look=look))
        assert failed.state == "failed"
        assert type(failed.error) is InvalidOption
        assert failed.error.hint


class TestKept:
    @pytest.mark.parametrize("kind", ["units", "rows", "image", "spectrum"])
    def test_every_bit_comes_back_and_nothing_is_read_again(
        self,
        kind: DrillDownKind,
        manager: JobManager,
        references: tuple[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        sides = opened(references)
        look = DrillDown(Place(0, "mlp.down_proj"), kind)
        found = drill_down(*sides, look, device="cpu")
        stored = load_drill_down(result_key(*sides), look)
        assert stored is not None and same(found, stored)
        monkeypatch.setattr(looks, "_measure", lambda *_: pytest.fail("measured again"))
        assert same(drill_down(*sides, look), found)

    def test_values_that_are_no_numbers_come_back(self, manager: JobManager) -> None:
        key = "0" * 64
        odd = np.array([0.0, np.inf, np.nan], np.float32)
        image = ChangeImage(odd.reshape(1, 3), 1, 3)
        look = DrillDown(Place(None, "lm_head"), "image")
        save_drill_down(key, look, image)
        found = load_drill_down(key, look)
        assert found is not None and same(found, image)

    def test_deleted_with_the_result(
        self, manager: JobManager, references: tuple[str, str]
    ) -> None:
        reverse = references[1], references[0]
        keys = []
        for each in (references, reverse):
            assert over(manager, manager.submit(Comparison.open(*each))).state == "done"
            seen(manager, each, Q.place, "units")
            keys.append(result_key(*opened(each)))
        delete_result(keys[0])
        assert load_drill_down(keys[0], Q) is None and load_result(keys[0]) is None
        assert load_drill_down(keys[1], Q) is not None and load_result(keys[1]) is not None
        delete_result(keys[0])  # there is none any more

    @pytest.mark.parametrize("damage", ["half", "flipped", "foreign", "other look", "empty"])
    def test_what_cannot_be_used_is_measured_anew(
        self,
        damage: str,
        manager: JobManager,
        references: tuple[str, str],
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        sides = opened(references)
        found = drill_down(*sides, Q)
        (path,) = (tmp_path / "cache" / "results" / "details").rglob("*.parquet")
        content = bytearray(path.read_bytes())
        if damage == "half":
            content = content[: len(content) // 2]
        elif damage == "flipped":
            content[len(content) // 3] ^= 0x10
        elif damage == "foreign":
            content = bytearray((tmp_path / "base" / "model.safetensors").read_bytes())
        elif damage == "other look":
            drill_down(*sides, replace(Q, place=Place(0, "self_attn.q_proj")))
            others = path.parent.glob("*.parquet")
            content = bytearray(next(p for p in others if p != path).read_bytes())
        else:
            content = bytearray()
        path.write_bytes(content)
        with caplog.at_level(logging.WARNING):
            assert load_drill_down(result_key(*sides), Q) is None
        assert "measured anew" in caplog.text
        assert same(drill_down(*sides, Q), found)
        assert load_drill_down(result_key(*sides), Q) is not None

    @pytest.mark.parametrize(
        "name", ["../../../escaped", "/etc/passwd", "a\0b", "x" * 5000, "..", "\ud800", ""]
    )
    def test_a_name_is_never_a_path(self, name: str, manager: JobManager, tmp_path: Path) -> None:
        look = DrillDown(Place(0, name, name, tower=name), "image")
        image = ChangeImage(np.ones((2, 2), np.float32), 2, 2)
        save_drill_down("a" * 64, look, image)
        found = load_drill_down("a" * 64, look)
        assert found is not None and same(found, image)
        folder = tmp_path / "cache" / "results" / "details" / ("a" * 64)
        written = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        assert [path.parent for path in written] == [folder]

    @pytest.mark.parametrize("key", ["", "..", "../../../../etc", "A" * 64, "a" * 63])
    def test_a_key_from_a_link_is_never_a_path(
        self, key: str, manager: JobManager, references: tuple[str, str], tmp_path: Path
    ) -> None:
        drill_down(*opened(references), Q)
        before = sorted((tmp_path).rglob("*"))
        assert load_drill_down(key, Q) is None
        delete_result(key)
        assert sorted((tmp_path).rglob("*")) == before


def test_which_looks_there_are(references: tuple[str, str], tmp_path: Path) -> None:
    base, target = (understand(side) for side in opened(references))
    offered = {
        (each.place.layer, each.place.component): possible_drill_downs(each, base, target)
        for each in pair(base, target)
    }
    assert offered[None, "embed_tokens"] == ("rows", "image", "spectrum")
    assert offered[1, "self_attn.k_proj"] == ("units", "image", "spectrum")
    assert offered[0, "input_layernorm"] == ()
    tensors = layers() | {"model.embed_tokens.weight": noise(100, 64, seed=1)}
    shorter = understand(open_checkpoint(write(tmp_path / "shorter", tensors)))
    other = {each.place.component: each for each in pair(base, shorter)}["embed_tokens"]
    assert (other.status, possible_drill_downs(other, base, shorter)) == ("different_shape", ())
