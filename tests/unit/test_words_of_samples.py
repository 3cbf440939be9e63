"""What rests on samples says so, and what is like a merged adapter is not said where adapters are
known to lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from modeldiff.architectures.naming.merged_updates import MERGED_HERE
from modeldiff.architectures.naming.plain_names import BESIDE_ADAPTER
from modeldiff.changes import Change, ChangeTable, Pair
from modeldiff.changes.relation import Relation
from modeldiff.findings.narrative import narrate
from tests.support.architectures import llama_like
from tests.support.changes import made_changes

MODEL = llama_like(4, hidden=64)


def of_queries(pair: Pair) -> bool:
    return pair.place.component == "self_attn.q_proj"


def read(size: float, own: Callable[[Change], Change]) -> tuple[str, str]:
    """The gist, and all facts, of a table in which queries alone moved."""
    table = made_changes(MODEL, MODEL, lambda pair: size if of_queries(pair) else 0.0)
    said = narrate(ChangeTable(own(change) for change in table))
    return said.likeness[-1], " ".join(said.facts)


@pytest.mark.parametrize(("seen", "hedged"), [(64 * 64, False), (512, True)])
def test_an_adapter_that_samples_found_alone(seen: int, hedged: bool) -> None:
    def off(change: Change) -> Change:
        if not of_queries(change.pair):
            return change
        relation = Relation("adapter_off", "elements", seen, seen, 64 * 64, 0.0, size=8)
        return replace(change, relation=relation)

    gist, facts = read(5.0, off)
    assert gist.startswith("As far as was looked at, all that moved is the adapter") == hedged
    assert gist.startswith("All that moved is the adapter on base") != hedged
    assert ("this adapter is not merged, as far as was looked at." in facts) == hedged
    assert ("this adapter is not merged." in facts) != hedged


@pytest.mark.parametrize("axis", ["rows", "elements"])
def test_what_explains_all_that_moved(axis: str) -> None:
    def renamed(change: Change) -> Change:
        if not of_queries(change.pair):
            return change
        kind, count = ("order", 64) if axis == "rows" else ("expert", 64 * 64)
        relation = Relation(kind, axis, count, count, count, 0.0, origin=1)  # type: ignore[arg-type]
        return replace(change, relation=relation)

    gist, _ = read(140.0, renamed)
    # Of each row no more than some elements are looked at.
    hedged = ", as far as was looked at" if axis == "rows" else ""
    assert gist == f"All that moved is explained{hedged}; no training shows in it."


def test_adapters_that_are_known_to_lie_elsewhere_are_not_what_moved_others() -> None:
    assert "adapters (LoRA) are merged into them" in read(0.3, lambda change: change)[0]
    for reason in (MERGED_HERE, BESIDE_ADAPTER):

        def elsewhere(change: Change, reason: str = reason) -> Change:
            if change.pair.place.component != "mlp.up_proj":
                return change
            return replace(change, pair=replace(change.pair, reason=f"base: {reason}"))

        gist, _ = read(0.3, elsewhere)
        assert "the same components moved in all layers" in gist
        assert "adapters (LoRA)" not in gist


def test_weights_that_were_not_compared_are_not_said_to_stand_still() -> None:
    model = llama_like(2, hidden=64)
    table = made_changes(model, model, lambda _: 5.0)
    rows = [
        replace(
            change,
            pair=replace(
                change.pair,
                place=replace(
                    change.pair.place, component=f"{change.pair.place.component}.lora_A.default"
                ),
            ),
        )
        for change in table
        if of_queries(change.pair)
    ]
    (gist,) = narrate(ChangeTable(rows)).likeness
    assert "no other tensor was compared" in gist
    beside = list(made_changes(model, model, lambda _: 0.0))
    still = [change for change in beside if not of_queries(change.pair)]
    assert f"none of {len(still)} others compared" in narrate(ChangeTable(rows + still)).likeness[0]
