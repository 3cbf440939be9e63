"""Several files' headers → one checkpoint's tensors, checked against each other and the index."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.checkpoints.formats.format import Assembly
from modeldiff.checkpoints.formats.safetensors import Header
from modeldiff.checkpoints.formats.weight_files import Index
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import DamagedCheckpoint, NoWeights
from modeldiff.text.quoting import listed, quoted


def assemble(headers: Mapping[str, Header], index: Index | None, where: str) -> Assembly:
    """Put the headers of a checkpoint's files together. What the headers say wins over the index.

    Raises ``NoWeights`` when there is no tensor at all, ``DamagedCheckpoint`` when two files hold
    one tensor or none holds what the index promises.
    """
    file_of: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for file in sorted(headers):
        for tensor in headers[file].tensors:
            other = file_of.setdefault(tensor.name, file)
            if other != file:
                raise DamagedCheckpoint(
                    f"{where}: tensor {quoted(tensor.name)} is in both {other} and {file}, so it "
                    "is not clear which one counts.",
                    hint="Remove shards that an earlier save left behind.",
                )
        metadata = headers[file].metadata | metadata
    if not file_of:
        raise NoWeights(
            f"{where} holds no tensors.", hint="Check that this is the file that was meant."
        )
    tensors = tuple(tensor for file in sorted(headers) for tensor in headers[file].tensors)
    warnings = _compare_with_index(index, file_of, tensors, where) if index else ()
    return Assembly(tensors, metadata, warnings)


def _compare_with_index(
    index: Index, file_of: Mapping[str, str], tensors: tuple[TensorInfo, ...], where: str
) -> tuple[str, ...]:
    promised = index.weight_map
    lacking = [name for name in promised if name not in file_of]
    if lacking:
        raise DamagedCheckpoint(
            f"{where}: the index promises {len(lacking):,} tensors that no shard holds: "
            f"{listed(f'{name} ({promised[name]})' for name in lacking)}.",
            hint="The index and the shards are of different saves: download or save them again.",
        )
    warnings = []
    extra = [name for name in file_of if name not in promised]
    if extra:
        warnings.append(f"The shards hold {len(extra):,} tensors that the index doesn't list.")
    moved = [name for name, file in promised.items() if file_of[name] != file]
    if moved:
        warnings.append(f"{len(moved):,} tensors are in another shard than the index says.")
    total = sum(tensor.nbytes for tensor in tensors)
    if index.total_size is not None and index.total_size != total:
        warnings.append(
            f"The index counts {index.total_size:,} bytes of weights; the shards hold {total:,}."
        )
    return tuple(warnings)
