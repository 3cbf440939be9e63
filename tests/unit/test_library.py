"""The front door: what is exported, what it costs, what it takes, and how it shows itself."""

from __future__ import annotations

import base64
import dataclasses
import inspect
import pickle
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import modeldiff
from modeldiff.changes import Change, ChangeTable, Progress
from modeldiff.checkpoints import parse_reference
from modeldiff.errors import Cancelled, CheckpointNotFound, ModeldiffError, UnknownName
from tests.support.results import cache_at, write_model

ROOT = Path(__file__).parents[2]


def in_a_process_of_its_own(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def documented_callables(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What is exported under a name that can be called, and what can be called on it."""
    if isinstance(value, types.FunctionType):
        yield name, value
    elif isinstance(value, type):
        if dataclasses.is_dataclass(value):
            yield name, value
        for member in vars(value):
            if not member.startswith("_") or member in ("__getitem__", "__contains__"):
                function = getattr(value, member)
                if inspect.isfunction(function) or inspect.ismethod(function):
                    yield f"{name}.{member}", function


class TestExports:
    def test_they_are_these(self) -> None:
        assert set(modeldiff.__all__) == {
            *("open", "compare", "diff", "load_result", "errors", "__version__"),
            *("Model", "Comparison", "ChangeTable", "Change", "Statistics"),
            *("Place", "Architecture", "Checkpoint"),
        }

    def test_all_of_them_are_there_and_nothing_else_is_listed(self) -> None:
        for name in modeldiff.__all__:
            assert getattr(modeldiff, name) is not None
        listed = {name for name in dir(modeldiff) if not re.fullmatch("__.*__", name)}
        assert listed == set(modeldiff.__all__) - {"__version__"}

    def test_types_and_functions_say_what_they_are(self) -> None:
        for name in modeldiff.__all__:
            value = getattr(modeldiff, name)
            if isinstance(value, type | types.FunctionType):
                assert value.__name__ == name
            if not isinstance(value, str):
                assert value.__doc__

    def test_public_docstrings_name_every_parameter_and_field(self) -> None:
        unnamed = []
        for name in modeldiff.__all__:
            value = getattr(modeldiff, name)
            for called, documented in documented_callables(name, value):
                parameters = set(inspect.signature(documented).parameters) - {"self", "cls"}
                text = documented.__doc__ or ""
                unnamed += [f"{called}({p})" for p in parameters if f"``{p}``" not in text]
        assert not unnamed

    def test_what_is_not_there_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="nothing_of_this_name"):
            modeldiff.nothing_of_this_name  # noqa: B018

    def test_importing_it_imports_nothing_but_python(self) -> None:
        code = (
            "import sys; before = set(sys.modules)\n"
            "import modeldiff\n"
            "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
            "print(sorted(new - set(sys.stdlib_module_names)))"
        )
        assert in_a_process_of_its_own(code) == "['modeldiff']\n"

    def test_comparing_imports_neither_compiler_nor_frames(self) -> None:
        code = (
            "import sys, modeldiff\n"
            "modeldiff.compare('demo:base', 'demo:tuned').facts\n"
            "heavy = {'torch', 'numba', 'llvmlite', 'pandas', 'altair', 'streamlit'}\n"
            "print(heavy & set(sys.modules))"
        )
        assert in_a_process_of_its_own(code) == "set()\n"


class TestOpening:
    def test_whatever_names_a_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = write_model(tmp_path / "owner" / "name", seed=1)
        model = modeldiff.open(str(folder))
        assert modeldiff.open(model) is model
        assert modeldiff.open(model.checkpoint).checkpoint is model.checkpoint
        for other in (folder, parse_reference(str(folder))):
            assert modeldiff.open(other).checkpoint.fingerprint == model.checkpoint.fingerprint
        monkeypatch.chdir(tmp_path)
        assert modeldiff.open(Path("owner/name")).reference == str(folder)

    @pytest.mark.parametrize("other", [None, 5, b"demo:base", ["demo:base"], object()])
    def test_what_names_no_model_is_a_wrong_type(self, other: Any) -> None:
        with pytest.raises(TypeError, match=type(other).__name__):
            modeldiff.open(other)
        with pytest.raises(TypeError, match="a text or a path"):
            modeldiff.compare("demo:base", other)

    def test_a_path_is_no_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(CheckpointNotFound, match=str(tmp_path / "owner" / "name")):
            modeldiff.open(Path("owner/name"))

    def test_a_tensor_by_name(self) -> None:
        checkpoint = modeldiff.open("demo:base").checkpoint
        assert list(checkpoint) == [tensor.name for tensor in checkpoint.tensors]
        for tensor in checkpoint.tensors:
            assert checkpoint[tensor.name] is tensor
            assert tensor.name in checkpoint
        assert "lm_head" not in checkpoint

    def test_a_parameter_by_place(self) -> None:
        architecture = modeldiff.open("demo:base").architecture
        assert list(architecture) == [parameter.place for parameter in architecture.parameters]
        for parameter in architecture.parameters:
            assert architecture[parameter.place] is parameter
        assert modeldiff.Place(8, "mlp.up_proj") not in architecture

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("model.layer.0.mlp.up_proj.weight", "'model.layers.0.mlp.up_proj.weight'"),
            ("zzz", "all its names"),
            ("x" * 100_000, "all its names"),
        ],
    )
    def test_a_name_that_is_not_there(self, name: str, hint: str) -> None:
        checkpoint = modeldiff.open("demo:base").checkpoint
        with pytest.raises(KeyError) as caught:
            checkpoint[name]
        error = caught.value
        assert isinstance(error, UnknownName)
        assert isinstance(error, ModeldiffError)
        assert hint in error.hint
        assert str(error).startswith(f"demo:base has no tensor '{name[:50]}")
        assert len(str(error)) < 200
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.hint) == (str(error), error.hint)

    @pytest.mark.parametrize(
        ("layer", "component", "hint"),
        [
            (99, "mlp.up_proj", "other layers"),
            (3, "mlp.upproj", "'mlp.up_proj'"),
            (None, "zzz", "all its places"),
        ],
    )
    def test_a_place_that_is_not_there(self, layer: int | None, component: str, hint: str) -> None:
        architecture = modeldiff.open("demo:base").architecture
        with pytest.raises(UnknownName) as caught:
            architecture[modeldiff.Place(layer, component)]
        assert hint in caught.value.hint


class TestDiff:
    def test_progress_and_rows_are_told(self, tmp_path: Path) -> None:
        steps: list[Progress] = []
        rows: list[modeldiff.Change] = []
        with cache_at(tmp_path / "cache"):
            table = modeldiff.diff(
                "demo:base", "demo:tuned", progress=steps.append, on_change=rows.append
            )
        assert isinstance(table, ChangeTable)
        assert len(rows) == len(table)
        assert {row.pair.id for row in rows} == {row.pair.id for row in table}
        done = [step.bytes_done for step in steps if step.phase == "measuring"]
        assert done == sorted(done)
        assert done[-1] == steps[-1].bytes_total

    def test_it_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        rows: list[Change] = []

        def stop(change: Change) -> None:
            rows.append(change)
            if len(rows) > 10:
                raise Cancelled("enough")

        steps: list[Progress] = []
        with cache_at(tmp_path / "cache"):
            with pytest.raises(Cancelled):
                modeldiff.diff("demo:base", "demo:tuned", on_change=stop)
            table = modeldiff.diff("demo:base", "demo:tuned", progress=steps.append)
        assert steps[-1].resumed_bytes > 0
        assert table == modeldiff.diff("demo:base", "demo:tuned", cache=False)

    def test_a_kept_result_is_found_by_the_comparisons_key(self, tmp_path: Path) -> None:
        key = modeldiff.compare("demo:base", "demo:tuned").key
        with cache_at(tmp_path / "cache"):
            assert modeldiff.load_result(key) is None
            table = modeldiff.diff("demo:base", "demo:tuned")
            result = modeldiff.load_result(key)
        assert result is not None
        assert result.changes == table

    def test_without_the_cache_nothing_is_kept(self, tmp_path: Path) -> None:
        with cache_at(tmp_path / "cache") as folder:
            modeldiff.diff("demo:base", "demo:tuned", cache=False)
            assert not folder.exists()


def pictures(html: str) -> list[ElementTree.Element]:
    """The drawings in a piece of HTML, which has to be well-formed but for its one kind of tag that
    is not closed."""
    closed = re.sub("(<img[^>]*)>", "\\1/>", html)
    ElementTree.fromstring(f"<div>{closed}</div>")
    found = re.findall('src="data:image/svg\\+xml;base64,([^"]*)"', html)
    return [ElementTree.fromstring(base64.b64decode(data)) for data in found]


def words_of(picture: ElementTree.Element) -> str:
    return " ".join(picture.itertext())


class TestInANotebook:
    """A notebook shows what ``_repr_html_`` returns, and the plain ``repr`` where there is none."""

    def test_plain_they_take_a_line(self) -> None:
        comparison = modeldiff.compare("demo:base", "demo:lora")
        shown: list[Any] = [
            *(comparison, comparison.base, comparison.base.checkpoint),
            *(comparison.base.architecture, comparison.unmeasured),
        ]
        for value in shown:
            assert "\n" not in repr(value)
            assert len(repr(value)) < 100
            assert type(value).__name__ in repr(value)

    def test_a_model_shows_its_architecture(self) -> None:
        model = modeldiff.open("demo:base")
        (picture,) = pictures(model._repr_html_())
        for words in ("lm_head", "down_proj", "one of 8 equal layers", "embed_tokens"):
            assert words in words_of(picture)
        assert pictures(model.architecture._repr_html_())[0] is not None

    def test_a_change_table_shows_its_narrative_and_its_heatmap(self) -> None:
        table = modeldiff.diff("demo:base", "demo:lora", cache=False)
        html = table._repr_html_()
        assert "16 of 75 tensors moved" in html
        (picture,) = pictures(html)
        median = table.at(modeldiff.Place(1, "self_attn.v_proj"))
        assert median is not None
        assert median.statistics is not None
        assert f"{median.statistics.median_pct:.1f}" in words_of(picture)
        assert "v_proj" in words_of(picture)

    def test_a_table_that_is_not_measured_shows_words_alone(self) -> None:
        html = modeldiff.compare("demo:base", "demo:lora").unmeasured._repr_html_()
        assert "75 tensors are not measured yet" in html
        assert pictures(html) == []

    def test_a_comparison_shows_what_differs(self, tmp_path: Path) -> None:
        other = write_model(tmp_path / "other", seed=1)
        html = modeldiff.compare("demo:base", str(other))._repr_html_()
        assert "facts differ" in html
        (picture,) = pictures(html)
        assert "Demo base" in words_of(picture)

    def test_a_comparison_shows_the_diff_where_it_is_kept(self, tmp_path: Path) -> None:
        comparison = modeldiff.compare("demo:base", "demo:lora")
        with cache_at(tmp_path / "cache"):
            assert pictures(comparison._repr_html_()) == []
            modeldiff.diff(comparison.base, comparison.target)
            html = comparison._repr_html_()
        (picture,) = pictures(html)
        assert "q_proj" in words_of(picture)
        assert "facts of the two architectures are the same" in html

    def test_names_from_files_are_text(self, tmp_path: Path) -> None:
        evil = "<script>alert(1)<script>"
        folder = write_model(tmp_path / evil, seed=1)
        comparison = modeldiff.compare(folder, "demo:base")
        for html in (comparison._repr_html_(), comparison.base._repr_html_()):
            assert evil not in html
            assert "&lt;script&gt;" in html
            pictures(html)

    def test_the_heatmap_needs_no_library_but_this(self, monkeypatch: pytest.MonkeyPatch) -> None:
        table = modeldiff.diff("demo:base", "demo:lora", cache=False)
        monkeypatch.setattr("modeldiff.extras.find_spec", lambda _: None)
        html = table._repr_html_()
        assert "16 of 75 tensors moved" in html
        assert len(pictures(html)) == 1
