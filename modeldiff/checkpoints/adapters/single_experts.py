"""Updates of a stack of experts, on a base that stores its experts one by one.

transformers computes with stacks, [experts, out, in], gate above up, and PEFT updates these; files
mostly keep each expert's matrices apart. An expert's share of the factors is a view of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modeldiff.checkpoints.adapters.base_names import BaseNames
from modeldiff.checkpoints.recipes.adapted.low_rank import Factor
from modeldiff.checkpoints.recipes.element_slice import slice_elements
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass

_PARTS: Mapping[str, tuple[str, ...]] = {
    "down_proj": ("down_proj",),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
"""What a stacked parameter is made of, from its first row on."""
_MOST_EXPERTS = 4096


@dataclass(frozen=True)
class ExpertShare:
    """The update of one expert's matrix ``base``: as ``LowRankUpdate`` has it."""

    base: TensorInfo
    rows: Factor
    columns: Factor
    turned: bool


def expert_shares(
    names: BaseNames,
    module: str,
    parameters: Sequence[str],
    factors: tuple[TensorInfo, TensorInfo],
) -> Iterator[tuple[str, list[ExpertShare]]]:
    """The shares of all experts below ``module``, by each of the stacked ``parameters`` that the
    ``factors`` A and B fit, with its name. Nothing where base stores no such experts.

    Raises ``ValueError`` where the factors are stored so that they cannot be cut.
    """
    for parameter in parameters:
        experts = list(_experts(names, module, _PARTS.get(parameter, ())))
        if experts and (turned := _orientation(experts, factors)) is not None:
            yield parameter, list(_shares(experts, factors, turned=turned))


def _experts(
    names: BaseNames, module: str, parts: Sequence[str]
) -> Iterator[tuple[TensorInfo, ...]]:
    """The matrices of each expert that make up its part of the stack."""
    for number in range(_MOST_EXPERTS if parts else 0):
        found = [names.find(f"{module}.{number}.{part}.weight") for part in parts]
        own = tuple(each for each in found if each is not None and len(each.shape) == 2)
        if len(own) != len(parts):
            return
        yield own


def _orientation(
    experts: Sequence[tuple[TensorInfo, ...]], factors: tuple[TensorInfo, TensorInfo]
) -> bool | None:
    """Whether A goes along the stack's rows, as PEFT has it for stacks, or B; None where the two
    fit no stack of these experts."""
    a, b = factors
    first = experts[0]
    alike = all([e.shape for e in own] == [e.shape for e in first] for own in experts)
    if not alike or len({each.shape for each in first}) != 1 or len(a.shape) != 2:
        return None
    rows, columns = len(first) * first[0].shape[0], first[0].shape[1]
    stacked = a.shape[0]
    if len(b.shape) != 2 or b.shape[1] != stacked or not stacked or stacked % len(experts):
        return None
    if (a.shape[1], b.shape[0]) == (rows, columns):
        return True
    return False if (b.shape[0], a.shape[1]) == (rows, columns) else None


def _shares(
    experts: Sequence[tuple[TensorInfo, ...]],
    factors: tuple[TensorInfo, TensorInfo],
    *,
    turned: bool,
) -> Iterator[ExpertShare]:
    a, b = factors
    count = len(experts)
    rank = a.shape[0] // count

    def of_a(expert: int, start: int, length: int) -> Factor:
        first = expert * rank * a.shape[1] + start
        strides = ((rank, a.shape[1]), (length, 1))
        own = slice_elements(a, (rank, length), first, strides, f"expert {expert}")
        return Factor(own, rank, 1, across=False)

    def of_b(expert: int, start: int, length: int) -> Factor:
        first = start * b.shape[1] + expert
        strides = ((length, b.shape[1]), (rank, count))
        own = slice_elements(b, (length, rank), first, strides, f"expert {expert}")
        return Factor(own, rank, 1, across=True)

    along_rows, along_columns = (of_a, of_b) if turned else (of_b, of_a)
    for expert, own in enumerate(experts):
        for part, base in enumerate(own):
            height, width = base.shape
            rows = along_rows(expert, part * height, height)
            yield ExpertShare(base, rows, along_columns(expert, 0, width), turned)
