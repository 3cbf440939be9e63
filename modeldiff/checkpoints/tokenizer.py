"""The texts of a model's tokens, from the tokenizer files that lie beside its weights.

Read as plain JSON, without the libraries that would run a tokenizer: only the texts are wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import Any, Literal

from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.formats.stand_ins import refuse_stand_in
from modeldiff.errors import CheckpointNotFound, DamagedCheckpoint, NoWeights, placing_errors
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.quoting import spelt_out

TokenRole = Literal["token", "special", "reserved"]

WHOLE_TOKENIZER = "tokenizer.json"
BARE_VOCABULARY = "vocab.json"
GGUF = "gguf"
MAX_TOKENIZER_BYTES = 50_000_000
"""Longest file that is read: half as much again as the largest ones published."""
_MOST_CONTAINERS = 3_000_000
_MOST_QUOTES = 12_000_000
_MOST_TOKENS = 1 << 20
"""What a file of that size could else become in memory; the largest published have 1,000,000
containers, 4,000,000 quotes and 262,144 tokens."""

_RESERVED = re.compile(r"reserved|unused|placeholder|\[PAD\d+\]", re.IGNORECASE)
_SIGNS = str.maketrans({" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥"})


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tokenizer's texts, by row of the embedding.

    ``texts[i]`` is what token i writes, made visible: ``␣`` for a space, ``↵`` for a line's end,
    ``‹E2›`` for a byte that is no character by itself; None for a row without a token. ``added``
    are the tokens that the tokenizer lists apart from its vocabulary, ``file`` where all this came
    from.
    """

    texts: tuple[str | None, ...]
    added: frozenset[int]
    file: str

    def text(self, row: int) -> str | None:
        """The row's text; None where the tokenizer has no such token."""
        return self.texts[row] if row < len(self.texts) else None

    def role(self, row: int) -> TokenRole | None:
        """The row's role: ``reserved`` by its name, ``special`` where it was added, else
        ``token``; None where the tokenizer has no such token: such rows only fill the matrix up."""
        text = self.text(row)
        if text is None:
            return None
        if (row in self.added or text[:1] in "<[") and _RESERVED.search(text):
            return "reserved"
        return "special" if row in self.added else "token"

    def search(self, wanted: str, limit: int) -> tuple[int, ...]:
        """Rows whose text holds ``wanted`` (spaces count, case does not), exact ones first."""
        needle = wanted.translate(_SIGNS).casefold()
        if not needle:
            return ()
        matches = []
        for row, text in enumerate(self.texts):
            if text is not None and needle in (folded := text.casefold()):
                bare = folded.removeprefix("␣")
                matches.append((needle not in (folded, bare), len(text), row))
        return tuple(row for *_, row in sorted(matches)[:limit])


@dataclass(frozen=True, eq=False)
class TokenizerFile:
    """A tokenizer's file as it lies beside the weights: its name and its ``content``; of a GGUF
    what its metadata says, also of ``special`` tokens and ``options``, in transformers' words."""

    file: str
    content: bytes
    special: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, bool] = field(default_factory=dict)

    def parse(self) -> Any:
        """The file's JSON. Raises ``DamagedCheckpoint``, also where it has more parts than any
        tokenizer."""
        raw = self.content
        refuse_stand_in(raw, self.file)
        with _naming_damage(self.file):
            many = raw.count(b"[") + raw.count(b"{") > _MOST_CONTAINERS
            if many or raw.count(b'"') > _MOST_QUOTES:
                raise ValueError("it holds more than any tokenizer does")
            return json.loads(raw)

    def tokens(self, parsed: Any) -> Tokens:
        """The texts of the tokens in its ``parsed`` content. Raises ``DamagedCheckpoint`` where it
        lists none."""
        with _naming_damage(self.file):
            content = _bare_vocabulary if self.file == BARE_VOCABULARY else _whole_tokenizer
            return _tokens(content(parsed), self.file)


