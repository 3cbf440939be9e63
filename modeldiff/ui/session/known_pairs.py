"""Pairs to choose from: those of this session, those with a kept result, and the presets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import streamlit as st

from modeldiff.checkpoints import Reference, parse_reference
from modeldiff.checkpoints.hub.visibility import is_reference_for_everybody
from modeldiff.checkpoints.names import model_name
from modeldiff.errors import InvalidReference
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.results import asked_by, list_results
from modeldiff.ui.session.asking import asker


@dataclass(frozen=True)
class PairPreset:
    """Two references and the reason to compare them."""

    label: str
    base: str
    target: str


PRESETS: tuple[PairPreset, ...] = (
    PairPreset("Demo: trained on", "demo:base", "demo:continued"),
    PairPreset("Demo: lightly tuned", "demo:base", "demo:tuned"),
    PairPreset("Demo: merged LoRA", "demo:base", "demo:lora"),
    PairPreset("Demo: unrelated", "demo:base", "demo:unrelated"),
    PairPreset("Llama 3 → 3.1, 8B", "meta-llama/Meta-Llama-3-8B", "meta-llama/Llama-3.1-8B"),
    PairPreset("Llama 2 7B → Llama 3 8B", "meta-llama/Llama-2-7b-hf", "meta-llama/Meta-Llama-3-8B"),
    PairPreset("Llama 3.2, 1B → 3B", "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-3B"),
    PairPreset(
        "Llama 3.1 8B → Instruct", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"
    ),
    PairPreset("Qwen2 → Qwen2.5, 7B", "Qwen/Qwen2-7B", "Qwen/Qwen2.5-7B"),
    PairPreset("Qwen2.5 7B → Instruct", "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"),
    PairPreset("Llama 3 8B → Qwen2 7B", "meta-llama/Meta-Llama-3-8B", "Qwen/Qwen2-7B"),
    PairPreset("Mistral 7B, v0.1 → v0.3", "mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.3"),
    PairPreset("GPT-2 → GPT-2 medium", "openai-community/gpt2", "openai-community/gpt2-medium"),
    PairPreset("Configs: GPT-2 → Llama 3 8B", "catalog:gpt2-124m", "catalog:llama-3-8b"),
    PairPreset("Configs: Llama 3 → 3.1, 8B", "catalog:llama-3-8b", "catalog:llama-3.1-8b"),
    PairPreset("Configs: Llama 3 8B → Qwen2 7B", "catalog:llama-3-8b", "catalog:qwen2-7b"),
)

_RECENT = "recent_pairs"
_MOST_RECENT, _MOST_KEPT = 8, 20


def remember_pair(base: str, target: str) -> None:
    """Note that this pair was looked at."""
    recent: list[tuple[str, str]] = st.session_state.setdefault(_RECENT, [])
    pair = base, target
    if pair in recent:
        recent.remove(pair)
    recent.insert(0, pair)
    del recent[_MOST_RECENT:]


def known_pairs() -> tuple[PairPreset, ...]:
    """All of them, each once: the last ones first, then kept results, then presets."""
    labels = {(preset.base, preset.target): preset.label for preset in PRESETS}
    known: dict[tuple[str, str], PairPreset] = {}
    for base, target in st.session_state.get(_RECENT, []):
        pair = base, target
        known[pair] = PairPreset(labels.get(pair) or _label(base, target), base, target)
    for base, target, owner in itertools.islice(_kept(), _MOST_KEPT):
        if (base, target) not in known and (base, target) not in labels:
            known[base, target] = PairPreset(f"{owner}: {_label(base, target)}", base, target)
    for preset in PRESETS:
        known.setdefault((preset.base, preset.target), preset)
    return tuple(known.values())


def _kept() -> Iterator[tuple[str, str, str]]:
    """The pairs of kept results that everybody may open here, newest first, and ``Yours`` or
    ``Kept``; those first that who has logged in asked for."""
    user = asker().name
    own = set(asked_by(user)) if user else set()
    pairs: dict[tuple[str, str], bool] = {}
    for base, target, key in _headers():
        pairs[base, target] = pairs.get((base, target), False) or key in own
    for (base, target), is_own in sorted(pairs.items(), key=lambda pair: not pair[1]):
        if may_be_listed(base) and may_be_listed(target):
            yield base, target, "Yours" if is_own else "Kept"


# The folder of results changes when a diff ends; who waits half a minute sees it.
@st.cache_data(ttl="30s", show_spinner=False)
def _headers() -> list[tuple[str, str, str]]:
    return [
        (header.base_reference, header.target_reference, header.key)
        for header in list_results()[:200]
    ]


def _label(base: str, target: str) -> str:
    return f"{_name(base) or base} → {_name(target) or target}"


def may_be_listed(text: str) -> bool:
    """Whether each viewer may be told of this reference, which may be opened here."""
    reference = _reference(text)
    return reference is not None and is_reference_for_everybody(reference)


def _name(text: str) -> str:
    """The name of what a reference names; empty where it may not be opened here."""
    reference = _reference(text)
    return model_name(reference) if reference else ""


def _reference(text: str) -> Reference | None:
    try:
        return parse_reference(text)
    except InvalidReference:
        return None
