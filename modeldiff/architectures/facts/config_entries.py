"""Entries of two configs that differ and that no fact tells, as they stand there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modeldiff.architectures.architecture import Fact, FactPair
from modeldiff.architectures.config.config_values import (
    EXPERT_KEYS,
    HEAD_KEYS,
    TEXT_CONFIGS,
    WIDTH_KEYS,
)
from modeldiff.architectures.config.dimensions import (
    CHOSEN_KEYS,
    CONTEXT_KEYS,
    EXPERT_WIDTH_KEYS,
    HEAD_WIDTH_KEYS,
    INNER_KEYS,
    KV_HEAD_KEYS,
    LAYER_KEYS,
    VOCABULARY_KEYS,
)
from modeldiff.architectures.config.entries import ConfigEntries
from modeldiff.text.formatting import counted
from modeldiff.text.quoting import quoted

MOST_SHOWN = 60
"""Entries of one comparison; how many more there are is one further line."""
ENTRY = "entry."
"""With what the key of such a difference begins."""
_MORE = f"{ENTRY}more"

_FACT_OF_ENTRY = {
    **dict.fromkeys(LAYER_KEYS, "layers"),
    **dict.fromkeys(WIDTH_KEYS, "hidden_size"),
    **dict.fromkeys(INNER_KEYS, "intermediate_size"),
    **dict.fromkeys(HEAD_KEYS, "heads"),
    **dict.fromkeys(KV_HEAD_KEYS, "kv_heads"),
    **dict.fromkeys(HEAD_WIDTH_KEYS, "head_dim"),
    **dict.fromkeys(CONTEXT_KEYS, "context"),
    **dict.fromkeys(VOCABULARY_KEYS, "vocabulary"),
    **dict.fromkeys(EXPERT_KEYS, "experts"),
    **dict.fromkeys(CHOSEN_KEYS, "experts_per_token"),
    **dict.fromkeys(EXPERT_WIDTH_KEYS, "expert_size"),
    **dict.fromkeys(("dtype", "torch_dtype"), "stored_types"),
    **dict.fromkeys(("rope_type", "type", "factor"), "rope_scaling"),
    **dict.fromkeys(
        (
            "original_max_position_embeddings",
            "low_freq_factor",
            "high_freq_factor",
            "beta_fast",
            "beta_slow",
            "attention_factor",
        ),
        "rope_scaling",
    ),
    "attention_bias": "qkv_bias",
    "mlp_bias": "mlp_bias",
    "rope_theta": "rope_theta",
    "partial_rotary_factor": "rope_share",
    "sliding_window": "sliding_window",
    "model_type": "family",
    "tie_word_embeddings": "tied_head",
    "hidden_act": "activation",
    "rms_norm_eps": "norm_eps",
    "layer_norm_eps": "norm_eps",
    "layer_norm_epsilon": "norm_eps",
}
"""The last name of an entry → the fact that tells it, where it speaks of the main stack."""
_ABOVE = frozenset((*TEXT_CONFIGS, "rope_scaling", "rope_parameters"))


def compare_entries(
    base: ConfigEntries, target: ConfigEntries, pairs: Iterable[FactPair]
) -> list[FactPair]:
    """The entries that differ, in the order of the files, ``MOST_SHOWN`` of them and a count; of a
    file that only one side has, that it is there.

    Left out is what one of the ``pairs`` of facts tells already: its two sides differ too, or one
    config calls the thing by a name that the other does not use. So a config's number that
    contradicts the tensors on one side is there, though the fact, which the tensors tell, is not
    different.
    """
    facts = {pair.key: pair for pair in pairs}
    base, target = aligned_entries(base), aligned_entries(target)
    paths = dict.fromkeys((*base, *target))
    alone = set(map(_file, base)) ^ set(map(_file, target))
    different = [
        path
        for path in paths
        if _file(path) not in alone
        and base.get(path) != target.get(path)
        and not _is_a_fact(path, base, target, facts)
    ]
    shown = [_file_pair(file, base, target) for file in sorted(alone)]
    shown += [_pair(path, base.get(path), target.get(path)) for path in different[:MOST_SHOWN]]
    if len(different) > MOST_SHOWN:
        shown.append(_more(len(different) - MOST_SHOWN))
    return shown


def differing_entries(pairs: Iterable[FactPair]) -> int:
    """How many entries differ, by ``pairs`` as ``compare_facts`` makes them: also of those that
    these only count."""
    entries = [pair for pair in pairs if pair.key.startswith(ENTRY) and pair.differs]
    return sum(_count(pair) if pair.key == _MORE else 1 for pair in entries)


def files_of_one_side(pairs: Iterable[FactPair]) -> dict[str, list[str]]:
    """The files of which one side alone is known to have entries, by that side (``base``,
    ``target``); ``pairs`` as above."""
    files: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.key.startswith(ENTRY) and pair.one_sided:
            files.setdefault("base" if pair.target is None else "target", []).append(pair.label)
    return files


def fact_of_entry(path: str) -> str | None:
    """The key of the fact that tells an entry of ``config.json``; None where none does."""
    file, _, inner = path.partition(": ")
    *above, name = inner.split(".")
    told = file == "config.json" and _ABOVE.issuperset(above)
    return _FACT_OF_ENTRY.get(name) if told else None


_RENAMED = {"torch_dtype": "dtype", "rope_theta": "rope_parameters.rope_theta"}


def aligned_entries(entries: ConfigEntries) -> ConfigEntries:
    """The ``entries``, those of the table of the tower that writes at the root where its root does
    not say them, too: there a model of one tower has them. What later releases of transformers
    write under another name has that of the later ones."""
    aligned = {}
    for path, value in entries.items():
        file, _, inner = path.partition(": ")
        at_root = ".".join(part for part in inner.split(".") if part not in TEXT_CONFIGS)
        moved = f"{file}: {_RENAMED.get(at_root, at_root)}"
        aligned[path if moved in entries else moved] = value
    return aligned


def _file(path: str) -> str:
    return path.partition(": ")[0]


def _file_pair(file: str, base: ConfigEntries, target: ConfigEntries) -> FactPair:
    """A file of which one side alone has entries: what the other's would say is not known."""
    before, after = (_whole(file, entries) for entries in (base, target))
    known, sides = before or after, ("base", "target") if before else ("target", "base")
    meaning = f"The {sides[0]}: {known.text if known else ''}; not known of the {sides[1]}."
    return FactPair(ENTRY + file, file, before, after, False, meaning, absence_told=False)


