"""Models that are at hand, what they say they were made from, and files that somebody brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modeldiff.checkpoints import open_checkpoint, parse_reference
from modeldiff.checkpoints.given_configs import keep_given_config
from modeldiff.checkpoints.names import model_name
from modeldiff.checkpoints.nearby import cached_repositories, nearby_folders
from modeldiff.checkpoints.origins import origins_of
from modeldiff.comparison import Comparison
from modeldiff.errors import DamagedCheckpoint, InvalidReference, ResultError
from modeldiff.model import file_stamp
from modeldiff.results import find_result, keep_given_result, load_result, run_diff
from modeldiff.results.store.result_parquet import encode_result
from tests.support.small_models import write_llama


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))


def test_a_folder_of_models_lists_them_and_roots_bound_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, secret = tmp_path / "models", tmp_path / "secret"
    for name in ("checkpoint-1000", "checkpoint-500"):
        write_llama(models / name)
    write_llama(secret / "private")
    (models / "notes").mkdir()
    monkeypatch.setenv("MODELDIFF_ROOTS", str(models))
    listed = nearby_folders(str(secret / "private"))
    assert listed == (str(models / "checkpoint-500"), str(models / "checkpoint-1000"))


def test_repositories_of_the_hubs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("models--owner--one", "datasets--owner--two", "models--broken", "tmp"):
        (tmp_path / "hub" / name).mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert cached_repositories() == ("owner/one",)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nowhere"))
    assert cached_repositories() == ()


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        (
            "README.md",
            "---\nbase_model: meta-llama/Llama-3.1-8B\n---\n# x",
            ["meta-llama/Llama-3.1-8B"],
        ),
        (
            "README.md",
            '---\r\nbase_model:\r\n- "a/b"\r\n- c/d\r\n---\r\n',
            ["a/b", "c/d"],
        ),
        ("README.md", "---\nbase_model: [a/b, 'c/d']\n---\n", ["a/b", "c/d"]),
        ("README.md", "# no front matter\nbase_model: a/b\n", []),
        ("README.md", "---\nbase_model: <script>alert(1)</script>\n---\n", []),
        (
            "mergekit_config.yml",
            "models:\n  - model: a/b\n    weight: 1\n  - model: c/d\nbase_model: e/f\n",
            ["a/b", "c/d", "e/f"],
        ),
    ],
)
def test_what_a_checkpoint_was_made_from(
    tmp_path: Path, file: str, text: str, names: list[str]
) -> None:
    folder = write_llama(tmp_path / "model")
    (folder / file).write_bytes(text.encode())
    origins = origins_of(open_checkpoint(str(folder)))
    assert [origin.reference for origin in origins] == names
    source = "merge" if file.endswith("yml") else "card"
    assert {origin.source for origin in origins} <= {source}


def test_a_hostile_card_costs_little(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "model")
    items = "".join(f"- owner/model-{n}\n" for n in range(50_000))
    (folder / "README.md").write_text(f"---\nbase_model:\n{items}---\n", encoding="utf-8")
    assert len(origins_of(open_checkpoint(str(folder)))) == 8
    (folder / "README.md").write_text("---\n" + "- " * 500_000, encoding="utf-8")
    assert origins_of(open_checkpoint(str(folder))) == ()


def test_a_given_result_opens_without_its_weights_and_answers_for_nothing_else() -> None:
    pair = Comparison.open("demo:base", "demo:lora")
    result = run_diff(pair, cache=False)
    content = encode_result(result)
    given = keep_given_result(content, "x.parquet")
    loaded = find_result(given.key)
    assert loaded is not None and loaded.header == result.header
    assert len(loaded.changes) == len(result.changes)
    assert given.key != pair.key and load_result(pair.key) is None
    assert find_result("../../x") is None and find_result("0" * 64) is None


@pytest.mark.parametrize("cut", [0, 10, -20])
def test_what_is_no_result_is_refused(cut: int) -> None:
    content = encode_result(run_diff(Comparison.open("demo:base", "demo:lora"), cache=False))
    with pytest.raises(ResultError):
        keep_given_result(content[:cut], "x.parquet")


def test_a_given_config_can_be_opened_where_roots_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDIFF_ROOTS", str(tmp_path / "models"))
    config = (write_llama(tmp_path / "elsewhere") / "config.json").read_bytes()
    reference = keep_given_config(config, "../../My model.json")
    assert reference.startswith("given:") and reference.endswith("/My-model")
    parsed = parse_reference(reference)
    assert parse_reference(parsed.text) == parsed and model_name(parsed) == "My-model"
    assert Path(parsed.location).is_relative_to(tmp_path / "cache")
    assert open_checkpoint(reference).format == "config"
    kept = file_stamp(parsed)  # by which what was opened is found again, while the file lies there
    assert keep_given_config(config, "../../My model.json") == reference
    assert file_stamp(parsed) == kept
    for text in (str(tmp_path / "elsewhere" / "config.json"), f"given:../{'0' * 16}/x"):
        with pytest.raises(InvalidReference):
            parse_reference(text)
    with pytest.raises(InvalidReference, match="bring it again") as caught:
        parse_reference(f"given:{'0' * 16}/My-model")
    assert str(tmp_path / "cache") not in caught.value.message + caught.value.hint
    for content in (b"", b"[]", b"{", b"\xff\xfe"):
        with pytest.raises(DamagedCheckpoint):
            keep_given_config(content, "config.json")


def test_a_model_keeps_its_label_when_its_files_change(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "model")
    pair = Comparison.open(str(folder), str(folder))
    labelled = replace(pair, target=pair.target.labelled("Ours"))
    config = folder / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert labelled.reopened().names == ("model", "Ours")
