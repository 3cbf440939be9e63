"""A callback of transformers' Trainer: how far each saved checkpoint is from where it began."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from transformers import TrainerCallback

import modeldiff
from modeldiff.changes import ChangeTable
from modeldiff.errors import ModeldiffError
from modeldiff.findings.conditions.columns import whole_values
from modeldiff.findings.narrative import narrate
from modeldiff.integrations.trackers import log_to_trackers
from modeldiff.processes.late_dataclass import dataclass

_log = logging.getLogger(__name__)

Against = Literal["initial", "previous", "both"]
_METRICS = (
    *("median_pct", "p95_pct", "unchanged_pct", "rel_frobenius_pct", "cosine", "sign_flip_pct"),
    *("coverage_pct", "nonfinite_target", "changed_tensors", "unchanged_tensors"),
)


@dataclass(frozen=True)
class SavedChange:
    """What changed from ``base`` to the checkpoint that was saved at ``step``.

    ``against`` says what base is: ``initial`` or ``previous``. ``metrics`` are the numbers that
    were logged, by their names there; ``headline`` is the diff in a sentence.
    """

    step: int
    against: str
    base: str
    checkpoint: str
    metrics: Mapping[str, float]
    headline: str


class ChangeCallback(TrainerCallback):  # type: ignore[misc]
    """Diffs every checkpoint that the Trainer saves, and logs what changed.

    The numbers go to the log of this module, to ``history``, and to W&B and MLflow where one of
    these has a run going, as ``modeldiff/initial/rel_frobenius_pct`` and the like. The diff runs
    while the training waits, on the main process only. A checkpoint that can't be read is a warning
    and ends nothing.

    >>> from modeldiff.integrations import ChangeCallback
    >>> trainer = Trainer(..., callbacks=[ChangeCallback()])  # doctest: +SKIP
    """

    def __init__(
        self,
        base: str | os.PathLike[str] | None = None,
        *,
        against: Against = "initial",
        by_layer: bool = False,
        device: str = "cpu",
        cache: bool = True,
    ) -> None:
        """``base`` is the initial checkpoint, anything that ``modeldiff.open`` takes; by default
        what the model was loaded from, and where that can't be opened the first checkpoint that is
        saved. ``against`` is what each checkpoint is compared with: the ``initial`` one, the
        ``previous`` one, or ``both``; a Trainer that keeps only one checkpoint has no previous one.
        With ``by_layer`` each layer's relative Frobenius change is logged too. ``device`` measures:
        the CPU, unless the accelerator has memory to spare. With ``cache`` results are kept, so
        that ``modeldiff open`` and the app show them later."""
        self._initial = None if base is None else os.fspath(base)
        self._sides = ("initial", "previous") if against == "both" else (against,)
        self._previous: str | None = None
        self._by_layer, self._device, self._cache = by_layer, device, cache
        self.history: list[SavedChange] = []

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **others: Any
    ) -> None:
        """Find the initial checkpoint: where the model was loaded from."""
        loaded = getattr(getattr(model, "config", None), "_name_or_path", "")
        if self._initial is None and loaded:
            try:
                self._initial = modeldiff.open(loaded).reference
            except ModeldiffError as error:
                _log.info("The first checkpoint saved is the initial one: %s", error.message)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Diff the checkpoint that was just saved."""
        if not state.is_world_process_zero:
            return
        folder = str(Path(args.output_dir, f"checkpoint-{state.global_step}").resolve())
        bases = {"initial": self._initial, "previous": self._previous}
        for side in self._sides:
            base = bases[side]
            if base is not None:
                self._diff(side, base, folder, state.global_step)
        self._initial = self._initial or folder
        self._previous = folder

    def _diff(self, side: str, base: str, folder: str, step: int) -> None:
        try:
            changes = modeldiff.diff(base, folder, device=self._device, cache=self._cache)
        except (ModeldiffError, OSError) as error:
            _log.warning("What changed up to step %d can't be told: %s", step, error)
            return
        metrics = {
            f"modeldiff/{side}/{name}": value for name, value in self._metrics(changes).items()
        }
        headline = narrate(changes).headline
        self.history.append(SavedChange(step, side, base, folder, metrics, headline))
        _log.info("Step %d, from the %s checkpoint: %s", step, side, headline)
        log_to_trackers(metrics, step)

    def _metrics(self, changes: ChangeTable) -> dict[str, float]:
        """The numbers of a diff by name, those that there are."""
        whole = whole_values(changes)
        values: dict[str, Any] = {name: whole[f"whole.{name}"] for name in _METRICS}
        if self._by_layer:
            for layer, statistics in changes.merged("layer").items():
                change = None if statistics is None else statistics.rel_frobenius_pct
                values[f"layers.{layer}/rel_frobenius_pct"] = change
        return {name: float(value) for name, value in values.items() if value is not None}
