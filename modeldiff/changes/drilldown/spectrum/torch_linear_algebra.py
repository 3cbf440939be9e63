"""Singular values' products on an accelerator, in torch that knows no vendor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from modeldiff.changes.drilldown.spectrum.linear_algebra import Array


class TorchAlgebra:
    """On one device, which has float64. Torch's float32 products are not rounded to TF32 unless
    somebody asked for that."""

    flops = 2e13
    side = 8192

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def add_gram(self, total: Any, panel: Array) -> Any:
        """See ``Algebra``."""
        wide = torch.from_numpy(panel).to(self._device).to(torch.float64)
        product = wide.T @ wide
        return product if total is None else total.add_(product)

    def eigenvalues(self, total: Any) -> npt.NDArray[np.float64]:
        """See ``Algebra``."""
        values: npt.NDArray[np.float64] = torch.linalg.eigvalsh(total).cpu().numpy()
        return values

    def add_power(self, total: Any, panel: Array, vectors: Any) -> Any:
        """See ``Algebra``."""
        here = torch.from_numpy(panel).to(self._device)
        product = (here.T @ (here @ vectors.to(here.dtype))).to(torch.float64)
        return product if total is None else total.add_(product)

    def sent(self, vectors: npt.NDArray[np.float64]) -> Any:
        """See ``Algebra``."""
        return torch.from_numpy(vectors).to(self._device).to(torch.float32)

    def fetched(self, total: Any) -> npt.NDArray[np.float64]:
        """See ``Algebra``."""
        values: npt.NDArray[np.float64] = total.cpu().numpy()
        return values
