"""The annotated diagram: nothing lies on another, every parameter is drawn, numbered and told."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from modeldiff.architectures import Architecture, understand
from modeldiff.architectures.architecture import GivenFlow
from modeldiff.changes import ChangeTable
from modeldiff.changes.change import SharedRows
from modeldiff.checkpoints import open_checkpoint
from modeldiff.drawings import CSS_PALETTE, DARK, LIGHT, METRICS
from modeldiff.drawings.annotated.annotated import LEAST_TEXT, Drawing
from modeldiff.drawings.annotated.colours import GROUPS, Colours, ink
from modeldiff.drawings.annotated.heads import heads_of
from modeldiff.drawings.output.text_sizes import least_text_size
from tests.support.annotated import read_annotated
from tests.support.architectures import ALL, llama_like, moe_like
from tests.support.changes import continued, made_changes, made_statistics
from tests.support.named_shapes import checkpoint

MEDIAN = METRICS[0]
CATALOG = ("gpt2-124m", "llama-3.1-8b", "gemma-3-4b", "deepseek-v3", "gpt-oss-20b", "olmo-2-7b")
WIDTHS = (1232.0, 800.0, 398.0)


@cache
def model(name: str) -> Architecture:
    make = ALL.get(name)
    return make() if make else understand(open_checkpoint(f"catalog:{name}"))


def drawing(name: str, layer: int | None = None, *, measured: bool = False) -> Drawing:
    architecture = model(name)
    changes = made_changes(architecture, architecture, continued) if measured else None
    return Drawing(architecture, name, MEDIAN, layer, changes)


def nodes(svg: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter() if one.get("data-node")]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*ALL, *CATALOG])
def test_nothing_lies_on_another(name: str, width: float) -> None:
    page = read_annotated(drawing(name, measured=name in ALL).svg(width, LIGHT))
    assert page.width >= width
    for one, other in combinations(page.boxes, 2):
        assert not one.meets(other), (one, other)
    for one, other in combinations(page.texts, 2):
        assert not one.meets(other), (one, other)
    held = {box.node: box for box in page.boxes}
    for area in (*page.texts, *page.boxes):
        assert area.left >= -0.5 and area.right <= page.width + 0.5, area
        assert area.top >= -2 and area.bottom <= page.height, area
    for text in page.texts:
        if text.node is None:
            assert not any(text.meets(box) for box in page.boxes), text
        else:
            box = held[text.node]
            assert box.left <= text.left and text.right <= box.right, (text, box)
            assert box.top <= text.top and text.bottom <= box.bottom, (text, box)


@pytest.mark.parametrize("name", [*ALL, *CATALOG])
def test_every_parameter_is_drawn_once_numbered_and_told(name: str) -> None:
    architecture = model(name)
    svg = drawing(name).svg(1232, LIGHT)
    drawn = nodes(svg)
    kinds = architecture.layer_kinds
    wanted = Counter(
        node.id for node in architecture.nodes(kinds) if node.kind not in ("operation", "input")
    )
    assert Counter(str(one.get("data-node")) for one in drawn) == wanted
    inside = {node.id for kind in kinds for node in kind.nodes()}
    numbers = {int(str(one.get("data-number"))) for one in drawn if one.get("data-number")}
    assert numbers == set(range(1, len(numbers) + 1))
    assert all(bool(one.get("data-number")) == (one.get("data-node") in inside) for one in drawn)
    root = ElementTree.fromstring(svg)
    listed = [g for g in root.iter() if (g.get("class") or "").startswith("listed ")]
    assert len(listed) == len(numbers)
    for entry in listed:
        words = " ".join("".join(entry.itertext()).split())
        assert words.endswith((".", "!")), words


@pytest.mark.parametrize("pattern", ["part{0}x.thing.weight", "net.blocks.{1}.m{0}q.weight"])
@pytest.mark.parametrize("width", [1232.0, 398.0])
def test_many_names_that_nobody_knows_stay_apart(pattern: str, width: float) -> None:
    names = [pattern.format(number, layer) for number in range(60) for layer in range(2)]
    architecture = understand(checkpoint(dict.fromkeys(names, (8, 8))))
    page = read_annotated(Drawing(architecture, "x", MEDIAN).svg(width, LIGHT))
    assert len(page.boxes) >= 60
    for one, other in combinations(page.boxes, 2):
        assert not one.meets(other), (one, other)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_least_text_is_14_pixels(width: float) -> None:
    svg = drawing("llama-3.1-8b").svg(width, LIGHT)
    assert least_text_size(svg) == LEAST_TEXT == 14


def test_query_heads_are_drawn_one_by_one_in_the_groups_that_share() -> None:
    svg = drawing("llama-3.1-8b").svg(1232, LIGHT)
    rects = [r for r in ElementTree.fromstring(svg).iter() if r.tag.endswith("rect")]
    query = sorted(float(r.attrib["x"]) for r in rects if r.get("class") == "head")
    assert len(query) == 32
    assert sum(r.get("class") == "shared" for r in rects) == 2 * 8
    gaps = [b - a for a, b in pairwise(query)]
    wide = [number for number, gap in enumerate(gaps, 1) if gap > 1.2 * min(gaps)]
    assert wide == [4, 8, 12, 16, 20, 24, 28], "a wider gap after each four"
    [sharing] = re.findall(r'class="sharing" d="([^"]+)"', svg)
    assert sharing.count("h") == 8
    assert "4 query heads share one key and value head" in svg


def test_many_heads_are_drawn_as_their_groups_alone() -> None:
    heads = heads_of("self_attn.q_proj", model("llama-3.1-8b"))
    assert heads is not None and len(list(heads.strips(0, 200))) == 32
    svg = drawing("deepseek-v3").svg(1232, LIGHT)
    assert 'class="head"' not in svg
    assert "all heads share 576 numbers a token" in svg


def test_playing_through_layers_changes_the_numbers_alone() -> None:
    pages = [
        read_annotated(drawing("llama", layer, measured=True).svg(1112, LIGHT))
        for layer in (None, 0, 1, 7)
    ]
    places = {
        tuple((box.what, box.left, box.top, box.right, box.bottom) for box in page.boxes)
        for page in pages
    }
    assert len(places) == 1
    assert len({page.height for page in pages}) == 1


def test_one_band_on_a_page_and_on_a_full_screen() -> None:
    for width in (1112.0, 1232.0):
        for measured in (False, True):
            svg = drawing("llama-3.1-8b", measured=measured).svg(width, LIGHT)
            height = float(ElementTree.fromstring(svg).attrib["height"])
            assert height < 720, "it fits a slide of 1280 × 720"


def test_boxes_come_in_the_order_of_the_data() -> None:
    order = [str(one.get("data-node")) for one in nodes(drawing("llama").svg(1232, LIGHT))]
    assert order[0] == "embed_tokens" and order[-2:] == ["norm", "lm_head"]
    names = [name.rpartition(".")[2] for name in order[1:-2]]
    assert names == [
        *("input_layernorm", "q_proj", "k_proj", "v_proj", "o_proj"),
        *("post_attention_layernorm", "gate_proj", "up_proj", "down_proj"),
    ]


def test_boxes_stay_in_place_when_numbers_come() -> None:
    for width in WIDTHS:
        before, after = (
            read_annotated(drawing("llama", measured=measured).svg(width, LIGHT))
            for measured in (False, True)
        )
        assert [(b.left, b.top) for b in before.boxes] == [(b.left, b.top) for b in after.boxes]


def test_what_only_the_other_side_has_is_named() -> None:
    base, target = llama_like(2), llama_like(2, qkv_bias=True)
    changes = made_changes(base, target, continued)
    one = Drawing(base, "base", MEDIAN, None, changes)
    assert "self_attn.q_proj.bias" in one.not_drawn()
    assert Drawing(base, "base", MEDIAN).not_drawn() == ()


def test_the_key_names_both_scales_and_where_they_end() -> None:
    one = drawing("llama", measured=True)
    words = " ".join(ElementTree.fromstring(one.svg(1232, LIGHT)).itertext())
    assert "Median relative change, %:" in words
    for second, name in ((False, "matrices"), (True, "norms and biases")):
        assert name in words and one.scales()[second].reach in words
    assert "norms and biases" not in " ".join(
        ElementTree.fromstring(drawing("llama").svg(1232, LIGHT)).itertext()
    )


def test_no_number_says_0_where_tensors_are_equal_or_a_few_elements_moved() -> None:
    """A median of 0 is said of both, and means neither."""
    architecture = model("llama")
    changes = made_changes(architecture, architecture, lambda _: 0.0)
    rows = [
        replace(row, statistics=made_statistics(20.0, unchanged=0.88))
        if row.pair.place.component.endswith("q_proj")
        else row
        for row in changes
    ]
    for layer in (None, 0):
        svg = Drawing(architecture, "x", MEDIAN, layer, ChangeTable(rows)).svg(1232.0, LIGHT)
        drawn = {one.get("data-node"): one for one in nodes(svg)}
        query, key = drawn["self_attn.q_proj"], drawn["self_attn.k_proj"]
        assert "≈" in query.itertext() and "=" in key.itertext()
        assert "12.0 % of its elements moved" in (query.get("aria-label") or "")
        assert "exactly equal" in (key.get("aria-label") or "")
        texts = [*ElementTree.fromstring(svg).itertext()]
        assert "≈  fewer than half its elements moved" in texts and "=  exactly equal" in texts
        assert not any(text.startswith("0.00") for text in texts)


def test_numbers_have_the_colour_of_their_own_scale() -> None:
    one = drawing("llama", measured=True)
    scales = one.scales()
    assert scales[False].top > 4 * scales[True].top
    svg = one.svg(1232, LIGHT)
    assert svg.count('class="chip"') == len(nodes(svg))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_ink_reads_on_every_ground(palette: object) -> None:
    colours = Colours(LIGHT if palette is LIGHT else DARK)
    grounds = [
        colours.heat(step / 40, second=second) for step in range(41) for second in (False, True)
    ]
    for ground, on_it in (*grounds, *((colours.group(g), colours.on_group(g)) for g in GROUPS)):
        assert contrast(ground, on_it) >= 4.5
    for group in GROUPS:
        assert contrast(colours.tint(group), colours.palette.muted) >= 4.5
    assert ink("#ffffff") == "#000000" and ink("#000000") == "#ffffff"


def test_the_page_has_both_themes_in_one_drawing() -> None:
    svg = drawing("llama", measured=True).svg(1232, CSS_PALETTE)
    assert "light-dark(#" in svg and "var(--st-text-color)" in svg
    assert "light-dark" not in drawing("llama").svg(1232, DARK)


def test_hostile_names_are_text() -> None:
    evil = "<script>alert(1)</script>&\x00\ud800" * 50
    for width in WIDTHS:
        svg = Drawing(model("strange"), evil, MEDIAN).svg(width, LIGHT)
        ElementTree.fromstring(svg)
        assert "<script" not in svg


def test_what_differs_is_told_in_words() -> None:
    base = llama_like(3, hidden=64)
    target = llama_like(2, hidden=96, qkv_bias=True)
    changes = made_changes(base, target, continued)

    def spoken(side: Architecture, layer: int, name: str) -> str:
        drawn = nodes(Drawing(side, "x", MEDIAN, layer, changes).svg(1232, LIGHT))
        (one,) = (one for one in drawn if one.get("data-node") == name)
        return str(one.get("aria-label"))

    assert "target has 4096 → 96" in spoken(base, 1, "mlp.up_proj")
    assert "only in base" in spoken(base, 2, "self_attn.q_proj")
    assert "base has 4096 → 64" in spoken(target, 1, "mlp.up_proj")
    assert "only in target" in spoken(target, 1, "self_attn.q_proj")


def test_a_tied_head_shows_the_embeddings_change() -> None:
    architecture = llama_like(2, tied=True)
    changes = made_changes(architecture, architecture, lambda p: 12.0)
    drawn = nodes(Drawing(architecture, "x", MEDIAN, 0, changes).svg(1232, LIGHT))
    (head,) = (one for one in drawn if one.get("data-node") == "lm_head")
    label = str(head.get("aria-label"))
    assert "median relative change 12.0 %" in label and label.endswith("tied")


def test_experts_are_one_box_with_their_merged_change() -> None:
    architecture = moe_like(experts=3)
    medians = {0: 1.0, 1: 1.0, 2: 100.0}
    changes = made_changes(architecture, architecture, lambda p: medians[p.place.expert or 0])
    drawn = nodes(Drawing(architecture, "x", MEDIAN, 1, changes).svg(1232, LIGHT))
    (box,) = (one for one in drawn if one.get("data-node") == "mlp.experts.up_proj")
    [number] = re.findall(r"median relative change ([\d.]+) %", str(box.get("aria-label")))
    assert float(number) < 10


@pytest.mark.parametrize("selected", ["self_attn.q_proj", "self_attn.q_proj.bias"])
def test_the_chosen_component_is_pressed(selected: str) -> None:
    architecture = llama_like(2, qkv_bias=True)
    svg = Drawing(architecture, "x", MEDIAN, 1, selected=selected).svg(1232, LIGHT)
    pressed = [one.get("data-node") for one in nodes(svg) if one.get("aria-pressed") == "true"]
    assert pressed == ["self_attn.q_proj"]


def test_a_box_names_the_tensors_behind_it() -> None:
    drawn = nodes(Drawing(llama_like(5), "x", MEDIAN).svg(1232, LIGHT))
    (box,) = (one for one in drawn if one.get("data-node") == "mlp.up_proj")
    (title,) = (one.text or "" for one in box if one.tag.endswith("title"))
    assert "model.layers.2.mlp.up_proj.weight and 2 more" in title
    assert "4096 → 14336" in title and "of parameters" in title


def test_an_architecture_without_layers_or_tail_is_still_drawn() -> None:
    bare = replace(model("strange").with_kinds(()), layer_count=0)
    svg = Drawing(bare, "x", MEDIAN).svg(1232, LIGHT)
    assert [one.get("data-node") for one in nodes(svg)] == ["tok_table"]
    nothing = replace(bare, parameters=(), flow=GivenFlow((), (), (), (), ()))
    assert ElementTree.fromstring(Drawing(nothing, "x", MEDIAN, 5).svg(1232, LIGHT)) is not None


def contrast(one: str, other: str) -> float:
    lights = sorted(_luminance(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_what_was_measured_in_part_or_is_broken_is_marked() -> None:
    architecture = model("llama")
    changes = made_changes(architecture, architecture, continued)
    rows = list(changes)
    embedding = next(i for i, row in enumerate(rows) if "embed" in row.pair.place.component)
    pair = replace(rows[embedding].pair, shared=SharedRows(5, 5, 8, "number"))
    rows[embedding] = replace(rows[embedding], pair=pair)
    broken = next(i for i, row in enumerate(rows) if "q_proj" in row.pair.place.component)
    statistics = rows[broken].statistics
    assert statistics is not None
    rows[broken] = replace(rows[broken], statistics=replace(statistics, nonfinite_target=3))
    svg = Drawing(architecture, "x", MEDIAN, 0, ChangeTable(rows)).svg(1232.0, LIGHT)
    said = {one.get("data-node"): one for one in nodes(svg)}
    embed = next(one for name, one in said.items() if name and "embed" in name)
    query = next(one for name, one in said.items() if name and "q_proj" in name)
    assert "only rows that both have" in (embed.get("aria-label") or "")
    assert any(each.tag.endswith("path") for each in embed.iter())
    assert "NaN or infinite values" in (query.get("aria-label") or "")
    assert any((each.text or "").startswith("! ") for each in query.iter())
