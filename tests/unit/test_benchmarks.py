"""The benchmarks' own parts: the pairs that they build, and the table that they print."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import modeldiff
from benchmarks import accelerator, mixed, pairs, report
from benchmarks.programs import Program, programs
from benchmarks.running import ProgramFailed, Run, run
from modeldiff.checkpoints import open_checkpoint


def test_a_pair_is_a_checkpoint_that_changed_as_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = pairs.Shape(2, 64, 96, 16, 4, 1000, tied=False, shard_bytes=150_000)
    monkeypatch.setitem(pairs.SHAPES, "tiny", tiny)
    base, target = pairs.make_pair("tiny", tmp_path)
    assert pairs.make_pair("tiny", tmp_path) == (base, target)
    checkpoint = open_checkpoint(str(base))
    assert len(checkpoint.files) > 1
    assert {tensor.name: tensor.shape for tensor in checkpoint.tensors} == tiny.tensors()
    medians = {
        change.pair.base.name: change.statistics.median_pct
        for change in modeldiff.diff(base, target, device="cpu")
        if change.pair.base and change.statistics
    }
    assert medians["model.layers.0.mlp.up_proj.weight"] == pytest.approx(40, rel=0.1)
    assert medians["model.layers.1.mlp.up_proj.weight"] == pytest.approx(20, rel=0.1)


def test_mixed_pairs_hold_the_same_values_as_each_type_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = pairs.Shape(1, 64, 96, 16, 4, 100, tied=True, shard_bytes=10**9)
    monkeypatch.setattr(pairs, "MIXED", tiny)
    stored = {
        file.parent.name: load_file(file)
        for folders in pairs.make_mixed_pairs(tmp_path).values()
        for folder in folders
        for file in folder.glob("*.safetensors")
    }
    exact = stored["target-F32"]
    types = {"BF16": torch.bfloat16, "F16": torch.float16, "F8_E4M3": torch.float8_e4m3fn}
    for name, dtype in types.items():
        for key, values in stored[f"target-{name}"].items():
            torch.testing.assert_close(values.float(), exact[key].to(dtype).float(), rtol=0, atol=0)
    for key, values in stored["base-BF16"].items():
        assert not torch.equal(values.float(), stored["target-BF16"][key].float())
        torch.testing.assert_close(
            values.float(), stored["base-F16"][key].float(), rtol=1e-2, atol=2.0**-24
        )


def test_the_mixed_table_sets_each_checkout_beside_its_own_bf16(tmp_path: Path) -> None:
    names = ["bf16 · bf16", "bf16 · f16", "bf16 · f32", "bf16 · f8", "f16 · f16"]
    checkouts = [tmp_path / "now", tmp_path / "before"]
    runs = {
        Program(name, (), "", checkout=checkout): [Run(9.0, 2.0 * factor if number else 2.0, 1)]
        for number, name in enumerate(names)
        for checkout, factor in zip(checkouts, (1.5, 3.0), strict=True)
    }
    text = mixed.mixed_table(runs, checkouts)
    assert "| bf16 · bf16 | 2.00 s | 1.00 × | 9.00 s | 2.00 s | 1.00 × | 9.00 s | 1.00 × |" in text
    assert "| bf16 · f8 | 3.00 s | 1.50 × | 9.00 s | 6.00 s | 3.00 × | 9.00 s | 2.00 × |" in text
    one = {program: run for program, run in runs.items() if program.checkout == checkouts[0]}
    assert "| f16 · f16 | 3.00 s | 1.50 × | 9.00 s |" in mixed.mixed_table(one, checkouts[:1])


def test_values_are_rounded_as_torch_rounds_them() -> None:
    values = np.random.default_rng(1).standard_normal(10_000).astype(np.float32)
    rounded = torch.from_numpy(values).bfloat16().view(torch.uint16).numpy()
    np.testing.assert_array_equal(pairs._bfloat16(values), rounded)


def test_a_program_s_time_and_memory_are_its_own() -> None:
    larger = bytearray(400_000_000)
    larger[:: 1 << 12] = bytes(len(larger[:: 1 << 12]))
    hungry = "bytearray(200_000_000); import time; time.sleep(0.2)"
    measured = run(Program("hungry", (sys.executable, "-c", hungry), ""))
    assert measured.seconds >= 0.2
    assert 200e6 < measured.memory < 300e6, "it has the memory of who started it"
    del larger
    with pytest.raises(ProgramFailed, match="oh no"):
        run(Program("failing", (sys.executable, "-c", "raise SystemExit('oh no')"), ""))


def test_what_is_run_beside_each_other(tmp_path: Path) -> None:
    found = programs(tmp_path, tmp_path, ("cpu", "cuda"), all_of=True)
    names = " ".join(program.name for program in found)
    for expected in ("cat", "modeldiff", "copying to cuda", "plain torch script"):
        assert expected in names


def test_the_table_replaces_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- x -->\nold\n<!-- end of x -->\nbelow\n")
    monkeypatch.setattr(report, "README", readme)
    floor, ours = (Program(name, (), "all") for name in ("cat", "ours"))
    runs = {
        floor: [Run(2.0, 1.0, 10**6)],
        ours: [Run(3.0, 6.0, 10**8), Run(9.0, 9.0, 10**8), Run(5.0, 9.0, 10**7)],
    }
    report.keep("x", report.table("A pair", runs))
    text = readme.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "old" not in text
    assert "| ours | 5.00 s | 2.50 × | 100 MB | 3 | all |" in text


def test_without_a_card_the_accelerators_benchmark_says_so_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accelerator, "rows", lambda *_: pytest.fail("something was run"))
    for device in ("cpu", "xpu:7"):
        monkeypatch.setattr(sys, "argv", ["benchmarks.accelerator", "--device", device, "--keep"])
        assert accelerator.main() == 2
        assert "nothing was run" in capsys.readouterr().out


def test_the_accelerators_benchmark_sets_each_way_beside_the_cpus_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = pairs.Shape(1, 64, 96, 16, 4, 100, tied=True, shard_bytes=10**9)
    pair = pairs.write_plain(tiny, tmp_path)
    found = dict(accelerator._measuring("cpu", pair))
    assert [*found] == ["cpu", "eager"]
    assert all(result.endswith("as the CPU: yes") for result in found.values())
    monkeypatch.setattr(accelerator, "_same", lambda *_: False)
    assert dict(accelerator._measuring("cpu", pair))["eager"].endswith("as the CPU: NO")


def test_a_part_that_fails_is_a_row_of_the_accelerators_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the card is lost")

    for part in ("_copies", "_kernels", "_measuring", "_command", "_two_processes"):
        monkeypatch.setattr(accelerator, part, broken)
    text = accelerator.table("A card", accelerator.rows("torch:cpu", (tmp_path, tmp_path)))
    assert "| measuring | failed | RuntimeError: the card is lost |" in text
    assert "| exactness | eager gives the CPU's bits | yes |" in text
