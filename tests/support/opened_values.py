"""A checkpoint's values as the engine reads them, all at once."""

from __future__ import annotations

import numpy as np

from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.checkpoints import STORED_TYPES, Checkpoint, TensorInfo


def bytes_of(checkpoint: Checkpoint, tensor: TensorInfo) -> bytes:
    """The bytes of the tensor's values, in the order of its shape."""
    files = OpenFiles(checkpoint, [tensor])
    for file in files.names:
        files.fetch(file)
    buffer = np.empty(tensor.elements * STORED_TYPES[tensor.values].bits // 8, np.uint8)
    if buffer.size:
        files.fill(tensor, 0, buffer)
    return buffer.tobytes()
