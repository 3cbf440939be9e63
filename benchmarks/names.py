"""What opening takes where a file has very many names, made up by somebody who wishes it took long.

``python -m benchmarks names`` opens 200,000 of each kind and asks for what the pages ask for.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.report import machine
from modeldiff.architectures.listing.layer_table import layer_table
from modeldiff.architectures.understand import understand
from modeldiff.changes.pairing import pair
from modeldiff.checkpoints import open_checkpoint

COUNT = 200_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
_WORDS = (
    *("layers", "h", "blocks", "attn", "mlp", "norm", "w", "weight", "bias", "model", "encoder"),
    *("experts", *map(str, range(40))),
)
_EXPERTS = 256
_PARTS = ("gate_proj", "up_proj", "down_proj")


def _made_up(count: int) -> Iterable[str]:
    draw = random.Random(7)

    def word() -> str:
        return "".join(draw.choices(_LETTERS, k=draw.randint(1, 6)))

    for number in range(count):
        yield ".".join(word() for _ in range(draw.randint(1, 6))) + f".{number}.w"


def _of_words(count: int) -> Iterable[str]:
    draw = random.Random(3)
    names: dict[str, None] = {}
    while len(names) < count:
        names[".".join(draw.choices(_WORDS, k=draw.randint(2, 9)))] = None
    return names


def _stacks(count: int) -> Iterable[str]:
    return (f"part{n // 2}.layers.{n % 2}.w" for n in range(count))


def _layers(count: int) -> Iterable[str]:
    return (f"layers.{n % 9_999}.{'qz'[n % 7 > 0]}{n % 1_013}.w{n // 9_999}" for n in range(count))


def _experts(count: int) -> Iterable[str]:
    for number in range(count):
        rest, part = divmod(number, len(_PARTS))
        layer, expert = divmod(rest, _EXPERTS)
        yield f"model.layers.{layer}.mlp.experts.{expert}.{_PARTS[part]}.weight"


NAMES: Mapping[str, Callable[[int], Iterable[str]]] = {
    "made up": _made_up,
    "of a few words": _of_words,
    "without a dot": lambda count: (f"tensor_{number}" for number in range(count)),
    "a stack for every two": _stacks,
    "layers that all differ": _layers,
    "experts, as a model has them": _experts,
}
"""Kinds of names: each makes as many different ones as it is asked for."""


def write_names(folder: Path, names: Iterable[str]) -> Path:
    """Write a safetensors file into ``folder`` whose tensors, of two values each, have these
    ``names``. Its data is a hole. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    header: dict[str, object] = {}
    end = 0
    for name in names:
        header[name] = {"dtype": "BF16", "shape": [1, 2], "data_offsets": [end, end + 4]}
        end += 4
    raw = json.dumps(header, separators=(",", ":")).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)
    return folder


def names_table(folder: Path, count: int = COUNT) -> str:
    """Processor seconds of this process for ``count`` names of each kind, whose files are built
    below ``folder`` where they are missing; in Markdown."""
    rows: list[Sequence[str]] = [("names", *_STEPS), ("---",) * (1 + len(_STEPS))]
    for kind, make in NAMES.items():
        place = folder / "names" / f"{kind.replace(' ', '-')}-{count}"
        if not (place / "model.safetensors").exists():
            write_names(place, make(count))
        rows.append((kind, *(f"{seconds:.1f} s" for seconds in _measure(place))))
    busy = os.getloadavg()[0]
    return "\n".join(
        [
            f"### {count:,} names of each kind",
            "",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            f"Processor time, at a load of {busy:.0f}. {machine()}",
        ]
    )


_STEPS = ("open", "understand", "pair with itself", "layer table")
_Value = TypeVar("_Value")


def _measure(folder: Path) -> list[float]:
    seconds = []

    def timed(act: Callable[[], _Value]) -> _Value:
        began = time.process_time()
        value = act()
        seconds.append(time.process_time() - began)
        return value

    checkpoint = timed(lambda: open_checkpoint(str(folder)))
    architecture = timed(lambda: understand(checkpoint))
    timed(lambda: pair(architecture, architecture))
    timed(lambda: layer_table(architecture, architecture).folded())
    return seconds
