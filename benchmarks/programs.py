"""The programs that are run beside each other on one pair."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

_HERE = Path(__file__).parent
_MODELDELTA = """
import sys, torch
torch.linalg.svdvals = lambda matrix: torch.ones(1)
torch.linalg.svd = lambda matrix, full_matrices=False: (matrix[:, :1], torch.ones(1), matrix[:1])
from modeldelta.cli import main
main()
"""
"""Its singular values take hours at this size, so they are switched off."""


@dataclass(frozen=True)
class Program:
    """A command that compares (or only reads) a pair, and what it computes in words.

    ``slow`` ones are run once, however often the others are. It is run in ``checkout``, the folder
    that Python finds its modules in.
    """

    name: str
    command: tuple[str, ...]
    computes: str
    slow: bool = False
    checkout: Path = _HERE.parent


def programs(base: Path, target: Path, devices: tuple[str, ...], *, all_of: bool) -> list[Program]:
    """What can be run here: reading alone, modeldiff on each device and, with ``all_of``, a plain
    script and the peers that are installed."""
    sides = (str(base), str(target))
    files = [str(file) for side in (base, target) for file in sorted(side.glob("*.safetensors"))]
    python = sys.executable
    competitors = [Program("`cat` of the files", ("cat", *files), "nothing: the floor")]
    for device in devices:
        if device != "cpu":
            copy = (python, str(_HERE / "only_copy.py"), device, *sides)
            competitors.append(
                Program(f"reading and copying to {device}", copy, "nothing: the floor")
            )
        options = ("--no-cache", "--quiet", "--device", device)
        ours = (python, "-m", "modeldiff", "diff", *sides, *options)
        competitors.append(Program(f"**modeldiff**, {device}", ours, "all columns, exact median"))
    if not all_of:
        return competitors
    script = (python, str(_HERE / "plain_script.py"), *sides)
    competitors.append(Program("plain torch script", script, "median", slow=True))
    if find_spec("modeldelta"):
        name = f"modeldelta {version('modeldelta')}, SVD off"
        command = (python, "-c", _MODELDELTA, *sides)
        competitors.append(Program(name, command, "Frobenius, cosine, sparsity", slow=True))
    if find_spec("weightscope"):
        name = f"weightscope {version('weightscope')}"
        call = "import sys; from weightscope.cli import main; sys.exit(main())"
        competitors.append(
            Program(name, (python, "-c", call, "diff", *sides), "share changed", slow=True)
        )
    return competitors
