"""A config alone as a format: the tensors that the model's files would hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.checkpoints.formats.config_json import MAX_CONFIG_BYTES, parse_config
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import DamagedCheckpoint
from modeldiff.files.cache_folder import cache_folder
from modeldiff.files.sealed_file import read_sealed, write_sealed
from modeldiff.processes.late_dataclass import dataclass

_LISTING_VERSION = 3


@dataclass(frozen=True)
class ConfigListing:
    """Names, types and shapes as they would be stored.

    The first opening of a config builds the model without weights, which imports torch and
    transformers; later ones read its listing back from ``cache`` (created if need be; without one,
    the user's cache folder).
    """

    cache: Path | None = None
    name: str = "config"
    signatures: tuple[bytes, ...] = ()

    def recognise(self, source: Source) -> FileSet | None:
        """A ``.json`` that the reference names; in a folder a config is commentary on weights."""
        return FileSet((source.named,)) if source.named.endswith(".json") else None

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """The listing. Raises ``DamagedCheckpoint`` where the file is no model's config, and what
        ``stored_listing`` raises."""
        (file,) = files.files
        config, _ = parse_config(source.read_small(file, MAX_CONFIG_BYTES))
        if config is None or "weight_map" in config:
            raise DamagedCheckpoint(
                f"{source.where(file)} is not the config of a model.",
                hint="Give the folder that holds the .safetensors files.",
            )
        tensors, offset = [], 0
        for name, dtype, shape in self._listing(config):
            nbytes = prod(shape) * STORED_TYPES[dtype].bits // 8
            tensors.append(TensorInfo.stored(name, dtype, tuple(shape), "", offset, nbytes))
            offset += nbytes
        return Assembly(tuple(tensors), {}, _warnings(config))

    def _listing(self, config: Mapping[str, Any]) -> list[tuple[str, str, list[int]]]:
        digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        path = (self.cache or cache_folder("configs")) / f"{digest}-{_LISTING_VERSION}.json"
        kept = read_sealed(path)
        if kept is not None:
            cached: list[tuple[str, str, list[int]]] = json.loads(kept)
            return cached
        from modeldiff.checkpoints.config_only.meta_model import stored_listing

        built = [(name, dtype, list(shape)) for name, dtype, shape in stored_listing(config)]
        write_sealed(path, json.dumps(built).encode())
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
