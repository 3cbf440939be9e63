"""Names that no description knows, read by their own pattern.

The first number in a name that varies from name to name is the layer (``blocks.3.attn.q.weight``),
a number after a word with "expert" in it the expert, and what is left names the component. So any
model whose names count its layers gets a table, columns and a stack. Nothing is known about what a
component does: it keeps the name that the file gives it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from modeldiff.architectures.families.family import WEIGHT_NAMES, index_of
from modeldiff.architectures.place import Place

_WRAPPERS = frozenset(
    {"base_model", "module", "_orig_mod", "model", "transformer", "language_model"}
)
_LIST_WORDS = frozenset({"layers", "layer", "blocks", "block", "h", "resblocks"})
_TOWER_WORDS = {
    "vision_tower": "vision",
    "vision_model": "vision",
    "vision_encoder": "vision",
    "visual": "vision",
    "audio_tower": "audio",
    "audio_model": "audio",
    "text_model": "text",
    "encoder": "encoder",
    "decoder": "decoder",
}

Path = tuple[str, ...]


def read_names(names: Iterable[str], *, main_known: bool = False) -> dict[str, Place]:
    """A place for each name. Two names may come out at one place: the caller sees to that.

    ``main_known``: these are the left-over names of a model whose main stack is described, so a
    single stack among them is a tower beside it.
    """
    paths = {name: _unwrapped(name.split(".")) for name in names}
    indices = _indices(paths.values())
    layer_at = {name: _layer_position(path, indices) for name, path in paths.items()}
    stacks = dict.fromkeys(
        path[:at] for name, path in paths.items() if (at := layer_at[name]) is not None
    )
    towers = _towers(tuple(stacks), main_known=main_known)
    places = {}
    for name, path in paths.items():
        at = layer_at[name]
        if at is None:
            places[name] = _outside(path, towers)
        else:
            component, parameter, expert = _component(path[at + 1 :])
            tower = towers[path[:at]]
            places[name] = Place(index_of(path[at]), component, parameter, expert, tower)
    return places


def _unwrapped(segments: list[str]) -> Path:
    start = 0
    while start < len(segments) - 2 and segments[start] in _WRAPPERS:
        start += 1
    return tuple(segments[start:])


def _indices(paths: Iterable[Path]) -> dict[Path, set[str]]:
    """Which numbers follow each beginning of a name."""
    seen: dict[Path, set[str]] = defaultdict(set)
    for path in paths:
        for at, segment in enumerate(path[:-1]):
            if at and index_of(segment) is not None:
                seen[path[:at]].add(segment)
                break
    return seen


def _layer_position(path: Path, indices: dict[Path, set[str]]) -> int | None:
    for at, segment in enumerate(path[:-1]):
        if at and index_of(segment) is not None:
            listed = len(indices[path[:at]]) > 1 or path[at - 1] in _LIST_WORDS
            return at if listed and "expert" not in path[at - 1] else None
    return None


def _towers(stacks: tuple[Path, ...], *, main_known: bool) -> dict[Path, str]:
    """A name for each stack of layers; the empty one for the only stack, or the plain one."""
    if len(stacks) == 1 and not main_known:
        return {stacks[0]: ""}
    towers: dict[Path, str] = {}
    for stack in stacks:
        words = tuple(word for word in stack if word not in _LIST_WORDS)
        known = next((_TOWER_WORDS[word] for word in words if word in _TOWER_WORDS), None)
        tower = known or ".".join(words)
        if tower in towers.values() or (main_known and not tower):
            tower = ".".join(stack)
        towers[stack] = tower
    return towers


def _outside(path: Path, towers: dict[Path, str]) -> Place:
    """A place outside the layers, in the tower whose stack's name it shares."""
    for stack, tower in towers.items():
        head = tuple(word for word in stack if word not in _LIST_WORDS)
        if tower and head and path[: len(head)] == head and len(path) > len(head):
            component, parameter, expert = _component(path[len(head) :])
            return Place(None, component, parameter, expert, tower)
    named = _TOWER_WORDS.get(path[0]) if len(path) > 2 else None
    tower = named if named is not None and named in towers.values() else ""
    component, parameter, expert = _component(path[1:] if tower else path)
    return Place(None, component, parameter, expert, tower)


def _component(path: Path) -> tuple[str, str, int | None]:
    parameter = "weight"
    if len(path) > 1 and path[-1] in WEIGHT_NAMES:
        path, parameter = path[:-1], path[-1]
    expert = None
    for at in range(1, len(path)):
        if "expert" in path[at - 1] and (expert := index_of(path[at])) is not None:
            path = path[:at] + path[at + 1 :]
            break
    return ".".join(path) or "unnamed", parameter, expert
