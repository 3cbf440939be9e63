"""Base's files and an adapter's, as one source."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from modeldiff.checkpoints.fingerprints import sha256
from modeldiff.checkpoints.formats.config_json import (
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    PARAMS_NAME,
)
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import ByteReader, FetchProgress, FileHead, FileStat, Source
from modeldiff.errors import CheckpointError
from modeldiff.processes.late_dataclass import dataclass

_OWN = "adapter:"
"""What stands before the adapter's files of weights: both may be called the same."""
_OF_THE_MODEL = frozenset({CONFIG_NAME, GENERATION_CONFIG_NAME, PARAMS_NAME})
_TOKENIZER = re.compile(
    r"tokenizer.*|vocab.*|merges\.txt|special_tokens_map\.json|added_tokens\.json|spiece\.model"
    r"|tekken\.json|chat_template.*|additional_chat_templates/.*"
)


def own_name(file: str) -> str:
    """What the adapted source calls one of the adapter's files of weights."""
    return f"{_OWN}{file}"


@dataclass(frozen=True)
class AdaptedFiles:
    """The files of ``base`` and of ``adapter``, both pinned to what was opened.

    Configs are base's. A tokenizer is the adapter's where it brought one, all files of it: parts of
    two would be neither. What else lies beside the weights is the adapter's, then base's.
    """

    reference: Reference
    base: Source
    adapter: Source

    named = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of both."""
        return (*self.base.warnings, *self.adapter.warnings)

    def where(self, file: str = "") -> str:
        """As the source has it that the file is of."""
        source, name = self._owner(file) if file else (self.adapter, "")
        return source.where(name)

    def path(self, file: str = "") -> Path | None:
        """As the source has it that the file is of; of both as a whole, base's."""
        source, name = self._owner(file) if file else (self.base, "")
        return source.path(name)

    def list(self) -> Collection[str]:
        """The names of both."""
        return (*self.base.list(), *map(own_name, self.adapter.list()))

    def has(self, file: str) -> bool:
        """Whether the source has it that it would be of."""
        source, name = self._owner(file)
        return source.has(name)

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Source`` has it."""
        source, name = self._owner(file)
        return source.read(name, start, count)

    def read_small(self, file: str, limit: int) -> bytes:
        """As ``Source`` has it."""
        source, name = self._owner(file)
        return source.read_small(name, limit)

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """Itself: both are."""
        del heads
        return self

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """Of both sources' files."""
        own = {name.removeprefix(_OWN): head for name, head in heads.items() if _is_own(name)}
        base = {name: head for name, head in heads.items() if not _is_own(name)}
        return adapted_fingerprint(
            self.base.fingerprint(base, config), self.adapter.fingerprint(own, None)
        )

    def explain(self, error: CheckpointError) -> CheckpointError:
        """As it is."""
        return error

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        """As ``Source`` has it."""
        source, name = self._owner(file)
        return source.reader(name, progress)

    def bytes_to_download(self, file: str) -> int:
        """As ``Source`` has it."""
        source, name = self._owner(file)
        return source.bytes_to_download(name)

    def _owner(self, file: str) -> tuple[Source, str]:
        """Whose file it is, and what that source calls it."""
        if _is_own(file):
            return self.adapter, file.removeprefix(_OWN)
        if file in _OF_THE_MODEL:
            return self.base, file
        if _TOKENIZER.fullmatch(file):
            return (self.adapter if self._has_tokenizer else self.base), file
        return (self.adapter if self.adapter.has(file) else self.base), file

    @property
    def _has_tokenizer(self) -> bool:
        names = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")
        return any(map(self.adapter.has, names))


def adapted_fingerprint(base: str, adapter: str) -> str:
    """What identifies a base and an adapter on it, by the fingerprints of both."""
    return "adapted:" + sha256(f"{base}\n{adapter}".encode())


def _is_own(file: str) -> bool:
    return file.startswith(_OWN)
