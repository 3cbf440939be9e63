"""Two tokenizers as facts, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.companions.tokenizer.encoding import SAMPLES, same_encoding
from modeldiff.companions.tokenizer.settings import TokenizerSettings
from modeldiff.companions.tokenizer.tokenizer import Tokenizer, TokenizerPair
from modeldiff.companions.tokenizer.vocabulary import TokenChange, VocabularyDifference
from modeldiff.findings.companions.part import FactMaker, tokens_words
from modeldiff.text.formatting import counted

_MAKE = FactMaker("tokenizer")
STAGES = {
    "normalizer": (
        "Normaliser",
        "Text is normalised by other rules before it is split.",
    ),
    "pre_tokenizer": (
        "Pre-tokeniser",
        "Text is split by other rules before tokens are looked up: words, numbers or spaces may "
        "be split elsewhere.",
    ),
    "post_processor": ("Post-processor", "Other tokens are added around a text."),
    "decoder": ("Decoder", "Tokens are decoded to text by other rules."),
}
_NO_LIMIT = 10**12
"""Longest texts from here on are transformers' way of saying that there is no limit."""


def tokenizer_facts(companions: Companions) -> Iterator[FactPair]:
    """Kind, tokens, rules, special tokens and options, files of other forms, and the samples."""
    pair = companions.tokenizer
    base, target = pair.base, pair.target
    if base.tokens is not None or target.tokens is not None:
        yield _MAKE.pair(
            "kind",
            "Kind",
            _kind(base),
            _kind(target),
            meaning="Text is split by another algorithm: the same text can give other tokens."
            if base.settings is not None and target.settings is not None
            else "One side lists tokens and does not say how text is split.",
            source=base.file or target.file,
        )
        yield _counts(base, target)
        yield from _vocabulary(pair.vocabulary)
    if base.settings is not None and target.settings is not None:
        yield from _settings(base.settings, target.settings, pair)
    roles = dict.fromkeys((*base.special, *target.special))
    for role in roles:
        yield _MAKE.pair(
            f"special.{role}",
            role,
            base.special.get(role),
            target.special.get(role),
            meaning=_role_meaning(role, base, target),
            source="tokenizer_config.json",
        )
    for name in dict.fromkeys((*base.options, *target.options)):
        values = base.options.get(name), target.options.get(name)
        yield _MAKE.pair(
            f"option.{name}",
            "Longest text" if name == "model_max_length" else name,
            *values,
            texts=(_option(name, values[0]), _option(name, values[1])),
            meaning="Longer texts are truncated or warned about."
            if name == "model_max_length"
            else "",
            source="tokenizer_config.json",
        )
    yield from _unread_files(base, target)
    yield from _samples(companions)


def _kind(side: Tokenizer) -> str | None:
    if side.tokens is None:
        return None
    if side.settings is None:
        return f"a list of tokens ({side.file})"
    kind = side.settings.kind or "not given"
    return f"byte-level {kind}" if side.settings.bytewise else kind


def _counts(base: Tokenizer, target: Tokenizer) -> FactPair:
    counts = [
        sum(text is not None for text in side.tokens.texts) if side.tokens is not None else None
        for side in (base, target)
    ]
    before, after = counts

    def meaning() -> str:
        if before is None or after is None:
            return ""
        return f"{counted(abs(after - before), 'token')} {'more' if after > before else 'fewer'}."

    texts = tuple(f"{count:,}" if count is not None else "" for count in counts)
    return _MAKE.pair(
        "tokens", "Tokens", before, after, texts=(texts[0], texts[1]), meaning=meaning
    )


