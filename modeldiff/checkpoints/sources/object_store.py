"""A folder or file in an object store, or at a web server, as a source: read by ranges, each time,
and no byte lands on the disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from modeldiff.checkpoints.addresses.store_names import BUCKETS, address_parts
from modeldiff.checkpoints.addresses.suffixes import WEIGHT_SUFFIXES
from modeldiff.checkpoints.fingerprints import store_fingerprint
from modeldiff.checkpoints.formats.weight_files import with_subfolders
from modeldiff.checkpoints.references import Reference
from modeldiff.checkpoints.source import ByteReader, FetchProgress, FileHead, FileStat
from modeldiff.checkpoints.stores.access import require_store_access
from modeldiff.checkpoints.stores.bucket import Bucket
from modeldiff.checkpoints.stores.objects import Objects
from modeldiff.checkpoints.stores.read_ahead import ReadAhead
from modeldiff.checkpoints.stores.website import Website
from modeldiff.errors import (
    CheckpointChanged,
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    NoWeights,
)
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import quoted


@dataclass(frozen=True)
class StoreFiles:
    """The files below the ``folder``'s address, which ``objects`` has; of these the ``named`` one,
    if one is. ``names`` is what was listed at opening; None where nothing can be listed, and each
    file is asked for."""

    reference: Reference
    folder: str
    objects: Objects = field(repr=False, compare=False)
    named: str = ""
    names: frozenset[str] | None = None
    warnings: tuple[str, ...] = ()
    heads: Mapping[str, FileHead] = field(default_factory=dict)

    @classmethod
    def of(cls, reference: Reference) -> Self:
        """The source that a ``reference`` of kind ``store`` names; in a bucket, what is there says
        whether it is a folder or a file, elsewhere its name does. Raises ``AccessDenied``,
        ``MissingExtra``, ``StoreUnreachable``."""
        require_store_access(reference.location)
        address = reference.location.rstrip("/")
        folder, _, name = address.rpartition("/")
        in_bucket = address_parts(address)[0] in BUCKETS
        is_file = address_parts(address)[2] != "" and name.lower().endswith(WEIGHT_SUFFIXES)
        if not in_bucket:
            site = Website(folder if is_file else address)
            return cls(reference, site.address, site, unquote(name) if is_file else "")
        if is_file:
            bucket = Bucket(folder)
            try:
                bucket.stat(name)
                return cls(reference, folder, bucket, name)
            except CheckpointNotFound:
                pass  # a folder may be called so, too
        bucket = Bucket(address)
        names = frozenset(bucket.list())
        if not names:
            raise CheckpointNotFound(
                f"There is nothing at {quoted(address, 200)}.",
                hint="Check the bucket and the spelling.",
            )
        return cls(reference, address, bucket, names=names)

    def where(self, file: str = "") -> str:
        """The address."""
        return f"{self.folder}/{file}".rstrip("/")

    def path(self, file: str = "") -> Path | None:
        """Nothing lies on this machine."""
        return None

    def list(self) -> Collection[str]:
        """What was listed at opening, or the named file."""
        if self.named:
            return (self.named,)
        return self.objects.list() if self.names is None else sorted(self.names)

    def has(self, file: str) -> bool:
        """Whether it was listed, or else is there now."""
        if self.names is not None:
            return file in self.names
        try:
            self.objects.stat(file)
        except CheckpointNotFound:
            return False
        return True

    def read(self, file: str, start: int, count: int) -> tuple[bytes, FileStat]:
        """As ``Source`` has it."""
        return self.objects.read(file, start, count)

    def read_small(self, file: str, limit: int) -> bytes:
        """Read now, whatever it was at opening."""
        content, stat = self.objects.read(file, 0, limit)
        if stat.size > limit:
            raise DamagedCheckpoint(
                f"{quoted(self.where(file), 200)} has {stat.size:,} bytes, too many for what it "
                "should hold.",
                hint="Check that it is the file that was meant.",
            )
        return content

    def pinned(self, heads: Mapping[str, FileHead]) -> Self:
        """This folder, with what was read of its files."""
        return replace(self, heads=heads)

    def fingerprint(self, heads: Mapping[str, FileHead], config: bytes | None) -> str:
        """By the address, headers and ETags; see ``fingerprints``."""
        return store_fingerprint(self.folder, heads, config)

    def explain(self, error: CheckpointError) -> CheckpointError:
        """Weights may lie in subfolders; a web server's folder can't be listed."""
        if self.names is not None:
            return with_subfolders(error, self.names, self.reference)
        if isinstance(error, NoWeights) and not self.named:
            return NoWeights(
                f"{self.where()} has neither model.safetensors nor an index of its shards.",
                hint="A web server's folder can't be listed: give the address of one file.",
            )
        return error

    def reader(self, file: str, progress: FetchProgress | None = None) -> ByteReader:
        """Reads over the network, ahead of what is asked for. Raises ``CheckpointChanged``."""
        stat = self.heads[file].stat
        far = StoreReader(self.objects, file, stat, self.where(file))
        far.verify()
        return ReadAhead(far, stat.size)

    def bytes_to_download(self, file: str) -> int:
        """0: nothing is brought here."""
        return 0


@dataclass(frozen=True)
class StoreReader:
    """Reads ``file`` of ``objects``, in the state ``stat``, by a request for each range."""

    objects: Objects
    file: str
    stat: FileStat
    where: str

    def readinto(self, buffer: memoryview, offset: int) -> None:
        """As ``ByteReader`` has it."""
        self.objects.readinto(self.file, self.stat, buffer, offset)

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Nothing is asked for before it is read."""

    def forget(self, offset: int, nbytes: int) -> None:
        """Nothing is kept."""

    def verify(self) -> None:
        """Ask whether the file is still what was opened."""
        try:
            unchanged = self.objects.stat(self.file) == self.stat
        except CheckpointNotFound:
            unchanged = False
        if not unchanged:
            raise CheckpointChanged(
                f"{self.where} was replaced or removed after it was opened.",
                hint="Wait until nothing writes to it any more, then open it again.",
            )

    def close(self) -> None:
        """There is nothing to close: connections are the client's."""
