"""The drawing's lines against what transformers computes: who reads whom, in every layer.

A forward pass on the meta device follows each tensor from module to module, through residual
additions too. The drawing must say the same: exactly these sources, no other and none missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pytest

from modeldiff.architectures import Architecture, Step, understand
from modeldiff.checkpoints.checkpoint import Reference
from modeldiff.checkpoints.config_only import open_config
from tests.support.data_flow import Reads, traced_reads

FAMILIES = (
    "llama",
    "gpt2",
    "qwen2",
    "qwen3",
    "phi3",
    "phi",
    "gemma2",
    "gemma3 text",
    "olmo",
    "olmo2",
    "falcon rw",
    "falcon 7b",
    "falcon 40b",
    "gpt_neox",
    "opt",
    "opt 350m",
    "bert body",
    "bloom",
    "mpt",
    "mixtral",
    "qwen2_moe",
    "qwen3_moe",
    "olmoe",
    "deepseek_v2",
    "deepseek_v3",
    "gpt_oss",
)

_RENAMED = {".block_sparse_moe.": ".mlp.", "embed_out.": "lm_head."}
"""What transformers calls otherwise in its modules than in the files."""

Spot = tuple[int | None, str]
"""A layer and a step's id."""


class Drawn:
    """The lines of a drawing between the boxes with parameters; operations are passed through."""

    def __init__(self, architecture: Architecture) -> None:
        self.reads: dict[Spot, set[Spot]] = {}
        self.step: dict[Spot, Step] = {}
        stream: set[Spot] = set()
        stem = self._section(None, [architecture.stem], stream)
        read = {name for step in architecture.stem for name in step.inputs}
        for step in architecture.stem:
            if step.id not in read:
                stream |= self._ends(None, stem, step.id, set())
        for layer in range(architecture.layer_count):
            kind = architecture.layer_kind(layer)
            assert kind is not None
            before = set(stream)
            for sublayer in kind.sublayers:
                assert sublayer.adds
                source = before if kind.parallel else set(stream)
                steps = self._section(layer, sublayer.rows, source)
                [last] = sublayer.rows[-2 if sublayer.norms_sum else -1]
                stream |= self._ends(layer, steps, last.id, source)
                if sublayer.norms_sum:
                    [norm] = sublayer.rows[-1]
                    assert norm.inputs == (last.id,)
                    self.reads[layer, norm.id] = stream
                    stream = {(layer, norm.id)}
        self._section(None, [architecture.tail], stream)

    def _section(
        self, layer: int | None, rows: Sequence[Sequence[Step]], stream: set[Spot]
    ) -> Mapping[str, Step]:
        steps = {step.id: step for row in rows for step in row}
        for step in steps.values():
            if step.kind == "operation":
                continue
            reads = set() if step.kind == "parameter" or step.inputs else set(stream)
            for name in step.inputs:
                reads |= self._ends(layer, steps, name, stream)
            self.reads[layer, step.id] = reads
            self.step[layer, step.id] = step
        return steps

    def _ends(
        self, layer: int | None, steps: Mapping[str, Step], name: str, stream: set[Spot]
    ) -> set[Spot]:
        """The boxes with parameters from which a line comes that leaves this step."""
        step = steps[name]
        if step.kind != "operation":
            return {(layer, name)}
        # The router's scores weigh what the experts give, inside of transformers' experts.
        inputs = [
            one for one in step.inputs if not name.endswith(".combine") or one != "mlp.router"
        ]
        found = set() if step.inputs else set(stream)
        for one in inputs:
            found |= self._ends(layer, steps, one, stream)
        return found


def owner(stored: str, reads: Reads) -> str:
    """The module that computes with a stored tensor; a lone parameter is its own."""
    name = stored
    for before, after in _RENAMED.items():
        name = name.replace(before, after)
    name = re.sub(r"(\.experts)\..*", r"\1.stack", name)
    return name.rpartition(".")[0] if name.rpartition(".")[0] in reads else name


def owners(architecture: Architecture, reads: Reads) -> dict[Spot, str]:
    found = {}
    for parameter in architecture.parameters:
        place = parameter.place
        if parameter.role == "parameter":
            found[place.layer, place.component] = owner(parameter.tensor.name, reads)
        elif parameter.role == "tied":
            found[place.layer, place.component] = place.component
    return found


def lines(architecture: Architecture, reads: Reads) -> Iterator[tuple[str, set[str]]]:
    """Each of transformers' modules, and the modules that the drawing says it reads."""
    drawn, module = Drawn(architecture), owners(architecture, reads)
    of_module: dict[str, set[str]] = {}
    for spot, sources in drawn.reads.items():
        here = of_module.setdefault(module[spot], set())
        here |= {module[source] for source in sources} - {module[spot]}
        if module[spot].endswith(".experts"):
            here.add(module[spot[0], "mlp.router"])
    yield from of_module.items()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_is_one_that_transformers_computes_along(family: str) -> None:
    config, reads = traced_reads(family)
    checkpoint = open_config(Reference("catalog", family, family), config, None)
    architecture = understand(checkpoint)
    drawn = dict(lines(architecture, reads))
    lone = {name for name in drawn if name not in reads}
    assert {name: found for name, found in drawn.items() if name in reads} == {
        name: set(found) for name, found in reads.items()
    }
    assert all(not drawn[name] for name in lone), "a lone parameter reads nothing"