def _vocabulary(difference: VocabularyDifference | None) -> Iterator[FactPair]:
    if difference is None:
        return
    named, moved = difference.named, difference.renumbered
    if named:
        yield _MAKE.pair(
            "named",
            "Reserved tokens",
            tokens_words(each.instead_of for each in named),
            tokens_words(each.text for each in named),
            meaning=f"{counted(len(named), 'row')} that one side keeps for later use."
            + ("" if moved else " No token was renumbered."),
        )
    if difference.added:
        yield _MAKE.pair(
            "added",
            "Tokens added",
            None,
            tokens_words(with_row(difference.added)),
            meaning=f"{counted(len(difference.added), 'token')} that the base does not have.",
        )
    if difference.removed:
        yield _MAKE.pair(
            "removed",
            "Tokens removed",
            tokens_words(with_row(difference.removed)),
            None,
            meaning=f"{counted(len(difference.removed), 'token')} that the target does not have.",
        )
    if moved:
        yield _MAKE.pair(
            "renumbered",
            "Tokens renumbered",
            tokens_words(f"{each.text} {each.base:,}" for each in moved),
            tokens_words(f"{each.text} {each.target:,}" for each in moved),
            meaning=f"{counted(len(moved), 'token')} in another row: an id of one means another "
            "token in the other.",
        )


def _settings(
    base: TokenizerSettings, target: TokenizerSettings, pair: TokenizerPair
) -> Iterator[FactPair]:
    if base.merges is not None or target.merges is not None:
        yield _MAKE.pair(
            "merges",
            "Merges",
            base.merges,
            target.merges,
            texts=(_merges(base), _merges(target)),
            same=base.merges_digest == target.merges_digest,
            meaning=lambda: _merges_meaning(base, target, pair.shared_merges),
        )
    if not (pair.base.is_whole and pair.target.is_whole):
        return
    for name, (label, meaning) in STAGES.items():
        same = base.digests[name] == target.digests[name]
        texts = base.stages[name] or "none", target.stages[name] or "none"
        yield _MAKE.pair(name, label, *texts, same=same, meaning=meaning)
    yield _MAKE.pair(
        "model",
        "Model's options",
        base.options or "none",
        target.options or "none",
        meaning="Words are built from tokens by other rules.",
    )


def _merges(side: TokenizerSettings) -> str:
    return f"{side.merges:,}" if side.merges is not None else ""


def _merges_meaning(base: TokenizerSettings, target: TokenizerSettings, shared: int | None) -> str:
    if base.merges is None or target.merges is None:
        return "Only one of the two uses merges."
    if shared is None:
        return "The merges differ."
    if shared == base.merges == target.merges:
        return "The same merges in another order: words can be split differently."
    return (
        f"{shared:,} merges are in both, of {base.merges:,} in the base and "
        f"{target.merges:,} in the target."
    )


def _role_meaning(role: str, base: Tokenizer, target: Tokenizer) -> str:
    if role not in target.special:
        return "The target does not name one."
    if role not in base.special:
        return "The base does not name one."
    return {
        "bos_token": "Texts begin with another token.",
        "eos_token": "Texts end with another token.",
        "pad_token": "Batches are padded with another token.",
    }.get(role, "")


def _option(name: str, value: object) -> str:
    if (
        name == "model_max_length"
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ):
        return "no limit" if value >= _NO_LIMIT else f"{int(value):,} tokens"
    return str(value)


def _unread_files(base: Tokenizer, target: Tokenizer) -> Iterator[FactPair]:
    for name in dict.fromkeys((*base.not_read, *target.not_read)):
        before, after = base.not_read.get(name), target.not_read.get(name)
        yield _MAKE.pair(
            f"file.{name}",
            name,
            before,
            after,
            texts=tuple(f"SHA-256 {digest[:12]}…" if digest else "" for digest in (before, after)),  # type: ignore[arg-type]
            meaning="The bytes differ; its content is not compared."
            if before and after
            else "Only one side has this file.",
            source=name,
        )


def _samples(companions: Companions) -> Iterator[FactPair]:
    for title, (before, after) in zip(SAMPLES, companions.encodings, strict=False):
        if before.tokens is None or after.tokens is None:
            continue
        count, new = len(before.tokens), len(after.tokens)
        yield _MAKE.pair(
            f"sample.{title}",
            f"Sample: {title}",
            count,
            new,
            texts=(counted(count, "token"), counted(new, "token")),
            same=same_encoding(before, after),
            meaning="The same text gives other tokens.",
        )


def with_row(changes: Sequence[TokenChange]) -> Iterator[str]:
    """Each token with its row in the target, of one that is gone in the base."""
    for each in changes:
        row = each.target if each.target is not None else each.base
        yield f"{each.text} ({row:,})"
