"""What each command takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from modeldiff.cli.fleet.arguments import add_fleet
from modeldiff.cli.usage.help_texts import (
    CHECK_EXIT_CODES_TEXT,
    EXAMPLES,
    EXIT_CODES_TEXT,
    FLEET_EXIT_CODES_TEXT,
    REFERENCES,
    HelpFormatter,
)
from modeldiff.cli.usage.shared_options import (
    add_cluster,
    add_json,
    add_layers,
    add_measuring,
    add_output,
    add_pair,
    add_quiet,
    add_rows,
    add_stream,
    condition,
    shard,
)

SHELLS = ("bash", "zsh", "fish")
_REASONS = (
    *("different_shape", "only_in_base", "only_in_target", "unreadable", "quantised"),
    *("not_measured", "not_finite", "part_of_rows", "no_value"),
)
CACHE_ACTS = ("list", "prune", "clear", "verify", "share")
LISTS = ("all", "catalog", "demos", "gallery", "results")


class CommandAdder:
    """Adds commands to the parser ``top`` that look alike: a line in the list, a description,
    examples."""

    def __init__(self, top: argparse.ArgumentParser) -> None:
        # Named, lest argparse formats its usage to find out.
        self._commands = top.add_subparsers(
            dest="command", required=True, metavar="COMMAND", prog=top.prog
        )

    def add(
        self,
        name: str,
        line: str,
        description: str = "",
        *,
        after: str = "",
        usage: str | None = None,
    ) -> argparse.ArgumentParser:
        """The parser of the command ``name``: its ``line`` in the list, its ``description``, what
        its help says ``after`` the examples, and its ``usage`` where argparse can't tell it."""
        paragraphs = (EXAMPLES.get(name, ""), after)
        return self._commands.add_parser(
            name,
            help=line,
            usage=usage,
            description=description,
            epilog="\n\n".join(filter(None, paragraphs)),
            formatter_class=HelpFormatter,
        )


def _add_inspect(commands: CommandAdder) -> None:
    inspect = commands.add(
        "inspect",
        "what a checkpoint is: facts and tensors (reads headers only)",
        "What a checkpoint is: facts and tensors. Reads headers only.",
        after=REFERENCES,
    )
    inspect.add_argument(
        "references", metavar="REF", nargs="+", help="the checkpoint, or several one after another"
    )
    add_json(inspect)
    add_quiet(inspect)


def _add_compare(commands: CommandAdder) -> None:
    compare = commands.add(
        "compare",
        "how two architectures differ, and what lies beside the weights (reads no weights)",
        "How two architectures differ: facts side by side, and which tensors pair up; then "
        "tokenizer, chat template, generation config, config and card. Reads headers and the small "
        "files beside the weights.",
        after=REFERENCES,
    )
    add_pair(compare)
    compare.set_defaults(layers="auto")
    add_json(compare)


def _add_diff(commands: CommandAdder) -> None:
    diff = commands.add(
        "diff",
        "how much each tensor changed from BASE to TARGET",
        "How much each tensor changed from BASE to TARGET, in percent of BASE. Results are kept: "
        "the same diff is shown at once the next time.",
        after=f"{REFERENCES}\n\n{EXIT_CODES_TEXT}",
    )
    add_pair(diff)
    add_layers(diff)
    add_stream(diff)
    add_measuring(diff)
    add_cluster(diff)
    add_output(diff)
    add_rows(diff)
    diff.add_argument(
        "--shard",
        type=shard,
        metavar="I/N",
        help="measure only the I-th of N shards and leave its journal among the results, for "
        "join; run all N in any order, on any machines that share BASE, TARGET and the results "
        "(the folder MODELDIFF_CACHE, or the store MODELDIFF_SHARED)",
    )


def _add_join(commands: CommandAdder) -> None:
    join = commands.add(
        "join",
        "the result of a diff that was measured in shards",
        "Makes one result of all shards of a diff from BASE to TARGET that lie among the results "
        "(see diff --shard), or says which are missing.",
        after=f"{REFERENCES}\n\n{EXIT_CODES_TEXT}",
    )
    add_pair(join)
    add_layers(join)
    add_json(join)
    add_output(join)
    add_rows(join)


def _add_fleet(commands: CommandAdder) -> None:
    fleet = commands.add(
        "fleet",
        "many targets beside one base: measured together, shown in one table",
        "How much each TARGET changed from BASE. Base is read once for many targets, each pair's "
        "result is kept as diff keeps it, and what was interrupted goes on where it was. Targets "
        "that can't be opened or paired are named at the end and stop no other.",
        after=f"{REFERENCES}\n\n{FLEET_EXIT_CODES_TEXT}",
    )
    add_fleet(fleet)


def _add_demo(commands: CommandAdder) -> None:
    demo = commands.add(
        "demo",
        "a diff of two small checkpoints that ship with modeldiff",
        "A diff of demo:base and demo:continued, two small models that ship with modeldiff.",
    )
    add_measuring(demo)
    add_output(demo)
    add_rows(demo)


