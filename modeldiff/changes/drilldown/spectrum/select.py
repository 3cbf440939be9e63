"""The linear algebra of a device."""

from __future__ import annotations

from modeldiff.changes.backends.devices import resolve_device
from modeldiff.changes.drilldown.spectrum.linear_algebra import Algebra
from modeldiff.changes.drilldown.spectrum.numpy_linear_algebra import NumpyAlgebra


def algebra_for(device: str) -> Algebra:
    """The algebra of a device, by any name that ``resolve_device`` takes; of several, the first's.
    One without float64 (Apple's) leaves it to the CPU."""
    name = resolve_device(device).partition("+")[0]
    if name == "cpu":
        return NumpyAlgebra()
    from modeldiff.changes.backends.torch_kernels import has_float64
    from modeldiff.changes.drilldown.spectrum.torch_linear_algebra import TorchAlgebra

    name = name.removeprefix("torch:")
    import torch

    return TorchAlgebra(name) if has_float64(torch.device(name)) else NumpyAlgebra()
