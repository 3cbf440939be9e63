"""READ: what a user types → named tensors, config and fingerprint, with headers read only."""

from typing import TYPE_CHECKING

from modeldiff.checkpoints.addresses.spellings import without_credentials
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.dtypes import STORED_TYPES, StoredType
from modeldiff.checkpoints.opening import open_checkpoint
from modeldiff.checkpoints.references import Reference, demo_names, parse_reference
from modeldiff.checkpoints.source import ByteReader, FetchProgress, Source
from modeldiff.checkpoints.sources.config_only import only_a_config
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_names import late_names

if TYPE_CHECKING:
    from modeldiff.checkpoints.tokenizer import Tokens, read_tokens

__all__ = [
    "STORED_TYPES",
    "ByteReader",
    "Checkpoint",
    "FetchProgress",
    "Reference",
    "Source",
    "StoredType",
    "TensorInfo",
    "Tokens",
    "demo_names",
    "only_a_config",
    "open_checkpoint",
    "parse_reference",
    "read_tokens",
    "without_credentials",
]

__getattr__ = late_names(__name__, {"tokenizer": ("Tokens", "read_tokens")})
