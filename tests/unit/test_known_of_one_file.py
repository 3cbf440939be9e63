"""A model whose config or other files are not there: what they would say is known of one side only,
and stands in no list of what differs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modeldiff.architectures import FactPair
from modeldiff.architectures.facts.alike import what_differs
from modeldiff.architectures.facts.config_entries import MOST_SHOWN
from modeldiff.architectures.facts.lineage import read_lineage
from modeldiff.checkpoints.references import demo_folder
from modeldiff.cli import main
from modeldiff.companions import Glance
from modeldiff.comparison import Comparison
from modeldiff.drawings.comparison.lineage import stack_lines
from modeldiff.drawings.report.architecture import different_facts_html
from modeldiff.findings.companions import (
    companions_document,
    companions_headline,
    describe_companions,
)
from modeldiff.ui.presentation.facts_slide import facts_slide
from tests.support.companions import parts_of, write_companions


@pytest.fixture
def pair(tmp_path: Path) -> Comparison:
    """A folder with its configs and its weights as a run saves them, without any."""
    folder = shutil.copytree(demo_folder("base"), tmp_path / "base")
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "top_k": 9}))
    torch.save({"model": load_file(folder / "model.safetensors")}, tmp_path / "run.pt")
    return Comparison.open(str(folder), str(tmp_path / "run.pt"))


def test_the_first_screen_does_not_say_that_they_differ(pair: Comparison) -> None:
    found = pair.differing_companions
    assert found.different == ()
    assert {"generation config", "config"} <= set(found.only_base)
    turned = Comparison.of(*reversed(pair.checkpoints)).differing_companions
    assert turned == Glance(only_target=found.only_base)


def test_the_title_says_which_side_has_a_file(pair: Comparison) -> None:
    said = what_differs(pair.facts)
    assert "entries" not in said
    assert said.endswith("; config.json and generation_config.json are known of base only")


def test_entries_are_counted_beyond_those_that_are_shown(tmp_path: Path) -> None:
    config = {"model_type": "llama", "num_hidden_layers": 2}
    more = {f"entry_{n}": n for n in range(MOST_SHOWN + 7)}
    sides = [
        str(write_companions(tmp_path / name, {"config.json": each}))
        for name, each in (("one", config), ("other", {**config, **more}))
    ]
    said = what_differs(Comparison.open(*sides).facts)
    assert f"{MOST_SHOWN + 7} entries of the configs" in said


def test_a_table_of_differences_has_the_others_apart(pair: Comparison) -> None:
    html = different_facts_html(pair.facts)
    different, _, one_sided = html.partition("Known of one side only")
    assert "Attention heads" not in different and "Attention heads" in one_sided
    # Nothing differs, so all rows stand below.
    assert different.count("<tr>") == 1


def test_the_slide_has_no_row_that_does_not_differ(pair: Comparison) -> None:
    slide = facts_slide(pair)
    assert "known of one side only" in slide.about
    assert "<table>" not in slide.html


def test_a_step_of_a_line_tells_them_apart(pair: Comparison) -> None:
    architectures = [pair.base.architecture, pair.target.architecture]
    _, step = read_lineage(architectures)
    assert step is not None
    assert all(each.differs for each in (*step.telling, *step.rest))
    assert {"heads", "context"} <= {each.key for each in step.one_sided}
    assert step.same + len(step.pairs) == len(
        [each for each in pair.facts if not each.key.startswith("entry.")]
    )
    steps = [each for each in read_lineage(architectures) if each is not None]
    # The context of one is not known, nor its heads: they are not said to be others.
    lines = stack_lines(steps)
    assert not any(any(line.changed) for line in lines)
    assert not [chip for line in lines for chips in line.chips for chip in chips or () if chip.mark]


def test_what_lies_beside_is_known_of_one_side(pair: Comparison) -> None:
    parts = describe_companions(pair.companions, pair.facts)
    headline = companions_headline(parts)
    assert "differ" not in headline
    assert re.search(r"Known of the base only: .*generation config and config", headline)
    by_key = {part.key: part for part in parts}
    for key in ("generation", "config"):
        part = by_key[key]
        assert part.alone == "base" and not part.differs
        assert all(fact.one_sided and not fact.meaning for fact in part.facts)
    # Scripts are still told that the two are not the same.
    document = companions_document(pair.companions, pair.facts)
    differs = {part["part"]: part["differs"] for part in document["parts"]}
    assert differs["config"] and differs["generation"]


def test_a_setting_that_is_gone_is_not_said_to_sample_nothing(tmp_path: Path) -> None:
    sides = [
        write_companions(tmp_path / name, {"generation_config.json": {"top_k": 9, **more}})
        for name, more in (("one", {"do_sample": True}), ("other", {}))
    ]
    (fact,) = [fact for fact in parts_of(*sides)["generation"].facts if not fact.same]
    assert fact.meaning == "Not set in the target's file."


def test_files_that_say_nothing_are_not_denied(tmp_path: Path) -> None:
    sides = [
        write_companions(tmp_path / name, {"generation_config.json": each})
        for name, each in (("one", {"top_k": 9}), ("other", {}))
    ]
    assert parts_of(*sides)["generation"].sentences == (
        "Only the base is known to have a generation config.",
    )


def test_the_command_line_marks_a_file_of_one_side(
    pair: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *pair.references]) == 0
    out = capsys.readouterr().out
    assert "? config.json: The base: " in out
    marked = [line for line in out.splitlines() if line.startswith("* ")]
    assert not marked


def test_one_sided_is_neither_the_same_nor_a_difference(pair: Comparison) -> None:
    def kinds(fact: FactPair) -> int:
        return sum((fact.same, fact.differs, fact.one_sided))

    assert all(kinds(fact) == 1 for fact in pair.facts)


def test_an_estimate_of_memory_says_for_how_long_a_text(pair: Comparison) -> None:
    memory = {fact.key: fact for fact in pair.facts}["memory_bytes"]
    assert memory.one_sided and memory.base is not None and memory.target is not None
    assert memory.base.text.endswith("for 512 tokens"), "its own context, which is shorter"
    assert memory.target.text.endswith("for 8,192 tokens (its context is not known)")
    assert "with a text of 8,192 tokens" in memory.meaning and "one of 512" in memory.meaning
    known = Comparison.open("catalog:llama-3-8b", "catalog:qwen2-7b")
    memory = {fact.key: fact for fact in known.facts}["memory_bytes"]
    assert memory.differs and "with a text of 8,192 tokens: " in memory.meaning
