"""The examples of shards that ``deploy`` holds, run as far as one machine can: the scripts by bash,
a real GNU parallel, and what a pod of the Kubernetes job would run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from modeldiff.comparison import Comparison
from modeldiff.results import load_result, run_diff
from tests.support.results import cache_at
from tests.support.same_statistics import bits

ROOT = Path(__file__).parents[2]
SHARDS = ROOT / "deploy" / "shards"
PAIR = {"BASE": "demo:base", "TARGET": "demo:lora"}
_PROGRAM = """#!/usr/bin/env bash
[[ -n "${FAILING:-}" && "$*" == *"--shard $FAILING" ]] && exit 1
exec %s -m modeldiff "$@"
"""


class Cluster:
    """Machines that share a cache and have ``modeldiff`` on their path. What measures the shard
    that ``FAILING`` names (``2/3``) dies there."""

    def __init__(self, folder: Path) -> None:
        self.cache, self._folder = folder / "cache", folder
        program = folder / "bin" / "modeldiff"
        program.parent.mkdir()
        program.write_text(_PROGRAM % sys.executable, encoding="utf-8")
        program.chmod(0o755)

    def run(self, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        places = {"PATH": path, "PYTHONPATH": str(ROOT), "MODELDIFF_CACHE": str(self.cache)}
        return subprocess.run(
            [*map(str, command)],
            env={**os.environ, **places, **variables},
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def journals(self) -> list[str]:
        return sorted(path.stem.partition(".")[2] for path in self.cache.rglob("*.journal"))

    def has_the_result(self, base: str = PAIR["BASE"], target: str = PAIR["TARGET"]) -> bool:
        """Whether the joined result is that of one run."""
        comparison = Comparison.open(base, target)
        with cache_at(self.cache):
            joined = load_result(comparison.key)
        whole = run_diff(comparison, cache=False)
        assert joined is not None
        return [bits(a.statistics) for a in joined.changes if a.statistics] == [
            bits(a.statistics) for a in whole.changes if a.statistics
        ]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_a_slurm_array_whose_one_task_fails_and_is_run_again_alone(cluster: Cluster) -> None:
    script = SHARDS / "slurm.sh"
    for task in ("1", "2", "3"):
        array = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "3"}
        done = cluster.run("bash", script, **PAIR, **array, FAILING="2/3")
        assert done.returncode == (task == "2"), done.stderr
    incomplete = cluster.run("bash", script, **PAIR, JOIN="all.parquet")
    assert incomplete.returncode == 1 and "shard 2 of 3" in incomplete.stderr
    assert "--shard 2/3" in incomplete.stderr
    assert cluster.journals() == ["shard-1-of-3", "shard-3-of-3"]
    alone = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "1", "SHARDS": "3"}
    assert cluster.run("bash", script, **PAIR, **alone).returncode == 0
    joined = cluster.run("bash", script, **PAIR, JOIN="all.parquet")
    assert joined.returncode == 0, joined.stderr
    assert cluster.has_the_result()


@pytest.mark.skipif(shutil.which("parallel") is None, reason="needs GNU parallel")
def test_gnu_parallel_joins_what_it_can_and_goes_on_when_run_again(cluster: Cluster) -> None:
    # Names are data, whatever a shell would make of them.
    pair = "demo:base", str(cluster.cache.with_name("it's $(touch made) here"))
    shutil.copytree(ROOT / "demo" / "lora", pair[1])
    script = [SHARDS / "parallel.sh", *pair, "3", "--quiet"]
    log = cluster.cache.with_name("log")
    incomplete = cluster.run(*script, FAILING="3/3", JOB_LOG=str(log))
    assert incomplete.returncode == 1 and "shard 3 of 3" in incomplete.stderr
    exit_codes = [line.split("\t")[6] for line in log.read_text("utf-8").splitlines()[1:]]
    assert sorted(exit_codes) == ["0", "0", "1"]
    assert cluster.journals() == ["shard-1-of-3", "shard-2-of-3"]
    joined = cluster.run(*script)
    assert joined.returncode == 0, joined.stderr
    assert cluster.has_the_result(*pair)
    assert not cluster.cache.with_name("made").exists()


def test_the_pods_of_a_kubernetes_job_measure_all_shards(cluster: Cluster) -> None:
    job = yaml.safe_load((SHARDS / "kubernetes.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["maxFailedIndexes"] <= spec["completions"]
    [container] = spec["template"]["spec"]["containers"]
    volumes = {each["name"] for each in spec["template"]["spec"]["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    variables: Mapping[str, str] = {each["name"]: each["value"] for each in container["env"]}
    assert variables["SHARDS"] == str(spec["completions"])
    assert set(variables) <= {*PAIR, "SHARDS", "MODELDIFF_SHARED", "MODELDIFF_CACHE"}
    for index in range(2):
        pod = {"SHARDS": "2", "JOB_COMPLETION_INDEX": str(index)}
        done = cluster.run(*container["command"], *container["args"], **PAIR, **pod)
        assert done.returncode == 0, done.stderr
    assert cluster.journals() == ["shard-1-of-2", "shard-2-of-2"]
    assert cluster.run("modeldiff", "join", *PAIR.values(), "--quiet").returncode == 0
    assert cluster.has_the_result()
