"""``modeldiff check``: conditions on a diff, for people and for CI."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping

from modeldiff.cli.check.document import check_document
from modeldiff.cli.check.junit import junit_xml
from modeldiff.cli.check.markdown import check_markdown
from modeldiff.cli.check.words import report_check
from modeldiff.cli.opening import open_both
from modeldiff.cli.progress_bar import ProgressBar
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.usage.shared_options import chosen_measurer
from modeldiff.findings.conditions.check import Verdict, require_matches, run_check
from modeldiff.results import require_writable, run_diff, write_file

CODE_OF_VERDICT: Mapping[Verdict, int] = {"passed": 0, "allowed": 0, "failed": 3, "undecided": 4}


def check_command(options: Namespace, terminal: Terminal) -> int:
    """Measure, ask every condition, and return the exit code of the gravest verdict."""
    files = [path for path in (options.junit, options.markdown) if path is not None]
    for path in files:
        require_writable(path, (path.suffix.lower(),))
    comparison = open_both(options, terminal)
    # Before hours of measuring: which tensors there are is known by their headers.
    require_matches(comparison.pairs, options.only)
    with ProgressBar(terminal, sys.stderr) as progress:
        result = run_diff(
            comparison,
            device=options.device,
            measurer=chosen_measurer(options),
            cache=not options.no_cache,
            progress=progress,
        )
    check = run_check(result.changes, options.fail_if, only=options.only, allow=options.allow)
    if options.junit is not None:
        write_file(options.junit, junit_xml(check, result.header))
    if options.markdown is not None:
        write_file(options.markdown, check_markdown(check, result.header).encode())
    code = CODE_OF_VERDICT[check.verdict]
    if options.json:
        terminal.document(check_document(check, result.header, options, code))
    else:
        report_check(check, result.header, terminal)
    for path in files:
        terminal.talk(f"Written to {path}")
    return code
