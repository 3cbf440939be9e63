"""The benchmarks' own parts: the pairs that they build, and the table that they print."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import modeldiff
from benchmarks import accelerator, mixed, pairs, report
from benchmarks.card import walks
from benchmarks.card.card import Card, Found
from benchmarks.card.goals import goals
from benchmarks.programs import Program, programs
from benchmarks.running import ProgramFailed, Run, run
from modeldiff.changes.backends.cpu import CpuBackend
from modeldiff.checkpoints import open_checkpoint

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")


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


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """The processor, by Triton's interpreter, and a pair with one tensor that the kernel takes."""
    tiny = pairs.Shape(1, 64, 96, 16, 4, 1100, tied=True, shard_bytes=10**9)
    return Card("torch:cpu", pairs.write_plain(tiny, tmp_path), small=True)


@needs_triton
def test_the_accelerators_benchmark_goes_through_its_parts(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the commands; each way of measuring beside the CPU's numbers."""
    parts = {name: act for name, act in accelerator.PARTS.items() if "process" not in name}
    del parts["command"]
    monkeypatch.setattr(accelerator, "PARTS", parts)
    monkeypatch.setattr(Card, "timed", lambda *_: 0.5)
    found = {(part, what): result for part, what, result in accelerator.rows(card)}
    assert not [row for row in found if row[1] == "failed"]
    ways = {what: text for (part, what), text in found.items() if part == "measuring"}
    assert {"cpu", "eager", "fused, again", "fused and the cpu together"} < {*ways}
    assert all(text.endswith("as the CPU: yes") for text in ways.values())
    exact = [text for (part, _), text in found.items() if part == "exactness"]
    assert len(exact) == 2 + 4 + 8
    assert set(exact) == {"yes"}
    goals = [text for (part, _), text in found.items() if part == "goals"]
    assert "reached" in goals[0]
    assert goals[1:] == ["not measured", "not measured"]


@pytest.mark.parametrize(
    ("seconds", "says"), [(1.0, ["50%", "NOT"]), (0.5, ["100%", "reached"]), (None, ["not meas"])]
)
def test_goals_are_judged_by_what_was_measured(
    seconds: float | None, says: list[str], tmp_path: Path
) -> None:
    card = Card("cuda:0", (tmp_path, tmp_path), "8b")
    card.nbytes, card.pinned_rate, card.measured = 10**9, 2e9, seconds
    [(_, share), (_, measured), (_, command)] = goals(card)
    assert all(word in share for word in says)
    assert measured == ("not measured" if seconds is None else f"{seconds:.2f} s: reached")
    assert command == "not measured"


def test_a_way_whose_numbers_differ_is_seen(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Card, "fused", lambda _: None)
    monkeypatch.setattr(walks, "_same", lambda *_: False)
    assert dict(walks.measuring(card))["eager"].endswith("as the CPU: NO")


def test_memory_of_the_card_is_given_back_whatever_happens(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretended by the processor."""
    shares: list[float] = []
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=10**10)
    )
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, _: shares.append(share)
    )
    monkeypatch.setattr(Card, "fused", lambda _: CpuBackend(1))
    list(walks.measuring(card))
    assert card.measured is not None
    card.device = "cuda:0"
    found = dict(walks.little_memory(card))
    assert shares == [0.4, 0.1, 0.03, 0.002, 1.0]
    assert all(text.endswith("as the CPU: yes") for text in found.values())
    shares.clear()
    monkeypatch.setattr(walks, "_walked", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(walks.little_memory(card))
    assert shares[-1] == 1.0


def test_parts_that_fail_or_come_too_late_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Card) -> Iterator[Found]:
        raise RuntimeError("the card is lost")

    monkeypatch.setattr(accelerator, "PARTS", {"kernel": broken, "goals": goals})
    card = Card("cuda:0", (tmp_path, tmp_path), "8b")
    text = accelerator.table("A card", accelerator.rows(card))
    assert "| kernel | failed | RuntimeError: the card is lost |" in text
    late = accelerator.table("A card", accelerator.rows(card, 0.0))
    assert "| kernel | left out | no time was left |" in late
    assert "at most 1.5 s | not measured |" in late


@pytest.mark.parametrize(("free", "has_room"), [(39 << 30, True), (30 << 30, False)])
def test_a_pair_is_built_where_it_has_room(
    free: int, has_room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "FOLDERS", (tmp_path / "none" / "here", tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert accelerator.roomy_folder("8b") == (tmp_path if has_room else None)
    (tmp_path / "8b" / "target").mkdir(parents=True)
    (tmp_path / "8b" / "target" / "config.json").touch()
    assert accelerator.roomy_folder("8b") == tmp_path
