"""Where a parameter sits in an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modeldiff.checkpoints.checkpoint import TensorInfo

Role = Literal["parameter", "buffer", "tied"]


@dataclass(frozen=True)
class Place:
    """Tower, layer, component, parameter and expert: what pairs two checkpoints' tensors.

    ``component`` carries Llama's names as the common tongue (``self_attn.q_proj``,
    ``mlp.down_proj``, ``embed_tokens``, ``norm``, ``lm_head``). ``parameter`` is the last part of
    the name (``weight``, ``bias``), so a bias never mixes with its weight. ``tower`` is empty for
    a decoder-only model, else ``encoder``, ``decoder``, ``vision`` ….
    """

    layer: int | None
    component: str
    parameter: str = "weight"
    expert: int | None = None
    tower: str = ""

    @property
    def column(self) -> str:
        """The heatmap's column: component, with the parameter where it is not the weight."""
        name = (
            self.component if self.parameter == "weight" else f"{self.component}.{self.parameter}"
        )
        return f"{self.tower}.{name}" if self.tower else name


@dataclass(frozen=True)
class Parameter:
    """A stored tensor, or a part of a fused one, in its place.

    A ``tied`` one is a second use of a tensor that is stored once: the head that is the embedding.
    ``transposed``: a matrix stored [in, out], as GPT-2's Conv1D does, not [out, in].
    """

    place: Place
    tensor: TensorInfo
    role: Role = "parameter"
    transposed: bool = False
