"""Names that no description knows, read by their own pattern.

A number that counts a list of modules is the layer (``blocks.3.attn.q.weight``), a number after a
word with "expert" in it the expert, and what is left names the component. So any model whose names
count its layers gets a table, columns and a stack. Nothing is known about what a component does: it
keeps the name that the file gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modeldiff.architectures.families.family import WEIGHT_NAMES, index_of
from modeldiff.architectures.naming.layer_lists import Path, is_list_word, layer_positions
from modeldiff.architectures.naming.plain_names import TOWER_WORDS
from modeldiff.architectures.place import Place


def read_names(names: Iterable[str], *, main_known: bool = False) -> dict[str, Place]:
    """A place for each plain name. Two names may come out at one place: the caller sees to that.

    ``main_known``: these are the left-over names of a model whose main stack is described, so a
    single stack among them is a tower beside it.
    """
    paths = {name: tuple(name.split(".")) for name in names}
    layer_at = layer_positions(tuple(paths.values()))
    stacks = dict.fromkeys(
        path[:at] for path, at in zip(paths.values(), layer_at, strict=True) if at is not None
    )
    towers = _towers(tuple(stacks), main_known=main_known)
    heads = _heads(towers)
    longest = max(map(len, heads), default=0)
    places = {}
    for (name, path), at in zip(paths.items(), layer_at, strict=True):
        if at is None:
            places[name] = _outside(path, heads, longest)
        else:
            component, parameter, expert = read_component(path[at + 1 :])
            tower = towers[path[:at]]
            places[name] = Place(index_of(path[at]), component, parameter, expert, tower)
    return places


def _towers(stacks: tuple[Path, ...], *, main_known: bool) -> dict[Path, str]:
    """A name for each stack of layers; the empty one for the only stack, or the plain one."""
    if len(stacks) == 1 and not main_known:
        return {stacks[0]: ""}
    towers: dict[Path, str] = {}
    taken: set[str] = set()
    for stack in stacks:
        words = _own_words(stack)
        known = next((TOWER_WORDS[word] for word in words if word in TOWER_WORDS), None)
        tower = known or ".".join(words)
        if tower in taken or (main_known and not tower):
            tower = ".".join(stack)
        taken.add(tower)
        towers[stack] = tower
    return towers


def _own_words(stack: Path) -> Path:
    """What a stack is called, without the words for a list."""
    return tuple(word for word in stack if not is_list_word(word))


def _heads(towers: Mapping[Path, str]) -> dict[Path, str]:
    """What names of a tower begin with, outside its layers → the tower."""
    heads: dict[Path, str] = {}
    for stack, tower in towers.items():
        words = _own_words(stack)
        if tower and words:
            heads.setdefault(words, tower)
    named = set(towers.values())
    for word, tower in TOWER_WORDS.items():
        if tower in named:
            heads.setdefault((word,), tower)
    return heads


def _outside(path: Path, heads: Mapping[Path, str], longest: int) -> Place:
    """A place outside the layers, in the tower whose stack's name it shares; ``longest`` is that of
    the ``heads``."""
    for length in range(min(len(path) - 1, longest), 0, -1):
        tower = heads.get(path[:length])
        if tower is not None:
            component, parameter, expert = read_component(path[length:])
            return Place(None, component, parameter, expert, tower)
    component, parameter, expert = read_component(path)
    return Place(None, component, parameter, expert)


def read_component(path: Path) -> tuple[str, str, int | None]:
    """Component, parameter and expert of a path within a layer, or outside of all layers."""
    parameter = "weight"
    if len(path) > 1 and path[-1] in WEIGHT_NAMES:
        path, parameter = path[:-1], path[-1]
    expert = None
    for at in range(1, len(path)):
        if "expert" in path[at - 1] and (expert := index_of(path[at])) is not None:
            path = path[:at] + path[at + 1 :]
            break
    return ".".join(path) or "unnamed", parameter, expert