def _whole(file: str, entries: ConfigEntries) -> Fact | None:
    count = sum(_file(path) == file for path in entries)
    return (
        Fact(ENTRY + file, file, count, counted(count, "entry", "entries"), file) if count else None
    )


def _is_a_fact(
    path: str, base: ConfigEntries, target: ConfigEntries, facts: Mapping[str, FactPair]
) -> bool:
    pair = facts.get(fact_of_entry(path) or "")
    if pair is None:
        return False
    return not pair.same or (path in base) != (path in target)


def _pair(path: str, before: str | None, after: str | None) -> FactPair:
    file, _, inner = path.partition(": ")
    label = f"{file}: {quoted(inner, 60)[1:-1]}"
    facts = [
        Fact(ENTRY + path, label, value, _short(value), label) if value is not None else None
        for value in (before, after)
    ]
    return FactPair(ENTRY + path, label, facts[0], facts[1], False, _meaning(label, *facts))


def _meaning(label: str, before: Fact | None, after: Fact | None) -> str:
    if before is not None and after is not None:
        return f"{label}: {after.text} instead of {before.text}."
    one, other = (after, "base") if after is not None else (before, "target")
    return f"{label}: {one.text if one else ''}; not set in the {other}'s."


def _more(count: int) -> FactPair:
    label, text = "Further entries of the configs", f"{count:,} more differ"
    fact = Fact(_MORE, label, count, text, "config.json, generation_config.json")
    return FactPair(fact.key, label, fact, fact, False, f"{label}: {text}.")


def _count(pair: FactPair) -> int:
    value = pair.base.value if pair.base is not None else 0
    return value if isinstance(value, int) else 0


def _short(value: str) -> str:
    return quoted(value, 60)[1:-1]
