"""Change tables whose every row's truth is known, and what sentences about them may claim.

A row is planted: what was done to base's values, on which side values are lost, whether it could
be compared at all. The statistics are the kernels' own; the truth is NumPy's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from modeldiff.architectures import Place
from modeldiff.changes import Change, ChangeTable, Pair
from modeldiff.changes.arrays import statistics_of_bytes
from modeldiff.changes.change import Status
from modeldiff.changes.dtype_pairs import dtype_pair
from modeldiff.changes.relations.relate import relate
from modeldiff.checkpoints import Checkpoint, TensorInfo
from modeldiff.findings.narrative import Narrative
from tests.support.memory_source import MemoryFiles
from tests.support.slow_statistics import decode, encode

Values = npt.NDArray[np.float64]
Deed = Literal[
    "same",
    "noise",
    "replaced",
    "factor",
    "sparse",
    "zeros",
    "rounded",
    "pruned",
    "reordered",
    "scaled",
]
EXPLAINED: tuple[Deed, ...] = ("factor", "reordered", "scaled")
"""Deeds of which words say that they are no training, and leave them out of levels."""
Lost = Literal["", "base", "target", "both"]
Shapes = dict[str, tuple[int, ...]]
_FILE = "model.safetensors"
MATRICES: Shapes = {
    "self_attn.q_proj": (24, 32),
    "self_attn.v_proj": (8, 32),
    "mlp.up_proj": (48, 32),
}
NORMS: Shapes = {"input_layernorm": (96,)}
OUTSIDE: Shapes = {"embed_tokens": (80, 96), "norm": (96,), "lm_head": (80, 96)}


@dataclass(frozen=True)
class Plant:
    """What is done to a row: ``deed`` with ``size``, ``lost`` values in ``lost_share`` of it, and
    a ``status``; ``waiting`` is one that is compared and not measured yet."""

    deed: Deed = "noise"
    size: float = 0.1
    lost: Lost = ""
    lost_share: float = 0.0
    status: Status = "compared"
    waiting: bool = False


@dataclass(frozen=True, eq=False)
class Truth:
    """A row with its values as stored; None where a side has none or they were not compared."""

    place: Place
    plant: Plant
    elements: int
    base: Values | None
    target: Values | None

    @property
    def compared(self) -> bool:
        return self.base is not None and self.target is not None

    @property
    def both_finite(self) -> npt.NDArray[np.bool_]:
        assert self.base is not None and self.target is not None
        return np.isfinite(self.base) & np.isfinite(self.target)

    @property
    def is_finite(self) -> bool:
        return bool(self.both_finite.all())

    @property
    def is_equal(self) -> bool:
        return self.is_finite and bool(np.all(self.base == self.target))

    @property
    def differs(self) -> bool:
        """Whether an element that is finite on both sides differs."""
        assert self.base is not None and self.target is not None
        inside = self.both_finite
        return bool((self.base[inside] != self.target[inside]).any())

    @property
    def is_undecidable(self) -> bool:
        """Whether the change is too small for its elements' signs to tell noise from another."""
        return self.frobenius_pct / 100 * self.elements / np.pi < 40

    @property
    def is_matrix_of_layer(self) -> bool:
        return self.place.layer is not None and self.place.component in MATRICES

    @property
    def frobenius_pct(self) -> float:
        assert self.base is not None and self.target is not None
        return float(100 * np.linalg.norm(self.target - self.base) / np.linalg.norm(self.base))


def planted_table(
    plant: Callable[[Place], Plant], *, layers: int, dtype: str = "BF16", seed: int = 0
) -> tuple[ChangeTable, tuple[Truth, ...]]:
    """A change table of a small decoder, and the truth of each row."""
    random = np.random.default_rng(seed)
    places = [
        (Place(layer, component), shape)
        for layer in range(layers)
        for component, shape in (MATRICES | NORMS).items()
    ]
    places += [(Place(None, component), shape) for component, shape in OUTSIDE.items()]
    contents = bytearray(), bytearray()
    rows = [_row(place, shape, plant(place), dtype, random, contents) for place, shape in places]
    changes = ChangeTable(change for change, _ in rows)
    base, target = (_in_memory(bytes(content)) for content in contents)
    return relate(changes, base, target), tuple(truth for _, truth in rows)


def _in_memory(content: bytes) -> Checkpoint:
    source = MemoryFiles({_FILE: content})
    return Checkpoint(source.reference, "safetensors", (), {}, None, {}, "", source)


