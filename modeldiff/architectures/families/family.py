"""What a naming family is: a declarative description of its names and of what they leave unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from modeldiff.architectures.components import COMPONENTS
from modeldiff.architectures.families.fused import Fused
from modeldiff.processes.late_dataclass import dataclass

WEIGHT_NAMES = frozenset({"weight", "bias", "scale", "gamma", "beta", "kernel"})
"""Last parts of a name that are a parameter of the component before them, whoever wrote it."""

_SPELLINGS = {"gamma": "weight", "beta": "bias"}
"""What the oldest files call a norm's parameters."""

MAX_INDEX = 9_999
"""A larger number in a name is no layer or expert: nobody builds that many, hostile files do."""

_MAX_DIGITS = len(str(MAX_INDEX))

Position = Literal["RoPE", "learned", "ALiBi", "relative", "none"]
RotaryRows = Literal["halves", "pairs", "unsaid"]


def index_of(segment: str) -> int | None:
    """The layer or expert that a name's segment says, or None: ``"31"`` → 31, ``"007"`` → None."""
    # The cheap looks come first: a name may be as long as it likes, and there may be many.
    if len(segment) > _MAX_DIGITS or not (segment.isdigit() and segment.isascii()):
        return None
    return int(segment) if segment[0] != "0" or segment == "0" else None


@dataclass(frozen=True)
class Family:
    """One naming family.

    ``model_types`` maps each ``model_type`` of a config to the name that people use. A name, plain
    as ``plain_names`` makes it, is a prefix of ``prefixes`` (or none), then either a path in
    ``outside`` or a list of layers in ``lists``, its index and a path in ``layer``; what follows
    the path is the parameter. In the paths ``#`` stands for an expert's index, in the components
    ``:`` sets the parameter off where the name runs the two together
    (``mlp.experts.down_proj:bias``). A path that begins with a tower and ``:`` holds in that tower
    only.

    ``towers`` maps a prefix to the tower it opens, for models of more than one stack; ``beyond`` is
    the tower of layers past those that the config counts. ``transposed`` components are stored
    [in, out] where shapes do not tell; ``fused`` says how the parts stand in a component that holds
    several. ``rotary_rows`` is the order in which rows of queries and keys stand: in ``halves`` of
    a head that turn together, in ``pairs`` side by side, or ``unsaid`` by the names. A component of
    ``mlp.experts`` whose path has no ``#`` is a stack of all experts. ``defaults`` are config
    values that hold when a config does not say them. ``norm``, ``norm_weight_plus_one`` and
    ``position`` say what neither tensors nor config do.
    ``own`` are the components that the common graph lacks: a component that is in neither is a
    misspelt one, and raises ValueError when the description is made.
    ``bare_norms``: norms that compute but store nothing. ``norm_after_addition``: norms stand after
    a sublayer's result was added to the stream, always or when the config key of that name is
    false. ``head_optional``: a head tied to the embedding is there only beside something stored of
    it. ``writes``: whether it writes token by token, and so keeps keys and values. ``parallel``:
    attention and MLP read the same input, always or when the config key of that name is true.
    ``embedding_scale`` is by what the embedding is multiplied before the first layer.
    """

    name: str
    model_types: Mapping[str, str]
    layer: Mapping[str, str]
    outside: Mapping[str, str]
    prefixes: tuple[str, ...] = ("text_model.",)
    lists: tuple[str, ...] = ("layers",)
    towers: Mapping[str, str] = field(default_factory=dict)
    transposed: frozenset[str] = frozenset()
    fused: Mapping[str, Fused] = field(default_factory=dict)
    rotary_rows: RotaryRows = "halves"
    defaults: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    norm: Literal["RMSNorm", "LayerNorm"] = "RMSNorm"
    norm_weight_plus_one: bool = False
    bare_norms: bool = False
    norm_after_addition: bool | str = False
    head_optional: bool = False
    writes: bool = True
    beyond: str = ""
    position: Position = "RoPE"
    parallel: bool | str = False
    embedding_scale: str = ""
    own: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        named = {
            whole.partition(":")[0] for whole in (*self.layer.values(), *self.outside.values())
        }
        parts = {
            f"{component.rpartition('.')[0]}.{part}"
            for component, fused in self.fused.items()
            for part in fused.parts
        }
        wrong = (named | parts | self.transposed | self.fused.keys()) - COMPONENTS - self.own
        if wrong:
            raise ValueError(
                f"The family {self.name} names components that the common graph does not know: "
                f"{', '.join(sorted(wrong))}. Correct them, or declare them as its own."
            )
        if unused := self.own - named:
            raise ValueError(
                f"The family {self.name} declares components that it does not name: "
                f"{', '.join(sorted(unused))}."
            )

    def split(self, name: str) -> tuple[str, int | None, str]:
        """Tower, layer and the path within it (or the path outside the layers) of a plain name."""
        tower, rest = "", name
        for prefix, opened in self.towers.items():
            if name.startswith(prefix):
                tower, rest = opened, name.removeprefix(prefix)
                break
        else:
            for prefix in self.prefixes:
                if name.startswith(prefix):
                    rest = name.removeprefix(prefix)
                    break
        for stack in self.lists:
            if rest.startswith(stack + "."):
                segment, _, path = rest[len(stack) + 1 :].partition(".")
                layer = index_of(segment)
                if layer is not None and path:
                    return tower, layer, path
        return tower, None, rest

    def look_up(
        self, path: str, *, in_layer: bool, tower: str = ""
    ) -> tuple[str, str, int | None] | None:
        """Component, parameter and expert of a path, or None where the description lacks it."""
        table = self.layer if in_layer else self.outside
        entry = _parameter_in(table, f"{tower}:{path}") if tower else None
        entry = entry or _parameter_in(table, path)
        if entry is not None:
            return *entry, None
        segments = path.split(".")
        for position, segment in enumerate(segments):
            expert = index_of(segment)
            if expert is not None:
                segments[position] = "#"
                entry = _parameter_in(table, ".".join(segments))
                return (*entry, expert) if entry is not None else None
        return None


def _parameter_in(table: Mapping[str, str], path: str) -> tuple[str, str] | None:
    whole = table.get(path)
    if whole is not None:
        component, _, parameter = whole.partition(":")
        return component, parameter or "weight"
    module, _, parameter = path.rpartition(".")
    component = table.get(module, "")
    parameter = _SPELLINGS.get(parameter, parameter)
    return (component, parameter) if component and ":" not in component else None
