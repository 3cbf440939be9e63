"""A config without weights as a source: one of the catalog, or a ``config.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NoReturn, Self

from modeldiff.checkpoints.formats.config_json import CONFIG_NAME
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import ByteReader, FetchProgress, FileHead, FileStat
from modeldiff.errors import CheckpointError, NoWeights
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class ConfigOnly:
    """One file, ``config.json``, whose content is ``config`` (JSON); there are no weights to read.

    ``origin`` is the file that it came from, if it came from one.
    """

    reference: Reference
    config: bytes
    origin: Path | None = None
    named: str = CONFIG_NAME
    warnings: tuple[str, ...] = ()

    def where(self, file: str = "") -> str:
        """The same for all files."""
        return str(self.reference)

    def path(self, file: str = "") -> Path | None:
        """Where the config came from."""
        return self.origin

    def list(self) -> Collection[str]:
        """The config."""
        return (CONFIG_NAME,)

    def has(self, file: str) -> bool:
        """True for the config."""
        return file == CONFIG_NAME

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """A part of the config. Raises ``NoWeights`` for any other file."""
        if not self.has(file):
            self._refuse()
        return self.config[start : start + count], FileStat(len(self.config), ())

    def read_small(self, file: str, limit: int) -> bytes:
        """The config, which was read already. Raises ``NoWeights`` for any other file."""
        return self.read(file, 0, limit)[0]

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """This one: nothing in it can change."""
        return self

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """What the config says, however it is spelt."""
        canonical = json.dumps(json.loads(self.config), sort_keys=True)
        return f"config:{hashlib.sha256(canonical.encode()).hexdigest()}"

    def explain(self, error: CheckpointError) -> CheckpointError:
        """``error``."""
        return error

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        """Always raises ``NoWeights``."""
        self._refuse()

    def bytes_to_download(self, file: str) -> int:
        """There is nothing to wait for."""
        return 0

    def _refuse(self) -> NoReturn:
        raise only_a_config(self.reference)


def only_a_config(reference: Reference) -> NoWeights:
    """The error that ``reference`` has nothing to measure."""
    return NoWeights(
        f"{reference} is a config without weights: its architecture can be compared, "
        "its parameters cannot.",
        hint="To measure the change, name a folder or a Hub repository that holds weights.",
    )
