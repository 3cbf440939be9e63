"""The old home of ``modeldiff.wording``."""

from modeldiff.wording import *  # noqa: F403
