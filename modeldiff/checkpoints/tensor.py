"""One stored tensor: its name, its shape and where its bytes lie."""

from __future__ import annotations

from dataclasses import dataclass

Strides = tuple[tuple[int, int], ...]
"""How many elements lie how far apart, as (count, distance in elements), the outermost first. The
empty one: they lie one after the other."""


@dataclass(frozen=True)
class TensorInfo:
    """One stored tensor, from its header, or a slice of one.

    ``offset`` counts bytes from the file's start to the first element. In ``strides`` the elements
    come in the order of ``shape``, row by row; it is empty but where they lie apart, as the keys in
    a fused matrix may. ``slice`` says which slice of the stored tensor this is (``k``; ``gate of
    expert 3``), empty if it is all of it; ``nbytes`` are the slice's own.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int
    nbytes: int
    strides: Strides = ()
    slice: str = ""

    @property
    def label(self) -> str:
        """The stored name, with the slice behind it."""
        return f"{self.name} ({self.slice})" if self.slice else self.name

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar, 0 where a dimension is 0."""
        count = 1
        for size in self.shape:
            count *= size
        return count
