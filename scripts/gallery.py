"""Make and check entries of the gallery, pairs that are measured once and shipped as small results.

    python -m scripts.gallery add BASE TARGET --title … --note …    measure a pair and add it
    python -m scripts.gallery check                                 validate all entries
    python -m scripts.gallery renew                                 measure entries of here again

Entries go to gallery/ beside the package, or to the folder in MODELDIFF_GALLERY. A pair of local
folders needs --base-source and --target-source: what others can open. Licences are taken from the
cards, or from --licence.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from modeldiff.companions.card import read_card
from modeldiff.comparison import Comparison
from modeldiff.errors import ModeldiffError
from modeldiff.model import Model
from modeldiff.results import run_diff
from modeldiff.results.gallery.collection import gallery_entries, gallery_folder
from modeldiff.results.gallery.publishing import entry_of, gallery_problems, publish_result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 1 where something is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="measure a pair and add it")
    add.add_argument("base", metavar="BASE")
    add.add_argument("target", metavar="TARGET")
    add.add_argument("--title", required=True, help="a few words")
    add.add_argument("--note", required=True, help="a sentence: what the pair is")
    add.add_argument("--name", help="of the files; by default made from the title")
    for role in ("base", "target"):
        add.add_argument(f"--{role}-source", help="what others open, by default the reference")
    add.add_argument("--licence", help="of both models' weights, where the cards name none")
    add.add_argument("--device", default="auto")
    commands.add_parser("check", help="validate all entries")
    commands.add_parser("renew", help="measure entries whose sources are demos again")
    options = parser.parse_args(arguments)
    try:
        return {"add": _add, "check": _check, "renew": _renew}[options.command](options)
    except (ModeldiffError, OSError) as error:
        hint = getattr(error, "hint", "")
        print(f"error: {error}", *([f"hint: {hint}"] if hint else []), sep="\n", file=sys.stderr)
        return 1


def _add(options: argparse.Namespace) -> int:
    pair = Comparison.open(options.base, options.target)
    sides = pair.base, pair.target
    given = options.base_source, options.target_source
    slug = re.sub("[^a-z0-9.]+", "-", options.title.lower()).strip("-.")[:60]
    result = run_diff(pair, device=options.device)
    entry = entry_of(
        result,
        name=options.name or slug,
        title=options.title,
        note=options.note,
        names=pair.names,
        sources=(given[0] or sides[0].reference, given[1] or sides[1].reference),
        licences=(_licence(sides[0], options.licence), _licence(sides[1], options.licence)),
    )
    publish_result(result, entry, gallery_folder())
    print(f"{entry.name}: added to {gallery_folder()}")
    return 0


def _licence(model: Model, given: str | None) -> str:
    said = read_card(model.checkpoint).entries.get("license", ())
    return given or ", ".join(said)


def _check(_: argparse.Namespace) -> int:
    problems = list(gallery_problems(gallery_folder()))
    print(*problems or [f"{len(gallery_entries())} entries, all well"], sep="\n")
    return 1 if problems else 0


def _renew(_: argparse.Namespace) -> int:
    for entry in gallery_entries():
        sides = entry.base, entry.target
        if all(side.source.startswith("demo:") for side in sides):
            pair = Comparison.open(*(side.source for side in sides))
            result = run_diff(pair, cache=False, device="cpu")
            made = entry_of(
                result,
                name=entry.name,
                title=entry.title,
                note=entry.note,
                names=pair.names,
                sources=(entry.base.source, entry.target.source),
                licences=(entry.base.licence, entry.target.licence),
            )
            publish_result(result, made, gallery_folder())
            print(entry.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
