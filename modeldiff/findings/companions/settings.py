"""The entries of two configs, and of two generation configs, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from modeldiff.architectures import FactPair
from modeldiff.checkpoints import Tokens
from modeldiff.companions import Companions
from modeldiff.companions.entries import EntriesPair, EntryPair
from modeldiff.findings.companions.part import (
    CompanionPart,
    FactMaker,
    PartKey,
    entries_words,
    known_of,
    only,
    side_alone,
    some,
)
from modeldiff.text.quoting import quoted

_Sides = tuple[Tokens | None, Tokens | None]
_MOST_SHOWN = 200
_LONGEST = 120
_MOST_IDS = 8
_NOT_IN_BASE, _NOT_IN_TARGET = "Not set in the base's file.", "Not set in the target's file."
# What is as true of one entry as of another, and points at none.
_OF_EACH = {"", _NOT_IN_BASE, _NOT_IN_TARGET}


def generation_part(companions: Companions) -> CompanionPart:
    """How both write unless whoever runs them says otherwise."""
    pair = companions.generation
    return _part(
        "generation",
        "Generation config",
        "a generation config",
        pair,
        companions,
        {},
    )


def config_part(companions: Companions, facts: Sequence[FactPair]) -> CompanionPart:
    """Both configs entry by entry; ``facts`` are the architectures', whose meanings are taken."""
    meanings = {fact.key: fact.meaning for fact in facts if fact.meaning}
    return _part("config", "Config", "a config", companions.config, companions, meanings)


def _part(
    key: PartKey,
    title: str,
    what: str,
    pair: EntriesPair,
    companions: Companions,
    meanings: Mapping[str, str],
) -> CompanionPart:
    if pair.sides == (False, False):
        return CompanionPart(key, title, (f"Neither side has {what} with entries.",))
    make = FactMaker(key)
    order = sorted(pair.entries, key=lambda entry: entry.same)
    alone = side_alone(*pair.sides)
    facts = known_of(
        alone, (_fact(make, entry, pair, companions, meanings) for entry in order[:_MOST_SHOWN])
    )
    notes: tuple[str, ...] = ()
    if len(order) > _MOST_SHOWN:
        notes = (f"{len(order) - _MOST_SHOWN:,} further entries are not listed.",)
    sentences = tuple(_sentences(what, pair, facts))
    return CompanionPart(key, title, sentences, tuple(_said_once(facts)), notes, alone)


def _said_once(facts: Sequence[FactPair]) -> Iterator[FactPair]:
    """The facts, of several with one meaning the later ones with a word on which is the first."""
    first: dict[str, str] = {}
    for fact in facts:
        label = first.setdefault(fact.meaning, fact.label)
        repeated = fact.meaning not in _OF_EACH and label != fact.label
        yield replace(fact, meaning=f"See {label}.") if repeated else fact


def _sentences(what: str, pair: EntriesPair, facts: Sequence[FactPair]) -> Iterator[str]:
    if alone := side_alone(*pair.sides):
        yield only(alone, what)
        return
    different = [fact for fact in facts if not fact.same]
    count = len(pair.different)
    if not count:
        yield f"All {entries_words(len(pair.entries))} are the same."
        return
    telling = [f for f in different if f.key.rpartition(".")[2] not in _SAYS_NOTHING]
    verb = "differs" if count == 1 else "differ"
    yield f"{count:,} of {len(pair.entries):,} entries {verb}: {some(f.label for f in different)}."
    labels: dict[str, list[str]] = {}
    for fact in telling:
        if fact.meaning:
            labels.setdefault(fact.meaning, []).append(fact.label)
    yield from (f"{some(names, 2)}: {meaning}" for meaning, names in labels.items())


def _fact(
    make: FactMaker,
    entry: EntryPair,
    pair: EntriesPair,
    companions: Companions,
    meanings: Mapping[str, str],
) -> FactPair:
    name = quoted(entry.name, 80)[1:-1]
    last = entry.name.rpartition(".")[2]
    sides = companions.tokenizer.base.tokens, companions.tokenizer.target.tokens
    before, after = (
        _shown(last, value, tokens)
        for value, tokens in zip((entry.base, entry.target), sides, strict=True)
    )
    return make.pair(
        entry.name,
        name,
        entry.base,
        entry.target,
        texts=(before, after),
        source=pair.file,
        meaning=lambda: meanings.get(entry.fact or "") or _meaning(last, entry, sides),
    )


