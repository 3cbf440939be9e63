"""One tensor of a checkpoint: its name, its shape, and how stored bytes become its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import NamedTuple, Protocol, Self, runtime_checkable

from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.made_quickly import made_quickly

Strides = tuple[tuple[int, int], ...]
"""How many elements lie how far apart, as (count, distance in elements), the outermost first. The
empty one: they lie one after the other."""


class TensorUnreadable(Exception):
    """These values cannot be had; the message says why."""


class Piece(NamedTuple):
    """Stored bytes that hold a box of a tensor. A named tuple, as checkpoints have 50,000 of them:
    it is made in half the time of a dataclass.

    ``offset`` counts bytes from the file's start to the first element, ``nbytes`` are the piece's
    own, ``dtype`` is the type that they are stored in. ``shape`` is the box's. In ``strides`` the
    elements come in the order of ``shape``, row by row; it is empty but where they lie apart, as
    the keys in a fused matrix may. ``start`` is where the box begins in the tensor, an index for
    each dimension; empty where the piece is all of it.
    """

    file: str
    offset: int
    nbytes: int
    dtype: str
    shape: tuple[int, ...]
    strides: Strides = ()
    start: tuple[int, ...] = ()


class Decoder(Protocol):
    """A recipe at work on one tensor. Any thread may call it."""

    def fill(self, first: int, last: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes of values ``first`` to ``last`` in the order of ``shape``.

        Both are whole multiples of the recipe's ``grain``, or ``last`` is the tensor's end.
        """
        ...


@runtime_checkable
class RunDecoder(Decoder, Protocol):
    """A decoder that takes less for many short runs together than for each of them."""

    def fill_runs(self, firsts: Sequence[int], count: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes of ``count`` values from each of ``firsts`` on, one run after
        the other. All are whole multiples of the recipe's ``grain``."""
        ...


class Recipe(Protocol):
    """How stored bytes become values: a frozen value that can be compared and hashed.

    ``operands`` are the stored tensors that it takes (codes, scales, zero points …).
    """

    @property
    def words(self) -> str:
        """How it is called: ``FP8, 128×128 blocks``."""
        ...

    @property
    def stored(self) -> str:
        """What the stored type is called where types are listed: ``Q4_K``."""
        ...

    @property
    def grain(self) -> int:
        """Ranges of elements have to be whole multiples of this; it divides 256."""
        ...

    @property
    def lossy(self) -> bool:
        """Whether what was stored so lost something of what it was made from."""
        ...

    @property
    def operands(self) -> tuple[TensorInfo, ...]:
        """The stored tensors that it takes."""
        ...

    def open(self, read: Fill) -> Decoder:
        """Begin: reads what is small and needed all the time, such as scales, through ``read``;
        the decoder reads the rest through it, too. Raises what ``read`` raises, and
        ``TensorUnreadable`` where what it read contradicts the shapes."""
        ...


@made_quickly
@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor from the headers, or a slice of one.

    ``values`` is the type that its values come in, in safetensors' spelling: without a ``recipe``
    that of the ``pieces``, whose bytes then are the values. There is one piece, or several boxes
    that make up the whole, each element once; with a recipe, the pieces of all its operands.
    ``slice`` says which slice of the stored tensor this is (``k``; ``gate of expert 3``), empty if
    it is all of it.
    """

    name: str
    shape: tuple[int, ...]
    values: str
    pieces: tuple[Piece, ...]
    recipe: Recipe | None = None
    slice: str = ""

    @classmethod
    def stored(
        cls,
        name: str,
        dtype: str,
        shape: tuple[int, ...],
        file: str,
        offset: int,
        nbytes: int,
        strides: Strides = (),
        slice: str = "",
    ) -> Self:
        """One whose bytes are its values, in one piece; see ``Piece`` for the arguments."""
        piece = Piece(file, offset, nbytes, dtype, shape, strides)
        return cls(name, shape, dtype, (piece,), None, slice)

    @classmethod
    def made(cls, name: str, shape: tuple[int, ...], values: str, recipe: Recipe) -> Self:
        """One that ``recipe`` makes of its operands."""
        pieces = tuple(piece for operand in recipe.operands for piece in operand.pieces)
        return cls(name, shape, values, pieces, recipe)

    @property
    def label(self) -> str:
        """The name, with the slice behind it."""
        return f"{self.name} ({self.slice})" if self.slice else self.name

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar, 0 where a dimension is 0."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that are stored of it."""
        if len(self.pieces) == 1:
            return self.pieces[0].nbytes
        return sum(piece.nbytes for piece in self.pieces)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that hold its pieces, each once."""
        if len(self.pieces) == 1:
            return (self.pieces[0].file,)
        return tuple(dict.fromkeys(piece.file for piece in self.pieces))

    @property
    def only_piece(self) -> Piece | None:
        """The piece whose bytes are all its values; None where there are several or a recipe, or
        where the only one is a part."""
        if len(self.pieces) != 1 or self.recipe is not None:
            return None
        piece = self.pieces[0]
        if piece.shape == self.shape and not piece.start:  # as nearly all are
            return piece
        return piece if not any(piece.start) and prod(piece.shape) == self.elements else None

    @property
    def lossy(self) -> bool:
        """Whether what was stored lost something of what it was made from, as its recipe says."""
        return self.recipe is not None and self.recipe.lossy

    @property
    def dtype(self) -> str:
        """The type that it is stored in: its recipe's, else that of its first piece."""
        return self.pieces[0].dtype if self.recipe is None else self.recipe.stored

    @property
    def file(self) -> str:
        """The first piece's file."""
        return self.pieces[0].file

    @property
    def offset(self) -> int:
        """The first piece's offset in its file."""
        return self.pieces[0].offset

    @property
    def strides(self) -> Strides:
        """The first piece's strides."""
        return self.pieces[0].strides


Fill = Callable[[TensorInfo, int, memoryview], None]
"""Fills the memory with the bytes of a tensor's values from an element on."""


def whole_boxes(strides: Strides, start: int, stop: int) -> Iterator[tuple[int, Strides]]:
    """Elements ``start`` to ``stop`` as whole boxes, in order: where each begins, and its axes."""
    (_, distance), inner = strides[0], strides[1:]
    size = prod(count for count, _ in inner)
    row, within = divmod(start, size)
    if within:
        end = min(stop, start - within + size)
        for first, axes in whole_boxes(inner, within, within + end - start):
            yield row * distance + first, axes
        row, start = row + 1, end
    rows, rest = divmod(stop - start, size)
    if rows:
        yield row * distance, ((rows, distance), *inner)
    if rest:
        for first, axes in whole_boxes(inner, 0, rest):
            yield (row + rows) * distance + first, axes
