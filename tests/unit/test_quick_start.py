"""What a quiet diff does before it measures: nothing that only others need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldiff.changes.kernels.object_code import kernels

ROOT = Path(__file__).parents[2]
QUIET_DIFF = ["diff", "--quiet", "--no-cache", "demo:base", "demo:tuned"]
OF_OTHERS = {
    *("torch", "numba", "llvmlite", "transformers", "streamlit", "altair", "pandas", "pyarrow"),
    *("huggingface_hub", "httpx2", "yaml", "filelock", "jinja2", "tokenizers", "ray"),
    *("numpy.ma", "numpy.random", "numpy.fft", "numpy.polynomial"),
    *("asyncio", "concurrent.futures", "multiprocessing", "subprocess", "urllib.request", "http"),
    *("email", "ssl", "socket", "importlib.metadata", "importlib.resources", "configparser"),
    *("tempfile", "secrets", "xml", "html", "csv", "unittest", "pdb"),
    *("modeldiff.results.store", "modeldiff.results.shared", "modeldiff.results.drilldown"),
    *("modeldiff.changes.relations.relate", "modeldiff.changes.alignment.sampling"),
    *("modeldiff.changes.drilldown", "modeldiff.changes.cluster", "modeldiff.changes.arrays"),
    *("modeldiff.checkpoints.recipes.scaled_codes", "modeldiff.checkpoints.adapters.opening"),
    *(
        "modeldiff.checkpoints.hub",
        "modeldiff.checkpoints.stores",
        "modeldiff.checkpoints.quantised",
    ),
    *("modeldiff.findings", "modeldiff.drawings", "modeldiff.companions", "modeldiff.cli.schemas"),
}
"""Libraries, and parts of this one, that keep, relate, draw or fetch."""
MOST_OF_OURS = 230
"""Each module takes a quarter of a millisecond to import."""


def in_a_process_of_its_own(code: str, **environment: str) -> Any:
    """What ``code`` prints last, from JSON."""
    kernels()  # compiled and kept, so that the process finds them
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    assert not done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def started() -> Any:
    """What stands in memory after a quiet diff."""
    return in_a_process_of_its_own(f"""
import json, sys
from modeldiff.cli import main
assert main({QUIET_DIFF}) == 0
import dataclasses
ours = [name for name in sys.modules if name.partition(".")[0] == "modeldiff"]
print(json.dumps({{
    "modules": list(sys.modules),
    "ours": ours,
    "written at once": [
        name for name in ours if vars(sys.modules[name]).get("dataclass") is dataclasses.dataclass
    ],
}}))
""")


def test_nothing_is_imported_that_only_others_need(started: Any) -> None:
    assert not OF_OTHERS & set(started["modules"])
    assert len(started["ours"]) <= MOST_OF_OURS


def test_no_dataclass_is_written_before_somebody_makes_one(started: Any) -> None:
    """``dataclasses.dataclass`` writes and compiles six functions a class when it is imported."""
    assert started["written at once"] == []


def test_python_looks_through_nothing_once_more_at_the_end() -> None:
    code = """
import atexit, gc, json, sys
from modeldiff.__main__ import run
atexit.register(lambda: print(json.dumps(gc.get_freeze_count())))
sys.argv = ["modeldiff", "schema"]
run()
"""
    assert in_a_process_of_its_own(code) > 1_000


@pytest.mark.parametrize("given", [{}, {"OPENBLAS_NUM_THREADS": "3"}])
def test_whoever_is_started_has_as_many_threads_of_openblas_as_before(
    given: dict[str, str],
) -> None:
    code = f"""
import json, os
os.environ.pop("OPENBLAS_NUM_THREADS", None)
os.environ |= {given}
from modeldiff.cli import main
main({QUIET_DIFF})
print(json.dumps(os.environ.get("OPENBLAS_NUM_THREADS")))
"""
    assert in_a_process_of_its_own(code) == given.get("OPENBLAS_NUM_THREADS")