def _shown(name: str, value: str | None, tokens: Tokens | None) -> str:
    """An entry's value; ids of tokens with what these write."""
    if value is None:
        return ""
    text = quoted(value, _LONGEST)[1:-1]
    if not name.endswith("token_id") or tokens is None:
        return text
    ids = _parsed(value)
    ids = ids if isinstance(ids, list) else [ids]
    names = [_token(i, tokens) for i in ids[:_MOST_IDS] if type(i) is int and i >= 0]
    return f"{text} ({', '.join(names)})" if names else text


def _token(row: int, tokens: Tokens) -> str:
    return tokens.text(row) or "no token"


def _parsed(value: str | None) -> object:
    try:
        return json.loads(value or "null")
    except ValueError:  # one that was cut short
        return None


def _number(value: str | None) -> float | None:
    number = _parsed(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    try:
        return float(number)
    except OverflowError:  # a whole number in JSON may be longer than any float
        return None


def _meaning(name: str, entry: EntryPair, sides: _Sides) -> str:
    if name in _SAYS_NOTHING:
        return _SAYS_NOTHING[name]
    if name == "eos_token_id" and (words := _stops(entry, sides)):
        return words
    make = _MEANINGS.get(name)
    if make is not None and (words := make(entry)):
        return words
    if entry.base is None:
        return _NOT_IN_BASE
    return _NOT_IN_TARGET if entry.target is None else ""


def _by_size(more: str, less: str) -> Callable[[EntryPair], str]:
    def meaning(entry: EntryPair) -> str:
        before, after = _number(entry.base), _number(entry.target)
        if before is None or after is None:
            return ""
        return more if after > before else less

    return meaning


def _of_both(meaning: str) -> Callable[[EntryPair], str]:
    """What it means that both sides say something, and not the same."""
    return lambda entry: "" if None in (entry.base, entry.target) else meaning


def _sampling(entry: EntryPair) -> str:
    if entry.target is None:
        return ""
    if _parsed(entry.target) is True:
        return "Tokens are sampled, so answers vary."
    return "Nothing is sampled: the same prompt gets the same answer."


def _stops(entry: EntryPair, sides: _Sides) -> str:
    before, after = (_ids(value) for value in (entry.base, entry.target))
    if not before or not after:
        return ""
    more = some(_with_id(row, sides[1]) for row in sorted(after - before))
    fewer = some(_with_id(row, sides[0]) for row in sorted(before - after))
    if not before & after:
        return f"Generation ends at {more} instead of {fewer}."
    parts = [f"also ends at {more}"] if more else []
    parts += [f"no longer ends at {fewer}"] if fewer else []
    return f"Generation {' and '.join(parts)}." if parts else ""


def _with_id(row: int, tokens: Tokens | None) -> str:
    """A token with its id; the id alone where there is no tokenizer that could know it."""
    return f"id {row}" if tokens is None else f"{_token(row, tokens)} ({row})"


def _ids(value: str | None) -> set[int]:
    ids = _parsed(value)
    ids = ids if isinstance(ids, list) else [ids]
    return {each for each in ids if type(each) is int}


_SAYS_NOTHING = {
    "transformers_version": "The release that wrote the file; by itself it changes nothing.",
    "_from_model_config": "How the file was written; by itself it changes nothing.",
    "_name_or_path": "Where the model was loaded from when the file was written.",
    "initializer_range": "Matters only when weights are initialised.",
    "use_cache": "Affects speed, not the output.",
    "attention_dropout": "Matters in training only.",
    "hidden_dropout": "Matters in training only.",
    "pretraining_tp": "How it was trained on several devices.",
}
"""Entries that change nothing of what a trained model writes."""

_MEANINGS: Mapping[str, Callable[[EntryPair], str]] = {
    "do_sample": _sampling,
    "temperature": _by_size(
        "Tokens are sampled from a flatter distribution: answers vary more.",
        "Tokens are sampled from a sharper distribution: answers vary less.",
    ),
    "top_p": _by_size(
        "More unlikely tokens can be sampled.", "Fewer unlikely tokens can be sampled."
    ),
    "top_k": _by_size("More tokens can be sampled.", "Fewer tokens can be sampled."),
    "min_p": _by_size(
        "Fewer unlikely tokens can be sampled.", "More unlikely tokens can be sampled."
    ),
    "repetition_penalty": _by_size(
        "Repetition is penalised more.",
        "Repetition is penalised less.",
    ),
    "max_new_tokens": _by_size("Answers can be longer.", "Answers are cut off sooner."),
    "max_length": _by_size(
        "Prompt and answer together can be longer.",
        "Prompt and answer together are cut off sooner.",
    ),
    "num_beams": _by_size("More beams are searched at once.", "Fewer beams are searched at once."),
    "bos_token_id": _of_both("Texts begin with another token."),
    "pad_token_id": _of_both("Batches are padded with another token."),
    "architectures": _of_both("Another model class runs it."),
}
