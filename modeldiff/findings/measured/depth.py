"""Where in the model a change is: each component over its layers, and the cells that stand out.

The statistics are robust ones. A component's typical layer is the median of its layers; a cell
stands out where it is off from that by a quarter and by 3.5 times the usual deviation, the median
absolute one of all cells (times 1.4826, as for normal values: Iglewicz and Hoaglin, "How to detect
and handle outliers", 1993). Deviations are of logarithms, for changes are ratios.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from statistics import median

from modeldiff.changes import Statistics
from modeldiff.changes.statistics.merge_cache import merged
from modeldiff.findings.evidence import LEVEL_KINDS, Evidence, KindRows, TensorKind
from modeldiff.findings.quantised.floors import mixed_columns
from modeldiff.findings.words import MOST_NAMED, columns_words
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.formatting import counted, format_layers, format_pct

_RATIO = 1.25
"""Changes whose ratio is below this are called alike."""
_DEVIATIONS = 3.5 * 1.4826
_TREND = 0.7
"""A rank correlation with depth from here on is one that rises or falls."""
_LEAST_LAYERS = 3
_THIRDS = ("early", "middle", "late")


@dataclass(frozen=True)
class Profile:
    """A component's change over the layers that have one, ascending: ``values`` in percent."""

    column: str
    layers: tuple[int, ...]
    values: tuple[float, ...]

    @cached_property
    def middle(self) -> float:
        """The typical layer's change."""
        return median(self.values)

    @property
    def deviations(self) -> tuple[float, ...]:
        """How far each layer is from the typical one, as a logarithm."""
        return tuple(math.log(value / self.middle) for value in self.values)

    def without(self, layers: Iterable[int]) -> Profile:
        """The same without some layers."""
        out = set(layers)
        if not out:
            return self
        kept = [
            (layer, value)
            for layer, value in zip(self.layers, self.values, strict=True)
            if layer not in out
        ]
        return Profile(self.column, tuple(n for n, _ in kept), tuple(v for _, v in kept))

    @cached_property
    def thirds(self) -> tuple[float, ...]:
        """The typical change of the early, the middle and the late layers."""
        return tuple(median(self.values[start:stop]) for start, stop in _cut(len(self.values)))

    @property
    def shape(self) -> str:
        """How it goes over depth, in words; empty where it is about alike at all depths."""
        alike = max(self.thirds) < _RATIO * min(self.thirds)
        if alike or len(set(map(format_pct, self.thirds))) == 1:
            return ""
        correlation = _rank_correlation(self.values)
        if abs(correlation) >= _TREND:
            return "rises with depth" if correlation > 0 else "falls with depth"
        return f"is largest in the {_THIRDS[self.thirds.index(max(self.thirds))]} layers"


@dataclass(frozen=True)
class Outstanding:
    """Layers in which a component moved far ``more`` (or less) than in its typical one."""

    profile: Profile
    more: bool
    layers: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def farthest(self) -> float:
        """How far the farthest of these layers is from the typical one, as a logarithm."""
        return max(abs(math.log(value / self.profile.middle)) for value in self.values)


def outstanding_layers(evidence: Evidence) -> tuple[list[Outstanding], str]:
    """The layers of the matrices' components that stand out from each one's typical layer, and the
    name of the number that says so."""
    rows, moved = evidence.of_kinds(LEVEL_KINDS), evidence.moved_of_kinds(LEVEL_KINDS)
    known = KindRows(LEVEL_KINDS[0], tuple(rows), tuple(moved), each=True)
    return _outstanding(_profiles(evidence, known), _least_step(known)), known.by


