"""Numbers as people read them: one way of writing each kind, on every page and in every export."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

MISSING = "–"


def format_pct(value: float | None) -> str:
    """A percentage with three digits at most: ``0.39 %``, ``12.3 %``, ``141 %``.

    A change that is there never reads as nothing: below 0.005 it is ``<0.01 %``. Likewise what is
    not quite everything never reads as ``100 %``. ``∞`` for infinity, ``–`` for None.

    >>> format_pct(0.0), format_pct(0.0004), format_pct(99.999), format_pct(None)
    ('0.00 %', '<0.01 %', '99.99 %', '–')
    """
    return _with_unit(format_number(value), "%") if value is not None else MISSING


def format_share(part: float, whole: float = 1.0, *, digits: int = 3) -> str:
    """How much ``part`` is of ``whole`` (above 0), in percent with so many ``digits`` at most.

    As in ``format_pct``, what is there never reads as nothing, nor what is not all as all of it.

    >>> format_share(1, 4), format_share(1, 40_000), format_share(0), format_share(0.9999)
    ('25 %', '<0.01 %', '0 %', '>99.9 %')
    """
    percent = 100 * part / whole
    if 0 < percent < 0.01:
        return "<0.01 %"
    rounded = float(f"{percent:.{digits}g}")
    if percent < 100 <= rounded:
        return f">{100 - 10.0 ** (2 - digits):g} %"
    return f"{rounded:g} %"


def format_number(value: float | None) -> str:
    """The number of ``format_pct`` without its unit, for where the unit is said once."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if 0 < size < 0.005:
        return "<0.01"
    if size < 9.995:
        return f"{value:.2f}"
    if size < 99.95:
        return f"{value:.1f}"
    if size < 100:
        return f"{math.floor(value * 100) / 100:.2f}"
    if size < 1e6:
        return f"{value:,.0f}"
    return f"{value:.2g}"


def format_small(value: float | None) -> str:
    """A number without unit, three digits at any order of magnitude: ``0.0123``, ``4.1e-06``."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}"


def format_cosine(value: float | None) -> str:
    """A cosine with five digits, as between related models all that tells is in the last ones.

    >>> format_cosine(0.98), format_cosine(0.9999999), format_cosine(-0.0064), format_cosine(1.0)
    ('0.98000', '>0.99999', '−0.00640', '1.00000')
    >>> format_cosine(1 - 2**-53)
    '1.00000'
    """
    if value is None or math.isnan(value):
        return MISSING
    # Of a tensor with itself it is 1 but for the last bits of its two roots.
    if 0.999995 <= value < 1 - 2**-50:
        return ">0.99999"
    return f"{min(value, 1.0):.5f}".replace("-", "−")


def format_count(value: int | None) -> str:
    """A count: exact below a million (``128,256``), then with three digits (``8.03 B``)."""
    if value is None:
        return MISSING
    if abs(value) < 1_000_000:
        return f"{value:,}"
    for size, name in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        # From where rounding to three digits would give the larger unit's 1.00.
        if abs(value) >= size * 0.9995:
            return f"{_three_digits(value / size)} {name}"
    raise AssertionError("unreachable: every count from a million on has a unit")


def format_bytes(value: int | None) -> str:
    """Bytes in decimal units, as files and downloads have them: ``16.1 GB``. No other unit of bytes
    is shown anywhere."""
    if value is None:
        return MISSING
    for size, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if abs(value) >= size * 0.9995:
            return f"{_three_digits(value / size)} {name}"
    return f"{value} B"


def format_rate(bytes_per_second: float | None) -> str:
    """A speed in bytes a second: ``1.2 GB/s``."""
    if bytes_per_second is None or not math.isfinite(bytes_per_second):
        return MISSING
    return f"{format_bytes(round(bytes_per_second))}/s"


def format_shape(shape: Sequence[int] | None) -> str:
    """A tensor's shape: ``4096 × 1024``; ``scalar`` where there is no dimension."""
    if shape is None:
        return MISSING
    return " × ".join(str(size) for size in shape) if shape else "scalar"


def format_printed(shape: Sequence[int]) -> str:
    """A tensor's shape as a program prints it: ``[4096, 1024]``."""
    return f"[{', '.join(map(str, shape))}]"


def format_duration(seconds: float | None) -> str:
    """A span of time in its two largest units: ``0.4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "less than 0.1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def format_layers(layers: Sequence[int]) -> str:
    """Layer numbers as ranges: ``layers 0–2, 5 and 7–31``, ``layer 4``."""
    ordered = sorted(set(layers))
    runs: list[list[int]] = []
    for layer in ordered:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    if not parts:
        return "no layers"
    if len(parts) > 4:
        parts = [*parts[:2], "…", parts[-1]]
        text = ", ".join(parts)
    else:
        text = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return f"layer {text}" if len(ordered) == 1 else f"layers {text}"


def _with_unit(number: str, unit: str) -> str:
    return number if number in (MISSING, "∞", "−∞") else f"{number} {unit}"


def _three_digits(value: float) -> str:
    size = abs(value)
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:,.{digits}f}"


def grouped_digits(text: str) -> str:
    """The text, its whole numbers of four and more digits in groups of three.

    >>> grouped_digits("4096 → 14336, θ 10,000, F8_E4M3"), grouped_digits("v2024")
    ('4,096 → 14,336, θ 10,000, F8_E4M3', 'v2024')
    """
    return re.sub(r"(?<![\w,.])\d{4,15}(?![\w.])", lambda match: f"{int(match[0]):,}", text)


def counted(count: int, noun: str, several: str = "") -> str:
    """``1 tensor``, ``12 tensors``; ``several`` is the plural that does not end in an s."""
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"
