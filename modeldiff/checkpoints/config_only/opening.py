"""Checkpoints without weights: a published config from the catalog, or a ``config.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from modeldiff.checkpoints.checkpoint import Checkpoint, FetchProgress, Reference, TensorInfo
from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.errors import NoWeights
from modeldiff.files.atomic import write_if_possible

CATALOG = Path(__file__).parents[1] / "catalog"
_LISTING_VERSION = 2


class NoStorage:
    """The storage of a config alone: there are no bytes to fetch."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def fetch(self, file: str, progress: FetchProgress | None = None) -> Path:
        """Always raises ``NoWeights``."""
        self._refuse()

    def is_local(self, file: str) -> bool:
        """There is nothing to wait for."""
        return True

    def read_beside(self, name: str, limit: int) -> bytes:
        """Always raises ``NoWeights``."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NoWeights(
            f"{self._reference} is a config without weights: its architecture can be compared, "
            "its parameters cannot.",
            hint="To measure the change, name a folder or a Hub repository that holds weights.",
        )


def catalog_names() -> tuple[str, ...]:
    """The names behind ``catalog:``, in alphabetical order."""
    return tuple(sorted(path.stem for path in CATALOG.glob("*.json") if path.stem != "provenance"))


def catalog_config(name: str) -> Mapping[str, Any]:
    """The published config of a name that is in the catalog."""
    config: dict[str, Any] = json.loads((CATALOG / f"{name}.json").read_text(encoding="utf-8"))
    return config


def open_config(
    reference: Reference, config: Mapping[str, Any], cache_folder: Path | None
) -> Checkpoint:
    """The checkpoint that a config describes: names, types and shapes as they would be stored.

    The first opening of a config builds the model without weights, which imports torch and
    transformers; with a ``cache_folder`` (created if need be) later ones read the listing back.
    Raises what ``stored_listing`` raises.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    listing = _cached_listing(config, digest, cache_folder)
    tensors, offset = [], 0
    for name, dtype, shape in listing:
        info = TensorInfo(name, dtype, tuple(shape), "", offset, 0)
        nbytes = info.elements * STORED_TYPES[dtype].bits // 8
        tensors.append(TensorInfo(name, dtype, info.shape, "", offset, nbytes))
        offset += nbytes
    return Checkpoint(
        reference=reference,
        format="config",
        tensors=tuple(tensors),
        files={},
        config=config,
        metadata={},
        fingerprint=f"config:{digest}",
        storage=NoStorage(reference),
        warnings=_warnings(config),
    )


def _cached_listing(
    config: Mapping[str, Any], digest: str, cache_folder: Path | None
) -> list[tuple[str, str, list[int]]]:
    path = cache_folder / f"{digest}-{_LISTING_VERSION}.json" if cache_folder else None
    if path is not None:
        try:
            cached: list[tuple[str, str, list[int]]] = json.loads(path.read_bytes())
            return cached
        except (OSError, ValueError):
            pass  # not there yet, or not whole: build it again
    from modeldiff.checkpoints.config_only.meta_model import stored_listing

    built = [(name, dtype, list(shape)) for name, dtype, shape in stored_listing(config)]
    if path is not None:
        write_if_possible(path, json.dumps(built).encode())
    return built


def _warnings(config: Mapping[str, Any]) -> tuple[str, ...]:
    sentences = ["Names and shapes come from the config alone; no weights were looked at."]
    quantization = config.get("quantization_config")
    if isinstance(quantization, Mapping):
        method = str(quantization.get("quant_method", "quantised"))[:40]
        sentences.append(
            f"The published files store {method} weights; shown are the shapes before quantisation."
        )
    if config.get("num_nextn_predict_layers"):
        sentences.append("The published files also hold a next-token-prediction layer.")
    return tuple(sentences)
