"""The sizes that the kernels and those who call them agree on.

A relative change ``r`` is never negative, so its bits, read as an unsigned number, are in order of
size. A **key** is their upper part: exponent and seven bits of fraction, 128 keys an octave. A
**leaf** is a fixed number of elements counted from the tensor's start, the unit of the sums:

====== ==================================================
column of a leaf's six float64
====== ==================================================
0      sum of base²
1      sum of target²
2      sum of base * target
3      sum of (target - base)²
4      sum of |target - base|
5      largest |target - base|
====== ==================================================

====== ==================================================
place  of the eight int64 counts
====== ==================================================
0      elements, both sides finite
1      of them unchanged (what the histogram did not count)
2      of them with another sign
3      of them zero in base
4, 5   not finite in base, in target
6, 7   lowest and highest key, of the changed elements
====== ==================================================
"""

from __future__ import annotations

import numpy as np

RUN = 512
"""Elements whose float32 sums are added up in one go."""
BLOCK = 4096
"""Elements that a kernel decodes, measures and counts before it takes the next; whole runs."""
LEAF = 65536
"""Elements of a leaf; whole blocks. A chunk starts on a leaf."""

KEY_BITS = 7
"""Bits of fraction in a key: 2**7 keys an octave."""
KEYS32 = 0x8000
"""Keys of a float32: its bits without the lower 16."""
INFINITE_KEY32 = 0x7F80
KEYS_A_BUCKET = 4
"""Keys of a float32 in a bucket of the histogram that is kept: 32 buckets an octave."""
PERCENTS = (5, 25, 50, 75, 95, 99)
"""The quantiles of ``r`` that are looked for, ascending; 50 is the median."""
QUANTILES = len(PERCENTS)
MEDIAN = PERCENTS.index(50)
ALL_KEPT = 0xFFFFFFFF
"""In place of a bracket's width: keep every ``r``."""
TABLES = 4
"""Tables of counts that a kernel fills in turn."""

KEY64_OFFSET = (1023 - 54) << KEY_BITS
"""Keys of a float64 count from 2**-54: two different float64 never differ relatively by less."""
INFINITE_KEY64 = (2047 << KEY_BITS) - KEY64_OFFSET
KEYS64 = INFINITE_KEY64 + 1

F64, F32, BF16, F16, TABLE8 = range(5)
"""How a kernel decodes an element; TABLE8: through a table of 256 float32."""

UNCHANGED, LOWEST_KEY, HIGHEST_KEY = 1, 6, 7
"""Places in the counts."""
NO_KEY = 1 << 62
"""The lowest key where no element changed."""
EMPTY_COUNTS = np.array([0, 0, 0, 0, 0, 0, NO_KEY, 0])
"""Counts of nothing."""
