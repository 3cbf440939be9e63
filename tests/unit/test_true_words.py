"""No sentence of identity, level or likeness is false, whatever was planted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.architectures import Place
from modeldiff.findings.narrative import narrate
from tests.support.planted_truth import Plant, false_claims, planted_table, share

DEEDS = st.sampled_from(
    [
        *("same", "noise", "replaced", "factor", "sparse", "rounded", "pruned"),
        *("reordered", "scaled"),
    ]
)
PLANTS = st.builds(
    Plant,
    deed=DEEDS,
    size=st.sampled_from([0.0005, 0.01, 0.05, 0.2, 1.0]),
    lost=st.sampled_from(["", "", "", "", "base", "target", "both"]),
    lost_share=st.sampled_from([0.0, 0.3, 1.0]),
    status=st.sampled_from(
        ["compared"] * 6 + ["only_in_base", "only_in_target", "different_shape", "unreadable"]
    ),
    waiting=st.sampled_from([False] * 9 + [True]),
)
RARE = st.lists(st.tuples(st.integers(0, 40), PLANTS), max_size=3)
"""Few rows that are unlike the others."""


@given(
    common=st.builds(Plant, deed=DEEDS, size=st.sampled_from([0.0005, 0.01, 0.1, 1.0])),
    by_component=st.dictionaries(
        st.sampled_from(["self_attn.q_proj", "mlp.up_proj", "input_layernorm", "embed_tokens"]),
        PLANTS,
        max_size=2,
    ),
    rare=RARE,
    slope=st.sampled_from([0.0, 0.0, 0.5, 3.0]),
    layers=st.integers(1, 7),
    dtype=st.sampled_from(["BF16", "F32"]),
    seed=st.integers(0, 3),
)
def test_no_sentence_is_false(
    common: Plant,
    by_component: dict[str, Plant],
    rare: list[tuple[int, Plant]],
    slope: float,
    layers: int,
    dtype: str,
    seed: int,
) -> None:
    """A common deed, other ones for some components and for a few rows, perhaps growing with
    depth."""
    single = dict(rare)
    order = iter(range(1000))

    def plant(place: Place) -> Plant:
        chosen = single.get(next(order)) or by_component.get(place.component) or common
        size = chosen.size * (1 + slope * (place.layer or 0))
        return Plant(
            chosen.deed, size, chosen.lost, chosen.lost_share, chosen.status, chosen.waiting
        )

    changes, truths = planted_table(plant, layers=layers, dtype=dtype, seed=seed)
    narrative = narrate(changes)
    assert not list(false_claims(narrative, truths))
    compared = [truth for truth in truths if truth.compared]
    broken = any(not truth.is_finite for truth in compared)
    assert ("non-finite weights" in narrative.headline) == broken
    lacking = min(share(truths, side) for side in ("base", "target")) < 90
    if lacking and not broken:
        assert re.match("Only|So far|No ", narrative.headline), narrative.headline


@pytest.mark.parametrize(
    ("claim", "plant"),
    [
        ("weights that were read are identical", Plant("same")),
        ("Like instruction tuning", Plant("noise", 0.03)),
        ("Like unrelated weights", Plant("replaced")),
        ("Like rounding to a coarser grid", Plant("rounded")),
        ("Like pruning", Plant("pruned")),
        ("base's times 1.5", Plant("factor", 0.5)),
        ("change is sparse", Plant("sparse")),
        ("has non-finite weights", Plant(lost="target")),
        ("all zeros in target", Plant("zeros")),
        ("hold base's rows in another order", Plant("reordered")),
        ("each row is base's times a factor of its own", Plant("scaled")),
    ],
)
def test_what_is_planted_everywhere_in_the_matrices_is_said(claim: str, plant: Plant) -> None:
    """The checker is no use where nothing is claimed."""
    norms = Plant("noise", 0.03) if plant.deed in ("noise", "replaced", "sparse") else Plant("same")

    def planted(place: Place) -> Plant:
        return norms if "norm" in place.component else plant

    changes, truths = planted_table(planted, layers=12, dtype="F32")
    narrative = narrate(changes)
    text = " ".join((narrative.headline, *narrative.facts, *narrative.likeness))
    assert claim in text
    assert not list(false_claims(narrative, truths))
