"""How kernels and who calls them say the stages of decoding to each other. Imports no Numba."""

from __future__ import annotations

OCTETS, LOW_NIBBLES, HIGH_NIBBLES, QUARTERS, STREAM = range(5)
"""How codes lie in bytes; see ``code_kernels``."""
TABLE, UNSIGNED, SIGNED, E2M1, E4M3 = range(5)
"""What a code stands for: an entry of a table, itself, itself as a signed number, a float."""
AS_F32, AS_F16, AS_BF16 = range(3)
"""What values are rounded to."""
TILE = 2048
"""Codes that go through all stages together: a whole number of bytes in any packing."""
ROOM = 3 * TILE + 512
"""Float32 that lie between stages: numbers, the same scaled, codes, what pairs of codes stand for.
Each has a place of its own: of a loop that may write where it reads LLVM makes no vectors."""
OUTPUTS_A_STRIP, INPUTS_A_TURN = 16, 32
"""What of a matrix stored [in, out] is decoded together, at least."""
AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""Where the first, second, … output of a word of AWQ's stands among its codes."""
