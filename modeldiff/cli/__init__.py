"""The command line: ``modeldiff inspect | compare | diff | check | open …``, see ``--help``."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence

from modeldiff.cli.arguments import parse
from modeldiff.cli.terminal import Terminal
from modeldiff.errors import ModeldiffError
from modeldiff.settings.startup import check_settings, import_numpy

INTERRUPTED = 130
TERMINATED = 143
_BROKEN_PIPE = 141


class Terminated(KeyboardInterrupt):
    """Somebody told the process to end (SIGTERM)."""


class _LogLines(logging.Handler):
    """Shows the log's warnings like all other talk: on one line, made printable."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.talk(f"{record.levelname.lower()}: {record.getMessage()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; wrong usage raises ``SystemExit(2)``."""
    # A change table of tens of thousands of rows is no garbage: looking through it again and again,
    # as the collector does after every 700 new objects, costs a sixth of the time.
    gc.set_threshold(1_000_000, 50, 50)
    options = parse(arguments)
    terminal = Terminal(quiet=getattr(options, "quiet", False))
    log_lines = _LogLines(terminal)
    logging.getLogger().addHandler(log_lines)
    try:
        check_settings()
        # Late, so that --help and a wrong argument are answered at once.
        if options.command != "worker":
            import_numpy()
        from modeldiff.cli.commands import COMMANDS

        return COMMANDS[options.command](options, terminal) or 0
    except ModeldiffError as error:
        terminal.error(f"error: {error.message}")
        if error.hint:
            terminal.error(f"hint: {error.hint}")
        return 1
    except KeyboardInterrupt as interrupt:
        terminal.error(_farewell(options.command, getattr(options, "no_cache", False)))
        return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough, as `head` does. Python would complain at its end when
        # it flushes once more, so there is something to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    finally:
        logging.getLogger().removeHandler(log_lines)


def _farewell(command: str, no_cache: bool) -> str:
    if command not in ("diff", "fleet", "demo", "check") or no_cache:
        return "Interrupted."
    return "Interrupted. What was measured is kept: the same command resumes there."
