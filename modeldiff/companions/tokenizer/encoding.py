"""The same texts cut into tokens by both tokenizers, in the library's own code, with limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.tokenizer import WHOLE_TOKENIZER, read_tokenizer_file
from modeldiff.companions.sandbox.child import run_limited
from modeldiff.companions.tokenizer.tokenizer import Tokenizer
from modeldiff.errors import CheckpointError
from modeldiff.extras import install_hint, is_installed
from modeldiff.processes.child import Limits
from modeldiff.processes.late_dataclass import dataclass

LONGEST_TEXT = 5_000
"""Characters of a text that are cut into tokens."""
_LIMITS = Limits(cpu_seconds=20, memory=4_000_000_000, seconds=60)

SAMPLES: Mapping[str, str] = {
    "English": "The quick brown fox jumps over the lazy dog, doesn't it?",
    "Code": "def area(r: float) -> float:\n    return 3.14159 * r ** 2\n",
    "Numbers": "In 1989, 1234567 of 20,000,000; 0.001 × 10^-9",
    "Other scripts": "Grüße, Привет, مرحبا, नमस्ते, 你好世界, こんにちは 🙂",
    "Spaces": "a  b   c\n\n\td \n",
}
"""What both cut unless something else is asked for."""


@dataclass(frozen=True)
class Token:
    """One token of a text: its row, what it writes, made visible, and which characters of the text
    it stands for, from ``start`` to before ``end`` (none for one that was put around it)."""

    row: int
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Encoding:
    """A ``text`` cut into ``tokens``; None where that failed, with the ``problem``."""

    text: str
    tokens: tuple[Token, ...] | None
    problem: str = ""


def encode(
    checkpoint: Checkpoint, tokenizer: Tokenizer, texts: Sequence[str]
) -> tuple[Encoding, ...]:
    """Each of the ``texts`` as the ``tokenizer`` of this ``checkpoint`` cuts it, with what it puts
    around a text. Raises nothing: what went wrong is each encoding's ``problem``."""
    texts = [_encodable(text[:LONGEST_TEXT]) for text in texts]
    problem = _why_not(tokenizer)
    if not problem:
        try:
            content = read_tokenizer_file(checkpoint).content.decode()
        except (CheckpointError, UnicodeDecodeError) as error:
            problem = str(error)
    if problem:
        return tuple(Encoding(text, None, problem) for text in texts)
    request = {"tokenizer": content, "texts": texts}
    answers = run_limited("encode", request, _LIMITS).completed(len(texts))
    return tuple(_encoding(*each, tokenizer) for each in zip(texts, answers, strict=True))


def same_encoding(base: Encoding, target: Encoding) -> bool:
    """Whether both cut the text at the same places into tokens of the same rows."""
    return base.tokens is not None and base.tokens == target.tokens


def _why_not(tokenizer: Tokenizer) -> str:
    if not tokenizer.is_whole:
        return f"There is no {WHOLE_TOKENIZER} that says how text is split."
    if not is_installed("companions"):
        return (
            "Tokenising text needs tokenizers, which is not installed. "
            f"{install_hint('companions')}"
        )
    return ""


def _encoding(text: str, answer: Mapping[str, Any], tokenizer: Tokenizer) -> Encoding:
    tokens = answer.get("tokens")
    if tokens is None or tokenizer.tokens is None:
        return Encoding(text, None, f"This text could not be tokenised: {answer.get('error', '')}.")
    texts = tokenizer.tokens
    return Encoding(
        text, tuple(Token(row, texts.text(row) or "", start, end) for row, start, end in tokens)
    )


def _encodable(text: str) -> str:
    """Without lone surrogates, which are no text."""
    return text.encode(errors="replace").decode()
