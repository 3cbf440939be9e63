"""What a method has to look at: the tensors by name, the config's words, a few stored bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from modeldiff.checkpoints.recipes.scaled_codes import Rounding
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass

Peek = Callable[[TensorInfo, int], bytes]
"""The first so many bytes of a tensor, read while opening. Raises ``CheckpointError`` and what
stands below it."""

_TABLES = ("quantization_config", "compression_config", "quantization")
_WIDTHS = ("hidden_size", "n_embd", "d_model")
_NUMBER = re.compile(r"(?<=\.)[0-9]+(?=\.)", re.ASCII)
_MOST_GROUPS = 64
_MOST_BLOCK = 1 << 20


class Unfit(Exception):
    """These tensors cannot be read by their method: the message says why, as a part of a
    sentence."""


@dataclass(frozen=True)
class QuantisationConfig:
    """What a config says of the quantisation; nothing of it is trusted, and nothing is needed
    where shapes tell."""

    entries: Mapping[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> QuantisationConfig:
        """Those of a checkpoint's config, or of the text model in it."""
        whole = config if isinstance(config, Mapping) else {}
        inner = whole.get("text_config")
        for table in (whole, inner if isinstance(inner, Mapping) else {}):
            for key in _TABLES:
                if isinstance(table.get(key), Mapping):
                    return cls(table[key])
        return cls({})

    def word(self, key: str) -> str:
        """A text in small letters; empty where there is none."""
        value = self.entries.get(key)
        return value.lower() if isinstance(value, str) else ""

    def count(self, *keys: str, of: Mapping[str, Any] | None = None) -> int | None:
        """The first of these entries that is a positive whole number of a sensible size."""
        entries = self.entries if of is None else of
        for key in keys:
            value = entries.get(key)
            if type(value) is int and 0 < value <= _MOST_BLOCK:
                return value
        return None

    def block(self) -> tuple[int, int] | None:
        """FP8's ``weight_block_size``, or compressed-tensors' ``block_structure``: rows and
        columns."""
        groups = (group.get("block_structure") for group in self.weight_groups())
        for value in (self.entries.get("weight_block_size"), *groups):
            if not isinstance(value, list) or len(value) != 2:
                continue
            if all(type(each) is int and 0 < each <= _MOST_BLOCK for each in value):
                return value[0], value[1]
        return None

    def weight_groups(self) -> tuple[Mapping[str, Any], ...]:
        """compressed-tensors' descriptions of weights, one for each kind of module."""
        groups = self.entries.get("config_groups")
        tables = list(groups.values())[:_MOST_GROUPS] if isinstance(groups, Mapping) else []
        weights = (each.get("weights") for each in tables if isinstance(each, Mapping))
        return tuple(each for each in weights if isinstance(each, Mapping))


@dataclass
class NamedTensors:
    """A checkpoint's tensors by name. ``width`` is the residual stream's by the config, 0 where
    that does not say; ``metadata`` what the files say of themselves. ``notes`` are sentences that
    methods leave; ``known`` is what one of them found out that holds for the others, too."""

    tensors: Mapping[str, TensorInfo]
    settings: QuantisationConfig
    peek: Peek
    width: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)

    def beside(self, *names: str) -> tuple[TensorInfo, ...]:
        """Those of these tensors that are there."""
        return tuple(self.tensors[name] for name in names if name in self.tensors)

    def note(self, sentence: str) -> None:
        """Say it once, however many tensors it is of."""
        self.notes[sentence] = None


def width_of(config: Mapping[str, Any] | None) -> int:
    """The width of the residual stream by a model's config, or that of the text model in it; 0
    where neither says it."""
    whole = config if isinstance(config, Mapping) else {}
    inner = whole.get("text_config")
    for table in (whole, inner if isinstance(inner, Mapping) else {}):
        for key in _WIDTHS:
            value = table.get(key)
            if type(value) is int and 0 < value <= _MOST_BLOCK:
                return value
    return 0


def called_alike(name: str) -> str:
    """The name with ``#`` for the numbers of layers and experts: matrices that are called and sized
    alike are described alike."""
    return _NUMBER.sub("#", name)


def as_bytes(tensor: TensorInfo) -> TensorInfo:
    """The stored bytes of a tensor in one piece, as such."""
    piece = tensor.pieces[0]
    shape = (piece.nbytes,)
    return TensorInfo.stored(tensor.name, "U8", shape, piece.file, piece.offset, piece.nbytes)


def rounding_of(scale: TensorInfo) -> Rounding:
    """The type that values are computed in where the reference computes in the scales' own."""
    if scale.values == "F16":
        return "F16"
    return "BF16" if scale.values == "BF16" else "F32"


def require_fit(what: bool, reason: str) -> None:
    """Raise ``Unfit`` with a reason unless ``what``."""
    if not what:
        raise Unfit(reason)


def shape_words(tensor: TensorInfo) -> str:
    """A tensor's shape: ``[96, 2]``."""
    return "[" + ", ".join(f"{size:,}" for size in tensor.shape) + "]"


def require_numbers(tensor: TensorInfo, *types: str) -> None:
    """Raise ``Unfit`` unless what stands beside codes is stored in one of these types."""
    require_fit(
        tensor.recipe is None and tensor.values in types,
        f"{tensor.name.rpartition('.')[2]} is stored as {tensor.dtype}",
    )
