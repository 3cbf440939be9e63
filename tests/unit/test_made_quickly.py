"""Values that are made quickly are what dataclass makes of them."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from modeldiff.architectures.place import LayerNumbers, Parameter, Place
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.made_quickly import made_quickly

PLACE = Place(3, "mlp.up_proj", expert=2)
TENSOR = TensorInfo.stored("a", "BF16", (1, 2), "f", 0, 4)


@pytest.mark.parametrize("value", [PLACE, TENSOR, Parameter(PLACE, TENSOR, transposed=True)])
def test_they_are_values(value: Place | TensorInfo | Parameter) -> None:
    for copy in (replace(value), deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert (copy, hash(copy), repr(copy)) == (value, hash(value), repr(value))
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, "b")


def test_each_argument_is_its_field() -> None:
    place = Place(1, "a", "bias", 2, "vision", LayerNumbers(1, 4))
    assert (place.layer, place.component, place.parameter) == (1, "a", "bias")
    assert (place.expert, place.tower, place.layers) == (2, "vision", LayerNumbers(1, 4))
    assert place == replace(place, layers=None) != replace(place, tower="")
    with pytest.raises(TypeError, match=r"Place.__init__\(\) .*'component'"):
        Place(1)  # type: ignore[call-arg]


def test_what_more_is_done_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Listed:
        items: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Checked:
        size: int

        def __post_init__(self) -> None:
            raise ValueError

    for cls in (Listed, Checked):
        with pytest.raises(TypeError, match=cls.__name__):
            made_quickly(cls)