def describe_depth(evidence: Evidence) -> Iterator[str]:
    """Sentences on where matrices, and apart from them norms, moved more or less."""
    groups: tuple[tuple[tuple[TensorKind, ...], str], ...] = (
        (LEVEL_KINDS, "matrices"),
        (("norms",), "norms"),
    )
    for kinds, noun in groups:
        rows, moved = evidence.of_kinds(kinds), evidence.moved_of_kinds(kinds)
        known = KindRows(kinds[0], tuple(rows), tuple(moved), each=True)
        if evidence.explained:
            noun = f"other {noun}"
        if len(known.moved) < len(known.rows):
            noun = f"{noun} that moved"
        if mixed_columns(known.moved):
            noun = f"{noun} whose layers are stored alike"
        profiles = _profiles(evidence, known)
        if profiles:
            yield from _describe(profiles, known, noun)


def _describe(profiles: Sequence[Profile], known: KindRows, noun: str) -> Iterator[str]:
    if "matrices" in noun:
        yield from _components(profiles, known)
    cells = _outstanding(profiles, _least_step(known))
    yield from _outstanding_words(cells, len(profiles), known, noun)
    out: dict[int, set[int]] = {}
    for cell in cells:
        out.setdefault(id(cell.profile), set()).update(cell.layers)
    rest = [profile.without(out.get(id(profile), ())) for profile in profiles]
    long = [profile for profile in rest if len(profile.layers) >= _LEAST_LAYERS]
    if not long:
        return
    shapes: dict[str, list[Profile]] = {}
    for profile in long:
        shapes.setdefault(profile.shape, []).append(profile)
    alike = shapes.pop("", [])
    for shape, some in shapes.items():
        every = len(some) == len(profiles) > 1
        who = f"all {noun}" if every else columns_words([profile.column for profile in some])
        yield f"The change of {who} {shape} ({_over_thirds(some, known)})."
    if alike and len(alike) < len(long):
        yield f"The change of the other {noun} is about the same over {_layers_words(alike)}."
    elif alike and "matrices" in noun:  # That norms are alike at all depths is what norms do.
        others = f"Otherwise {noun}" if cells else f"All {noun}"
        did = "did so" if noun.endswith("moved") else "moved"
        yield (
            f"{others} {did} about equally at all depths of {_layers_words(alike)} "
            f"({_over_thirds(alike, known)})."
        )


def _components(profiles: Sequence[Profile], known: KindRows) -> Iterator[str]:
    """Components that moved more or less than the typical one as a whole."""
    if len(profiles) < _LEAST_LAYERS:
        return
    typical = median(profile.middle for profile in profiles)
    apart = [p for p in profiles if not typical / _RATIO < p.middle < typical * _RATIO]
    apart = [p for p in apart if len(p.layers) >= _LEAST_LAYERS]
    for more, words in ((True, "more"), (False, "less")):
        some = [profile for profile in apart if (profile.middle > typical) is more]
        some.sort(key=lambda profile: profile.middle, reverse=more)
        # What reads the same in three digits says nothing.
        some = [p for p in some if format_pct(p.middle) != format_pct(typical)]
        if some:
            named = [f"{p.column} ({format_pct(p.middle)})" for p in some]
            yield (
                f"Over the layers, {columns_words(named)} moved {words} than the typical component "
                f"({format_pct(typical)}, {known.by})."
            )


def _least_step(known: KindRows) -> float:
    """How far medians of the stored type may lie apart by its own steps alone, in percent: a step
    is up to twice the smallest one."""
    steps = (c.statistics.resolution_pct or 0.0 for c in known.moved if c.statistics)
    return 2 * max(steps, default=0.0) if known.by == "median" else 0.0


def _outstanding(profiles: Sequence[Profile], step: float) -> list[Outstanding]:
    """The layers of each component that stand out from its typical one, and not by a ``step``."""
    long = [profile for profile in profiles if len(profile.layers) > _LEAST_LAYERS]
    deviations = [abs(deviation) for profile in long for deviation in profile.deviations]
    if not deviations:
        return []
    limit = max(math.log(_RATIO), _DEVIATIONS * median(deviations))
    found = []
    for profile in long:
        for sign in (1, -1):
            cells = [
                (layer, value)
                for layer, value, deviation in zip(
                    profile.layers, profile.values, profile.deviations, strict=True
                )
                if sign * deviation > limit and abs(value - profile.middle) > step
            ]
            if cells:
                layers, values = zip(*cells, strict=True)
                found.append(Outstanding(profile, sign > 0, layers, values))
    return found


