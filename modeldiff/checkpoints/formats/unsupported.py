"""Files that are not safetensors, recognised so that the error can say what to do with them."""

from __future__ import annotations

from collections.abc import Iterable

from modeldiff.errors import CheckpointError, DamagedCheckpoint, NoWeights, UnsupportedFormat
from modeldiff.text.quoting import listed

TO_SAFETENSORS = (
    "Convert it with transformers: load the model and call "
    "save_pretrained(FOLDER, safe_serialization=True), then give that folder."
)

_PICKLED = "Pickled files can run code when they are opened, so they are never opened here."

_SUFFIXES = {
    ".bin": _PICKLED,
    ".pt": _PICKLED,
    ".pth": _PICKLED,
    ".ckpt": _PICKLED,
    ".pkl": _PICKLED,
    ".gguf": "GGUF is not read.",
    ".h5": "TensorFlow and Keras files are not read.",
    ".msgpack": "Flax files are not read.",
    ".onnx": "ONNX files are not read.",
    ".npz": "NumPy archives are not read.",
}


def refuse_foreign(start: bytes, where: str) -> None:
    """Raise what fits if a file that begins with ``start`` is of a known other format."""
    for kind, what, hint, signatures in _SIGNATURES:
        if start.startswith(signatures):
            raise kind(f"{where} {what}, not safetensors.", hint=hint)


def refuse_foreign_names(names: Iterable[str], where: str) -> None:
    """Raise ``UnsupportedFormat`` if one of these file names is of another weight format."""
    everything = list(names)
    for suffix, why in _SUFFIXES.items():
        found = sorted(name for name in everything if name.lower().endswith(suffix))
        # training_args.bin and optimizer.pt lie beside weights and are none.
        found = [name for name in found if not name.startswith(("training_args", "optimizer"))]
        if found:
            raise UnsupportedFormat(
                f"{where} has weights only in a format that is not read: {listed(found)}. {why}",
                hint=TO_SAFETENSORS,
            )


_SIGNATURES: tuple[tuple[type[CheckpointError], str, str, tuple[bytes, ...]], ...] = (
    (
        UnsupportedFormat,
        "is a zip archive, as torch.save writes them",
        f"{_PICKLED} {TO_SAFETENSORS}",
        (b"PK\x03\x04",),
    ),
    (
        UnsupportedFormat,
        "is a Python pickle",
        f"{_PICKLED} {TO_SAFETENSORS}",
        tuple(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5)),
    ),
    (UnsupportedFormat, "is a GGUF file", TO_SAFETENSORS, (b"GGUF",)),
    (UnsupportedFormat, "is an HDF5 file", TO_SAFETENSORS, (b"\x89HDF",)),
    (UnsupportedFormat, "is compressed with gzip", "Unpack it first.", (b"\x1f\x8b",)),
    (
        UnsupportedFormat,
        "is a text that looks like JSON",
        "Give the folder that holds the .safetensors files.",
        (b"{", b"["),
    ),
    (
        NoWeights,
        "is a Git LFS pointer, a short text that stands for the weights",
        "Run `git lfs pull` in the folder to bring the weights themselves.",
        (b"version https://git-lfs",),
    ),
    (
        DamagedCheckpoint,
        "is a web page, perhaps an error that was saved as if it were the file",
        "Download the file again.",
        (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML"),
    ),
)
