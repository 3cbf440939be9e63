"""What is bent at random, and what every bent file has to end in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from modeldiff.checkpoints import open_checkpoint
from modeldiff.errors import ModeldiffError
from tests.support.opened_values import bytes_of

DATA = Path(__file__).parents[1] / "data"
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4).bfloat16()}
MOST_BYTES = 1 << 20


@contextmanager
def only_our_errors(longest: int = 2000) -> Iterator[None]:
    """No other error, and of ours one that helps, in fewer than ``longest`` characters."""
    try:
        yield
    except ModeldiffError as error:
        assert error.hint
        assert error.message.isprintable()
        assert len(error.message) < longest


def require_readable(path: Path) -> None:
    """Its tensors lie in its files, so that all of what it promises can be read."""
    checkpoint = open_checkpoint(str(path))
    for tensor in checkpoint.tensors:
        for piece in tensor.pieces:
            assert 0 <= piece.offset <= checkpoint.files[piece.file]
            assert piece.offset + piece.nbytes <= checkpoint.files[piece.file] or piece.strides
        if tensor.elements < MOST_BYTES and tensor.recipe is None and len(tensor.pieces) == 1:
            bytes_of(checkpoint, tensor)


def saved(*, zipped: bool) -> bytes:
    file = io.BytesIO()
    content = {"model": TENSORS, "optimizer": {"state": [torch.zeros(2)]}, "step": 3}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()
