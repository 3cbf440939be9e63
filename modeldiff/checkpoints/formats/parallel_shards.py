"""Shards of tensor parallelism: each rank's file has its own part of most tensors, under one name.

They are no shards of which each holds some tensors whole, and one of them alone is no model. They
are recognised by what toolkits call them: Megatron's and DeepSpeed's ``mp_rank_01``, NeMo's
``tp_rank_00_pp_rank_001``, Meta's ``consolidated.01``, vLLM's ``model-rank-1-part-0``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from modeldiff.errors import UnsupportedFormat
from modeldiff.text.quoting import listed, quoted

_RANK = re.compile(
    r"(?P<scheme>mp_rank_|tp_rank_|consolidated\.|model-rank-)(?P<rank>\d{1,5})"
    r"(?:[_.-][\w.-]*)?(?:/[^/]+)?",
    re.ASCII,
)
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_WHOLE = re.compile(r"model\.safetensors(\.index\.json)?|model-\d+-of-\d+\.safetensors", re.ASCII)


def refuse_parallel_shards(names: Collection[str], where: str) -> None:
    """Raise ``UnsupportedFormat`` where ``names`` are those of several ranks, and no whole model
    lies beside them."""
    if any(map(_WHOLE.fullmatch, names)):
        return
    for ranks in _ranks(names).values():
        if len(ranks) > 1:
            raise UnsupportedFormat(
                f"{where} holds a model in the shards of {len(ranks):,} ranks of tensor "
                f"parallelism: {listed(sorted(ranks.values()))}. Each has a part of most tensors, "
                "and none is the model.",
                hint="Put them together with the toolkit that wrote them (Megatron's "
                "tools/checkpoint/convert.py with a tensor parallel size of 1; transformers' "
                "script for Meta's files), then give the folder that it writes.",
            )


def parallel_shard_warning(name: str, beside: Collection[str]) -> str:
    """That what was opened, a file or a folder called ``name``, is one rank's part; empty where the
    name says no such thing, or no other rank is ``beside`` it."""
    own = _RANK.fullmatch(name)
    if own is None or len(_ranks(beside).get(own["scheme"], ())) < 2:
        return ""
    return (
        f"{quoted(name)} is one rank's part of a model that was trained in parallel: most tensors "
        "are cut, and the other ranks' parts were not read. Counts and shapes are the part's."
    )


def _ranks(names: Collection[str]) -> dict[str, dict[int, str]]:
    """The ranks of each toolkit's naming, by number, with a file or folder of each."""
    ranks: dict[str, dict[int, str]] = {}
    for name in sorted(names):
        match = _RANK.fullmatch(name)
        if match and (name.endswith(_WEIGHTS) or "." not in name):
            own = ranks.setdefault(match["scheme"], {})
            own.setdefault(int(match["rank"]), name.partition("/")[0])
    return ranks
