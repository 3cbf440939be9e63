"""What is drawn of an architecture with several kinds of layers where there is room for one."""

from __future__ import annotations

from collections import Counter

from modeldiff.architectures.architecture import Architecture


def with_main_kind(architecture: Architecture) -> Architecture:
    """The architecture with that kind of layers of the main tower that most of its layers are."""
    if len(architecture.layer_kinds) < 2:
        return architecture
    main = architecture.layer_kinds[0].tower
    counts = Counter(
        {kind: len(kind.layers) for kind in architecture.layer_kinds if kind.tower == main}
    )
    return architecture.with_kinds((counts.most_common(1)[0][0],))