def _add_check(commands: CommandAdder) -> None:
    check = commands.add(
        "check",
        "fail where a condition on the change holds, for CI",
        "Measure the change from BASE to TARGET and fail where a condition on it holds. What was "
        "not compared never passes: where the answer depends on it, the check is undecided.",
        after=f"{REFERENCES}\n\n{CHECK_EXIT_CODES_TEXT}",
    )
    add_pair(check)
    check.add_argument(
        "--fail-if",
        action="append",
        required=True,
        type=condition,
        metavar="CONDITION",
        help="may be given several times. On a column of the exported tables: the check fails at "
        "each tensor where it holds: 'median_pct > 5 and not component like \"*norm*\"'. On "
        "whole.*: of all chosen tensors together, such as 'whole.coverage_pct < 100'",
    )
    check.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="check only tensors whose place or name matches, such as 'layers.0-3.*q_proj'; may "
        "be given several times",
    )
    check.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=_REASONS,
        metavar="REASON",
        help="pass what is undecided for this reason alone; it is still counted and listed. One of "
        f"{', '.join(_REASONS)}; may be given several times",
    )
    add_layers(check)
    add_stream(check)
    add_measuring(check)
    add_cluster(check)
    check.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write the outcome as JUnit XML"
    )
    check.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the outcome as Markdown"
    )
    add_quiet(check)


def _add_list(commands: CommandAdder) -> None:
    listing = commands.add(
        "list",
        "what is at hand, or what a repository of the Hub has: revisions, sets of weights",
        "What is at hand: the catalog's architectures, the demo checkpoints, the gallery's "
        "results, and the results kept on this machine. Of a repository of the Hub its branches "
        "and tags, and the sets of weights that may stand behind a colon.",
    )
    listing.add_argument(
        "what",
        nargs="?",
        default="all",
        metavar="WHAT",
        help=f"{', '.join(LISTS)}, or owner/name[@revision] (default: all)",
    )
    add_json(listing)


def _add_open(commands: CommandAdder) -> None:
    opened = commands.add(
        "open",
        "a kept or exported result, without the checkpoints",
        "Show a result again: one kept on this machine, one of the gallery, or a .parquet file "
        "written with --output. The checkpoints themselves are not needed.",
        after=EXIT_CODES_TEXT,
    )
    opened.add_argument(
        "result",
        metavar="RESULT",
        help="a .parquet file, the beginning of a result's key (see list), gallery:NAME, or last",
    )
    add_json(opened)
    add_output(opened)
    add_rows(opened)


def _add_cache(commands: CommandAdder) -> None:
    cache = commands.add(
        "cache",
        "what is kept on this machine: list it, make room, verify it",
        "What is kept on this machine to save time: list shows it by kind; prune deletes what has "
        "not been used for long and what exceeds MODELDIFF_CACHE_SIZE; clear deletes everything, "
        "or the kinds named; verify checks that all is as it was written, and exits with 1 if "
        "not. What a running diff needs stays. share puts results and drill-downs that are kept "
        "here into the store that a team shares (MODELDIFF_SHARED).",
    )
    cache.add_argument("act", choices=CACHE_ACTS, help="what to do")
    cache.add_argument(
        "kinds", metavar="KIND", nargs="*", help="with clear: only of these kinds (see list)"
    )
    cache.add_argument(
        "--dry-run",
        action="store_true",
        help="with prune and clear: only say what would be deleted",
    )
    cache.add_argument(
        "--shared",
        action="store_true",
        help="in the store that a team shares (MODELDIFF_SHARED) and not on this machine; prune "
        "goes by age alone there",
    )


def _add_app(commands: CommandAdder) -> None:
    app = commands.add(
        "app",
        "open the app in a browser",
        "Serve the app on this machine and print its address, to open in a browser. Ctrl+C "
        "stops it.",
        after="All other options go to `streamlit run`, such as --server.port 8600.",
        usage="%(prog)s [-h] [--allow-all-paths] [OPTION ...]",
    )
    app.add_argument(
        "--allow-all-paths",
        action="store_true",
        help="serve other machines without MODELDIFF_ROOTS: anyone who reaches the app can open "
        "every file that this user can read",
    )


def _add_worker(commands: CommandAdder) -> None:
    commands.add(
        "worker",
        "measure for several processes of the app that share a cache",
        "Measure what processes of the app ask for that have the same MODELDIFF_CACHE and "
        "MODELDIFF_WORKER=yes. Give it their settings: what they may not open, it does not open "
        "either. When it is stopped, the next one goes on where it was.",
    )


def _add_completion(commands: CommandAdder) -> None:
    completion = commands.add(
        "completion",
        "a script that completes these commands in a shell",
        "Print a script that completes commands, options, demos and the catalog in a shell.",
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")


def _add_schema(commands: CommandAdder) -> None:
    schema = commands.add(
        "schema",
        "the JSON schema of a document that --json prints",
        "Print the JSON schema of a document that --json prints. A document names its own in its "
        "first entry, such as modeldiff/diff/1; the number changes with what readers rely on.",
    )
    schema.add_argument(
        "name", nargs="?", metavar="NAME", help="the document's name; without it, all are listed"
    )


COMMAND_ADDERS: Mapping[str, Callable[[CommandAdder], None]] = {
    "inspect": _add_inspect,
    "compare": _add_compare,
    "diff": _add_diff,
    "join": _add_join,
    "fleet": _add_fleet,
    "demo": _add_demo,
    "check": _add_check,
    "list": _add_list,
    "open": _add_open,
    "cache": _add_cache,
    "app": _add_app,
    "worker": _add_worker,
    "completion": _add_completion,
    "schema": _add_schema,
}
"""What adds each command, in the order in which help lists them."""
