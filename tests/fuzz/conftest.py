"""Files of every kind that is read, bent at random: each ends in a value or in one of our errors.

How long: a moment and always the same, or with ``FUZZ_EXAMPLES`` so many examples a target, new
ones each time (``make fuzz``).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_UNHURRIED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=_EXAMPLES or 25,
    derandomize=not _EXAMPLES,
    suppress_health_check=_UNHURRIED,
    print_blob=True,
)
