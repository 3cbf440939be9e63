"""The gallery: what is shipped opens anywhere, and what may not be published is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modeldiff import diff
from modeldiff.cli import main
from modeldiff.drawings import METRICS, Heatmap, gather_cells
from modeldiff.drawings.heatmap.shared_scale import on_one_scale
from modeldiff.errors import InvalidOption, ResultError
from modeldiff.results import find_result, open_result
from modeldiff.results.gallery.collection import gallery_entries, gallery_folder, read_entry_result
from modeldiff.results.gallery.entry import entry_json, parse_entry
from modeldiff.results.gallery.publishing import gallery_problems, publish_result
from scripts import gallery as script
from tests.support.results import cache_at, write_model

SHIPPED = Path(__file__).parents[2] / "gallery"
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[None]:
    with cache_at(tmp_path / "cache"):
        yield


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of one's own, with a copy of one entry."""
    folder = tmp_path / "gallery"
    folder.mkdir()
    for ending in ("json", "parquet"):
        shutil.copy(SHIPPED / f"demo-lora.{ending}", folder)
    monkeypatch.setenv("MODELDIFF_GALLERY", str(folder))
    return folder


class TestWhatIsShipped:
    def test_all_of_it_is_well(self) -> None:
        assert list(gallery_problems(SHIPPED)) == []

    @pytest.mark.parametrize("name", ["continued", "lora", "tuned", "unrelated"])
    def test_an_entry_holds_what_its_models_give_today(self, name: str) -> None:
        shipped = read_entry_result(f"demo-{name}").changes
        measured = diff("demo:base", f"demo:{name}", device="cpu")
        assert [change.pair.place for change in shipped] == [c.pair.place for c in measured]
        for kept, fresh in zip(shipped, measured, strict=True):
            assert kept.statistics is not None and fresh.statistics is not None
            assert kept.statistics.median_pct == fresh.statistics.median_pct


class TestNames:
    def test_the_command_line_and_a_link_open_the_same(self, capsys: Output) -> None:
        opened, linked = open_result("gallery:demo-lora"), find_result("gallery:demo-lora")
        assert linked is not None and opened.header == linked.header
        assert main(["open", "gallery:demo-lora"]) == 0
        assert "75 tensors" in capsys.readouterr().out
        main(["list", "gallery", "--json"])
        listed = json.loads(capsys.readouterr().out)["gallery"]
        assert {entry["result"] for entry in listed} >= {"gallery:demo-lora"}

    @pytest.mark.parametrize(
        "name", ["gallery:", "gallery:demo-lor", "gallery:../gallery/demo-lora"]
    )
    def test_what_the_gallery_has_not(self, name: str) -> None:
        assert find_result(name) is None
        with pytest.raises(ResultError, match="has no entry"):
            open_result(name)

    def test_a_link_names_no_path(self, tmp_path: Path) -> None:
        path = tmp_path / "x.parquet"
        shutil.copy(SHIPPED / "demo-lora.parquet", path)
        assert open_result(str(path)).header.base_reference == "demo:base"
        assert find_result(str(path)) is None

    def test_an_entry_is_not_taken_for_what_was_measured_here(self) -> None:
        entry = open_result("gallery:demo-lora")
        assert entry.key != entry.header.key and find_result(entry.header.key) is None


class TestPublishing:
    def test_a_pair_with_one_command(self, tmp_path: Path, gallery: Path, capsys: Output) -> None:
        pair = [str(write_model(tmp_path / name, seed=1, change=c)) for name, c in _TWO.items()]
        add = ["add", *pair, "--title", "Ours: one, two", "--note", "A test.", "--device", "cpu"]
        assert script.main([*add, "--licence", "MIT"]) == 1
        error = capsys.readouterr().err
        assert "path of one machine" in error and not (gallery / "ours-one-two.json").exists()
        add += ["--base-source", "us/one", "--target-source", "us/two"]
        assert script.main(add) == 1
        assert "no licence" in capsys.readouterr().err
        assert script.main([*add, "--licence", "MIT"]) == 0
        assert script.main(["check"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "2 entries, all well"
        for folder in pair:
            shutil.rmtree(folder)
        result = open_result("gallery:ours-one-two")
        assert (result.header.base_reference, result.header.target_reference) == (
            "us/one",
            "us/two",
        )
        table = pq.read_table(gallery / "ours-one-two.parquet")
        everything = f"{table.to_pylist()} {table.schema.metadata}"
        assert "q_proj" in everything and str(tmp_path) not in everything

    def test_what_is_too_large_is_refused(self, gallery: Path) -> None:
        (entry,) = gallery_entries()
        result = read_entry_result(entry.name)
        large = "modeldiff.results.gallery.publishing.MAX_ENTRY_RESULT"
        with (
            pytest.MonkeyPatch.context() as patch,
            pytest.raises(InvalidOption, match="at most 10"),
        ):
            patch.setattr(large, 10)
            publish_result(result, entry, gallery)


_TWO = {"one": 0.0, "two": 0.1}


class TestCheck:
    def test_damage_is_found(self, gallery: Path) -> None:
        path = gallery / "demo-lora.parquet"
        content = bytearray(path.read_bytes())
        content[1000] ^= 1
        path.write_bytes(content)
        (problem,) = gallery_problems(gallery)
        assert problem.startswith("demo-lora: ") and "can't be read as a result" in problem

    def test_an_unsealed_copy_is_found(self, gallery: Path) -> None:
        path = gallery / "demo-lora.parquet"
        pq.write_table(pq.read_table(path), path)
        (problem,) = gallery_problems(gallery)
        assert "can't be read as a result" in problem

    def test_an_entry_of_another_result_is_found(self, gallery: Path) -> None:
        shutil.copy(SHIPPED / "demo-tuned.parquet", gallery / "demo-lora.parquet")
        assert list(gallery_problems(gallery)) == [
            "demo-lora: what it says of the target is not what was measured."
        ]

    @pytest.mark.parametrize(
        "change",
        [
            {"document": "modeldiff/gallery/9"},
            {"title": 5},
            {"title": "x" * 5_000},
            {"base": {"name": "x"}},
            {"more": "x"},
        ],
    )
    def test_a_lying_entry_hides_no_other(
        self, change: dict[str, object], gallery: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        values = json.loads((gallery / "demo-lora.json").read_text("utf-8"))
        (gallery / "bad.json").write_text(json.dumps(values | change), "utf-8")
        assert [entry.name for entry in gallery_entries()] == ["demo-lora"]
        assert "'bad' can't be read" in caplog.text
        assert any(problem.startswith("bad: ") for problem in gallery_problems(gallery))

    def test_an_entry_survives_its_file(self) -> None:
        (entry, *_) = gallery_entries()
        assert parse_entry(entry.name, entry_json(entry)) == entry


def test_pictures_on_one_scale_show_one_number_in_one_colour() -> None:
    results = [read_entry_result(name) for name in ("demo-continued", "demo-unrelated")]
    alone = [Heatmap.of_cells(gather_cells(each.changes), METRICS[0]) for each in results]
    shared = on_one_scale(alone)
    tops = [{name: scale.top for name, scale in each.scales.scales.items()} for each in alone]
    largest = {name: max(each[name] for each in tops) for name in tops[0]}
    assert tops[0] != tops[1]
    for heatmap in shared:
        assert {name: scale.top for name, scale in heatmap.scales.scales.items()} == largest


def test_the_folder_can_be_another(gallery: Path) -> None:
    assert gallery_folder() == gallery
