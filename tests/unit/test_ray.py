"""A diff on a Ray cluster of real nodes: what it gives, what it survives, and whom it refuses.

All that needs the cluster is played once, in a network of its own where the system permits that
(``tests.support.ray_scenes``), and looked at here. That takes minutes: ``make cluster`` does it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modeldiff.changes.cluster.ray_cluster import connected_ray
from modeldiff.changes.cluster.ray_measurer import RayCluster
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, InvalidOption, MissingExtra
from modeldiff.results.jobs.manager import JobManager
from modeldiff.settings.startup import check_settings

ROOT = Path(__file__).parents[2]
PAIRS, IN_FLIGHT = 120, 4 * 5
"""Of the scenes' diff; the second, those of the tasks that two nodes have at a time."""
pytestmark = pytest.mark.xdist_group("ray")
needs_ray = pytest.mark.skipif(
    "REAL_RAY_NODES" not in os.environ or find_spec("ray") is None,
    reason="real Ray nodes are started by `make cluster` alone",
)

Scene = dict[str, Any]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    folder = tmp_path_factory.mktemp("ray")
    told = folder / "told.json"
    environment = {**os.environ, "MODELDIFF_CACHE": str(folder / "cache")}
    command = ["scripts.ray_nodes", "tests.support.ray_scenes", str(folder), str(told)]
    played = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=570,
    )
    logs = [
        f"{path.name}: {path.read_text('utf-8', 'replace')[-500:]}" for path in folder.glob("*.log")
    ]
    # A text, since of anything else pytest shows the beginning alone.
    assert played.returncode == 0, "\n".join([played.stderr[-6000:], *logs])
    assert played.stdout == "", "Ray's own words would stand in a document"
    scenes: dict[str, Scene] = json.loads(told.read_text())
    return scenes


@needs_ray
class TestOnRealNodes:
    def test_the_result_is_one_machine_s_bit_for_bit(self, scenes: dict[str, Scene]) -> None:
        whole = scenes["whole"]
        assert scenes["nodes"] and whole["equal"] and whole["device"] == "cpu (Ray)"
        assert (whole["rows"], whole["submitted"], whole["twice"]) == (PAIRS, PAIRS, 0)

    def test_the_command_prints_its_document_and_nothing_else(
        self, scenes: dict[str, Scene]
    ) -> None:
        assert scenes["json"]["status"] == 0
        document = json.loads(scenes["json"]["output"])
        assert len(document["tensors"]) == PAIRS and document["device"] == "cpu (Ray)"

    @pytest.mark.parametrize("lost", ["worker killed", "node killed"])
    def test_a_death_costs_what_was_in_flight(self, lost: str, scenes: dict[str, Scene]) -> None:
        scene = scenes[lost]
        assert scene["equal"] and (scene["rows"], scene["twice"]) == (PAIRS, 0)
        again = scene["submitted"] - PAIRS
        assert scene["stopped"] and again <= IN_FLIGHT

    def test_who_stops_it_finds_the_rows_again_and_leaves_nothing_running(
        self, scenes: dict[str, Scene]
    ) -> None:
        scene = scenes["cancelled"]
        assert scene["idle"] and scene["equal"]
        assert scene["before"] < PAIRS and 0 < scene["submitted"] <= PAIRS - 19

    def test_a_copy_on_a_node_s_own_disk_serves(self, scenes: dict[str, Scene]) -> None:
        # Node 2 has one, in all scenes; this is the one after it was damaged and mended.
        assert scenes["mended"]["equal"]

    @pytest.mark.parametrize(
        ("scene", "error", "says"),
        [
            ("changed", "CheckpointChanged", "its content differs"),
            ("gone", "DamagedCheckpoint", "2 of 3 shards"),
        ],
    )
    def test_a_node_with_other_files_is_named(
        self, scene: str, error: str, says: str, scenes: dict[str, Scene]
    ) -> None:
        told = scenes[scene]
        assert told["error"] == error and told["hint"]
        assert told["message"].startswith("On the node 127.0.0.2 ") and says in told["message"]

    def test_nodes_read_an_object_store_for_themselves(self, scenes: dict[str, Scene]) -> None:
        assert scenes["store"] == {"equal": True, "rows": PAIRS}

    def test_a_fleet_reads_base_once(self, scenes: dict[str, Scene]) -> None:
        fleet = scenes["fleet"]
        assert fleet["equal"] and fleet["submitted"] == 2 * PAIRS
        assert fleet["bytes"][0] * 4 == fleet["bytes"][1] * 3

    @pytest.mark.parametrize(
        ("scene", "says"),
        [
            ("open", "asks nobody for a token"),
            ("token", "does not take this process in"),
            ("nobody", "No Ray cluster answers at 127.0.0.1:9"),
            ("starts", "RAY_ADDRESS is 'local'"),
        ],
    )
    def test_only_a_cluster_that_is_there_and_asks_for_its_token(
        self, scene: str, says: str, scenes: dict[str, Scene]
    ) -> None:
        told = scenes[scene]
        assert (told["status"], told["output"]) == (1, "")
        assert says in told["errors"] and "hint: " in told["errors"]


