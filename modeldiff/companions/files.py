"""Reading a companion: it may be missing, too large, or not what its name says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.formats.config_json import MAX_CONFIG_BYTES, parse_config
from modeldiff.checkpoints.formats.stand_ins import stand_in
from modeldiff.errors import CheckpointError, CheckpointNotFound, NoWeights


def read_beside(checkpoint: Checkpoint, file: str, limit: int) -> tuple[bytes | None, str]:
    """The content of a ``file`` beside the weights of at most ``limit`` bytes, or None with a
    sentence on why it can't be read; the sentence is empty where there is no such file."""
    try:
        content = checkpoint.source.read_small(file, limit)
    except (CheckpointNotFound, NoWeights):
        return None, ""
    except CheckpointError as error:
        return None, error.message
    if instead := stand_in(content):
        return None, f"{file} {instead.what}. {instead.hint}"
    return content, ""


def read_object(checkpoint: Checkpoint, file: str) -> tuple[Mapping[str, Any], str]:
    """A JSON ``file`` beside the weights, empty where there is none, and a sentence on what was
    wrong with it, if anything was."""
    content, problem = read_beside(checkpoint, file, MAX_CONFIG_BYTES)
    if content is None:
        return {}, problem
    parsed, warnings = parse_config(content, file)
    return parsed or {}, " ".join(warnings)


def read_text(checkpoint: Checkpoint, file: str, limit: int) -> tuple[str | None, str]:
    """A ``file`` of text beside the weights, else None as ``read_beside`` has it."""
    content, problem = read_beside(checkpoint, file, limit)
    if content is None:
        return None, problem
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return None, f"{file} is not UTF-8 text and was left aside."
