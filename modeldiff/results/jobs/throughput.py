"""How fast a long act goes, and how long it will still take."""

from __future__ import annotations

from collections import deque

from modeldiff.changes.change import Progress

_WINDOW = 8.0
_STEP = 0.1


class Pace:
    """Bytes a second, smoothed over the last seconds.

    Times are seconds of any clock that only goes forward. Bytes found in a journal cost no time
    and don't count; another phase (measuring after a download) starts anew.
    """

    def __init__(self) -> None:
        self._phase = ""
        self._left = 0
        self._samples: deque[tuple[float, int]] = deque()  # (time, bytes moved until then)

    def update(self, progress: Progress, now: float) -> None:
        """Take note of how far it has come at the time ``now``."""
        samples = self._samples
        if progress.phase != self._phase:
            self._phase = progress.phase
            samples.clear()
        self._left = progress.bytes_total - progress.bytes_done
        sample = (now, progress.bytes_done - progress.resumed_bytes)
        if len(samples) > 1 and now - samples[-2][0] < _STEP:
            samples[-1] = sample
        else:
            samples.append(sample)
        # One sample from before the window stays: the rate is taken from there.
        while len(samples) > 2 and samples[1][0] <= now - _WINDOW:
            samples.popleft()

    def bytes_per_second(self, now: float) -> float | None:
        """The rate at the time ``now``; None while nothing can be said. It sinks while nothing
        moves."""
        if len(self._samples) < 2:
            return None
        (start, before), (_, after) = self._samples[0], self._samples[-1]
        return (after - before) / (now - start) if now > start else None

    def seconds_left(self, now: float) -> float | None:
        """How long the rest takes at this rate; None while nothing can be said."""
        rate = self.bytes_per_second(now)
        return self._left / rate if rate else None
