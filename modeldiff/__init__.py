"""What changed between two language-model checkpoints, and where?

``open`` a model, ``compare`` two by their headers, ``diff`` their values. ``docs/library.md`` has
examples. Everything is imported when it is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from modeldiff._version import __version__

if TYPE_CHECKING:
    from modeldiff import errors
    from modeldiff.architectures import Architecture, Place
    from modeldiff.changes import Change, ChangeTable, Progress, Statistics
    from modeldiff.changes.layer_chains import LayerMatching
    from modeldiff.checkpoints import Checkpoint, Reference
    from modeldiff.comparison import Comparison
    from modeldiff.model import Model
    from modeldiff.results import load_result

__all__ = [
    "Architecture",
    "Change",
    "ChangeTable",
    "Checkpoint",
    "Comparison",
    "Model",
    "Place",
    "Statistics",
    "__version__",
    "compare",
    "diff",
    "errors",
    "load_result",
    "open",
]

_HOMES = {
    "Architecture": "architectures",
    "Change": "changes",
    "ChangeTable": "changes",
    "Checkpoint": "checkpoints",
    "Comparison": "comparison",
    "Model": "model",
    "Place": "architectures",
    "Statistics": "changes",
    "load_result": "results",
}
"""Where each name that is imported late comes from."""


def open(reference: str | os.PathLike[str] | Reference | Checkpoint | Model) -> Model:
    """Open a model: headers, index and config are read, never weights.

    ``reference`` is a text (a folder, a ``.safetensors`` file, ``owner/name[@revision]`` on the
    Hub, ``demo:base``, ``catalog:llama-3-8b``), a path, or what is open already.

    Raises ``errors.InvalidReference``, ``errors.CheckpointError`` with what stands below it, and
    ``TypeError`` for anything else.

    >>> open("demo:base").architecture.title
    'Llama, 1.48 M'
    """
    from modeldiff.checkpoints import Checkpoint, Reference
    from modeldiff.model import Model

    if isinstance(reference, Model):
        return reference
    if isinstance(reference, Checkpoint):
        return Model.of(reference)
    if isinstance(reference, os.PathLike):
        # A path stays one, though its text may read as a repository's name.
        reference = os.path.abspath(os.path.expanduser(reference))  # noqa: PTH100, PTH111
    if not isinstance(reference, str | Reference):
        raise TypeError(
            f"A model is opened by a text or a path, not by {type(reference).__name__}: "
            "modeldiff.open('demo:base') is an example."
        )
    return Model.open(reference)


def compare(
    base: str | os.PathLike[str] | Reference | Checkpoint | Model,
    target: str | os.PathLike[str] | Reference | Checkpoint | Model,
) -> Comparison:
    """What two models are, side by side: their facts, and which tensors pair up; headers only.

    ``base`` is the model that one compares with, ``target`` the one that it became; each is
    anything that ``open`` takes. Raises what ``open`` raises.

    >>> compare("demo:base", "demo:tuned").same_content
    False
    """
    from modeldiff.comparison import Comparison

    return Comparison(open(base), open(target))


def diff(
    base: str | os.PathLike[str] | Reference | Checkpoint | Model,
    target: str | os.PathLike[str] | Reference | Checkpoint | Model,
    *,
    layers: LayerMatching = "auto",
    device: str = "auto",
    cache: bool = True,
    progress: Callable[[Progress], None] | None = None,
    on_change: Callable[[Change], None] | None = None,
) -> ChangeTable:
    """How much each tensor changed: the exact median of |target − base| / |base|, and what stands
    beside it, one row a tensor.

    ``base`` is the model that change is measured from, ``target`` the one that it became; each is
    anything that ``open`` takes. With ``layers`` ``auto`` those are partners that hold the same
    content, where depths differ or a layer has nothing in common with the one of its number; with
    ``position`` always those of one number. ``device`` is ``auto`` (an accelerator if there is
    one), ``cpu``, ``cuda:1`` …; the median is the same on all. With ``cache`` the result is kept,
    so that it is at hand the second time, and an interrupted diff goes on where it stopped.
    ``progress`` is called several times a second with how far it is, and may raise
    ``errors.Cancelled`` to stop; ``on_change`` is called with each row as it is finished. Values
    are read through buffers of fixed size.

    Raises what ``open`` raises, ``errors.InvalidOption`` for a device that is not here,
    ``errors.NoWeights`` for a config alone, ``errors.ResultError`` where the cache folder can't be
    written to.

    >>> diff("demo:base", "demo:base").whole.unchanged_pct
    100.0
    """
    from modeldiff.results import run_diff

    comparison = replace(compare(base, target), layers=layers)
    result = run_diff(
        comparison, device=device, cache=cache, progress=progress, on_change=on_change
    )
    return result.changes


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("modeldiff.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"modeldiff.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]
