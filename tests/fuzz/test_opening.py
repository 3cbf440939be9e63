"""Headers, indexes and configs: what safetensors refuses is refused, and nothing else happens than
one of our errors, with a word on what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from modeldiff.model import Model
from tests.fuzz.bending import bent_bytes, bent_json
from tests.support.fuzzed import only_our_errors
from tests.support.results import write_model
from tests.support.safetensors_files import write_sharded
from tests.support.written_headers import metadata, parse, tensors, write

FUZZ = settings.get_profile("fuzz")
LONGEST_MESSAGE = 1000
CONFIG: dict[str, Any] = json.loads(Path("demo/base/config.json").read_text())


@FUZZ
@given(tensors, metadata, st.data())
def test_headers(tensors: Any, metadata: Any, data: st.DataObject) -> None:
    content = data.draw(bent_bytes(write(tensors, metadata)))
    try:
        header = parse(content)
    except ModeldiffError as error:
        assert error.hint
        return
    accepted = dict(safetensors.deserialize(content))  # type: ignore[no-untyped-call]
    assert {info.name: list(info.shape) for info in header.tensors} == {
        name: tensor["shape"] for name, tensor in accepted.items()
    }


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shards = {f"model-{n}-of-2.safetensors": (f"a{n}", f"b{n}") for n in (1, 2)}
    return write_sharded(tmp_path_factory.mktemp("sharded") / "model", shards)


@FUZZ
@given(st.data())
def test_indexes(sharded: Path, data: st.DataObject) -> None:
    index = sharded / "model.safetensors.index.json"
    sound = index.read_bytes()
    try:
        index.write_bytes(data.draw(bent_json(json.loads(sound)) | bent_bytes(sound)))
        with only_our_errors(LONGEST_MESSAGE):
            model = Model.open(str(sharded))
            assert {"a1", "b1", "a2", "b2"} >= {info.name for info in model.checkpoint.tensors}
    finally:
        index.write_bytes(sound)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return write_model(folder / "base", seed=1), write_model(folder / "target", seed=1, change=0.1)


@FUZZ
@given(st.data())
def test_configs_beside_weights(models: tuple[Path, Path], data: st.DataObject) -> None:
    """The config is commentary: whatever it says, the pair is opened with all its tensors, or it
    is said why not, and its facts can be read."""
    base, target = models
    sound = json.dumps(CONFIG).encode()
    config = target / "config.json"
    config.write_bytes(data.draw(bent_json(CONFIG) | bent_bytes(sound)))
    (base / "config.json").write_bytes(sound)
    with only_our_errors(LONGEST_MESSAGE):
        comparison = Comparison.open(str(base), str(target))
        assert len(list(comparison.facts)) > 0
        assert len(comparison.unmeasured) == 11


@FUZZ
@given(st.data())
def test_configs_alone(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(data.draw(bent_json(CONFIG, most=2)))
    with only_our_errors(LONGEST_MESSAGE):
        Model.open(str(path))


def test_the_fuzzed_models_are_sound(models: tuple[Path, Path], tmp_path: Path) -> None:
    """Else every target would be content with the first error."""
    whole = shutil.copytree(models[0], tmp_path / "whole")
    (whole / "config.json").write_text(json.dumps(CONFIG))
    assert len(Model.open(str(whole)).checkpoint.tensors) == 11
