"""The matrices that tell how wide the keys and values of an attention are, by names of any toolkit.

Families that are described have names of their own for them (``self_attn.k_proj``); others are
read by the words that toolkits write: ``wk``, ``key_proj``, ``to_k``, ``query_key_value``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal

from modeldiff.architectures.config.shapes import oriented
from modeldiff.architectures.place import Parameter
from modeldiff.processes.late_dataclass import dataclass

MatrixRole = Literal["key", "value", "latent", "both", "fused", "output"]

_NAMES: Mapping[MatrixRole, tuple[str, ...]] = {
    "key": ("k", "wk", "key"),
    "value": ("v", "wv", "value"),
    "latent": ("kv_a", "wkv_a"),
    "both": ("kv",),
    "fused": ("qkv", "wqkv", "query_key_value", "att"),
    "output": ("o", "wo", "out", "dense", "attn_out"),
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names}
"""What the last part of a name says, without ``_DECORATION``. ``both``: keys and values in one."""
_DECORATION = frozenset({"proj", "project", "linear", "to", "with", "mqa", "dv"})
_ATTENDS = ("att", "mixer")
_OTHER = ("cross", "indexer", "expert")
"""Words of an attention over another text, or of a choice within one, which keep nothing here."""
_STATE = frozenset({"a_log", "dt_bias", "time_decay"})
"""What decays is a state, which stands for all tokens."""


@dataclass
class Attention:
    """One attention: the ``shapes`` of its matrices, [out, in], by what they are, and the ``names``
    of the stored ones. ``shared``: it is stored once and used by several layers."""

    layer: int
    shared: bool
    shapes: dict[MatrixRole, tuple[int, ...]] = field(default_factory=dict)
    names: dict[MatrixRole, str] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """How many numbers it keeps of each token; 0 where its matrices do not tell."""
        latent, key, both = (self.shapes.get(role) for role in ("latent", "key", "both"))
        if latent:
            return latent[0]
        if key:
            return key[0] + self.shapes.get("value", key)[0]
        if both:
            return both[0]
        fused, output = self.shapes.get("fused"), self.shapes.get("output")
        return fused[0] - output[1] if fused and output else 0

    @property
    def tensor(self) -> str:
        """The stored name of the first matrix that tells."""
        return next(name for role, name in self.names.items() if role != "output")


def attentions_of(parameters: Iterable[Parameter], tower: str) -> list[Attention]:
    """Every attention of a tower's layers that looks at the tower's own text, by layer and then in
    the order of the parameters; those whose matrices tell nothing are left out."""
    found: dict[tuple[int, str], Attention] = {}
    outputs: dict[int, tuple[int, ...]] = {}
    states: set[tuple[int, str]] = set()
    for parameter in parameters:
        place = parameter.place
        component = place.component.lower()
        if place.layer is None or place.tower != tower or place.expert is not None:
            continue
        module, _, name = component.removesuffix(".linear").rpartition(".")
        if name in _STATE:
            states.add((place.layer, module))
        role = _role(component, name)
        shape = oriented(parameter)
        if role is None or place.parameter != "weight" or len(shape) != 2:
            continue
        if role == "output":
            outputs.setdefault(place.layer, shape)
        shared = "shared" in module
        attention = found.setdefault((place.layer, module), Attention(place.layer, shared))
        attention.shapes.setdefault(role, shape)
        attention.names.setdefault(role, parameter.tensor.label)
    for (layer, _), attention in found.items():
        if layer in outputs:
            attention.shapes.setdefault("output", outputs[layer])
    told = [a for key, a in found.items() if key not in states and a.numbers > 0]
    return sorted(told, key=lambda attention: attention.layer)


def _role(component: str, name: str) -> MatrixRole | None:
    """What a matrix is to its attention, by its component and the last part of that."""
    attends = any(word in component for word in _ATTENDS)
    if not attends or any(word in component for word in _OTHER):
        return None
    return _ROLES.get("_".join(word for word in name.split("_") if word not in _DECORATION))
