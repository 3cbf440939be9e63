"""Names are read by short ways where there is nothing to look at: they lead where long ones do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modeldiff.architectures.naming import placement
from modeldiff.architectures.place import Parameter
from modeldiff.architectures.spec import read_checkpoint
from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.checkpoint import Checkpoint
from tests.support.named_shapes import checkpoint, invented, tiny, tiny_names
from tests.support.swept_models import swept, swept_types

DATA = Path(__file__).parents[1] / "data"
FILES = sorted([*DATA.glob("quantised/*.safetensors"), *DATA.glob("converted/*.gguf")])


def _every_look(tensors: Any, quantised: Any) -> Any:
    return lambda tensor, plain: placement._role(tensor, plain, quantised)


def expect_the_same(monkeypatch: pytest.MonkeyPatch, read: Checkpoint) -> None:
    short: tuple[Parameter, ...] = read_checkpoint(read).parameters
    with monkeypatch.context() as patch:
        patch.setattr(placement._Reader, "takes_as_is", lambda *_: None)
        patch.setattr(placement, "_roles", _every_look)
        long = read_checkpoint(read).parameters
    assert short == long


def _experts_one_by_one(model: Checkpoint, ending: str) -> Checkpoint | None:
    """The same names and config where each stack of experts is stored expert by expert; None where
    there is none."""
    shapes: dict[str, tuple[int, ...]] = {}
    for tensor in model.tensors:
        before, experts, last = tensor.name.rpartition(".experts.")
        if not experts or len(tensor.shape) != 3 or "." in last:
            shapes[tensor.name] = tensor.shape
            continue
        for number in range(tensor.shape[0]):
            shapes[f"{before}.experts.{number}.{last}{ending}"] = tensor.shape[1:]
    if shapes.keys() == {tensor.name for tensor in model.tensors}:
        return None
    return checkpoint(shapes, model.config)


@pytest.mark.parametrize("start", range(0, len(swept_types()), 40))
def test_of_all_that_transformers_builds(monkeypatch: pytest.MonkeyPatch, start: int) -> None:
    for name in swept_types()[start : start + 40]:
        model = swept(name)
        expect_the_same(monkeypatch, model)
        for ending in ("", ".weight"):
            if (singles := _experts_one_by_one(model, ending)) is not None:
                expect_the_same(monkeypatch, singles)


def test_of_tiny_models_and_of_names_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tiny_names():
        expect_the_same(monkeypatch, tiny(name))
    expect_the_same(monkeypatch, invented())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_of_codes_and_converted_models(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    expect_the_same(monkeypatch, open_checkpoint(str(path)))
