"""Two tokenizers in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.companions.tokenizer.encoding import same_encoding
from modeldiff.companions.tokenizer.tokenizer import Tokenizer
from modeldiff.companions.tokenizer.vocabulary import VocabularyDifference
from modeldiff.findings.companions.part import (
    CompanionPart,
    known_of,
    only,
    side_alone,
    some,
    tokens_words,
)
from modeldiff.findings.companions.tokenizer_facts import STAGES, tokenizer_facts, with_row
from modeldiff.text.formatting import counted


def tokenizer_part(companions: Companions) -> CompanionPart:
    """What both tokenizers are and what became of the tokens."""
    pair = companions.tokenizer
    base, target = pair.base, pair.target
    alone = side_alone(base.tokens is not None, target.tokens is not None)
    facts = known_of(alone, tokenizer_facts(companions))
    notes = [
        f"{name}: {problem}"
        for name, side in (("Base", base), ("Target", target))
        for problem in (*side.problems, *_not_read(side))
    ]
    for encoding in companions.encodings[0] if companions.encodings else ():
        notes += [encoding.problem] if encoding.problem not in ("", *notes) else []
    return CompanionPart(
        "tokenizer", "Tokenizer", tuple(_sentences(companions, facts)), facts, tuple(notes), alone
    )


def _sentences(companions: Companions, facts: Sequence[FactPair]) -> Iterator[str]:
    pair = companions.tokenizer
    base, target = pair.base, pair.target
    if base.tokens is None or target.tokens is None:
        yield _one_sided(base, target)
        return
    differ = {fact.key.partition(".")[2]: fact for fact in facts if not fact.same}
    if pair.same_file and not differ:
        yield "Both have the same tokenizer, byte for byte."
        return
    if not differ:
        yield "Both tokenizers have the same tokens and rules; their files differ elsewhere."
        return
    vocabulary = pair.vocabulary
    if "kind" in differ:
        yield differ["kind"].meaning
    if vocabulary is not None:
        yield from vocabulary_sentences(vocabulary)
    if "merges" in differ:
        yield differ["merges"].meaning
    rules = [label.lower() for key, (label, _) in STAGES.items() if key in differ]
    if rules:
        yield f"Other rules: {', '.join(rules)}."
    for key, fact in differ.items():
        if key.startswith("option.") and fact.base and fact.target:
            yield f"{fact.label}: {fact.base.text} → {fact.target.text}."
    roles = [fact.label for key, fact in differ.items() if key.startswith("special.")]
    if roles:
        yield f"Other special tokens: {some(roles)}."
    encodings = companions.encodings
    tried = [each for each in encodings if all(side.tokens is not None for side in each)]
    if tried:
        same = sum(same_encoding(*each) for each in tried)
        if same == len(tried):
            yield f"All {len(tried)} sample texts give the same tokens in both."
        else:
            yield f"{len(tried) - same} of {len(tried)} sample texts are tokenised differently."


def vocabulary_sentences(difference: VocabularyDifference) -> Iterator[str]:
    """What became of the tokens, a sentence for each kind of change."""
    named, added, removed = difference.named, difference.added, difference.removed
    if named:
        verb = "got a name" if len(named) == 1 else "got names"
        lost = all("reserved" in each.text for each in named)
        words = f"{'is' if len(named) == 1 else 'are'} reserved now" if lost else verb
        noun = "token" if lost else "reserved token"
        yield f"{counted(len(named), noun)} {words}: {tokens_words(with_row(named))}."
    for changes, verb in ((added, "added"), (removed, "removed")):
        if changes:
            were = "was" if len(changes) == 1 else "were"
            tokens = tokens_words(with_row(changes))
            yield f"{counted(len(changes), 'token')} {were} {verb}: {tokens}."
    if difference.renumbered:
        count = len(difference.renumbered)
        shift = difference.shift
        by = f", all by {shift:+,}".replace("-", "−") if shift is not None and count > 1 else ""
        have = "has" if count == 1 else "have"
        moves = (f"{c.text} {c.base:,} → {c.target:,}" for c in difference.renumbered)
        yield (
            f"{counted(count, 'token')} {have} another id{by}: {tokens_words(moves)}. "
            "An id of one means another token in the other."
        )
    if difference.roles:
        yield (
            f"{counted(len(difference.roles), 'token')} changed between plain and special: "
            f"{tokens_words(with_row(difference.roles))}."
        )


def _not_read(side: Tokenizer) -> Iterator[str]:
    """What is there and was not read, where nothing else tells the same."""
    if side.not_read and side.tokens is None:
        names = some(side.not_read)
        yield (
            f"the tokenizer is in {names} alone, in a form that is not read: its tokens and rules "
            "are not compared. Load it with transformers' AutoTokenizer and save it: that writes "
            "tokenizer.json."
        )


def _one_sided(base: Tokenizer, target: Tokenizer) -> str:
    files = [set(side.not_read.items()) for side in (base, target)]
    if base.tokens is None and target.tokens is None:
        if not files[0] and not files[1]:
            return "Neither side has a tokenizer that can be read beside its weights."
        if files[0] == files[1]:
            return "Both have the same tokenizer files, byte for byte, in a form that is not read."
        return "The tokenizers are in forms that are not read, and their files differ."
    return only("target" if base.tokens is None else "base", "a tokenizer that can be read")
