"""Meta's checkpoints of Llama: ``consolidated.00.pth`` and so on, one file for each rank.

Each rank has some rows or some columns of most matrices under the same name, and all of the norms.
Which way a matrix was cut is told by its shape: of the two sizes, the model's width is whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.pytorch.pytorch_files import PyTorch
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import Piece, TensorInfo
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed, quoted

_FILE = re.compile(r"consolidated\.(\d{2,3})\.pth", re.ASCII)
_ROWS = re.compile(r"(.+\.)?(wq|wk|wv|w1|w3|output)\.weight")
_COLUMNS = re.compile(r"(.+\.)?(wo|w2)\.weight")
_EITHER = re.compile(r"(.+\.)?tok_embeddings\.weight")
_WIDTH = re.compile(r"norm\.weight|layers\.0\.attention_norm\.weight")


@dataclass(frozen=True)
class MetaShards:
    """The format of Meta's downloads, whole or in shards of tensor parallelism."""

    name: str = "PyTorch, tensor parallel"
    signatures: tuple[bytes, ...] = ()

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it. Where there are weights in safetensors, too, these are taken."""
        names = source.list()
        if (
            source.named
            or source.reference.tag
            or any("/" not in n and n.endswith(".safetensors") for n in names)
        ):
            return None
        ranks = {int(m[1]): m[0] for m in map(_FILE.fullmatch, names) if m}
        if not ranks:
            return None
        missing = sorted(set(range(max(ranks) + 1)) - set(ranks))
        if missing:
            raise DamagedCheckpoint(
                f"{source.where()} lacks {listed(f'consolidated.{n:02}.pth' for n in missing)}.",
                hint="Download or copy the missing files, then open it again.",
            )
        return FileSet(tuple(ranks[rank] for rank in sorted(ranks)))

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        shards = [PyTorch().read_headers(source, FileSet((file,))) for file in files.files]
        by_rank = [{tensor.name: tensor for tensor in shard.tensors} for shard in shards]
        where = source.where()
        if any(set(rank) != set(by_rank[0]) for rank in by_rank):
            raise DamagedCheckpoint(
                f"{where} holds shards of different models: their tensors have other names.",
                hint="Download or copy them again.",
            )
        width = next((t.shape[0] for name, t in by_rank[0].items() if _WIDTH.fullmatch(name)), None)
        tensors = tuple(
            _joined([rank[name] for rank in by_rank], width, where) for name in by_rank[0]
        )
        heads = {file: head for shard in shards for file, head in shard.heads.items()}
        warnings = tuple(dict.fromkeys(word for shard in shards for word in shard.warnings))
        return replace(shards[0], tensors=tensors, heads=heads, warnings=warnings)


def _joined(shares: Sequence[TensorInfo], width: int | None, where: str) -> TensorInfo:
    """One tensor of all the ranks' shares of it."""
    first = shares[0]
    if len(shares) == 1:
        return first
    if any((share.shape, share.dtype) != (first.shape, first.dtype) for share in shares):
        raise DamagedCheckpoint(
            f"{where}: the ranks' shares of {quoted(first.name)} have different shapes or types.",
            hint="Download or copy the shards again.",
        )
    axis = _cut_axis(first, width, len(shares))
    if axis is None:
        if len(first.shape) == 1:
            return first  # every rank has all of it
        raise UnsupportedFormat(
            f"{where}: it is not known which way {quoted(first.name)} of shape "
            f"{list(first.shape)} was cut over {len(shares):,} ranks.",
            hint="Convert it with transformers' script for Meta's files, then give that folder.",
        )
    size = first.shape[axis]
    pieces = tuple(_moved(share.pieces[0], axis, rank * size) for rank, share in enumerate(shares))
    shape = tuple(n * len(shares) if d == axis else n for d, n in enumerate(first.shape))
    return TensorInfo(first.name, shape, first.values, pieces)


def _cut_axis(share: TensorInfo, width: int | None, ranks: int) -> int | None:
    """The axis along which the ranks' shares lie one after the other."""
    if len(share.shape) != 2:
        return None
    whole = [axis for axis, size in enumerate(share.shape) if size == width]
    told: Mapping[re.Pattern[str], int] = {_ROWS: 0, _COLUMNS: 1}
    for pattern, axis in told.items():
        if pattern.fullmatch(share.name):
            return axis if not whole or 1 - axis in whole else None
    if _EITHER.fullmatch(share.name):  # rows since Llama 3, columns before
        columns = share.shape[1]
        return 0 if columns == width else 1 if columns * ranks == width else None
    return None


def _moved(piece: Piece, axis: int, by: int) -> Piece:
    start = [0] * len(piece.shape)
    start[axis] = by
    return piece._replace(start=tuple(start))
