"""The commands. Those that compare open, ask, and print for people or as JSON."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from modeldiff.cli.app import serve_app
from modeldiff.cli.json_documents import comparison_document, inspection_document
from modeldiff.cli.progress_bar import ProgressBar
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_reports import report_comparison, report_diff, report_inspection
from modeldiff.comparison import Comparison
from modeldiff.extras import require
from modeldiff.model import Model
from modeldiff.results import (
    Result,
    require_writable,
    result_document,
    run_diff,
    write_file,
    write_result,
)

_REPORT = ".html"


def inspect(options: Namespace, terminal: Terminal) -> None:
    """What a checkpoint is."""
    model = _open(options.reference, terminal)
    if options.json:
        terminal.document(inspection_document(model))
    else:
        report_inspection(model, terminal)


def compare(options: Namespace, terminal: Terminal) -> None:
    """How two architectures differ."""
    comparison = _open_both(options, terminal)
    if options.json:
        terminal.document(comparison_document(comparison))
    else:
        report_comparison(comparison, terminal)


def run_diff_command(options: Namespace, terminal: Terminal) -> None:
    """How much each tensor changed."""
    output: Path | None = options.output
    if output is not None:
        require_writable(output, (_REPORT,))
        if output.suffix.lower() == _REPORT:
            require("report", "A report")
    comparison = _open_both(options, terminal)
    with ProgressBar(terminal, sys.stderr) as progress:
        result = run_diff(
            comparison, device=options.device, cache=not options.no_cache, progress=progress
        )
    if options.json:
        terminal.document(result_document(result))
    else:
        report_diff(result, terminal)
    if output is not None:
        _write(result, comparison, output)
        terminal.talk(f"Written to {output}")


def demo(options: Namespace, terminal: Terminal) -> None:
    """A diff of two checkpoints that come along."""
    if not options.json:
        terminal.line("Two small language models, trained for this: demo:continued is demo:base")
        terminal.line("trained on with other text. How much did each of its tensors move? Try also")
        terminal.line("demo:tuned, demo:lora and demo:unrelated as the target of a diff.")
        terminal.line()
    run_diff_command(
        Namespace(**vars(options), base="demo:base", target="demo:continued"), terminal
    )


COMMANDS: Mapping[str, Callable[[Namespace, Terminal], None]] = {
    "inspect": inspect,
    "compare": compare,
    "diff": run_diff_command,
    "demo": demo,
    "app": serve_app,
}


def _write(result: Result, comparison: Comparison, output: Path) -> None:
    if output.suffix.lower() != _REPORT:
        write_result(result, output)
        return
    # Late: no other command draws.
    from modeldiff.drawings.report import report_html

    write_file(output, report_html(result, comparison).encode())


def _open_both(options: Namespace, terminal: Terminal) -> Comparison:
    return Comparison(_open(options.base, terminal), _open(options.target, terminal))


def _open(reference: str, terminal: Terminal) -> Model:
    model = Model.open(reference)
    for warning in model.checkpoint.warnings:
        terminal.talk(f"warning: {model.reference}: {warning}")
    return model
