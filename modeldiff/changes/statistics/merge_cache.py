"""Statistics of several rows as one, computed once however often the same rows are asked for.

A picture is drawn anew at each click and each second of a running diff, and a mixture of experts
has tens of thousands of rows to merge for it. What was merged is remembered by the identity of its
parts, without keeping those alive.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from operator import is_
from threading import Lock

from modeldiff.changes.change import Statistics
from modeldiff.changes.statistics.statistics import merge_statistics

_KEPT = 2048
_Key = tuple[int, ...]
_Parts = tuple[weakref.ref[Statistics], ...]

_merged: OrderedDict[_Key, tuple[_Parts, Statistics]] = OrderedDict()
_lock = Lock()


def merged(parts: Sequence[Statistics]) -> Statistics | None:
    """The statistics of these rows as if they were one; None of none, one's own of one.

    As ``merge_statistics``, but the same objects asked for again give the same object at once.
    """
    if len(parts) < 2:
        return parts[0] if parts else None
    key = tuple(map(id, parts))
    own = tuple(map(weakref.ref, parts))
    with _lock:
        known = _merged.get(key)
        if known is not None:
            _merged.move_to_end(key)
    # An id may have passed to another object since; a living one has but one plain reference.
    if known is not None and all(map(is_, known[0], own)):
        return known[1]
    whole = merge_statistics(parts)
    with _lock:
        _merged[key] = own, whole
        while len(_merged) > _KEPT:
            _merged.popitem(last=False)
    return whole
