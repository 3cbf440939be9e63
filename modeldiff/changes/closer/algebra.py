"""The few products and decompositions that singular values take, on the CPU or an accelerator."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modeldiff.changes.devices import resolve_device

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


class NumpyAlgebra:
    """With the BLAS that NumPy brings along."""

    flops = 8e11
    """About 10 s on two cores; the eigenvalues of 5120 × 5120 take another 7."""
    side = 5120

    def add_gram(self, total: Any, panel: Array) -> Any:
        """See ``Algebra``."""
        wide = panel.astype(np.float64)
        product = wide.T @ wide
        return product if total is None else np.add(total, product, out=total)

    def eigenvalues(self, total: Any) -> npt.NDArray[np.float64]:
        """See ``Algebra``."""
        return np.linalg.eigvalsh(total)

    def add_power(self, total: Any, panel: Array, vectors: Any) -> Any:
        """See ``Algebra``."""
        product = panel.T @ (panel @ vectors.astype(panel.dtype, copy=False))
        return product.astype(np.float64) if total is None else np.add(total, product, out=total)

    def sent(self, vectors: npt.NDArray[np.float64]) -> Any:
        """See ``Algebra``."""
        return vectors.astype(np.float32)

    def fetched(self, total: Any) -> npt.NDArray[np.float64]:
        """See ``Algebra``."""
        return np.asarray(total, np.float64)


def algebra_for(device: str) -> Algebra:
    """The algebra of a device, by any name that ``resolve_device`` takes. One without float64
    (Apple's) leaves it to the CPU."""
    name = resolve_device(device)
    if name == "cpu":
        return NumpyAlgebra()
    from modeldiff.changes.closer.torch_algebra import TorchAlgebra
    from modeldiff.changes.torch_kernels import has_float64

    name = name.removeprefix("torch:")
    import torch

    return TorchAlgebra(name) if has_float64(torch.device(name)) else NumpyAlgebra()