def _row(
    place: Place,
    shape: tuple[int, ...],
    plant: Plant,
    dtype: str,
    random: np.random.Generator,
    contents: tuple[bytearray, bytearray],
) -> tuple[Change, Truth]:
    """The row and its truth; its bytes are added to the ``contents`` of both sides."""
    elements = int(np.prod(shape))
    nbytes = elements * {"BF16": 2, "F32": 4}[dtype]
    tensor = TensorInfo.stored(str(place), dtype, shape, _FILE, len(contents[0]), nbytes)
    base = None if plant.status == "only_in_target" else tensor
    target = None if plant.status == "only_in_base" else tensor
    pair = Pair(place, plant.status, base, target)
    if plant.status != "compared" or plant.waiting:
        return Change(pair), Truth(place, plant, elements, None, None)
    norm = len(shape) == 1
    values = random.standard_normal(shape) * (0.1 if norm else 0.05) + (1.0 if norm else 0.0)
    one = _stored(values, dtype)
    other = _stored(_done(one, plant, random), dtype)
    lost = random.random(shape) < plant.lost_share
    if plant.lost:
        lost.reshape(-1)[int(random.integers(elements))] = True
    for side, name in ((one, "base"), (other, "target")):
        if plant.lost in (name, "both"):
            side[lost] = random.choice([np.nan, np.inf, -np.inf])
    types = dtype_pair(dtype, dtype)
    assert types is not None
    raw = [encode(side.reshape(-1), dtype).view(np.uint8) for side in (one, other)]
    for content, own in zip(contents, raw, strict=True):
        content += own.tobytes()
    change = Change(pair, statistics_of_bytes(raw[0], raw[1], types))
    return change, Truth(place, plant, elements, one, other)


def _stored(values: Values, dtype: str) -> Values:
    """The values as the type holds them."""
    flat = np.ascontiguousarray(values).reshape(-1)
    stored: Values = decode(encode(flat, dtype), dtype).reshape(values.shape)
    return stored


def _done(values: Values, plant: Plant, random: np.random.Generator) -> Values:
    scale = float(np.sqrt(np.mean(values**2)))
    noise = random.standard_normal(values.shape)
    match plant.deed:
        case "noise":
            moved: Values = values + plant.size * scale * noise
            return moved
        case "replaced":
            return noise * scale
        case "factor":
            return values * (1 + plant.size)
        case "sparse":
            sparse: Values = np.where(random.random(values.shape) < 0.05, values + noise, values)
            return sparse
        case "zeros":
            return np.zeros_like(values)
        case "pruned":
            pruned: Values = np.where(np.abs(values) < 0.5 * scale, 0.0, values)
            return pruned
        case "rounded":
            step = np.abs(values).max() / 15
            rounded: Values = np.round(values / step) * step
            return rounded
        case "reordered":
            reordered: Values = random.permutation(values)
            return reordered
        case "scaled":
            factors = np.exp(random.uniform(-1, 1, len(values)))
            scaled: Values = (values.T * factors).T
            return scaled
    return values


Claim = tuple[str, Callable[[re.Match[str], Sequence[Truth]], bool]]


def false_claims(narrative: Narrative, truths: Sequence[Truth]) -> Iterator[str]:
    """The sentences that the truth does not bear out, each with the claim that it makes."""
    for sentence in (narrative.headline, *narrative.facts, *narrative.likeness):
        for pattern, holds in _CLAIMS:
            for match in re.finditer(pattern, sentence):
                if not holds(match, truths):
                    yield f"{pattern!r} is false: {sentence}"


def share(truths: Sequence[Truth], side: str) -> float:
    """The share of a side's elements that were compared, in percent."""
    without = {"base": "only_in_target", "target": "only_in_base"}[side]
    own = [truth for truth in truths if truth.plant.status != without]
    total = sum(truth.elements for truth in own)
    compared = sum(int(truth.both_finite.sum()) for truth in own if truth.compared)
    return 100 * compared / total if total else 100.0


def _compared(truths: Sequence[Truth]) -> list[Truth]:
    return [truth for truth in truths if truth.compared]


def _all_compared_equal(truths: Sequence[Truth]) -> bool:
    return all(truth.is_equal for truth in truths if truth.compared)


def _all_equal(_: re.Match[str], truths: Sequence[Truth]) -> bool:
    return all(truth.compared for truth in truths) and _all_compared_equal(truths)


def _counts(match: re.Match[str], truths: Sequence[Truth]) -> bool:
    return int(match[1]) == sum(truth.is_equal for truth in _compared(truths))


def _a_level(match: re.Match[str], truths: Sequence[Truth]) -> bool:
    """Everything there is was compared and finite, nothing but noise made it (or a factor, which
    is said), and no matrix stood still."""
    del match
    rows = _compared(truths)
    dense = all(
        truth.differs
        and (truth.plant.deed in ("noise", "replaced", *EXPLAINED) or truth.is_undecidable)
        for truth in rows
        if truth.place.component in MATRICES or truth.place.component in ("embed_tokens", "lm_head")
    )
    enough = min(share(truths, side) for side in ("base", "target")) >= 90
    return dense and enough and all(truth.is_finite for truth in rows)


