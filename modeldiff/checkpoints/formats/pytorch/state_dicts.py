"""The state dicts in what torch.save wrote: a plain one, those of a training run, a whole module's.

A training run keeps the model's state dict under a key of its own, often beside an average of it
(EMA), a teacher's, and the optimizer's, which has tensors of the same shapes and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from modeldiff.checkpoints.formats.pytorch.records import Call
from modeldiff.checkpoints.formats.pytorch.stored_tensors import (
    is_foreign_tensor,
    is_tensor,
    sizes_of,
)
from modeldiff.errors import UnsupportedFormat
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import listed, quoted

PREFERRED = ("", "model", "state_dict", "model_state_dict", "module", "network", "net", "weights")
"""The state dict that is meant where the reference names none, the first that is there. ``""`` is
that of a file that holds nothing else."""
_OTHERS = ("params", "ema", "model_ema", "ema_model", "ema_state_dict", "shadow", "teacher")
_MODELS = frozenset((*PREFERRED, *_OTHERS, "student", "generator", "discriminator"))
_TRAINING = frozenset(
    (
        *("optimizer", "optim", "optimizers", "optimizer_states", "optimizer_state_dict"),
        *("lr_scheduler", "lr_schedulers", "scheduler", "scaler", "grad_scaler", "amp"),
        *("rng_state", "random_rng_state", "torch_rng_state", "cuda_rng_state", "rng_tracker"),
        *("callbacks", "loops", "opt_param_scheduler"),
    )
)
_OPTIMIZER = frozenset(("state", "param_groups"))
"""What the state of each of torch's optimizers has, whatever key leads to it."""
_CODES = "W_q"
_LARGEST = 1 << 53
_DEEPEST = 40
_MOST_STEPS = 2_000_000


@dataclass
class StateDict:
    """One state dict: the keys that lead to it, joined by ``/``, the records of its tensors by
    name, and the names of those that are kept in a way that is not read. ``settings`` are numbers
    and sizes by name, as JSON, that a module keeps beside codes in no tensor (HQQ)."""

    path: str
    tensors: dict[str, Any] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)


def holds_optimizer(root: Any) -> bool:
    """Whether what a file holds is an optimizer's state, or has one under a key of its own."""
    entries = _entries(root)
    return entries.keys() >= _OPTIMIZER or any(
        key in _TRAINING or _entries(item).keys() >= _OPTIMIZER for key, item in entries.items()
    )


def state_dicts(root: Any) -> dict[str, StateDict]:
    """The state dicts in what a file holds, by path; without tensors, none."""
    search = _Search()
    return {part.path: part for part in search.within(root, ()) if part.tensors or part.foreign}


def choose(parts: Mapping[str, StateDict], tag: str, where: str) -> StateDict:
    """The state dict that ``tag`` names: its path, or an end or a beginning of it that no other
    has. Without a tag the one that a model is saved under.

    Raises ``UnsupportedFormat`` where there are several, or none of that name, naming them.
    """
    if tag:
        fitting = [path for path in parts if path == tag] or [
            path for path in parts if tag in (path.partition("/")[0], path.rpartition("/")[2])
        ]
    elif len(parts) == 1:
        fitting = list(parts)
    else:
        ordered = sorted(parts, key=_preference)
        fitting = ordered[:1] if _preference(ordered[0]) < len(PREFERRED) else ordered
    if len(fitting) == 1:
        return parts[fitting[0]]
    names = listed(sorted(map(shown, fitting or parts)), limit=8)
    if tag and not fitting:
        raise UnsupportedFormat(
            f"{where} holds no state dict {quoted(tag)}; it holds {names}.",
            hint="Give one of these behind the file's name and a colon.",
        )
    raise UnsupportedFormat(
        f"{where} holds several state dicts: {names}.",
        hint=f"Give one of them behind a colon, as in {where}:{sorted(fitting)[0]}.",
    )


def shown(path: str) -> str:
    """How messages name a state dict."""
    return path or "(the whole file)"


def _preference(path: str) -> int:
    """Its place among those that are ``PREFERRED``, by every key that leads to it."""
    keys = path.split("/")
    if not all(key in PREFERRED for key in keys):
        return len(PREFERRED)
    return PREFERRED.index(keys[0])


class _Search:
    """Walks what a pickle described. Each object is entered once and steps are counted: a few bytes
    of a pickle may describe an object that holds itself a million times."""

    def __init__(self) -> None:
        self._entered: set[int] = set()
        self._steps = 0

    def within(self, value: Any, keys: tuple[str, ...]) -> Iterator[StateDict]:
        """The state dicts of a value to which ``keys`` lead."""
        entries = _entries(value)
        if not entries or entries.keys() >= _OPTIMIZER or not self._enter(value, keys):
            return
        inner = {key: item for key, item in entries.items() if key not in _TRAINING}
        if any(is_tensor(item) for item in inner.values()) or isinstance(value, Call):
            yield self._flat(inner, keys)
            return
        holders = {key: item for key, item in inner.items() if _entries(item)}
        if len(holders) > 1 and not _MODELS & set(holders):  # the model's parts, each by itself
            part = self._flat(inner, keys)
            if part.tensors:
                yield part
            return
        for key, item in holders.items():
            yield from self.within(item, (*keys, key))

    def _flat(self, entries: Mapping[str, Any], keys: tuple[str, ...]) -> StateDict:
        part = StateDict("/".join(keys))
        self._collect(entries, "", part, 0)
        return part

    def _collect(self, entries: Mapping[str, Any], prefix: str, part: StateDict, deep: int) -> None:
        has_codes = _CODES in entries
        for key, item in entries.items():
            self._steps += 1
            if is_tensor(item):
                part.tensors[f"{prefix}{key}"] = item
            elif is_foreign_tensor(item):
                part.foreign.append(f"{prefix}{key}")
            elif deep < _DEEPEST and (inner := _entries(item)) and self._enter(item, ()):
                if inner.keys() >= _OPTIMIZER:
                    continue
                self._collect(inner, f"{prefix}{key}.", part, deep + 1)
            elif has_codes and (text := _setting(item)):
                part.settings[f"{prefix}{key}"] = text

    def _enter(self, value: Any, keys: tuple[str, ...]) -> bool:
        new = id(value) not in self._entered and self._steps < _MOST_STEPS
        self._entered.add(id(value))
        return new and len(keys) < _DEEPEST


def _setting(item: Any) -> str:
    """A number or a tensor's size, as JSON; empty for anything else."""
    if type(item) is int or type(item) is float:
        return json.dumps(item) if abs(item) < _LARGEST else ""
    sizes = sizes_of(item) if isinstance(item, tuple | list | Call) else None
    return json.dumps(sizes) if sizes else ""


def _entries(value: Any) -> dict[str, Any]:
    """What a container holds by key: a dict's entries, a module's parameters, buffers and modules
    under their names, a scripted module's attributes. Empty for anything else."""
    if isinstance(value, Call) and not is_tensor(value):
        state = value.state if isinstance(value.state, dict) else {}
        own = [state.get(key) for key in ("_parameters", "_buffers", "_modules")]
        if any(isinstance(part, dict) for part in own):
            return {str(k): v for part in own if isinstance(part, dict) for k, v in part.items()}
        entries = state or value.entries or {}
        return {str(key): item for key, item in entries.items()}
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    return {}
