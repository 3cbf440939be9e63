"""The model card's metadata: the YAML between two lines of dashes that a ``README.md`` begins
with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from typing import Any

from modeldiff.checkpoints import Checkpoint
from modeldiff.companions.files import read_text
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import spelt_out

CARD = "README.md"
_MOST_BYTES = 2_000_000
_MOST_METADATA = 64_000
_MOST_NODES = 5_000
_DEEPEST = 20
_LONGEST = 300
_MOST_ENTRIES = 200


@dataclass(frozen=True)
class ModelCard:
    """What a card says of the model. ``entries`` are the metadata by key, each a list of texts (a
    single one is a list of one; what is nested is written in a line). ``exists`` tells whether
    there is a card at all, ``problems`` what was wrong with it."""

    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exists: bool = False
    problems: tuple[str, ...] = ()


def read_card(checkpoint: Checkpoint) -> ModelCard:
    """The metadata of a checkpoint's card, read as plain texts: nothing in it is made an object,
    and no alias is followed."""
    text, problem = read_text(checkpoint, CARD, _MOST_BYTES)
    if text is None:
        return ModelCard(problems=(problem,) if problem else ())
    try:
        metadata = _parse(_front_matter(text))
    except ValueError as error:
        return ModelCard({}, True, (f"The metadata of {CARD} can't be read: {error}.",))
    entries = {
        _line(key): tuple(_texts(value)) for key, value in islice(metadata.items(), _MOST_ENTRIES)
    }
    return ModelCard({key: values for key, values in entries.items() if values}, True)


def _front_matter(text: str) -> str:
    lines = text[: _MOST_METADATA + 10].splitlines()
    if not lines or lines[0].rstrip() != "---":
        return ""
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        if len(text) > _MOST_METADATA:
            raise ValueError("it is too long")
        raise ValueError("its end is missing")
    return "\n".join(lines[1:end])


def _parse(text: str) -> Mapping[Any, Any]:
    """The YAML's mapping. Raises ``ValueError`` for anything else."""
    import yaml  # late: few commands read a card

    class Loader(yaml.BaseLoader):  # type: ignore[misc]
        """Every scalar is a text. Aliases, which make little text much, are refused."""

        nodes = 0
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.nodes += 1
            if self.check_event(yaml.AliasEvent) or self.nodes > _MOST_NODES:
                raise yaml.YAMLError("it repeats itself by aliases or is too long")
            self.depth += 1
            if self.depth > _DEEPEST:
                raise yaml.YAMLError("it is nested too deeply")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    try:
        parsed = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:_LONGEST]) from error
    if parsed in (None, ""):
        return {}
    if not isinstance(parsed, dict):
        raise ValueError("it is no table of entries")
    return parsed


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [line for each in values[:_MOST_ENTRIES] if (line := _line(each))]


def _line(value: Any) -> str:
    if isinstance(value, dict):
        value = ", ".join(f"{key}: {_line(each)}" for key, each in islice(value.items(), 20))
    elif isinstance(value, list):
        value = ", ".join(map(_line, value[:20]))
    text = spelt_out(" ".join(str(value).split()))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
