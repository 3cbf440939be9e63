"""Numbers handed to experiment trackers, to those that have a run going in this process."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def log_to_trackers(metrics: Mapping[str, float], step: int) -> tuple[str, ...]:
    """Log ``metrics`` of a training's ``step`` to W&B and to MLflow, where one of these was
    imported and has a run going. Returns the names of those that took them.

    Neither is imported here: whoever tracks a training has done so already.
    """
    taken = []
    wandb = sys.modules.get("wandb")
    if wandb is not None and getattr(wandb, "run", None) is not None:
        # By the Trainer's own counter, so that its curves and these share an axis.
        wandb.log({**metrics, "train/global_step": step})
        taken.append("wandb")
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None and mlflow.active_run() is not None:
        mlflow.log_metrics(dict(metrics), step=step)
        taken.append("mlflow")
    return tuple(taken)
