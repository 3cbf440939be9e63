"""What changed between two language-model checkpoints, and where?"""

from __future__ import annotations

__version__ = "0.1.0"