def read_tokenizer_file(checkpoint: Checkpoint) -> TokenizerFile:
    """The checkpoint's ``tokenizer.json``, else GPT-2's ``vocab.json``, else the tokens of its
    GGUF in the form of the former, unparsed.

    Raises ``CheckpointNotFound`` where there is neither, and what reading raises.
    """
    source, reference = checkpoint.source, checkpoint.reference.text
    for file in (WHOLE_TOKENIZER, BARE_VOCABULARY):
        try:
            with placing_errors(path=source.path(file), reference=reference):
                return TokenizerFile(file, source.read_small(file, MAX_TOKENIZER_BYTES))
        except (CheckpointNotFound, NoWeights):
            continue
    if checkpoint.format == GGUF:
        first = next(iter(checkpoint.files))
        with placing_errors(path=source.path(first), reference=reference):
            from modeldiff.checkpoints.formats.gguf.vocabulary import read_gguf_tokenizer

            own = read_gguf_tokenizer(source, first)
        if own is not None:
            return TokenizerFile(first, own.content, own.special, own.options)
    raise CheckpointNotFound(
        f"{checkpoint.reference} has no tokenizer.json and no vocab.json beside its weights.",
        hint="Put its tokenizer.json there to see the texts of its tokens.",
        reference=reference,
    )


def read_tokens(checkpoint: Checkpoint) -> Tokens:
    """The texts of a checkpoint's tokens: of ``tokenizer.json``, else of GPT-2's ``vocab.json``,
    else of its GGUF.

    Raises ``CheckpointNotFound`` where there is neither, ``DamagedCheckpoint`` where the file is
    not what it should be, and what reading raises.
    """
    file = read_tokenizer_file(checkpoint)
    path = checkpoint.source.path(file.file)
    with placing_errors(path=path, reference=checkpoint.reference.text):
        return file.tokens(file.parse())


_Vocabulary = tuple[Mapping[str, Any], Iterable[tuple[int, str]], Callable[[str], str]]
"""Text → row, the added tokens, and what makes a text of the vocabulary readable."""


@contextmanager
def _naming_damage(file: str) -> Iterator[None]:
    """Turn what untrusted content makes of plain code into an error that names the file."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DamagedCheckpoint(
            f"{file} cannot be read as a tokenizer: {reason[:200]}.",
            hint="Download it again, or save the tokenizer anew.",
        ) from error


def _tokens(content: _Vocabulary, file: str) -> Tokens:
    vocabulary, added, readable = content
    texts: dict[int, str] = {}
    for text, row in vocabulary.items():
        if type(row) is int and 0 <= row < _MOST_TOKENS:
            texts[row] = readable(text)
    numbers = set()
    for row, text in added:
        texts[row] = _visible(text)
        numbers.add(row)
    if not texts:
        raise ValueError("it lists no tokens")
    listed = tuple(map(texts.get, range(max(texts) + 1)))
    return Tokens(listed, frozenset(numbers), file)


def _whole_tokenizer(parsed: Any) -> _Vocabulary:
    model = parsed["model"]
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):  # SentencePiece's unigrams: [text, score] by row
        vocabulary = {piece[0]: row for row, piece in enumerate(vocabulary)}
    added = [
        (token["id"], token["content"])
        for token in parsed.get("added_tokens") or ()
        if type(token["id"]) is int and 0 <= token["id"] < _MOST_TOKENS
    ]
    steps = json.dumps([parsed.get("decoder"), parsed.get("pre_tokenizer")])
    readable = _of_bytes if '"ByteLevel"' in steps else _of_words
    return vocabulary, added, readable


def _bare_vocabulary(parsed: Any) -> _Vocabulary:
    bytewise = any(text.startswith("Ġ") for text in parsed)
    return parsed, (), _of_bytes if bytewise else _of_words


def _bytes_of_letters() -> dict[str, int]:
    """GPT-2's alphabet: each byte as a letter. Printable bytes are themselves, the others follow
    from U+0100 on (``bytes_to_unicode`` in its ``encoder.py``)."""
    themselves = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in themselves]
    letters = {chr(byte): byte for byte in themselves}
    return letters | {chr(0x100 + number): byte for number, byte in enumerate(others)}


_BYTES = _bytes_of_letters()


def _of_bytes(text: str) -> str:
    """A text in GPT-2's alphabet, made readable; one that is not in it stays."""
    # Most are words of printable ASCII, which are themselves, with or without a space.
    bare = text.replace("Ġ", "")
    if bare.isascii() and bare.isprintable() and " " not in bare:
        return text.replace("Ġ", "␣")
    try:
        content = bytes(map(_BYTES.__getitem__, text))
    except KeyError:
        return _visible(text)
    # What is no UTF-8 comes out of the decoder as lone surrogates, a byte each.
    return _visible(content.decode("utf-8", "surrogateescape"))


def _of_words(text: str) -> str:
    """A text in SentencePiece's or WordPiece's spelling, made readable."""
    return _visible(text.replace("▁", " "))


def _visible(text: str) -> str:
    """On one line, with every character that would else not be seen spelt out."""
    return spelt_out(text.translate(_SIGNS))
