"""Names of a model that was trained as a pipeline: one list of all its modules, layers or not.

DeepSpeed numbers what stands before and after the layers in the same list as these
(``PipelineModule``). GPT-NeoX' files have the embedding at ``sequential.0``, the layers from
``sequential.2`` on, then ``sequential.N.norm`` and ``sequential.N.final_linear``; the numbers
between are of functions without parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modeldiff.architectures.families.family import index_of

_LIST = "sequential."
_TIED = "tied_modules."
"""What modules used twice stand below, each under a word of its own."""


def without_pipeline(names: Sequence[str]) -> Sequence[str]:
    """Each plain name, those of a pipeline's layers as ``layers.0.…``, counted from its first
    layer, and those of its other modules without their number. Where not all names are of one
    pipeline, or two would come out the same, all stay as they are.

    >>> without_pipeline(["sequential.0.w", "sequential.2.q.w", "sequential.3.q.w"])
    ['w', 'layers.0.q.w', 'layers.1.q.w']
    """
    parts: list[tuple[int | None, str]] = []
    for name in names:
        if not name.startswith((_LIST, _TIED)):
            return names
        word, _, path = name.removeprefix(_LIST).removeprefix(_TIED).partition(".")
        number = index_of(word) if name.startswith(_LIST) else None
        if not path or (number is None and not name.startswith(_TIED)):
            return names
        parts.append((number, path))
    # A lone ``weight`` says nothing of what module it is of.
    counts = Counter(path for number, path in parts if number is not None and "." in path)
    layers = {number for number, path in parts if number is not None and counts[path] > 1}
    if not layers:
        return names
    first = min(layers)
    plain = [
        f"layers.{number - first}.{path}" if number is not None and number in layers else path
        for number, path in parts
    ]
    return plain if len(set(plain)) == len(plain) else names
