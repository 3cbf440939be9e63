"""Whole walks by the fused kernel, in Triton's interpreter; and what a compiler makes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

from modeldiff.changes import measure
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.changes.backends.fused.worker import FusedBackend
from modeldiff.changes.engine import engine as engine_module
from modeldiff.changes.engine.engine import measure_together, walk
from modeldiff.changes.kernels.bins import BLOCK, LEAF
from modeldiff.checkpoints import Checkpoint
from tests.support.same_statistics import expect_same_changes
from tests.support.slow_statistics import encode
from tests.support.small_checkpoints import Stored, normal, open_pair, pairs_by_name

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
ROOT = Path(__file__).parents[2]

SIZES = {"small": 70, "chunks": 2 * LEAF + 9, "empty": 0, "whole": LEAF, "wide": 40}
DTYPES = {"small": "BF16", "chunks": "F32", "empty": "BF16", "whole": "BF16", "wide": "F64"}


def side(seed: int) -> dict[str, Stored]:
    tensors: dict[str, Stored] = {
        name: (dtype, encode(normal(SIZES[name], 1) * (1 + normal(SIZES[name], seed, 0.1)), dtype))
        for name, dtype in DTYPES.items()
    }
    return tensors


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    return open_pair(tmp_path, side(2), side(3))


def test_a_walk_on_it_yields_the_same(opened: tuple[Checkpoint, Checkpoint]) -> None:
    """Batches, tensors of a chunk and of several, empty ones, float64."""
    pairs = pairs_by_name(*opened)
    found = list(walk(pairs, *opened, FusedBackend("cpu", LEAF * 4, small=100)))
    expect_same_changes(found, list(measure(pairs, *opened, device="cpu")))


def test_several_targets_of_one_base(
    opened: tuple[Checkpoint, Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base stays in its buffer from one target to the next while copies are under way."""
    base, target = opened
    names = {"small", "whole"}
    pairs = [pair for pair in pairs_by_name(base, target) if pair.place.parameter in names]
    same = [pair for pair in pairs_by_name(base, base) if pair.place.parameter in names]
    targets = [(target, pairs), (base, same)]
    monkeypatch.setattr(
        engine_module, "backend_for", lambda *_: FusedBackend("cpu", LEAF, small=-1)
    )
    found = list(measure_together(base, targets))
    monkeypatch.setattr(engine_module, "backend_for", lambda *_: CpuBackend(1))
    wanted = list(measure_together(base, targets))
    assert [number for number, _ in found] == [number for number, _ in wanted]
    expect_same_changes([change for _, change in found], [change for _, change in wanted])


COMPILE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import triton
from modeldiff.changes.backends.fused.kernel import LAUNCH, refine_median

signature, constants = {}, {}
settings = {"base_kind": "BF16", "target_kind": "Q4_K", "base_rounding": "F32",
            "target_rounding": "F32", "block": int(sys.argv[1])}
for name in refine_median.arg_names:
    if name in settings:
        signature[name], constants[name] = "constexpr", settings[name]
    elif name in ("n", "prefix"):
        signature[name] = "i32"
    elif name in ("base", "fine"):
        signature[name] = "*i16" if name == "base" else "*i32"
    else:
        signature[name] = {"target": "*u8", "target_grid": "*u8", "base_grid": "*i16"}.get(
            name, "*fp32")
aligned = {(number,): [["tt.divisibility", 16]]
           for number, name in enumerate(refine_median.arg_names) if signature[name][0] == "*"}
source = ASTSource(refine_median, signature, constants, aligned)
targets = {"ptx": GPUTarget("cuda", 90, 32), "amdgcn": GPUTarget("hip", "gfx942", 64)}
kind = sys.argv[2]
print(triton.compile(source, target=targets[kind], options=LAUNCH).asm[kind])
"""


def compiled(kind: str, cache: Path) -> str:
    """What a compiler makes of decoding, of the relative change and of how they are launched:
    those of ``measure_leaves``, too, which takes longer to compile."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, str(BLOCK), kind],
        cwd=ROOT,
        env={**environment, "TRITON_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="Triton compiles on Linux")
class TestCompiled:
    """The interpreter cannot tell: it rounds exactly whatever is written."""

    def test_for_nvidia_it_rounds_as_ieee_754_asks_for(self, tmp_path: Path) -> None:
        ptx = compiled("ptx", tmp_path)
        assert set(re.findall(r"\bdiv\.[a-z.]*f32", ptx)) == {"div.rn.f32"}
        assert ".ftz" not in ptx
        assert not re.search(r"\bfma\.", ptx)
        assert "ld.global.v4" in ptx

    def test_for_amd_it_does_too(self, tmp_path: Path) -> None:
        """Its division is a sequence of five fused products, and nothing else is fused."""
        code = compiled("amdgcn", tmp_path)
        divisions = len(re.findall(r"\bv_div_fixup_f32", code))
        fused = len(re.findall(r"\bv_(?:fma|fmac|fmamk|fmaak|mad|mac|pk_fma)_f32", code))
        assert divisions and fused == 5 * divisions
        assert len(re.findall(r"\bv_div_scale_f32", code)) == 2 * divisions
        assert re.findall(r"amdhsa_float_denorm_mode_32 (\d)", code) == ["3"], "none is flushed"
        assert not int(re.findall(r"\.vgpr_spill_count: *(\d+)", code)[0])
