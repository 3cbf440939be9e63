"""What the command line takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modeldiff._version import __version__

if TYPE_CHECKING:
    from modeldiff.changes import Shard

_REFERENCES = (
    "A reference is a folder, one .safetensors file, owner/name[@revision] on the Hugging Face "
    "Hub, or a demo checkpoint (demo:base)."
)
_EXIT_CODES = (
    "Exit codes: 0 done; 1 an error that the message says how to mend; 2 wrong usage; 130 "
    "interrupted: the next run of the same diff goes on from there."
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the arguments say: ``command``, and what that command takes.

    ``arguments`` are those behind the program's name, None for the process's own. What ``app`` does
    not know itself is its ``passed_on``. Wrong usage raises ``SystemExit(2)``.
    """
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if options.command == "app":
        options.passed_on = unknown
    elif unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _parser() -> argparse.ArgumentParser:
    as_module = Path(sys.argv[0]).name == "__main__.py"
    top = argparse.ArgumentParser(
        prog="python -m modeldiff" if as_module else "modeldiff",
        description="What changed between two language-model checkpoints, and where?",
        epilog=f"{_REFERENCES} {_EXIT_CODES}",
    )
    top.add_argument("--version", action="version", version=f"modeldiff {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    inspect = commands.add_parser(
        "inspect",
        help="what a checkpoint is: facts and tensors (reads headers only)",
        description="What a checkpoint is: facts and tensors. Reads headers only.",
        epilog=_REFERENCES,
    )
    inspect.add_argument("reference", metavar="REF", help="the checkpoint")
    _add_json(inspect)

    compare = commands.add_parser(
        "compare",
        help="how two architectures differ (reads headers only)",
        description="How two architectures differ: facts side by side, and which tensors pair up. "
        "Reads headers only.",
        epilog=_REFERENCES,
    )
    _add_pair(compare)
    compare.set_defaults(layers="auto")
    _add_json(compare)

    diff = commands.add_parser(
        "diff",
        help="how much each tensor changed from BASE to TARGET",
        description="How much each tensor changed from BASE to TARGET, in percent of BASE. Results "
        "are kept: the same question is answered at once the second time.",
        epilog=f"{_REFERENCES} {_EXIT_CODES}",
    )
    _add_pair(diff)
    _add_layers(diff)
    _add_measuring(diff)
    diff.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="measure only the I-th of N shards and leave a journal of it among the results, for "
        "join; run all N, in any order, on as many machines as share BASE, TARGET and the "
        "folder of results (MODELDIFF_CACHE)",
    )

    join = commands.add_parser(
        "join",
        help="the result of a diff that was measured in shards",
        description="Makes one result of all shards of a diff from BASE to TARGET that lie among "
        "the results (see diff --shard), or says which are missing.",
        epilog=f"{_REFERENCES} {_EXIT_CODES}",
    )
    _add_pair(join)
    _add_layers(join)
    _add_json(join)
    _add_output(join)

    demo = commands.add_parser(
        "demo",
        help="a diff of two small checkpoints that come along",
        description="A diff of demo:base and demo:continued, two small models that come along.",
    )
    _add_measuring(demo)

    commands.add_parser(
        "app",
        usage="%(prog)s [-h] [OPTION ...]",
        help="open the app in a browser",
        description="Serve the app on this machine and print its address, to be opened in a "
        "browser. Ctrl+C ends it.",
        epilog="All other options go to `streamlit run`, such as --server.port 8600.",
    )
    return top


def _add_pair(command: argparse.ArgumentParser) -> None:
    command.add_argument("base", metavar="BASE", help="the checkpoint that change is measured from")
    command.add_argument("target", metavar="TARGET", help="the checkpoint that it became")


def _add_layers(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--layers",
        choices=("auto", "position"),
        default="auto",
        help="auto: where depths differ, or a layer has nothing in common with the one of its "
        "number, layers are compared that hold the same content; position: always by number",
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", help="print one JSON document on standard output"
    )


def _add_measuring(command: argparse.ArgumentParser) -> None:
    _add_json(command)
    command.add_argument(
        "--device",
        default="auto",
        help="auto (an accelerator if there is one), cpu, cuda, cuda:1, mps, xpu, torch:cpu",
    )
    command.add_argument(
        "--no-cache",
        action="store_true",
        help="neither use nor keep results; an interrupted diff then starts from zero",
    )
    _add_output(command)


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="also write the result to a .parquet, .csv or .json file, as a .html report, or as a "
        "poster on A3 (.pdf)",
    )
    command.add_argument(
        "--quiet",
        action="store_true",
        help="print nothing but errors (and the document, with --json)",
    )


def _shard(text: str) -> Shard:
    # Late, and only where there is a shard: --help is answered at once.
    from modeldiff.changes import Shard
    from modeldiff.errors import InvalidOption

    try:
        return Shard.parse(text)
    except InvalidOption as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.hint}") from error
