"""Names of a model that was trained as a pipeline: one list of all its modules, layers or not.

DeepSpeed numbers what stands before and after the layers in the same list as these
(``PipelineModule``). GPT-NeoX' files have the embedding at ``sequential.0``, the layers from
``sequential.2`` on, then ``sequential.N.norm`` and ``sequential.N.final_linear``; the numbers
between are of functions without parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from modeldiff.architectures.families.family import index_of

_LIST = "sequential."
_TIED = "tied_modules."
"""What modules used twice stand below, each under a word of its own."""


def without_pipeline(names: Collection[str]) -> dict[str, str]:
    """Each plain name, those of a pipeline's layers as ``layers.0.…``, counted from its first
    layer, and those of its other modules without their number. Where not all names are of one
    pipeline, or two would come out the same, all stay as they are.

    >>> list(without_pipeline(["sequential.0.w", "sequential.2.q.w", "sequential.3.q.w"]).values())
    ['w', 'layers.0.q.w', 'layers.1.q.w']
    """
    parts: dict[str, tuple[int | None, str]] = {}
    for name in names:
        word, _, path = name.removeprefix(_LIST).removeprefix(_TIED).partition(".")
        number = index_of(word) if name.startswith(_LIST) else None
        if not path or (number is None and not name.startswith(_TIED)):
            return dict(zip(names, names, strict=True))
        parts[name] = number, path
    # A lone ``weight`` says nothing of what module it is of.
    counts = Counter(path for number, path in parts.values() if number is not None and "." in path)
    layers = {number for number, path in parts.values() if number is not None and counts[path] > 1}
    if not layers:
        return dict(zip(names, names, strict=True))
    first = min(layers)
    plain = {
        name: f"layers.{number - first}.{path}" if number is not None and number in layers else path
        for name, (number, path) in parts.items()
    }
    unique = len(set(plain.values())) == len(plain)
    return plain if unique else dict(zip(names, names, strict=True))
