"""How like each layer of one side is to each of the other, from samples of their matrices."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from modeldiff.changes.alignment.chain import Cosines
from modeldiff.changes.alignment.sampling import SampledPlace, Samples

_ALIKE_BY_NATURE = 0.3
"""A matrix whose samples in different layers of base typically have a larger cosine than this says
nothing about which layer it is from."""


def layer_cosines(
    base: Mapping[SampledPlace, Samples],
    target: Mapping[SampledPlace, Samples],
    base_layers: Sequence[int],
    target_layers: Sequence[int],
) -> tuple[Cosines, Cosines]:
    """The cosines of all layers of base with all of target, and with all of base: in each case the
    median over the matrices that tell base's own layers apart; NaN where there is none."""
    across: list[Cosines] = []
    within: list[Cosines] = []
    for witness, samples in base.items():
        ours = _unit_rows(samples, base_layers)
        theirs = _unit_rows(target.get(witness, {}), target_layers)
        if ours is None or theirs is None:
            continue
        own = ours @ ours.T
        if len(base_layers) > 1:
            apart = own[~np.eye(len(base_layers), dtype=bool)]
            apart = apart[~np.isnan(apart)]
            if apart.size and np.median(np.abs(apart)) > _ALIKE_BY_NATURE:
                continue
        across.append(ours @ theirs.T)
        within.append(own)
    shape = len(base_layers), len(target_layers)
    return _medians(across, shape), _medians(within, (shape[0], shape[0]))


def _unit_rows(samples: Samples, layers: Sequence[int]) -> npt.NDArray[np.float64] | None:
    """A row a layer, of length 1; NaN for a layer without a sample, or with one of zeros."""
    if not samples:
        return None
    size = next(iter(samples.values())).size
    rows = np.full((len(layers), size), np.nan)
    for at, layer in enumerate(layers):
        if layer in samples:
            row = samples[layer].astype(np.float64)
            largest = float(np.abs(row).max())
            if largest > 0:
                row = row / largest
                rows[at] = row / np.linalg.norm(row)
    return rows


def _medians(matrices: Sequence[Cosines], shape: tuple[int, int]) -> Cosines:
    if not matrices:
        return np.full(shape, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is NaN throughout
        medians: Cosines = np.nanmedian(np.stack(matrices), axis=0)
    return medians
