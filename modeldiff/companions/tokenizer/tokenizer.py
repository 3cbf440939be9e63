"""A checkpoint's tokenizer, as far as its files can be read, and two of them compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from hashlib import sha256
from typing import Any

from modeldiff.checkpoints import Checkpoint, Tokens
from modeldiff.checkpoints.tokenizer import (
    BARE_VOCABULARY,
    MAX_TOKENIZER_BYTES,
    WHOLE_TOKENIZER,
    TokenizerFile,
    read_tokenizer_file,
)
from modeldiff.companions.files import read_beside, read_object
from modeldiff.companions.tokenizer.settings import TokenizerSettings, merges_of, read_settings
from modeldiff.companions.tokenizer.vocabulary import (
    VocabularyDifference,
    compare_vocabularies,
)
from modeldiff.errors import CheckpointError, CheckpointNotFound
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.wanted import require_wanted

TOKENIZER_CONFIG = "tokenizer_config.json"
_SPECIAL_TOKENS = "special_tokens_map.json"
_NOT_READ = (
    "tokenizer.model",
    "tokenizer.model.v3",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "tiktoken.model",
    "qwen.tiktoken",
    "vocab.txt",
)
"""Tokenizers in forms of their own: that they are there, and whether they are the same bytes, is
all that is said of them."""
TOKENIZER_FILES = (WHOLE_TOKENIZER, BARE_VOCABULARY, "merges.txt", *_NOT_READ)
"""All files that a tokenizer's tokens may be in."""
_OPTIONS = (
    "tokenizer_class",
    "model_max_length",
    "add_bos_token",
    "add_eos_token",
    "add_prefix_space",
    "clean_up_tokenization_spaces",
    "padding_side",
    "truncation_side",
    "do_lower_case",
)
_MOST_SPECIAL = 40
_LONGEST_TOKEN = 200


@dataclass(frozen=True)
class Tokenizer:
    """What the files beside the weights say of the tokenizer.

    ``file`` is where its tokens were read, "" where nothing could be; ``digest`` its SHA-256.
    ``settings`` is None where ``file`` lists tokens alone; those of a GGUF know its merges and no
    more. ``special`` are the special tokens by
    what they are for (``bos_token``), ``options`` what else ``tokenizer_config.json`` sets.
    ``not_read`` are the files of other forms, each with its SHA-256. ``problems`` are sentences
    about files that could not be read.
    """

    file: str = ""
    digest: str = ""
    tokens: Tokens | None = None
    settings: TokenizerSettings | None = None
    special: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    not_read: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all that cuts text was read, so that text can be cut as the model does."""
        return self.settings is not None and self.file == WHOLE_TOKENIZER


@dataclass(frozen=True)
class TokenizerPair:
    """Both tokenizers. ``vocabulary`` is None where one side's tokens are not known;
    ``shared_merges`` counts the rules that both BPEs have, None where there is nothing to count or
    they have the same in the same order."""

    base: Tokenizer
    target: Tokenizer
    vocabulary: VocabularyDifference | None
    shared_merges: int | None

    @property
    def tokens_held(self) -> int:
        """How many tokens both list, a list that they share once: what its memory grows with."""
        lists = {id(each.tokens): each.tokens for each in (self.base, self.target)}
        return sum(len(tokens.texts) for tokens in lists.values() if tokens is not None)

    @property
    def same_file(self) -> bool:
        """Whether both were read from the same bytes."""
        return bool(self.base.digest) and self.base.digest == self.target.digest


def read_tokenizer(checkpoint: Checkpoint, other: Tokenizer | None = None) -> Tokenizer:
    """The tokenizer of a checkpoint, with sentences in the stead of what could not be read.

    Where its file is that of the ``other``, which was read already, it is not parsed anew.
    """
    return _read(checkpoint, other)[0]


def _read(checkpoint: Checkpoint, other: Tokenizer | None) -> tuple[Tokenizer, Sequence[str]]:
    """A checkpoint's tokenizer, and its merges, which are many: nobody keeps them. They are left
    out where the file is that of the ``other``."""
    problems = []
    merges: Sequence[str] = ()
    content: dict[str, Any] = {}
    own = TokenizerFile("", b"")
    try:
        own = read_tokenizer_file(checkpoint)
        content, merges = _content(own, other)
    except CheckpointNotFound:
        pass
    except CheckpointError as error:
        problems.append(error.message)
    config, problem = read_object(checkpoint, TOKENIZER_CONFIG)
    special, other_problem = read_object(checkpoint, _SPECIAL_TOKENS)
    not_read = {}
    for name in _NOT_READ:
        if checkpoint.source.has(name):
            raw, unreadable = read_beside(checkpoint, name, MAX_TOKENIZER_BYTES)
            if raw is not None:
                not_read[name] = sha256(raw).hexdigest()
            problems.append(unreadable)
    tokenizer = Tokenizer(
        **content,
        special=dict(_special_tokens({**own.special, **special, **config})),
        options={
            name: value
            for name in _OPTIONS
            if isinstance(value := {**own.options, **config}.get(name), str | int | float | bool)
        },
        not_read=not_read,
        problems=tuple(filter(None, (*problems, problem, other_problem))),
    )
    return tokenizer, merges


def _content(file: TokenizerFile, other: Tokenizer | None) -> tuple[dict[str, Any], Sequence[str]]:
    merges = None
    digest = sha256(file.content).hexdigest()
    if other is not None and (file.file, digest) == (other.file, other.digest):
        tokens, settings = other.tokens, other.settings
    else:
        parsed = file.parse()
        require_wanted()
        tokens = file.tokens(parsed)
        merges = merges_of(parsed)
        settings = read_settings(parsed, merges) if file.file != BARE_VOCABULARY else None
        if file.file != WHOLE_TOKENIZER and settings and settings.merges is None:
            settings = None
    content = {"file": file.file, "digest": digest, "tokens": tokens, "settings": settings}
    return content, merges or ()


def compare_tokenizers(base: Checkpoint, target: Checkpoint) -> TokenizerPair:
    """The tokenizers of both checkpoints, and what became of the tokens. Raises ``Cancelled`` once
    nobody waits for it any more: those of a million tokens take seconds."""
    before, base_merges = _read(base, None)
    require_wanted()
    after, target_merges = _read(target, before)
    require_wanted()
    vocabulary = None
    if before.tokens is not None and after.tokens is not None:
        vocabulary = compare_vocabularies(before.tokens, after.tokens)
    shared = None
    if base_merges and target_merges and base_merges != target_merges:
        shared = len(set(base_merges).intersection(target_merges))
    return TokenizerPair(before, after, vocabulary, shared)


def _special_tokens(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """``bos_token`` → its text, of all entries of that form."""
    count = 0
    for name, value in config.items():
        text = value.get("content") if isinstance(value, Mapping) else value
        if name.endswith("_token") and isinstance(text, str) and len(text) <= _LONGEST_TOKEN:
            yield name[:60], text
            count += 1
        if count == _MOST_SPECIAL:
            return
