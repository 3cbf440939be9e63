"""What each statistic says, in words for a panel; docs/statistics.md has the definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modeldiff.changes import Statistics
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import format_cosine, format_count, format_pct, format_small


@dataclass(frozen=True)
class StatisticNote:
    """One statistic: its column's name, how people call it, and one sentence on what it says."""

    name: str
    label: str
    says: str

    def text(self, statistics: Statistics) -> str:
        """The value as people read it, on one line."""
        return self._format(getattr(statistics, self.name)).replace(" ", "\N{NO-BREAK SPACE}")

    @property
    def _format(self) -> Callable[[float | None], str]:
        if self.name.endswith("_pct"):
            return format_pct
        if self.name == "cosine":
            return format_cosine
        return _whole if self.name.startswith("nonfinite") else format_small


def _whole(value: float | None) -> str:
    return format_count(None if value is None else int(value))


HEADLINE_NOTES: tuple[StatisticNote, ...] = (
    StatisticNote(
        "median_pct",
        "Median change",
        "Half of the elements moved by less than this share of their base value, half by more. "
        "∞ where most base values are zero.",
    ),
    StatisticNote(
        "unchanged_pct",
        "Unchanged",
        "Share of elements that are exactly equal in both. A small update of a bf16 model "
        "rounds away for many of them, so read this beside the median.",
    ),
    StatisticNote(
        "rel_frobenius_pct",
        "Relative Frobenius",
        "Norm of the difference, in percent of base's norm. Near the median: the change is spread "
        "over all elements. Far above it: few elements carry it.",
    ),
    StatisticNote(
        "cosine",
        "Cosine",
        "Of the two as vectors: 1 is the same direction, 0 unrelated. Says little about norms, "
        "whose weights are all near one value.",
    ),
)

PERCENTILES: Mapping[str, str] = {
    "p05_pct": "5th",
    "p25_pct": "25th",
    "median_pct": "50th",
    "p75_pct": "75th",
    "p95_pct": "95th",
    "p99_pct": "99th",
}
"""Statistics that are percentiles of the relative change, and which."""

DETAIL_NOTES: tuple[StatisticNote, ...] = (
    StatisticNote("sign_flip_pct", "Sign flips", "Share of elements that changed sign."),
    StatisticNote(
        "max_abs_delta", "Largest step", "The largest absolute difference of an element."
    ),
    StatisticNote("mean_abs_delta", "Mean step", "The mean absolute difference of the elements."),
    StatisticNote("rms_base", "RMS of base", "Root mean square of base's values."),
    StatisticNote("rms_target", "RMS of target", "The same for target."),
    StatisticNote(
        "resolution_pct",
        "Resolution",
        "The smallest relative step of the coarser stored type: smaller changes are lost to "
        "rounding.",
    ),
    StatisticNote("base_zero_pct", "Zeros in base", "Share of base values that are exactly zero."),
    StatisticNote("nonfinite_base", "Not finite, base", "NaN or infinite elements, left out."),
    StatisticNote("nonfinite_target", "Not finite, target", "The same for target."),
)

SUMMARY_NOTES: tuple[StatisticNote, ...] = (
    HEADLINE_NOTES[0],
    HEADLINE_NOTES[2],
    HEADLINE_NOTES[3],
    DETAIL_NOTES[0],
    HEADLINE_NOTES[1],
)
"""What a whole diff is summed up by: how far, in which direction, how many signs and elements."""
