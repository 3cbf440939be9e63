"""How a target tensor comes from base's otherwise than by training."""

from __future__ import annotations

from typing import Literal

from modeldiff.processes.late_dataclass import dataclass

AdapterRelationKind = Literal[
    "adapter_on",
    "adapter_off",
    "adapter_share",
    "adapter_rounded",
    "adapter_idle",
    "adapters",
]
RelationKind = Literal[
    "order", "factors", "transposed", "expert", "name", "mixed", AdapterRelationKind
]
RelationAxis = Literal["rows", "columns", "elements", "blocks"]
OrderPattern = Literal[
    "", "interleaved", "halved", "other_heads", "blocks", "reversed", "codes", "codes_in_base"
]


@dataclass(frozen=True)
class Relation:
    """What a sample of both sides' values shows of how target's tensor comes from base's.

    ``kind`` says what was done along ``axis``:

    - ``order``: target has base's rows (or columns) in another order. ``pattern`` is what is known
      of it: ``interleaved``, target has rotary pairs side by side where base has them half a head
      apart; ``halved``, the other way round; ``other_heads``, one way by heads of one
      length and back by heads of another; ``blocks``, whole blocks moved; ``reversed``; else
      empty. ``size`` is the length of a head or a block.
    - ``factors``: each row (column, element, or block of values that share a scale) is base's
      times a factor of its own, from ``low`` to ``high``. With the ``pattern`` ``codes`` target's
      values are whole numbers of 8 bits or 8-bit floats, and base's are not; ``codes_in_base``, the
      other way round.
    - ``transposed``: a square matrix is the transpose of base's.
    - ``expert``: it is the tensor of base's expert number ``origin``.
    - ``name``: it is another tensor of base's in the same layer, the first of ``partners``.
    - ``mixed``: its rows (elements) are those of several of base's tensors in the same layer, the
      ``partners``.
    - ``adapter_on``: it is base's with an adapter's update of rank ``size`` (0: of rows, or of a
      bias); ``adapter_off``: it is base's without its adapter's; both as far as the narrower
      stored type has the values.
    - ``adapter_share``: one side is the other without its adapter and ``low`` times the adapter's
      update, within the steps of the stored types; ``adapter_rounded``: one side is the other's
      adapter on weights that had been rounded to a coarse grid, by ``rest_pct``.
    - ``adapter_idle``: the sides are equal, and with and without the adapter's update they are.
    - ``adapters``: each side has an adapter, and without them both are the same.

    Of ``count`` rows (columns, elements) ``seen`` were looked at, and ``matched`` of them are so.
    ``rest_pct`` is what is left of the sample beside that, as its norm in percent of target's;
    0 where the values are exactly equal. ``partners`` are columns of the same layer that go with
    it: in the same order, or with the inverse factors.
    """

    kind: RelationKind
    axis: RelationAxis
    matched: int
    seen: int
    count: int
    rest_pct: float
    pattern: OrderPattern = ""
    size: int = 0
    low: float = 1.0
    high: float = 1.0
    origin: int | None = None
    partners: tuple[str, ...] = ()
