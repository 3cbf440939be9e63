"""The names of experts, one by one and stacked in one tensor: a family may be stored as either."""

from __future__ import annotations

from collections.abc import Mapping

GATED = {part: part for part in ("gate_proj", "up_proj", "down_proj", "gate_up_proj")}


def expert_names(stored: str, parts: Mapping[str, str] = GATED) -> dict[str, str]:
    """The paths of experts below ``stored`` → their components.

    ``parts`` maps what a matrix is called to what it is here. The parameter of a stack may be run
    into its name, or follow it.

    >>> expert_names("moe.experts", {"w2": "down_proj"})  # doctest: +NORMALIZE_WHITESPACE
    {'moe.experts.#.w2': 'mlp.experts.down_proj', 'moe.experts.w2': 'mlp.experts.down_proj',
     'moe.experts.w2_bias': 'mlp.experts.down_proj:bias'}
    """
    names: dict[str, str] = {}
    for theirs, ours in parts.items():
        component = f"mlp.experts.{ours}"
        names[f"{stored}.#.{theirs}"] = component
        names[f"{stored}.{theirs}"] = component
        names[f"{stored}.{theirs}_bias"] = f"{component}:bias"
    return names
