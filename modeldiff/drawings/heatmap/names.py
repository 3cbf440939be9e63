"""The names beside and over the heatmap's cells, as short as tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

_OUTSIDE = {"embed_tokens": "embed", "lm_head": "head"}
_MOST = 24


def short_names(columns: Sequence[str]) -> dict[str, str]:
    """The last parts of each name that tell it from the others, abbreviated."""
    known = set(columns)
    # A parameter's own name says nothing without the component that it belongs to.
    depth = {
        name: 2 if name.endswith(".bias") or name.rpartition(".")[0] in known else 1
        for name in columns
    }
    while True:
        short = {name: ".".join(name.split(".")[-depth[name] :]) for name in columns}
        count = Counter(short.values())
        unclear = [name for name in columns if count[short[name]] > 1 and short[name] != name]
        if not unclear:
            return {name: clip(_abbreviated(text), _MOST) for name, text in short.items()}
        for name in unclear:
            depth[name] += 1


def shortest_names(names: Sequence[str]) -> list[str]:
    """Short names without what all their kind have in common: ``q``, ``gate``, ``norm``; as they
    are where that would make two of them alike, but for norms, whose place tells them apart."""
    bare = [re.sub(r"_proj$", "", name) for name in names]
    bare = ["norm" if re.fullmatch(r"\w+_norm", name) else name for name in bare]
    count = Counter(bare)
    return [
        one if one == "norm" or count[one] == 1 else name
        for one, name in zip(bare, names, strict=True)
    ]


def outside_name(column: str) -> str:
    """What a tensor outside the layers is called over its cell."""
    return _OUTSIDE.get(
        column, _abbreviated(column.rpartition(".")[2] if column.count(".") > 2 else column)
    )


def clip(name: str, most: int) -> str:
    """The name with its middle left out where it is longer than ``most`` letters."""
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}…{name[-(most // 2) :]}"


def _abbreviated(name: str) -> str:
    return (
        name.replace("post_attention_layernorm", "post_attn_norm")
        .replace("layernorm", "norm")
        .replace("attention", "attn")
    )


def reach_of(column: str, part: str, reaches: Mapping[str, str]) -> str:
    """Where the scale of a column, which is of a part of the model, ends; "" where the legend has
    that."""
    return reaches.get(column) or reaches.get(part, "")
