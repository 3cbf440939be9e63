"""A long act's progress as one line of a terminal that is drawn over and over."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

from modeldiff.changes import Progress
from modeldiff.cli.terminal import Terminal, printable
from modeldiff.cli.text_table import shorten_middle
from modeldiff.results import Pace
from modeldiff.text.formatting import counted, format_bytes, format_duration, format_rate

_SECONDS_BETWEEN_DRAWINGS = 0.1
_BAR = 20


class ProgressBar:
    """Says on standard error how far a diff is. Called with each ``Progress``.

    On a terminal that is a line with bytes, rate and time left, wiped away at the end. Elsewhere
    only what is worth a line in a log is said: that a diff is taken up again, or waits.
    """

    def __init__(self, terminal: Terminal, stream: TextIO) -> None:
        self._terminal = terminal
        self._stream = stream
        self._draws = stream.isatty() and not terminal.quiet
        self._pace = Pace()
        self._drawn = 0.0
        self._said: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        """Take note of it, and draw it if the last drawing is a moment ago."""
        if progress.phase == "waiting":
            self._say_once(
                "waiting", "Another process has taken this pair: waiting for its result."
            )
        elif progress.resumed_bytes:
            done, total = progress.tensors_done, progress.tensors_total
            self._say_once(
                "resumed",
                f"Resuming an interrupted diff: {done:,} of {total:,} tensors are already measured."
                if done < total
                else f"All is measured already: {counted(total, 'tensor')}.",
            )
        now = time.monotonic()
        self._pace.update(progress, now)
        if self._draws and now - self._drawn >= _SECONDS_BETWEEN_DRAWINGS:
            self._drawn = now
            import shutil

            columns = shutil.get_terminal_size().columns
            self._stream.write(f"\r\x1b[K{self._text(progress, now, columns - 1)}")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wipe()

    def _text(self, progress: Progress, now: float, width: int) -> str:
        share = progress.bytes_done / progress.bytes_total if progress.bytes_total else 0.0
        full = round(share * _BAR)
        parts = [
            f"{progress.phase} {share:4.0%} [{'#' * full}{'.' * (_BAR - full)}]",
            f"{format_bytes(progress.bytes_done)} of {format_bytes(progress.bytes_total)}",
        ]
        if rate := self._pace.bytes_per_second(now):
            parts += [format_rate(rate), f"{format_duration(self._pace.seconds_left(now))} left"]
        numbers = "  ".join([*parts, ""])
        room = max(width - len(numbers), 0)
        return f"{numbers}{shorten_middle(printable(progress.current), room)}"[:width]

    def _say_once(self, occasion: str, text: str) -> None:
        if occasion not in self._said:
            self._said.add(occasion)
            self._wipe()
            self._terminal.talk(text)

    def _wipe(self) -> None:
        if self._draws and self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
