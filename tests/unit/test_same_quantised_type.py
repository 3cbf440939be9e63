"""Two models in the same quantised type: one quantiser makes the same of the same weights, so that
what differs is never said to be the quantisation alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modeldiff.comparison import Comparison
from modeldiff.findings.main_differences import weight_differences
from modeldiff.findings.narrative import narrate
from modeldiff.results import run_diff
from tests.support.gguf_files import write_gguf


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_a_light_tune_in_the_same_type(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    base = {
        f"blk.{n}.{part}.weight": random.normal(0, 0.02, (64, 64)).astype(np.float32)
        for n in range(2)
        for part in ("attn_v", "attn_output", "ffn_up")
    }
    tuned = {
        name: values * (1 + 0.002 * random.normal(size=values.shape).astype(np.float32))
        for name, values in base.items()
    }
    one, other = (
        write_gguf(tmp_path / f"{name}.gguf", "llama", tensors, kind, {"block_count": 2})
        for name, tensors in (("base", base), ("tuned", tuned))
    )
    changes = run_diff(Comparison.open(str(one), str(other)), device="cpu").changes
    said = narrate(changes)
    assert said.likeness[0].startswith("Other weights, or another quantiser: 6 tensors in the same")
    assert not any("Nothing but the quantisation" in sentence for sentence in said.likeness)
    assert any("one quantiser makes the same of the same weights" in fact for fact in said.facts)
    (first, *_) = weight_differences(changes)
    assert first.value == kind and "by type alone" not in first.note


def test_the_same_weights_in_one_type_and_in_two(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    tensors = {"blk.0.ffn_up.weight": random.normal(0, 0.02, (64, 256)).astype(np.float32)}
    entries = {"block_count": 1}
    files = [
        write_gguf(tmp_path / f"{name}.gguf", "llama", tensors, kind, entries)
        for name, kind in (("a", "Q5_0"), ("b", "Q5_0"), ("c", "Q4_0"))
    ]

    def likeness(other: Path) -> str:
        comparison = Comparison.open(str(files[0]), str(other))
        return narrate(run_diff(comparison, device="cpu").changes).likeness[0]

    assert likeness(files[1]).startswith("The same weights")
    assert likeness(files[2]).startswith("Nothing but the quantisation")
    assert likeness(files[2]).endswith("the stored types make on their own.")
