"""Several files' headers → one checkpoint's tensors, checked against each other and the index."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.checkpoints.formats.format import Assembly
from modeldiff.checkpoints.formats.safetensors import Header
from modeldiff.checkpoints.formats.tied_heads import needless
from modeldiff.checkpoints.formats.weight_files import Index
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import DamagedCheckpoint, NoWeights
from modeldiff.text.formatting import counted
from modeldiff.text.quoting import listed, quoted


def assemble(
    headers: Mapping[str, Header], index: Index | None, where: str, *, shared: bool = False
) -> Assembly:
    """Put the headers of a checkpoint's files together. What the headers say wins over the index.

    A tensor that several files hold counts as the last of them has it, by name: so it comes out of
    transformers, which loads them one after the other. ``shared``: a head that no file holds may be
    the embedding, as the config says.

    Raises ``NoWeights`` when there is no tensor at all, ``DamagedCheckpoint`` when two files hold
    one name in different shapes or types, or none holds what the index promises.
    """
    by_name: dict[str, TensorInfo] = {}
    repeated: list[str] = []
    metadata: dict[str, str] = {}
    for file in sorted(headers):
        for tensor in headers[file].tensors:
            earlier = by_name.get(tensor.name)
            if earlier is not None:
                _require_alike(earlier, tensor, where)
                repeated.append(tensor.name)
            by_name[tensor.name] = tensor
        metadata = headers[file].metadata | metadata
    if not by_name:
        raise NoWeights(
            f"{where} holds no tensors.", hint="Check that this is the file that was meant."
        )
    tensors = tuple(by_name.values())
    if repeated:  # a name stands where the first file had it
        tensors = tuple(sorted(tensors, key=lambda tensor: (tensor.file, tensor.offset)))
    warnings = _compare_with_index(index, by_name, where, shared) if index else ()
    if repeated:
        warnings = (
            f"In more than one file: {listed(dict.fromkeys(repeated))}. The last file by name "
            "counts, as transformers loads them; whether the values differ was not looked at.",
            *warnings,
        )
    return Assembly(tensors, metadata, warnings)


def _require_alike(one: TensorInfo, other: TensorInfo, where: str) -> None:
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        raise DamagedCheckpoint(
            f"{where}: tensor {quoted(one.name)} is in both {one.file} and {other.file}, in "
            "different shapes or types, so it is not clear which one counts.",
            hint="Remove shards that an earlier save left behind.",
        )


def _compare_with_index(
    index: Index, by_name: Mapping[str, TensorInfo], where: str, shared: bool
) -> tuple[str, ...]:
    promised = index.weight_map
    lacking = [name for name in promised if name not in by_name]
    spare = needless(lacking, by_name, shared=shared)
    missing = sorted(set(lacking) - set(spare))
    if missing:
        raise DamagedCheckpoint(
            f"{where}: the index promises {counted(len(missing), 'tensor')} that no shard holds: "
            f"{listed(f'{name} ({promised[name]})' for name in missing)}.",
            hint="The index and the shards are of different saves: download or save them again.",
        )
    warnings = []
    if spare:
        warnings.append(
            f"The index lists {listed(spare)}, which no shard holds: a head that is the "
            "embedding again, or a buffer that is computed."
        )
    extra = [name for name in by_name if name not in promised]
    if extra:
        warnings.append(
            f"The shards hold {counted(len(extra), 'tensor')} that the index doesn't list."
        )
    moved = [
        name for name, file in promised.items() if name in by_name and by_name[name].file != file
    ]
    if moved:
        are = "is" if len(moved) == 1 else "are"
        warnings.append(
            f"{counted(len(moved), 'tensor')} {are} in another shard than the index says."
        )
    total = sum(tensor.nbytes for tensor in by_name.values())
    if index.total_size is not None and index.total_size != total:
        warnings.append(
            f"The index counts {index.total_size:,} bytes of weights; the shards hold {total:,}."
        )
    return tuple(warnings)
