"""DeepSpeed's checkpoints of ZeRO: the fp32 weights that the ranks' optimizers keep.

The ranks' ``optim_states`` hold flat vectors of fp32, the ``model_states`` say which parameters lie
in them, one after the other. Of stages 1 and 2 a group's vector is cut over the ranks as a whole,
of stage 3 each parameter is padded and cut by itself. What is read is what DeepSpeed's own
``zero_to_fp32.py`` would write: https://github.com/deepspeedai/DeepSpeed, ``deepspeed/utils``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.checkpoints.formats.format import Assembly, FileSet
from modeldiff.checkpoints.formats.pytorch.pytorch_files import PyTorch
from modeldiff.checkpoints.formats.sharded.zero_parameters import Parameters
from modeldiff.checkpoints.formats.sharded.zero_states import COPY_AGAIN, RankStates
from modeldiff.checkpoints.formats.tied_heads import tied_warning, without_aliases
from modeldiff.checkpoints.formats.weight_files import is_plain_path
from modeldiff.checkpoints.source import Source
from modeldiff.errors import CheckpointError, DamagedCheckpoint, UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed, quoted

_FILE = re.compile(
    r"(?:(?P<folder>.+)/)?(?:(?:bf16_|fp16_)?zero_pp_rank_(?P<rank>\d{1,6})_)?"
    r"mp_rank_(?P<parallel>\d{2,5})_(?P<kind>model|optim)_states\.pt",
    re.ASCII,
)
_EXPERTS = re.compile(r"(?:.+/)?(?:layer_\d+_)?exp(?:ert|p_rank)_\d+_.*_states\.pt", re.ASCII)
_LATEST = "latest"
_LONGEST_TAG = 1000
_WITH_DEEPSPEED = (
    "Put it together with the toolkit that wrote it, then give the folder that it writes."
)


@dataclass(frozen=True)
class Zero:
    """The format of DeepSpeed's checkpoints of stages 1 to 3, without other parallelism."""

    name: str = "DeepSpeed ZeRO"
    signatures: tuple[bytes, ...] = ()

    def recognise(self, source: Source) -> FileSet | None:
        """As ``Format`` has it; the folder itself, the subfolder that the file ``latest`` names, or
        the only one."""
        if source.named:
            return None
        found = list(filter(None, map(_FILE.fullmatch, source.list())))
        folders = sorted({match["folder"] or "" for match in found})
        if not folders:
            return None
        folder = _chosen(source, folders)
        own = [match for match in found if (match["folder"] or "") == folder]
        _require_data_parallel(source, own, folder)
        files = {
            kind: {int(match["rank"] or 0): match[0] for match in own if match["kind"] == kind}
            for kind in ("model", "optim")
        }
        words = (f"The weights are those of its subfolder {quoted(folder)}.",) if folder else ()
        if not files["model"]:
            raise DamagedCheckpoint(
                f"{source.where(folder)} lacks the model_states.pt, which name the parameters.",
                hint=COPY_AGAIN,
            )
        if not files["optim"] and any(match["rank"] for match in own):
            raise DamagedCheckpoint(
                f"{source.where(folder)} lacks the optim_states.pt, which hold the weights.",
                hint=COPY_AGAIN,
            )
        if not files["optim"]:
            words = (
                *words,
                "The optimizer's states, which hold the weights in fp32, are not here: those that "
                "the model computed with were taken.",
            )
        ranks = [files[kind][rank] for kind in files for rank in sorted(files[kind])]
        return FileSet(tuple(ranks), warnings=words)

    def read_headers(self, source: Source, files: FileSet) -> Assembly:
        """As ``Format`` has it."""
        optimizers = [file for file in files.files if file.endswith("_optim_states.pt")]
        if not optimizers:
            return PyTorch().read_headers(source, files)
        models = [file for file in files.files if file not in optimizers]
        budget = OpeningBudget(source.where())
        budget.take_files(len(files.files))
        states = RankStates(source, budget)
        reading = Parameters(
            states.model(models[0]),
            [states.frozen(file) for file in models],
            [states.optimizer(file) for file in optimizers],
            source.where(models[0]),
        )
        with budget.timed():
            tensors, tied = without_aliases(reading.tensors())
        budget.take_tensors([tensor.name for tensor in tensors])
        warnings = (*states.warnings, *tied_warning(tied))
        return Assembly(tensors, {}, warnings, states.heads, tied=tuple(tied))


def _chosen(source: Source, folders: Sequence[str]) -> str:
    """The folder that holds the states."""
    if "" in folders or len(folders) == 1:
        return folders[0]
    try:
        tag = source.read_small(_LATEST, _LONGEST_TAG).decode().strip()
    except (CheckpointError, UnicodeDecodeError):
        tag = ""
    if is_plain_path(tag) and tag in folders:
        return tag
    raise UnsupportedFormat(
        f"{source.where()} holds several checkpoints of DeepSpeed: {listed(folders, limit=6)}.",
        hint="Give one of these folders.",
    )


def _require_data_parallel(source: Source, files: Sequence[re.Match[str]], folder: str) -> None:
    """Raise ``UnsupportedFormat`` where the ranks cut more than the optimizer's states."""
    tensor_parallel = any(int(match["parallel"]) for match in files)
    prefix = f"{folder}/" if folder else ""
    experts = any(n.startswith(prefix) and _EXPERTS.fullmatch(n) for n in source.list())
    if tensor_parallel or experts:
        kind = "tensor" if tensor_parallel else "expert"
        raise UnsupportedFormat(
            f"{source.where(folder)} was trained with {kind} parallelism, too: each rank has a "
            "part of the model, and DeepSpeed does not say which.",
            hint=_WITH_DEEPSPEED,
        )
