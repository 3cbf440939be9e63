"""Files that are not safetensors, recognised so that the error can say what to do with them."""

from __future__ import annotations

import re

from modeldiff.checkpoints.formats.stand_ins import LOOKED_AT, refuse_stand_in, stand_in
from modeldiff.checkpoints.source import Source
from modeldiff.errors import CheckpointError, NoWeights, UnsupportedFormat
from modeldiff.text.quoting import listed, quoted

TO_SAFETENSORS = (
    "Convert it with transformers: load the model and call "
    "save_pretrained(FOLDER, safe_serialization=True), then give that folder."
)
_EXPORT = f"Give the checkpoint that it was made from. Or else: {TO_SAFETENSORS}"

_RENAMED = (
    "If torch.save wrote it, give it a name that ends in .bin or .pt: its content is then read."
)

_SUFFIXES = {
    ".pkl": "Pickles are read as torch.save writes them (.bin, .pt, .pth, .ckpt).",
    ".h5": "TensorFlow and Keras files are not read.",
    ".keras": "TensorFlow and Keras files are not read.",
    ".msgpack": "Flax files are not read.",
    ".onnx": "ONNX files are not read.",
    ".npz": "NumPy archives are not read.",
}

_SHARDED_STATES = (
    (
        "global_step",
        "Merge DeepSpeed's shards with the zero_to_fp32.py that lies beside them (with "
        "--safe_serialization), then give the folder that it writes.",
    ),
    (
        "pytorch_model_fsdp|__",
        "Merge FSDP's shards with `accelerate merge-weights`, then give the folder that it writes.",
    ),
)
_STATE = re.compile(
    r"(training_args|optimizer|scheduler|scaler|rng_state|random_states|trainer_state)[\w-]*"
    r"\.(bin|pt|pth|pkl|json)|global_step\d+|pytorch_model_fsdp_\d+|__\d+_\d+\.distcp"
)
"""What a training run leaves beside the weights, and what holds these in shards of its own."""


def is_training_state(name: str) -> bool:
    """Whether a file is what a training run leaves beside the weights."""
    return _STATE.fullmatch(name.rpartition("/")[2]) is not None


def refuse_foreign(start: bytes, size: int, where: str) -> None:
    """Raise what fits if a file of ``size`` bytes that begins with ``start`` is of a known other
    format, or stands in for the weights."""
    if instead := stand_in(start, size):
        raise instead.kind(f"{where} {instead.what}, not safetensors.", hint=instead.hint)
    for kind, what, hint, signatures in _SIGNATURES:
        if start.startswith(signatures):
            raise kind(f"{where} {what}, not safetensors.", hint=hint)


def refuse_foreign_name(source: Source) -> None:
    """Raise what fits if the file that the reference names is called as those of a format that is
    not read, or as a part that is no model by itself: ``UnsupportedFormat``."""
    name = source.named.rpartition("/")[2].lower()
    where = source.where(source.named)
    for suffix, why in _SUFFIXES.items():
        if name.endswith(suffix) and suffix != ".pkl":
            _refuse_stand_in(source, source.named)
            raise UnsupportedFormat(f"{where} is in a format that is not read. {why}", hint=_EXPORT)
    if name.endswith(".distcp"):
        raise UnsupportedFormat(
            f"{where} is one rank's part of a distributed checkpoint.",
            hint="Give the folder that it is in: all parts and its .metadata are read together.",
        )


def refuse_foreign_files(source: Source) -> None:
    """Raise what fits where ``source`` has weights only in another format, or only a training run's
    state: ``UnsupportedFormat``, ``NoWeights``."""
    names, where = sorted(source.list()), source.where()
    if any(name.endswith(".safetensors") for name in names):  # in subfolders: these are meant
        names = [name for name in names if "/" not in name]
    states = list(filter(is_training_state, names))
    for suffix, why in _SUFFIXES.items():
        files = [n for n in names if n.lower().endswith(suffix) and n not in states]
        if files:
            _refuse_stand_in(source, files[0])
            raise UnsupportedFormat(
                f"{where} has weights only in a format that is not read: {listed(files)}. {why}",
                hint=TO_SAFETENSORS,
            )
    for name in states:
        for pattern, merge in _SHARDED_STATES:
            if re.match(pattern, name):
                raise UnsupportedFormat(
                    f"{where} holds weights only in the shards of a training run: {quoted(name)}.",
                    hint=merge,
                )
    if states:
        raise NoWeights(
            f"{where} holds the state of a training run ({listed(states)}) and no weights.",
            hint="Give the folder that the model was saved in, or save it from the run "
            "(trainer.save_model).",
        )


def _refuse_stand_in(source: Source, file: str) -> None:
    """Raise if a file of this machine, of whatever format, is a pointer or the like."""
    if source.path(file) is None:
        return  # at the Hub there are no pointers, and it would cost a request
    start, _ = source.read(file, 0, LOOKED_AT)
    refuse_stand_in(start, source.where(file))


_SIGNATURES: tuple[tuple[type[CheckpointError], str, str, tuple[bytes, ...]], ...] = (
    (
        UnsupportedFormat,
        "is a zip archive, as torch.save writes them",
        _RENAMED,
        (b"PK\x03\x04",),
    ),
    (
        UnsupportedFormat,
        "is a Python pickle",
        _RENAMED,
        tuple(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5)),
    ),
    (UnsupportedFormat, "is a GGUF file", "Name it FILE.gguf.", (b"GGUF",)),
    (UnsupportedFormat, "is an HDF5 file", TO_SAFETENSORS, (b"\x89HDF",)),
    (UnsupportedFormat, "is compressed with gzip", "Unpack it first.", (b"\x1f\x8b",)),
    (
        UnsupportedFormat,
        "is a text that looks like JSON",
        "Give the folder that holds the .safetensors files.",
        (b"{", b"["),
    ),
)
