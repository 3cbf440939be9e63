"""The flow of data through a checkpoint's model, worked out as it is asked for."""

from __future__ import annotations

from modeldiff.architectures.architecture import LayerKind, Node
from modeldiff.architectures.graph.blocks import Blocks, read_blocks
from modeldiff.architectures.graph.data_order import DataOrder
from modeldiff.architectures.spec import UNDERSTAND, ModelSpec
from modeldiff.processes.collector import collector_at_rest
from modeldiff.processes.once import computed_once


class ReadFlow:
    """As ``DataFlow``, of what was read. A made-up file may have a node a tensor, and who only asks
    what the tensors are needs none of them.

    Asking raises what ``OpeningBudget`` does: ``CheckpointError`` where it would take longer than
    is allowed, ``Cancelled`` once who asks no longer waits.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in layers."""
        return self._order.inside

    @property
    def outside(self) -> tuple[str, ...]:
        """The columns outside of the layers."""
        return self._order.outside

    @property
    def stem(self) -> tuple[Node, ...]:
        """The nodes before the layers."""
        return self._blocks.stem

    @property
    def layer_kinds(self) -> tuple[LayerKind, ...]:
        """Which layers are built how."""
        return self._blocks.layer_kinds

    @property
    def tail(self) -> tuple[Node, ...]:
        """The nodes after the layers."""
        return self._blocks.tail

    @computed_once
    def _order(self) -> DataOrder:
        with self._spec.budget.asked_again().timed(UNDERSTAND), collector_at_rest():
            return DataOrder(p.place for p in self._spec.parameters if p.role != "buffer")

    @computed_once
    def _blocks(self) -> Blocks:
        with self._spec.budget.asked_again().timed(UNDERSTAND), collector_at_rest():
            return read_blocks(self._spec)
