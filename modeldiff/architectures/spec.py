"""All that is known of one checkpoint, gathered once for its facts and its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modeldiff.architectures.config.config_values import Setting, Settings
from modeldiff.architectures.config.dimensions import Dimensions, read_dimensions
from modeldiff.architectures.config.parameter_counts import Composition, read_composition
from modeldiff.architectures.config.params_json import as_config
from modeldiff.architectures.config.positions import Positions, read_positions
from modeldiff.architectures.config.shapes import Shapes, read_shapes
from modeldiff.architectures.families.family import Family
from modeldiff.architectures.naming.detection import family_of, model_types
from modeldiff.architectures.naming.placement import (
    name_patterns,
    read_parameters,
    tied_head,
)
from modeldiff.architectures.naming.plain_names import plain_names
from modeldiff.architectures.naming.quantised import read_quantisation
from modeldiff.architectures.place import Parameter
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.budget import OpeningBudget
from modeldiff.processes.late_dataclass import dataclass

UNDERSTAND = "understand its names"
"""What a processor's time is spent on, as messages say it."""
UNKNOWN = "unknown"
"""The family of a checkpoint whose names no description knows."""


@dataclass(frozen=True)
class ModelSpec:
    """A checkpoint's names, shapes and config, read in the light of its family.

    ``budget`` is what reading them has spent: what is worked out of them later is charged to it.
    """

    family: Family | None
    model_type: str
    settings: Settings
    parameters: tuple[Parameter, ...]
    shapes: Shapes
    dimensions: Dimensions
    positions: Positions
    composition: Composition
    budget: OpeningBudget

    @property
    def title(self) -> str:
        """What people call this family: by the config's model type, else by the names."""
        if self.family is None:
            return self.model_type or "Unknown family"
        titles = self.family.model_types
        return titles.get(self.model_type) or self.model_type or next(iter(titles.values()))

    @property
    def norms_the_stream(self) -> bool:
        """Whether norms stand after a sublayer's result was added to the stream."""
        key = self.family.norm_after_addition if self.family else False
        if isinstance(key, bool):
            return key
        before = self.settings.flag(key)
        return before is not None and not before.value

    @property
    def activation(self) -> Setting[str] | None:
        """The MLP's activation in the config's spelling."""
        return self.settings.word(
            "hidden_activation", "hidden_act", "activation_function", "activation", "dense_act_fn"
        )

    @property
    def gated(self) -> bool | None:
        """Whether the MLP (or its experts) has a gate; None where no MLP is known."""
        for name in ("mlp", "mlp.experts"):
            if any(f"{name}.{part}" in self.shapes for part in ("gate_proj", "gate_up_proj")):
                return True
            if f"{name}.up_proj" in self.shapes:
                return False
        return None

    @property
    def norm(self) -> str | None:
        """``RMSNorm`` or ``LayerNorm``: what has a bias is a LayerNorm, then the config says."""
        if any(f"{name}.bias" in self.shapes for name in ("norm", "input_layernorm")):
            return "LayerNorm"
        if self.settings.number("rms_norm_eps"):
            return "RMSNorm"
        return self.family.norm if self.family else None


def read_checkpoint(checkpoint: Checkpoint) -> ModelSpec:
    """Read a checkpoint's headers and config.

    Whatever they hold is read; but where there are so many names that it would take longer than is
    allowed, or nobody waits for it any more, it raises what ``OpeningBudget`` does. That is asked
    after each step.
    """
    budget = OpeningBudget(checkpoint.source.where())
    config = as_config(checkpoint.config)
    with budget.timed(UNDERSTAND):
        names = plain_names(tuple([tensor.name for tensor in checkpoint.tensors]))
    with budget.timed(UNDERSTAND):
        quantised = read_quantisation(names.plain, checkpoint.tensors, config)
        family = family_of(config, name_patterns(quantised.value_names(names.plain)))
        settings = Settings(config, family)
    with budget.timed(UNDERSTAND):
        # Counted while they are read: to fetch hundreds of thousands from memory again takes longer
        # than to count them.
        read: list[Parameter] = []
        placed = read_parameters(checkpoint.tensors, names, quantised, family, settings)
        composition = read_composition(_kept(placed, read))
        parameters = (*read, *tied_head(read, settings, family, checkpoint.tied))
    with budget.timed(UNDERSTAND):
        shapes = read_shapes(parameters, composition.stacks)
        dimensions = read_dimensions(shapes, settings, composition.experts)
        layers = dimensions.layers.value if dimensions.layers else 0
        types = model_types(config)
        known = (t for t in types if family is not None and t in family.model_types)
    return ModelSpec(
        family=family,
        model_type=next(known, types[0] if types else ""),
        settings=settings,
        parameters=parameters,
        shapes=shapes,
        dimensions=dimensions,
        positions=read_positions(shapes, settings, family, layers),
        composition=composition,
        budget=budget,
    )


def _kept(parameters: Iterable[Parameter], read: list[Parameter]) -> Iterator[Parameter]:
    for parameter in parameters:
        read.append(parameter)
        yield parameter
