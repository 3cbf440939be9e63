"""Where a parameter sits in an architecture."""

from __future__ import annotations

from dataclasses import field
from math import prod
from typing import Literal, NamedTuple

from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.made_quickly import made_quickly

ParameterRole = Literal["parameter", "buffer", "tied", "quantised"]

_SCALES = ("scale_inv", "scales", "weight_scale", "input_scale", "scale_ub", "zeros", "g_idx")
"""Ends of the names of a quantised matrix's scales: they are not parameters of the model."""

_KEPT_BESIDE = (
    "e_score_correction_bias",
    "expert_bias",
    "balancing_biases",
    "router_bias",
    ".layer_scalar",
    ".running_mean",
    ".running_var",
    ".global_mean",
    ".global_invstd",
    ".act_fn.beta",
    ".act_fn.eps",
    ".slope_rate",
    ".query_decay",
    ".key_decay",
    ".diagonal_decay",
    "lerope.alpha",
    ".pos_idx_to_embed",
)
"""Ends of the names of what transformers stores and computes with, but gives to no optimiser, such
as a correction of a router's scores that a rule moves: measured like a parameter, not counted."""


class LayerNumbers(NamedTuple):
    """A layer's number in base and in target; None where that side has no such layer."""

    base: int | None
    target: int | None

    @property
    def label(self) -> str:
        """Both in a few letters: ``3``, ``12 ← 20`` (target's 12 is base's 20), ``16 removed``,
        ``4 new``."""
        if self.target is None:
            return f"{self.base} removed"
        if self.base is None:
            return f"{self.target} new"
        return f"{self.target}" if self.base == self.target else f"{self.target} ← {self.base}"


@made_quickly
@dataclass(frozen=True, slots=True)
class Place:
    """Tower, layer, component, parameter and expert: what pairs two checkpoints' tensors.

    ``layer`` counts from 0, in its tower; None stands outside the layers. ``component`` carries
    Llama's names as the common tongue (``self_attn.q_proj``, ``mlp.down_proj``, ``embed_tokens``,
    ``norm``, ``lm_head``). ``parameter`` is the last part of the name (``weight``, ``bias``), so a
    bias never mixes with its weight. ``expert`` counts from 0; None where it is no routed expert's.
    ``tower`` is empty for a decoder-only model, else ``encoder``, ``decoder``, ``vision`` ….

    Where a comparison aligned the layers of a tower by content, ``layer`` is where the layer stands
    among those of both sides, and ``layers`` its number on each. That is no part of what tells
    places apart.
    """

    layer: int | None
    component: str
    parameter: str = "weight"
    expert: int | None = None
    tower: str = ""
    layers: LayerNumbers | None = field(default=None, compare=False, repr=False)

    @property
    def numbers(self) -> LayerNumbers:
        """The layer's number on each side."""
        return self.layers or LayerNumbers(self.layer, self.layer)

    @property
    def layer_label(self) -> str:
        """What people call the layer; empty outside the layers."""
        return "" if self.layer is None else self.numbers.label

    @property
    def layer_number(self) -> int | None:
        """The layer's number in base, or in target where base has no such layer."""
        base, target = self.numbers
        return target if base is None else base

    @property
    def node(self) -> str:
        """The id of the graph's node that holds it: the component, with its tower."""
        return node_id(self.tower, self.component)

    @property
    def column(self) -> str:
        """The heatmap's column: the node, with the parameter where it is not the weight."""
        return column_of(node_id(self.tower, self.component), self.parameter)


def node_id(tower: str, component: str) -> str:
    """The id of a component's node in the graph, the same wherever a node is named."""
    return f"{tower}.{component}" if tower else component


def column_of(node: str, parameter: str) -> str:
    """The heatmap's column of one parameter of a node."""
    return node if parameter == "weight" else f"{node}.{parameter}"


@dataclass(frozen=True)
class Codes:
    """What stands for a quantised matrix's values: no number of it is a weight.

    ``method`` is what the config calls it, empty where none says; a value takes ``bits``.
    ``shape`` is that of the values, None where the stored one does not tell it. ``inputs_first``:
    the codes are packed with what goes in as rows, unlike the shape. ``count`` is how many values
    there are, where neither shape nor bits tell it.
    """

    method: str
    bits: int
    shape: tuple[int, ...] | None
    inputs_first: bool = False
    count: int | None = None

    def values_in(self, nbytes: int) -> int:
        """How many values ``nbytes`` of codes, all that there are, hold."""
        if self.shape is not None:
            return prod(self.shape)
        return nbytes * 8 // self.bits if self.count is None else self.count


@made_quickly
@dataclass(frozen=True, slots=True)
class Parameter:
    """A stored tensor, or a part of a fused one, in its place.

    A ``tied`` one is a second use of a tensor that is stored once: the head that is the embedding.
    A ``quantised`` one has ``codes``. ``transposed``: a matrix stored [in, out], as GPT-2's Conv1D
    does, not [out, in]. ``reason`` is what is to be said of how it was read, mostly nothing.
    ``counted``: it is one of the model's parameters, which no correction of a router's scores is.
    """

    place: Place
    tensor: TensorInfo
    role: ParameterRole = "parameter"
    transposed: bool = False
    codes: Codes | None = None
    reason: str = ""
    counted: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values: the stored one, but where they are packed; () if unknown."""
        return self.tensor.shape if self.codes is None else self.codes.shape or ()


_NOT_COUNTED = (*_SCALES, *_KEPT_BESIDE, "_scales")
_LAST_LETTERS = frozenset(end[-1] for end in _NOT_COUNTED)
"""Most names are told by their last letter alone."""


def trained_elements(parameter: Parameter) -> int:
    """How many trained parameters a stored tensor holds: a quantised one's scales and what no
    optimiser sees are none, and packed values are counted one by one."""
    tensor, codes = parameter.tensor, parameter.codes
    if not parameter.counted:
        return 0
    name = tensor.name
    if name[-1:] in _LAST_LETTERS and name.endswith(_NOT_COUNTED):
        return 0
    if codes is None:
        return prod(tensor.shape)
    return codes.values_in(tensor.nbytes)
