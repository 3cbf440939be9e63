"""The commands. Those that compare open, ask, and print for people or as JSON. What a quiet diff
does not need is imported when it is: it starts sooner so."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeldiff.cli.opening import open_both, open_one
from modeldiff.cli.progress_bar import ProgressBar
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.usage.shared_options import chosen_measurer
from modeldiff.comparison import Comparison
from modeldiff.errors import InvalidOption
from modeldiff.extras import require
from modeldiff.results import Result, run_diff, run_shard

if TYPE_CHECKING:
    from modeldiff.cli.chosen_rows import ChosenRows

_Command = Callable[[Namespace, Terminal], int | None]
_REPORT, _POSTER = ".html", ".pdf"


def inspect_command(options: Namespace, terminal: Terminal) -> None:
    """What a checkpoint is, or several."""
    from modeldiff.cli.json_documents import inspection_document
    from modeldiff.cli.text_reports import report_inspection

    if options.json and len(options.references) > 1:
        raise InvalidOption(
            "--json prints one document, and several checkpoints are named.",
            hint="Run the command once for each.",
        )
    for number, reference in enumerate(options.references):
        model = open_one(reference, terminal)
        if options.json:
            terminal.document(inspection_document(model))
            continue
        if number:
            terminal.line()
        report_inspection(model, terminal)


def compare_command(options: Namespace, terminal: Terminal) -> None:
    """How two architectures differ."""
    from modeldiff.cli.json_documents import comparison_document
    from modeldiff.cli.text_reports import report_comparison

    comparison = open_both(options, terminal)
    if options.json:
        terminal.document(comparison_document(comparison))
    else:
        report_comparison(comparison, terminal)


def diff_command(options: Namespace, terminal: Terminal) -> None:
    """How much each tensor changed; of one shard alone, if one is given."""
    if options.shard is not None:
        _run_shard(options, terminal)
        return
    _require_output(options)
    comparison = open_both(options, terminal)
    with ProgressBar(terminal, sys.stderr) as progress:
        result = run_diff(
            comparison,
            device=options.device,
            measurer=chosen_measurer(options),
            cache=not options.no_cache,
            progress=progress,
        )
    _show(result, comparison, options, terminal)
    if not options.no_cache:
        from modeldiff.results.housekeeping.pruning import prune_daily

        prune_daily()


def join_command(options: Namespace, terminal: Terminal) -> None:
    """The result of a diff that was measured in shards."""
    from modeldiff.results import join_shards

    _require_output(options)
    comparison = open_both(options, terminal)
    with ProgressBar(terminal, sys.stderr) as progress:
        result = join_shards(comparison, progress=progress)
    _show(result, comparison, options, terminal)


def demo_command(options: Namespace, terminal: Terminal) -> None:
    """A diff of two checkpoints that come along."""
    if not options.json:
        terminal.line(
            "Two small language models: demo:continued is demo:base after further training"
        )
        terminal.line("on other text. How much did each of its tensors move? Also try demo:tuned,")
        terminal.line("demo:lora and demo:unrelated as the target of a diff.")
        terminal.line()
    diff_command(
        Namespace(
            **vars(options),
            **dict.fromkeys(("shard", "on")),
            base="demo:base",
            target="demo:continued",
            layers="auto",
        ),
        terminal,
    )


def open_command(options: Namespace, terminal: Terminal) -> None:
    """A kept or exported result, without its checkpoints."""
    from modeldiff.results import open_result

    _require_output(options)
    _show(open_result(options.result), None, options, terminal)


def _late(module: str, name: str) -> _Command:
    """A command whose module is imported when it is asked for: no other waits for that."""

    def run(options: Namespace, terminal: Terminal) -> int | None:
        command: _Command = getattr(import_module(f"modeldiff.cli.{module}"), name)
        return command(options, terminal)

    return run


COMMANDS: Mapping[str, _Command] = {
    "inspect": inspect_command,
    "compare": compare_command,
    "diff": diff_command,
    "join": join_command,
    "fleet": _late("fleet.command", "fleet_command"),
    "demo": demo_command,
    "check": _late("check.command", "check_command"),
    "list": _late("listing", "list_command"),
    "open": open_command,
    "cache": _late("cache.command", "cache_command"),
    "app": _late("serving.app", "serve_app"),
    "worker": _late("serving.worker", "worker_command"),
    "completion": _late("completion.command", "completion_command"),
    "schema": _late("schemas.published", "schema_command"),
}


def _run_shard(options: Namespace, terminal: Terminal) -> None:
    if options.no_cache or options.output is not None or _asks_for_rows(options):
        raise InvalidOption(
            "--shard can't be combined with --no-cache, --output or options that list tensors.",
            hint="A shard leaves a journal among the results; join combines, lists and writes "
            "them.",
        )
    if options.on is not None:
        raise InvalidOption(
            "--shard and --on are two ways to divide a diff.",
            hint="A cluster divides it by itself: leave out --shard.",
        )
    comparison = open_both(options, terminal)
    with ProgressBar(terminal, sys.stderr) as progress:
        measured = run_shard(comparison, options.shard, device=options.device, progress=progress)
    from modeldiff.cli.json_documents import shard_document
    from modeldiff.cli.text_reports import report_shard

    if options.json:
        terminal.document(shard_document(options.shard, measured))
    else:
        report_shard(options.shard, measured, terminal)


def _require_output(options: Namespace) -> None:
    if options.output is not None:
        from modeldiff.results import require_writable

        require_writable(options.output, (_REPORT, _POSTER))
        ending = options.output.suffix.lower()
        if ending in (_REPORT, _POSTER):
            require("report", "A report" if ending == _REPORT else "A poster")


def _show(
    result: Result, comparison: Comparison | None, options: Namespace, terminal: Terminal
) -> None:
    chosen = _chosen_rows(result, options)
    # The file first: whoever reads the words may have enough before they end, as `head` does.
    if options.output is not None:
        _write(result, comparison, options.output)
    if options.json:
        terminal.document(_document(result, chosen))
    elif not terminal.quiet:  # the words of a large model take longer than to read a small one
        from modeldiff.cli.text_reports import report_diff

        report_diff(result, terminal, chosen)
    if options.output is not None:
        terminal.talk(f"Written to {options.output}")


def _asks_for_rows(options: Namespace) -> bool:
    return bool(options.only or options.filter or options.sort or options.top or options.reverse)


def _chosen_rows(result: Result, options: Namespace) -> ChosenRows | None:
    if not _asks_for_rows(options):
        return None
    # Late: whoever asks for all rows needs no language for conditions.
    from modeldiff.cli.chosen_rows import choose_rows

    return choose_rows(result.changes, options)


def _document(result: Result, chosen: ChosenRows | None) -> dict[str, Any]:
    """The result's document, with all tensors or those that were chosen."""
    from modeldiff.results import result_document

    document = result_document(result)
    if chosen is None:
        return document
    rows = dict(zip(map(id, result.changes), document["tensors"], strict=True))
    return document | {
        "selection": chosen.options,
        "tensors": [rows[id(change)] for change in chosen.rows],
    }


def _write(result: Result, comparison: Comparison | None, output: Path) -> None:
    # Late: few commands write, and no other draws.
    from modeldiff.results import write_file, write_result

    ending = output.suffix.lower()
    if ending == _REPORT:
        from modeldiff.drawings.report import report_html

        write_file(output, report_html(result, comparison).encode())
    elif ending == _POSTER:
        if comparison is None:
            raise InvalidOption(
                "A poster shows the architecture, which a stored result doesn't hold.",
                hint="Make it of the checkpoints: modeldiff diff BASE TARGET --output FILE.pdf.",
            )
        from modeldiff.drawings import LIGHT
        from modeldiff.drawings.poster.poster import poster

        write_file(output, poster(result, comparison, LIGHT, "A3").pdf())
    else:
        write_result(result, output)