def _outstanding_words(
    cells: Sequence[Outstanding], count: int, known: KindRows, noun: str
) -> Iterator[str]:
    """One sentence for what moved more, one for what moved less, components of the same layers
    together. ``count``: how many components there are."""
    for more in (True, False):
        by_layers: dict[tuple[int, ...], list[Outstanding]] = {}
        for cell in cells:
            if cell.more is more:
                by_layers.setdefault(cell.layers, []).append(cell)
        groups = sorted(by_layers.values(), key=lambda g: max(c.farthest for c in g), reverse=True)
        if not groups:
            continue
        parts = []
        for group in groups[:MOST_NAMED]:
            names = [cell.profile.column for cell in group]
            who = f"all {noun}" if 1 < len(names) == count else columns_words(names)
            size = _range([value for cell in group for value in cell.values])
            typical = format_pct(median(cell.profile.middle for cell in group))
            parts.append(f"{who} in {format_layers(group[0].layers)} ({size}, otherwise {typical})")
        left = sum(len(group) for group in groups[MOST_NAMED:])
        rest = f"; and {counted(left, 'component')} more" if left else ""
        word = "more" if more else "less"
        lead = word.capitalize() if "matrices" in noun else f"Among the {noun}, {word}"
        yield (f"{lead} change than in their other layers ({known.by}): {'; '.join(parts)}{rest}.")


def _profiles(evidence: Evidence, known: KindRows) -> list[Profile]:
    """Each component's change in each layer where it has one, experts merged; without those whose
    layers are stored in several lossy types, which move them by sizes of their own."""
    mixed = mixed_columns(known.moved)
    cells: dict[str, dict[int, list[Statistics]]] = {}
    for place, statistics in evidence.merged_cells(known.moved):
        number = place.layer_number
        if number is not None and place.column not in mixed:
            layers = cells.setdefault(place.column, {})
            layers.setdefault(number, []).append(statistics)
    profiles = []
    for column, layers in cells.items():
        values = [(layer, known.extent(merged(layers[layer]))) for layer in sorted(layers)]
        finite = [(n, v) for n, v in values if v is not None and 0 < v < math.inf]
        if finite:
            profiles.append(
                Profile(column, tuple(n for n, _ in finite), tuple(v for _, v in finite))
            )
    return profiles


def _over_thirds(profiles: Sequence[Profile], known: KindRows) -> str:
    """The typical change of these components in early, middle and late layers."""
    values: dict[int, list[float]] = {}
    for profile in profiles:
        for layer, value in zip(profile.layers, profile.values, strict=True):
            values.setdefault(layer, []).append(value)
    layers = sorted(values)
    parts = [layers[start:stop] for start, stop in _cut(len(layers))]
    each = ", ".join(
        f"{format_pct(median(v for layer in part for v in values[layer]))} in {format_layers(part)}"
        for part in parts
    )
    return f"{known.by} {each}"


def _layers_words(profiles: Sequence[Profile]) -> str:
    return format_layers([layer for profile in profiles for layer in profile.layers])


def _range(values: Sequence[float]) -> str:
    low, high = format_pct(min(values)), format_pct(max(values))
    return low if low == high else f"{low.removesuffix(' %')}–{high}"


def _cut(count: int) -> list[tuple[int, int]]:
    """Three runs of about the same length, the longer ones first; at least three are to be cut."""
    third, rest = divmod(count, 3)
    ends = (0, third + (rest > 0), 2 * third + (rest > 0) + (rest > 1), count)
    return list(pairwise(ends))


def _rank_correlation(values: Sequence[float]) -> float:
    """Spearman's, of the values with their order."""
    n = len(values)
    order = sorted(range(n), key=lambda at: values[at])
    distances = sum((rank - at) ** 2 for rank, at in enumerate(order))
    return 1 - 6 * distances / (n * (n * n - 1))
