"""How people read the status of a pair: one wording for pages, reports, drawings and terminals."""

from __future__ import annotations

from collections.abc import Mapping

from modeldiff.changes.change import Status
from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True)
class StatusWords:
    """``label`` stands in a cell of a table or a drawing, ``counted`` behind a number of tensors
    (``3 of another shape``), ``sentence`` where a reader asks why there are no numbers."""

    label: str
    counted: str
    sentence: str


NOT_MEASURED = "not measured yet"
"""The label of a pair that is to be compared, until it is measured."""

EXACTLY_EQUAL = "Every element that was compared is exactly equal in both."
"""What stands in the place of numbers that say only that nothing moved."""

STATUS_WORDS: Mapping[Status, StatusWords] = {
    "compared": StatusWords("compared", "compared", "Not measured."),
    "different_shape": StatusWords(
        "other shape",
        "of another shape",
        "The shapes differ, so the two cannot be compared element by element.",
    ),
    "only_in_base": StatusWords(
        "only in base", "only in base", "Target has nothing at this place."
    ),
    "only_in_target": StatusWords(
        "only in target", "only in target", "Base has nothing at this place."
    ),
    "tied": StatusWords(
        "tied",
        "tied (measured where stored)",
        "Stored once and used twice: it is measured where it is stored.",
    ),
    "buffer": StatusWords(
        "buffer",
        "without trained values (not measured)",
        "No trained parameter, so it is not measured.",
    ),
    "unreadable": StatusWords("unreadable", "unreadable", "Its bytes could not be read."),
    "quantised": StatusWords(
        "quantised",
        "quantised (not measured)",
        "Quantised: its codes are no weights, so it is not measured.",
    ),
}
"""Every status, in the order in which they are listed."""
