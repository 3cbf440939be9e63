"""Names that no description knows, read by their own pattern.

A number that counts a list of modules is the layer (``blocks.3.attn.q.weight``), a number after a
word with "expert" in it the expert, and what is left names the component. So any model whose names
count its layers gets a table, columns and a stack. Nothing is known about what a component does: it
keeps the name that the file gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modeldiff.architectures.families.family import WEIGHT_NAMES, index_of
from modeldiff.architectures.naming.layer_lists import (
    NOT_LAYERED,
    is_list_word,
    layer_starts,
)
from modeldiff.architectures.naming.plain_names import TOWER_WORDS
from modeldiff.architectures.place import Place


def read_names(
    names: Sequence[str], *, starts: Sequence[int] | None = None, main_known: bool = False
) -> list[Place]:
    """A place for each plain name. Two names may come out at one place: the caller sees to that.

    ``starts`` are what ``layer_starts`` gives of these names, where that is known already.
    ``main_known``: these are the left-over names of a model whose main stack is described, so a
    single stack among them is a tower beside it.
    """
    starts = layer_starts(names) if starts is None else starts
    layered = zip(names, starts, strict=True)
    stacks = dict.fromkeys([name[:start] for name, start in layered if start != NOT_LAYERED])
    own_words = {stack: _own_words(stack) for stack in stacks}
    towers = _towers(own_words, main_known=main_known)
    heads = _heads(towers, own_words)
    first_words = {head.partition(".")[0] for head in heads}
    longest = max((head.count(".") + 1 for head in heads), default=0)
    places = []
    for name, start in zip(names, starts, strict=True):
        if start != NOT_LAYERED:
            end = name.index(".", start + 1)
            component, parameter, expert = read_component(name[end + 1 :])
            number, tower = int(name[start + 1 : end]), towers[name[:start]]
            places.append(Place(number, component, parameter, expert, tower))
        elif first_words and name.partition(".")[0] in first_words:
            places.append(_outside(name, heads, longest))
        else:
            component, parameter, expert = read_component(name)
            places.append(Place(None, component, parameter, expert))
    return places


def _towers(own_words: Mapping[str, Sequence[str]], *, main_known: bool) -> dict[str, str]:
    """A name for each stack of layers; the empty one for the only stack, or the plain one."""
    if len(own_words) == 1 and not main_known:
        return dict.fromkeys(own_words, "")
    towers: dict[str, str] = {}
    taken: set[str] = set()
    for stack, words in own_words.items():
        known = [TOWER_WORDS[word] for word in words if word in TOWER_WORDS]
        tower = known[0] if known else ".".join(words)
        if tower in taken or (main_known and not tower):
            tower = stack
        taken.add(tower)
        towers[stack] = tower
    return towers


def _own_words(stack: str) -> list[str]:
    """What a stack is called, without the words for a list."""
    return [word for word in stack.split(".") if not is_list_word(word)]


def _heads(towers: Mapping[str, str], own_words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What names of a tower begin with, outside its layers → the tower."""
    heads: dict[str, str] = {}
    for stack, tower in towers.items():
        words = own_words[stack]
        if tower and words:
            heads.setdefault(".".join(words), tower)
    named = set(towers.values())
    for word, tower in TOWER_WORDS.items():
        if tower in named:
            heads.setdefault(word, tower)
    return heads


def _outside(name: str, heads: Mapping[str, str], longest: int) -> Place:
    """A place outside the layers, in the tower whose stack's name it shares: the longest of the
    ``heads``, of which none has more than ``longest`` words."""
    head, dot, _ = name.rpartition(".")
    if name.count(".") > longest:
        head = ".".join(name.split(".", longest)[:longest])
    while dot:
        tower = heads.get(head)
        if tower is not None:
            component, parameter, expert = read_component(name[len(head) + 1 :])
            return Place(None, component, parameter, expert, tower)
        head, dot, _ = head.rpartition(".")
    component, parameter, expert = read_component(name)
    return Place(None, component, parameter, expert)


def read_component(path: str) -> tuple[str, str, int | None]:
    """Component, parameter and expert of a path within a layer, or outside of all layers."""
    component, dot, parameter = path.rpartition(".")
    if not dot or parameter not in WEIGHT_NAMES:
        component, parameter = path, "weight"
    if "expert" not in component:
        return component or "unnamed", parameter, None
    words = component.split(".")
    for at in range(1, len(words)):
        if "expert" in words[at - 1] and (expert := index_of(words[at])) is not None:
            return ".".join(words[:at] + words[at + 1 :]), parameter, expert
    return component, parameter, None