def _mean_is(match: re.Match[str], truths: Sequence[Truth]) -> bool:
    rows = [truth for truth in _compared(truths) if truth.is_matrix_of_layer]
    if match[1]:
        explained = ("reordered", "scaled")
        rows = [t for t in rows if t.plant.deed != "factor" or t.frobenius_pct < 2.5]
        rows = [t for t in rows if t.plant.deed not in explained]
    values = [truth.frobenius_pct for truth in rows]
    return bool(np.isclose(float(match[2]), np.mean(values), rtol=0.02, atol=0.006))


def _deeds(*deeds: Deed) -> Callable[[re.Match[str], Sequence[Truth]], bool]:
    def holds(_: re.Match[str], truths: Sequence[Truth]) -> bool:
        return all(truth.plant.deed in deeds for truth in _compared(truths) if truth.differs)

    return holds


def _shares(match: re.Match[str], truths: Sequence[Truth]) -> bool:
    stated = float(match[1])
    sides = {"base's": ["base"], "target's": ["target"]}.get(match[2], ["base", "target"])
    return all(abs(share(truths, side) - stated) < 0.051 + stated / 1000 for side in sides)


def _still(match: re.Match[str], truths: Sequence[Truth]) -> bool:
    names = {
        "norms": ("input_layernorm", "norm"),
        "embed_tokens and lm_head": ("embed_tokens", "lm_head"),
    }
    rows = [t for t in _compared(truths) if t.place.component in names.get(match[1], MATRICES)]
    return all(truth.is_equal for truth in rows)


def _alike(match: re.Match[str], truths: Sequence[Truth]) -> bool:
    """No third of the layers of a component differs from another by half or more."""
    del match
    for component in MATRICES:
        sizes = [
            truth.frobenius_pct
            for truth in _compared(truths)
            if truth.place.component == component and truth.differs and truth.is_finite
        ]
        thirds = [np.median(part) for part in np.array_split(sizes, 3) if len(part)]
        if len(sizes) >= 3 and max(thirds) > 1.5 * min(thirds):
            return False
    return True


_CLAIMS: tuple[Claim, ...] = (
    ("weights that were read are identical|same weights in all tensors|same model", _all_equal),
    (
        "What was compared is exactly equal|What both have is the same",
        lambda _, truths: not any(truth.differs for truth in _compared(truths)),
    ),
    (r"(\d+) (?:of \d+ tensors )?are equal as a whole", _counts),
    (r"^The \d+ (norms|weight matrices of the layers) did not move", _still),
    (r"^No change in (embed_tokens and lm_head)", _still),
    ("Like (?:light|instruction|heavy|long)", _a_level),
    (r"change of the layers' (other )?matrices.* is (\d+(?:\.\d+)?) %", _mean_is),
    (
        "Like unrelated",
        lambda _, truths: all(
            truth.plant.deed == "replaced" or truth.plant.size > 3
            for truth in _compared(truths)
            if truth.is_matrix_of_layer and truth.plant.deed not in EXPLAINED
        ),
    ),
    ("Like rounding to a coarser grid", _deeds("rounded", "zeros", *EXPLAINED)),
    ("Like pruning", _deeds("pruned", "zeros", *EXPLAINED)),
    (
        r"(\d+) tensors? (?:is|are) base's times",
        lambda match, truths: int(match[1]) <= sum(t.plant.deed == "factor" for t in truths),
    ),
    (
        r"(\d+) tensors? holds? base's",
        lambda match, truths: int(match[1]) <= sum(t.plant.deed == "reordered" for t in truths),
    ),
    (
        r"In (\d+) tensors? each \w+ is base's times",
        lambda match, truths: int(match[1]) <= sum(t.plant.deed == "scaled" for t in truths),
    ),
    ("transpose of base's|another expert in base", lambda *_: False),
    (
        "What moved is explained",
        lambda _, truths: all(
            truth.plant.deed in ("zeros", *EXPLAINED)
            for truth in _compared(truths)
            if truth.differs
        ),
    ),
    (
        "Only norms moved",
        lambda _, ts: (
            not any(t.differs for t in ts if t.compared and t.base is not None and t.base.ndim > 1)
        ),
    ),
    ("All matrices .*at all depths", _alike),
    (r"(\d+(?:\.\d+)?) % of (either side's|base's|target's)", _shares),
    (r"moved by (?:0|0\.00) %", lambda *_: False),
)
