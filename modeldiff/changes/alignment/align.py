"""The layers of two models, aligned by content where their numbers do not plainly say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from modeldiff.architectures.architecture import Architecture
from modeldiff.changes.alignment.chain import KEPT, STRANGE, NotPlain, find_chain, is_by_position
from modeldiff.changes.layer_chains import DOUBT, Alignment, Chain, Doubt
from modeldiff.changes.table.change_table import ChangeTable
from modeldiff.checkpoints import Checkpoint

MOST_LAYERS = 1_000
"""Of more layers no chain is looked for: the work grows with their square, and no model has so
many."""

Doubted = Mapping[str, frozenset[int]]
"""By tower the layers whose numbers do not plainly say which layer of the other side they are."""


def layers_of_one_side(base: Architecture, target: Architecture) -> Doubted:
    """The numbers of layers that only one side has, in the towers that both have layers in."""
    ours, theirs = _layers(base), _layers(target)
    both = {tower: ours[tower] ^ theirs[tower] for tower in ours if tower in theirs}
    return {tower: layers for tower, layers in both.items() if layers}


def strange_layers(changes: ChangeTable) -> Doubted:
    """The layers whose matrices, measured number against number, have nothing in common, in towers
    of which another layer was kept."""
    sums: dict[str, dict[int, tuple[float, float, float]]] = {}
    for change in changes:
        place, tensor, statistics = change.pair.place, change.pair.base, change.statistics
        if place.layer is None or tensor is None or len(tensor.shape) < 2:
            continue
        if statistics is not None and (one := statistics.sums) is not None:
            layers = sums.setdefault(place.tower, {})
            product, base, target = layers.get(place.layer, (0.0, 0.0, 0.0))
            layers[place.layer] = (
                product + one.product,
                base + one.base_squared,
                target + one.target_squared,
            )
    doubted: dict[str, frozenset[int]] = {}
    for tower, by_layer in sums.items():
        with np.errstate(invalid="ignore"):  # squares may be beyond the type's numbers
            cosines = {
                layer: float(product / np.sqrt(base) / np.sqrt(target))
                for layer, (product, base, target) in by_layer.items()
                if base > 0 and target > 0
            }
        strange = frozenset(layer for layer, cosine in cosines.items() if cosine <= STRANGE)
        if strange and max(cosines.values()) >= KEPT:
            doubted[tower] = strange
    return doubted


def align_layers(
    base: tuple[Architecture, Checkpoint],
    target: tuple[Architecture, Checkpoint],
    doubted: Doubted,
    fetching: Callable[[int, int], None] | None = None,
    looking: Callable[[], None] = lambda: None,
) -> Alignment:
    """How the layers of the towers in ``doubted`` meet, by samples of their matrices.

    ``fetching`` is called with bytes that are here and all bytes of a file that has to be
    downloaded first, ``looking`` before each tensor. Raises ``CheckpointChanged``, and what the two
    raise.
    """
    chains: dict[str, Chain] = {}
    doubts: dict[str, Doubt] = {}
    for tower, layers in doubted.items():
        try:
            chain = _chain(base, target, tower, fetching, looking)
        except NotPlain as error:
            doubts[tower] = Doubt(layers, f"{DOUBT}{error}")
        else:
            if not is_by_position(chain):
                chains[tower] = chain
    return Alignment(chains, doubts)


def _chain(
    base: tuple[Architecture, Checkpoint],
    target: tuple[Architecture, Checkpoint],
    tower: str,
    fetching: Callable[[int, int], None] | None,
    looking: Callable[[], None],
) -> Chain:
    # Late: most diffs align nothing.
    from modeldiff.changes.alignment.sampling import matrices_to_sample, read_samples
    from modeldiff.changes.alignment.similarity import layer_cosines

    ours, theirs = (sorted(_layers(side[0])[tower]) for side in (base, target))
    if max(len(ours), len(theirs)) > MOST_LAYERS:
        raise NotPlain(f"more than {MOST_LAYERS:,} layers")
    matrices = matrices_to_sample(base[0], target[0], tower)
    if not matrices.base:
        raise NotPlain("no matrix of a layer has the same shape on both sides")
    samples = (
        read_samples(base[1], matrices.base, fetching, looking),
        read_samples(target[1], matrices.target, fetching, looking),
    )
    return find_chain(ours, theirs, *layer_cosines(*samples, ours, theirs))


def _layers(architecture: Architecture) -> dict[str, frozenset[int]]:
    layers: dict[str, set[int]] = {}
    for parameter in architecture.parameters:
        if parameter.place.layer is not None and parameter.role == "parameter":
            layers.setdefault(parameter.place.tower, set()).add(parameter.place.layer)
    return {tower: frozenset(numbers) for tower, numbers in layers.items()}
