"""A bracket for a median, from a sample, so that one pass over a tensor can be enough.

The sample is CLUSTERS short runs spread over the tensor. How much the clusters differ among each
other tells how far the sample's median may be from the tensor's: neighbours in a row of weights
are alike, so the number of values alone would promise too much. A bracket that misses costs a
second pass, and nothing else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modeldiff.changes.kernels.bins import KEYS32, LEAF
from modeldiff.processes.late_dataclass import dataclass

CLUSTER = 512
"""Neighbouring elements that are sampled together."""
CLUSTERS = LEAF // CLUSTER
"""Clusters of a sample, which is a leaf in all."""
_STANDARD_ERRORS = 3.0
"""Half the bracket's width: a miss in 400 tensors costs less than a wider bracket in all."""


@dataclass(frozen=True)
class Bracket:
    """Keep the ``r`` whose bits lie in ``low`` to ``low + width``: those of a range of keys.

    A ``width`` of 0 keeps nothing, ``ALL_KEPT`` everything.
    """

    low: int = 0
    width: int = 0

    def holds(self, key: int) -> bool:
        """Whether all ``r`` of this key are kept."""
        return 0 <= (key << 16) - self.low < self.width


def cluster_starts(elements: int, grain: int = 1) -> list[int]:
    """Where the clusters of a tensor of at least a leaf begin: one in each of as many equal parts,
    at places that no row length is a multiple of, then rounded down to multiples of ``grain``."""
    part = elements // CLUSTERS
    starts = (
        number * part + number * 0x9E3779B1 % (part - CLUSTER + 1) for number in range(CLUSTERS)
    )
    return [start - start % grain for start in starts]


def bracket_of(
    r_bits: npt.NDArray[np.uint32], histogram: npt.NDArray[np.int64], unchanged: int
) -> Bracket:
    """A bracket that holds the median but for rare cases.

    ``r_bits`` is a sample of a leaf, cluster by cluster, with something past the last key where an
    element is unchanged or not finite; ``histogram`` counts its changed elements by key.
    """
    upto = unchanged + np.cumsum(histogram)
    middle = (int(upto[-1]) - 1) // 2
    if middle < 0:
        return Bracket()
    median_key = int(np.searchsorted(upto, middle, side="right")) if middle >= unchanged else -1
    # Unchanged elements sort first: what is past the last key is turned round to the beginning.
    turned = (r_bits + np.uint32(KEYS32 << 16)).reshape(CLUSTERS, CLUSTER)
    edge = KEYS32 + median_key << 16
    below = np.count_nonzero(turned < np.uint32(edge), axis=1)
    spread = float(below.std()) * CLUSTERS**0.5 * _STANDARD_ERRORS
    first, last = middle - spread - 1, min(middle + spread + 1, int(upto[-1]) - 1)
    if last < unchanged:
        return Bracket()
    low_key = int(np.searchsorted(upto, first, side="right")) if first >= unchanged else 0
    high_key = int(np.searchsorted(upto, last, side="right"))
    return Bracket(low_key << 16, (high_key - low_key + 1) << 16)
