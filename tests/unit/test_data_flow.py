"""The drawing's lines against what transformers computes: who reads whom, in every layer.

A forward pass on the meta device follows each tensor from module to module, through residual
additions too. The drawing must say the same: exactly these sources, no other and none missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pytest

from modeldiff.architectures import Architecture, Node, understand
from tests.support.config_checkpoints import of_config
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
    "bart",
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
"""A layer and a node's id."""


class Drawn:
    """The lines of a drawing between the boxes with parameters; operations are passed through."""

    def __init__(self, architecture: Architecture) -> None:
        self.reads: dict[Spot, set[Spot]] = {}
        self.encoded: set[Spot] = set()
        main, *others = dict.fromkeys(kind.tower for kind in architecture.layer_kinds)
        for tower in others:
            stem = [node for node in architecture.stem if node.id.startswith(f"{tower}.")]
            self.encoded = self._tower(architecture, tower, stem)
        rest = tuple(f"{tower}." for tower in others)
        stem = [node for node in architecture.stem if not node.id.startswith(rest)]
        self._section(None, [architecture.tail], self._tower(architecture, main, stem))

    def _tower(self, architecture: Architecture, tower: str, stem: Sequence[Node]) -> set[Spot]:
        """The stream after a tower's layers."""
        stream: set[Spot] = set()
        before_layers = self._section(None, [stem], stream)
        read = {name for node in stem for name in node.inputs}
        for node in stem:
            if node.id not in read:
                stream |= self._ends(None, before_layers, node.id, set())
        kinds = {n: k for k in architecture.layer_kinds if k.tower == tower for n in k.layers}
        for layer, kind in sorted(kinds.items()):
            before = set(stream)
            for sublayer in kind.sublayers:
                assert sublayer.adds
                source = before if kind.parallel else set(stream)
                nodes = self._section(layer, sublayer.rows, source)
                [last] = sublayer.rows[-2 if sublayer.norms_sum else -1]
                stream |= self._ends(layer, nodes, last.id, source)
                if sublayer.norms_sum:
                    [norm] = sublayer.rows[-1]
                    assert norm.inputs == (last.id,)
                    self.reads[layer, norm.id] = stream
                    stream = {(layer, norm.id)}
        return stream

    def _section(
        self, layer: int | None, rows: Sequence[Sequence[Node]], stream: set[Spot]
    ) -> Mapping[str, Node]:
        nodes = {node.id: node for row in rows for node in row}
        for node in nodes.values():
            if node.kind == "operation":
                continue
            lone = node.kind in ("parameter", "input")
            reads = set() if lone or node.inputs else set(stream)
            for name in node.inputs:
                reads |= self._ends(layer, nodes, name, stream)
            self.reads[layer, node.id] = reads
        return nodes

    def _ends(
        self, layer: int | None, nodes: Mapping[str, Node], name: str, stream: set[Spot]
    ) -> set[Spot]:
        """The boxes with parameters from which a line comes that leaves this node."""
        node = nodes[name]
        if name.endswith(".cross_attn.encoder"):
            return self.encoded
        if node.kind != "operation":
            return {(layer, name)}
        # The router's scores weigh what the experts give, inside of transformers' experts.
        inputs = [
            one for one in node.inputs if not name.endswith(".combine") or one != "mlp.router"
        ]
        found = set() if node.inputs else set(stream)
        for one in inputs:
            found |= self._ends(layer, nodes, one, stream)
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
        id = f"{place.tower}.{place.component}" if place.tower else place.component
        if parameter.role == "parameter":
            found[place.layer, id] = owner(parameter.tensor.name, reads)
        elif parameter.role == "tied":
            found[place.layer, id] = place.component
    # One table, which each of the towers looks its tokens up in by a module of its own.
    for name in reads:
        if name.endswith("encoder.embed_tokens"):
            found[None, "encoder.embed.shared"] = name
        if name.endswith("decoder.embed_tokens"):
            found[None, "embed_tokens"] = name
    return found


def lines(architecture: Architecture, reads: Reads) -> Iterator[tuple[str, set[str]]]:
    """Each of transformers' modules, and the modules that the drawing says it reads."""
    drawn, module = Drawn(architecture), owners(architecture, reads)
    of_module: dict[str, set[str]] = {}
    for spot, sources in drawn.reads.items():
        if spot[1].endswith(".cross_attn.encoder"):
            continue
        here = of_module.setdefault(module[spot], set())
        here |= {module[source] for source in sources} - {module[spot]}
        if module[spot].endswith(".experts"):
            here.add(module[spot[0], "mlp.router"])
    yield from of_module.items()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_is_one_that_transformers_computes_along(family: str) -> None:
    config, reads = traced_reads(family)
    checkpoint = of_config(family, config)
    architecture = understand(checkpoint)
    drawn = dict(lines(architecture, reads))
    lone = {name for name in drawn if name not in reads}
    computed = {
        # BART gives its positions the tokens' vectors, and they take no more than the length of it.
        name: set() if name.endswith("embed_positions") else set(found)
        for name, found in reads.items()
    }
    assert {name: found for name, found in drawn.items() if name in reads} == computed
    assert all(not drawn[name] for name in lone), "a lone parameter reads nothing"