class TestWhatIsRefused:
    @pytest.mark.parametrize("device", ["cuda:1", "mps", "torch:cpu", "tpu"])
    def test_a_device_that_no_cluster_has(self, device: str) -> None:
        with pytest.raises(InvalidOption, match="On a cluster"):
            RayCluster.on(device)

    def test_two_ways_to_divide_a_diff(self, capsys: pytest.CaptureFixture[str]) -> None:
        pair = ("demo:base", "demo:tuned")
        assert main(["diff", *pair, "--on", "ray", "--shard", "1/2"]) == 1
        assert "two ways to divide" in capsys.readouterr().err

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("modeldiff.extras.find_spec", lambda _: None)
        with pytest.raises(MissingExtra, match="Ray cluster needs ray"):
            connected_ray()


@pytest.mark.parametrize(("device", "cards"), [("auto", 0), ("cpu", 0), ("cuda", 1), ("xpu", 1)])
def test_a_task_takes_a_core_and_where_the_device_asks_a_card(
    device: str, cards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    remote = SimpleNamespace(options=lambda **options: asked.update(options))
    fake = SimpleNamespace(remote=lambda _: remote, nodes=list)
    monkeypatch.setattr("modeldiff.changes.cluster.ray_measurer.connected_ray", lambda: fake)
    base = Comparison.open("demo:base", "demo:base").base.checkpoint
    assert list(RayCluster.on(device).measure(base, [(base, [])])) == []
    assert (asked["num_cpus"], asked["num_gpus"], asked["max_retries"]) == (1, cards, 0)


class TestTheApp:
    @pytest.mark.parametrize(
        ("worker", "address", "fine"),
        [("yes", "", False), ("no", "h:1", False), ("yes", "h:1", True)],
    )
    def test_a_cluster_needs_the_process_that_uses_it(
        self, worker: str, address: str, fine: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MODELDIFF_RAY", "yes")
        monkeypatch.setenv("MODELDIFF_WORKER", worker)
        monkeypatch.setenv("RAY_ADDRESS", address)
        if fine:
            check_settings()
        else:
            with pytest.raises(InvalidOption, match="MODELDIFF_RAY needs"):
                check_settings()

    @pytest.mark.parametrize(
        ("setting", "large", "device", "kind"),
        [
            ("yes", True, "auto", "cpu"),
            ("yes", True, "cuda:1", "cuda"),
            ("yes", True, "mps", "cpu"),
            ("yes", False, "auto", None),
            ("no", True, "auto", None),
        ],
    )
    def test_only_large_diffs_and_only_where_it_is_set(
        self,
        setting: str,
        large: bool,
        device: str,
        kind: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("MODELDIFF_RAY", setting)
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
        monkeypatch.setattr("modeldiff.results.jobs.job.LARGE_DIFF", 1 if large else 1 << 30)
        asked: list[object] = []
        given = threading.Event()

        def run_diff(comparison: Comparison, **options: object) -> None:
            asked.append(options["measurer"])
            given.set()
            raise Cancelled("enough")

        monkeypatch.setattr("modeldiff.results.jobs.lanes.run_diff", run_diff)
        JobManager().submit(Comparison.open("demo:base", "demo:tuned"), device=device)
        assert given.wait(30)
        assert asked == [None if kind is None else RayCluster(kind)]


@needs_ray
def test_the_unit_of_a_node_starts_ray_with_options_that_it_has() -> None:
    unit = (ROOT / "deploy" / "ray" / "modeldiff-ray.service").read_text("utf-8")
    lines = dict(line.split("=", 1) for line in unit.splitlines() if line.startswith("ExecStart="))
    words = lines["ExecStart"].replace("${RAY_ADDRESS}", "10.0.0.1:6379").split()
    assert words[:2] == ["/opt/modeldiff/bin/ray", "start"]
    start = importlib.import_module("ray.scripts.scripts").start
    options = start.make_context("start", words[2:]).params
    assert options["address"] == "10.0.0.1:6379" and options["block"]
