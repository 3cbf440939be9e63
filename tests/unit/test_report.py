"""The standalone report: small enough for a mail, silent towards any network, right, and safe."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import numpy as np

from modeldiff.architectures import understand
from modeldiff.changes import Change, Pair, pair
from modeldiff.changes.change import Histogram
from modeldiff.changes.statistics.histogram import bucket_of
from modeldiff.drawings.report import MOST_BYTES
from modeldiff.drawings.report.table import BARS_A_DECADE, DECADES, distribution
from modeldiff.text.formatting import format_pct
from tests.support.architectures import llama_like, moe_like
from tests.support.changes import made_changes, made_statistics
from tests.support.named_shapes import checkpoint, published
from tests.support.reports import Parsed, made, report, report_of
from tests.support.results import a_result

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


def test_every_place_has_a_row_with_its_numbers_and_experts_are_folded() -> None:
    architecture = moe_like()
    result = made(architecture)
    page = Parsed(report_of(result, architecture, architecture))
    for (layer, column), statistics in result.changes.merged("cell").items():
        assert statistics is not None
        cells = page.row("" if layer is None else str(layer), column)
        assert format_pct(statistics.median_pct) in cells[5:8]
        assert format_pct(statistics.rel_frobenius_pct) in cells[5:8]
    experts = [c for c in result.changes if c.pair.place.expert is not None]
    one = experts[0].pair.place
    cell = one.layer, one.column
    same = [c for c in experts if (c.pair.place.layer, c.pair.place.column) == cell]
    assert page.row(str(one.layer), one.column)[2] == str(len(same)) != "1"
    # Margins are merged over all layers and over all of a layer.
    for column, statistics in result.changes.merged("column").items():
        if not result.changes.layers_of(column):
            continue
        assert statistics is not None
        assert format_pct(statistics.median_pct) in page.row("all", column)


def test_it_says_where_it_comes_from_and_what_the_numbers_mean() -> None:
    base, target = understand(published("llama-3-8b")), understand(published("llama-3.1-8b"))
    result = made(base, target)
    page = Parsed(report_of(result, base, target))
    words = " ".join(page.words)
    header = replace(result.header, options={"overlap": True})
    words_with_options = " ".join(
        Parsed(report_of(replace(result, header=header), base, target)).words
    )
    for part in (header.base_reference, header.base_fingerprint, header.target_reference):
        assert part in words
    assert header.target_fingerprint in words and f"modeldiff {header.version}" in words
    assert '"overlap": true' in words_with_options
    assert "facts differ" in words and "llama3 ×8 from 8,192" in words
    assert "The median relative change is" in words
    for term in ("Floor", "Ceiling", "What misleads", "Parameters", "Where"):
        assert term in words
    drawings = [attributes.get("class") for attributes in page.named("svg")]
    assert {"heatmap", "annotated", "pair"} <= set(drawings)


def test_nothing_is_asked_of_a_network() -> None:
    document = report(llama_like())
    page = Parsed(document)
    (policy,) = (m["content"] or "" for m in page.named("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy and "connect-src" not in policy
    (script,) = re.findall("<script>(.*?)</script>", document, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "unsafe-eval" not in policy
    for _, attributes in page.tags:
        for name in ("src", "srcset", "poster", "action", "data"):
            assert name not in attributes
        link = attributes.get("href") or "#"
        assert link.startswith("#") or link == "data:,"
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|url\((?!#)", document)
    assert set(re.findall(r"https?://[^\"' <]*", document)) <= {"http://www.w3.org/2000/svg"}


def test_names_from_files_stay_text() -> None:
    shapes = {
        f"model.layers.0.{HOSTILE}.weight": (4, 4),
        f"{HOSTILE}.weight": (4, 4),
        "model.embed_tokens.weight": (8, 4),
        "evil\u202egnp.weight": (4, 4),
    }
    config = {"model_type": HOSTILE[:60], "hidden_act": HOSTILE[:60]}
    architecture = understand(checkpoint(shapes, config))
    changes = made_changes(architecture, architecture, lambda _: 3.0)
    broken = Pair(changes[0].pair.place, "unreadable", changes[0].pair.base, None, HOSTILE)
    result = a_result(*changes[1:], Change(broken), base=HOSTILE)
    header = replace(
        result.header, base_fingerprint=HOSTILE, device=HOSTILE, created=HOSTILE, version=HOSTILE
    )
    document = report_of(replace(result, header=header), architecture, architecture)
    page = Parsed(document)
    assert len(page.named("script")) == 1 and not page.named("img")
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert any(HOSTILE in words for words in page.words)
    assert "\u202e" not in document


def test_a_model_of_45000_tensors_is_small_enough_for_a_mail() -> None:
    shapes = {"model.embed_tokens.weight": (64, 16), "model.norm.weight": (16,)}
    for layer in range(61):
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"model.layers.{layer}.self_attn.{name}.weight"] = (16, 16)
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"model.layers.{layer}.{name}.weight"] = (16,)
        for expert in range(245):
            for name in ("gate_proj", "up_proj", "down_proj"):
                shapes[f"model.layers.{layer}.mlp.experts.{expert}.{name}.weight"] = (16, 16)
    architecture = understand(checkpoint(shapes, {"model_type": "qwen3_moe", "num_experts": 245}))
    statistics = made_statistics(3.0)
    changes = [Change(one, statistics) for one in pair(architecture, architecture)]
    assert len(changes) > 45_000
    document = report_of(a_result(*changes), architecture, architecture)
    assert len(document.encode()) < MOST_BYTES
    assert "left out" not in document
    assert Parsed(document).row("60", "mlp.experts.up_proj")[2] == "245"


def test_what_cannot_be_folded_is_left_out_and_said() -> None:
    names = [f"net.{'x' * 60}{number:05}.weight" for number in range(20_000)]
    architecture = understand(checkpoint(dict.fromkeys(names, (4, 4))))
    little, much = made_statistics(1.0), made_statistics(40.0)
    changes = [
        Change(one, much if one.base and one.base.name == names[7] else little)
        for one in pair(architecture, architecture)
    ]
    document = report_of(a_result(*changes), architecture, architecture)
    assert len(document.encode()) < MOST_BYTES
    assert "rows are left out" in document
    # What changed most is not among what is left out.
    assert names[7].removesuffix(".weight") in document


def test_where_no_median_moved_another_metric_comes_first() -> None:
    architecture = llama_like()
    changes = made_changes(architecture, architecture, lambda _: 0.3)
    pairs = [change.pair for change in changes]
    rounded = [Change(one, made_statistics(0.3, unchanged=0.8)) for one in pairs]
    for given, metric in ((changes, "median_pct"), (rounded, "unchanged_pct")):
        page = Parsed(report_of(a_result(*given), architecture, architecture))
        (chosen,) = (option for option in page.named("option") if "selected" in option)
        assert chosen["value"] == metric
        pictures = [tag for tag in page.named("div") if tag.get("class") == "picture"]
        (seen,) = (tag for tag in pictures if "hidden" not in tag)
        assert seen["data-of"] == metric and len(pictures) > 3


def test_the_distribution_shows_where_elements_lie() -> None:
    values = np.array([0.01, 0.01, 0.01, 1e-9, 50.0])
    buckets, counts = np.unique(bucket_of(values), return_counts=True)
    bars = distribution(Histogram(9, 0, buckets, counts.astype(np.int64)))
    at = (0 - DECADES[0]) * BARS_A_DECADE  # 1 %, whose bucket may begin a hair below
    assert len(bars) == (DECADES[1] - DECADES[0]) * BARS_A_DECADE
    assert "z" in bars[at - 1 : at + 1]
    assert (bars[0], bars[-1]) == ("c", "c") and bars.count("0") == len(bars) - 3
    assert distribution(Histogram(9, 0, buckets[:0], counts[:0])) == ""


def test_norms_far_below_the_matrices_have_a_legend_and_colours_of_their_own() -> None:
    architecture = llama_like(2)

    def median(pair: Pair) -> float:
        return 2.0 if "norm" in pair.place.component else 30.0

    changes = made_changes(architecture, architecture, median)
    document = report_of(a_result(*changes), architecture, architecture)
    words = Parsed(document).words
    assert {"matrices", "norms"} <= set(words)
    colours = {
        place: (css[0], int(css[1:]))
        for css, place in re.findall(
            r'<a class="cell (\w+)"[^>]*aria-label="layer 0 · ([\w.]+):', document
        )
    }
    # 2 of 2 %, where all in one would leave it 2 of 30.
    assert colours["input_layernorm"] == ("n", 64)
    assert colours["mlp.up_proj"] == ("h", 64)


def test_each_cell_leads_to_its_row_and_back() -> None:
    base, target = llama_like(3), llama_like(4)
    page = Parsed(report(base, target))
    cells = [tag for tag in page.named("a") if (tag.get("class") or "").startswith("cell")]
    rows = {tag["id"]: tag for tag in page.named("tr") if "id" in tag}
    first = [cell for cell in cells if "id" in cell]
    assert len(first) > 30
    for cell in first:
        row = rows[(cell["href"] or "")[1:]]
        assert (cell["aria-label"] or "").startswith(f"{row['data-p']}: ")
    assert {f"c{(tag['id'] or '')[1:]}" for tag in rows.values()} >= {c["id"] for c in first}
