"""Which device a name stands for, and what is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modeldiff.changes import available_devices, resolve_device
from modeldiff.changes.backends import devices as devices_module
from modeldiff.errors import InvalidOption


def test_the_cpu_is_always_there() -> None:
    assert available_devices()[0] == "cpu"
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("torch:cpu") == "torch:cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", "", "mps:1", "cuda:99999"])
def test_what_is_no_device_is_refused_with_the_choices(device: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        resolve_device(device)
    assert "cpu" in caught.value.hint


def test_without_torch_there_is_only_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module, "find_spec", lambda _: None)
    assert available_devices() == ("cpu",)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(InvalidOption, match="PyTorch"):
        resolve_device("cuda")


class TestAnAcceleratorThatSeemsToBeThere:
    @pytest.fixture(autouse=True)
    def seems(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices_module, "_accelerators", lambda: ["cuda:0", "cuda:1"])

    def test_it_can_be_chosen(self) -> None:
        assert available_devices() == ("cpu", "cuda:0", "cuda:1", "all")

    def test_auto_takes_the_first_that_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices_module, "_works", lambda name: name == "cuda:1")
        assert resolve_device("auto") == "cuda:1"
        assert resolve_device("cuda:1") == "cuda:1"
        with pytest.raises(InvalidOption):
            resolve_device("cuda")

    def test_auto_falls_back_to_the_cpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices_module, "_works", lambda _: False)
        assert resolve_device("auto") == "cpu"


def test_cards_are_counted_as_far_as_they_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: iter([Path("nvidia0"), Path("nvidia1")]))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices_module._nvidia_cards() == 2
    for visible, count in (("1", 1), ("", 0), ("-1", 0), ("0,1,2", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert devices_module._nvidia_cards() == count


def test_a_diff_on_the_cpu_imports_neither_torch_nor_numba() -> None:
    code = """
import sys
from modeldiff.changes.kernels.object_code import kernels
kernels()
import modeldiff
rows = list(modeldiff.diff("demo:base", "demo:tuned", device="cpu", cache=False))
assert len(rows) > 50
print(sorted({"torch", "numba", "transformers", "streamlit", "pandas"} & set(sys.modules)))
"""
    compile_first = "from modeldiff.changes.kernels.object_code import kernels; kernels()"
    subprocess.run([sys.executable, "-c", compile_first], check=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
