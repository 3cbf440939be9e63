"""The few products and decompositions that singular values take, on the CPU or an accelerator."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Algebra(Protocol):
    """Takes NumPy arrays and gives NumPy arrays; what lies between may be elsewhere.

    ``flops`` and ``side`` are the limits up to which all singular values are computed: products of
    the Gram matrix, and its size.
    """

    flops: float
    side: int

    def add_gram(self, total: Any, panel: Array) -> Any:
        """``total + panel.T @ panel`` in float64; ``total`` is None at first."""
        ...

    def eigenvalues(self, total: Any) -> npt.NDArray[np.float64]:
        """Those of a symmetric matrix, ascending."""
        ...

    def add_power(self, total: Any, panel: Array, vectors: Any) -> Any:
        """``total + panel.T @ (panel @ vectors)`` in float32, added up in float64."""
        ...

    def sent(self, vectors: npt.NDArray[np.float64]) -> Any:
        """Vectors as ``add_power`` takes them."""
        ...

    def fetched(self, total: Any) -> npt.NDArray[np.float64]:
        """A total of ``add_power``."""
        ...
