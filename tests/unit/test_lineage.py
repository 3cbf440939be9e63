"""A line of models as steps: what is told, in which words, and what a broken one leaves."""

from __future__ import annotations

from modeldiff.architectures import understand
from modeldiff.architectures.facts.lineage import read_lineage
from modeldiff.checkpoints.config_only.catalog import catalog_config
from tests.support.named_shapes import checkpoint, gpt2_shapes, published

GPT2 = understand(checkpoint(gpt2_shapes(), catalog_config("gpt2-124m")))
LLAMA_3 = understand(published("llama-3-8b"))
LLAMA_31 = understand(published("llama-3.1-8b"))


def test_llama_31_is_llama_3_with_a_longer_reach() -> None:
    first, second = read_lineage([LLAMA_3, LLAMA_31])
    assert first is not None and second is not None
    assert first.before is None and first.telling == () and first.start
    assert [pair.key for pair in second.telling] == ["rope_scaling", "context"]
    assert second.same > 20


def test_how_it_computes_is_told_before_how_large_it_is() -> None:
    _, step = read_lineage([GPT2, LLAMA_3])
    assert step is not None
    keys = [pair.key for pair in step.telling]
    for how in ("attention", "position", "mlp", "norm"):
        assert keys.index(how) < keys.index("layers") < keys.index("parameters")
    assert "rope_theta" not in keys, "follows from the change to RoPE"
    assert {"rope_theta", "family"} <= {pair.key for pair in step.rest}
    said = " ".join(pair.meaning for pair in (*step.telling, *step.rest))
    assert "the new one" in said.lower() and "the target" not in said.lower()


def test_a_step_that_cannot_be_opened_leaves_the_others() -> None:
    first, broken, third = read_lineage([LLAMA_3, None, LLAMA_31])
    assert broken is None
    assert first is not None and third is not None
    assert third.before is LLAMA_3
