"""What the singular values of a change say: effective rank, energy, and whether a rank fits.

- **Effective rank** ``exp(-Σ p log p)`` with ``p = σ / Σσ``: Roy and Vetterli, "The effective rank"
  (EUSIPCO 2007). A matrix of k equal singular values has k.
- **Stable rank** ``Σσ² / σ₁²``: Rudelson and Vershynin, "Sampling from large matrices" (2007).
  Never above the rank, and hardly moved by small singular values.
- **Energy** of the first k: ``Σ_{i≤k} σ² / Σσ²``, what the best approximation of rank k explains.

A merged low-rank update is never exactly of low rank: adding it to a weight rounds each sum to the
stored type. An element with the significand's last place ``u`` is off by up to u/2, evenly spread,
so with a variance of u²/12; independent errors of such variances make a matrix whose largest
singular value is about the root of the largest row sum plus that of the largest column sum of the
variances: Bandeira and van Handel, "Sharp nonasymptotic bounds on the norm of random matrices with
independent entries" (2016). What lies above that is signal. A change *fits a rank-r update* when r
singular values are signal, r is at most a quarter of what is possible, these r have at least half
of the energy, and the rest has no more than rounding explains. Errors are not independent where
elements moved by a step or less, or stayed: what then stands above the bound beside r is signal
only where the update of that rank, rounded, does not have it too (``rank_check``).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from modeldiff.processes.late_dataclass import dataclass

_ABOVE_NOISE = 1.15
"""A singular value is signal from here on, in largest singular values of rounding alone."""
_NOISE_ENERGY = 2.0
"""The rest may have so many times the energy of one rounding: adapters are also rounded before they
are added."""
_LEAST_SIGNAL = 0.5
"""A fit explains at least this share of the energy: below it, rounding has the word."""
_LARGEST_SHARE = 4
"""A low rank is at most one of so many possible."""

Floats = npt.NDArray[np.float64]
Matrix = Literal["change", "weights"]
"""Of which matrix: target − base, or base."""


@dataclass(frozen=True)
class RoundingNoise:
    """What rounding target to its stored type does to a change: the energy (sum of squares) that
    it adds, and about the largest singular value of it alone."""

    energy: float
    largest: float


@dataclass(frozen=True, eq=False)
class SingularValues:
    """The singular values of target − base, or ``of`` base's weights, largest first.

    ``exact``: all of them, each off by at most ``error``. Otherwise the leading ones only, never
    above the true ones, and ``error`` (absolute, as the values are) is what they lack at most, with
    a probability of failure below 1e-10. ``energy`` is the sum of the squares of all, exact in both
    cases; ``base_energy`` that of base. ``nonfinite`` elements were taken as unchanged. ``trials``
    are ranks that were tried, ascending, each with the largest singular value that rounding adds to
    the update of that rank. Of weights, the noise is what rounding them to their stored type makes,
    and no rank is tried.
    """

    values: Floats
    rows: int
    columns: int
    energy: float
    base_energy: float
    noise: RoundingNoise
    exact: bool
    error: float
    method: Literal["lapack", "gram", "randomized", "factors"]
    nonfinite: int = 0
    trials: tuple[tuple[int, float], ...] = ()
    of: Matrix = "change"
    known_rank: int | None = None

    @property
    def possible_rank(self) -> int:
        """The smaller side: how many singular values there are."""
        return min(self.rows, self.columns)

    @property
    def stable_rank(self) -> float | None:
        """``Σσ² / σ₁²``; None where nothing changed."""
        largest = float(self.values[0]) if self.values.size else 0.0
        return self.energy / largest**2 if largest > 0 else None

    @property
    def effective_rank(self) -> tuple[float, float] | None:
        """Effective rank, at least and at most; both are the same where all values are known.

        Where only the leading ones are, the energy that they lack is taken as gathered in as few
        further values as can be, and as spread evenly. None where nothing changed.
        """
        values = self.values[self.values > 0]
        if not values.size:
            return None
        rest = self._rest(len(self.values))
        left = self.possible_rank - len(self.values)
        if self.exact or left <= 0 or rest <= 0:
            rank = _effective_rank(values)
            return rank, rank
        smallest = float(values[-1])
        few = min(max(round(rest / smallest**2), 1), left)
        gathered, spread = (
            np.concatenate([values, np.full(count, np.sqrt(rest / count))]) for count in (few, left)
        )
        low, high = sorted((_effective_rank(gathered), _effective_rank(spread)))
        return low, high

    def energy_share(self, count: int) -> float | None:
        """The share (0 to 1) of the energy in the largest ``count`` values; None where nothing
        changed, or where so many are not known."""
        if self.energy <= 0 or count > len(self.values):
            return None
        return min(float(np.square(self.values[:count]).sum()) / self.energy, 1.0)

    def rank_of_energy(self, share: float) -> int | None:
        """How many of the largest values have this ``share`` (0 to 1) of the energy; None where
        those that are known have less, or there is none."""
        reached = np.flatnonzero(np.cumsum(np.square(self.values)) >= share * self.energy)
        return int(reached[0]) + 1 if self.energy > 0 and reached.size else None

    @property
    def signal(self) -> int:
        """How many of the values stand above what rounding alone makes."""
        return int(np.count_nonzero(self.values > self._noise_edge))

    @property
    def only_rounding(self) -> bool:
        """Whether the change is no more than rounding explains. True where nothing changed."""
        return self.signal == 0 and self.energy <= _NOISE_ENERGY * self.noise.energy

    @property
    def fitting_rank(self) -> int | None:
        """The rank r of the low-rank update that the change fits; None where it fits none, or where
        no rank that was tried explains what stands beside it."""
        if self.known_rank is not None:
            return self.known_rank
        for rank, added in self.trials:
            edge = max(self._noise_edge, _ABOVE_NOISE * added)
            beside = self.values[rank : rank + 1]
            if self._explains(rank) and not (beside > edge).any():
                return rank
        return None

    @property
    def possible_fit(self) -> int | None:
        """How many singular values stand above independent rounding, where these may be the rank of
        an update; None where they cannot."""
        if self.known_rank is not None:
            return None
        return self.signal if self.of == "change" and self._explains(self.signal) else None

    def _explains(self, rank: int) -> bool:
        """Whether a rank is low, and what it leaves is no more energy than rounding has."""
        if not 0 < rank <= self.possible_rank // _LARGEST_SHARE:
            return False
        if not self.exact and rank == len(self.values):
            return False
        if self._rest(rank) > (1 - _LEAST_SIGNAL) * self.energy:
            return False
        return self._rest(rank) <= _NOISE_ENERGY * self.noise.energy + self._lost(rank)

    @property
    def _noise_edge(self) -> float:
        return max(_ABOVE_NOISE * self.noise.largest, 2 * self._numeric_floor)

    @property
    def _numeric_floor(self) -> float:
        """Below this a value may be an artefact of its computation."""
        largest = float(self.values[0]) if self.values.size else 0.0
        return max(self.error if self.exact else 0.0, 1e-7 * largest)

    def _rest(self, count: int) -> float:
        """The energy outside of the largest ``count`` values."""
        if self.exact:
            return float(np.square(self.values[count:]).sum())
        return max(self.energy - float(np.square(self.values[:count]).sum()), 0.0)

    def _lost(self, rank: int) -> float:
        """Energy that the first values may have lost to the sums' float32 and to the sketch."""
        return 1e-6 * self.energy + (0.0 if self.exact else rank * self.error**2)


def _effective_rank(values: Floats) -> float:
    p = values / values.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))
