"""Base's tensors by the names that an adapter has for them.

The two may begin otherwise: a file of GPT-2 may lack the ``transformer.`` that the model has, and
models with several towers were renamed between versions of transformers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modeldiff.checkpoints.tensor import TensorInfo

_MOST_LEFT_OUT = 3
"""So many parts at a name's beginning may differ."""


class BaseNames:
    """Finds base's ``tensors`` by name."""

    def __init__(self, tensors: Iterable[TensorInfo]) -> None:
        self._tensors = {tensor.name: tensor for tensor in tensors}
        self._endings: dict[str, str | None] = {}
        for name in self._tensors:
            for ending in _endings(name):
                # An ending of several names is nobody's.
                self._endings[ending] = None if ending in self._endings else name

    def find(self, name: str) -> TensorInfo | None:
        """The tensor that the model calls so; None where base has none, or several could be."""
        if name in self._tensors:
            return self._tensors[name]
        for ending in (name, *_endings(name)):
            if ending in self._tensors:
                return self._tensors[ending]
            if (whole := self._endings.get(ending)) is not None:
                return self._tensors[whole]
            if ending in self._endings:
                return None
        return None


def _endings(name: str) -> Iterator[str]:
    """The name without its first part, its first two, …: never without what is numbered."""
    for _ in range(_MOST_LEFT_OUT):
        name = name.partition(".")[2]
        first, _, rest = name.partition(".")
        if not rest or first.isdecimal():
            return
        yield name
