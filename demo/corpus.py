"""Two texts that every machine has: parts of Python's own standard library.

Text A is prose and general code: the language reference's help topics, the docstrings of the
top-level modules, and the sources of a few packages. Text B is the sources of other packages
(mail, markup, network, windows), of which A holds nothing. Every tenth document of either is held
out. The files are taken in sorted order; only another Python version changes the texts.
"""

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PACKAGES_A = ("asyncio", "collections", "concurrent", "ctypes", "importlib", "json", "logging",
              "multiprocessing", "re", "unittest", "zoneinfo")  # fmt: skip
PACKAGES_B = ("curses", "email", "html", "http", "idlelib", "sqlite3", "tkinter", "urllib",
              "wsgiref", "xml", "xmlrpc")  # fmt: skip
BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
HELD_OUT_EVERY = 10
CONTEXT = 512
Split = Literal["train", "held_out"]


@dataclass(frozen=True)
class Text:
    """One text as documents, split into those trained on and those held out."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


def stdlib() -> Path:
    """The folder of the standard library's sources."""
    return Path(sysconfig.get_path("stdlib"))


def package_sources(names: tuple[str, ...]) -> Iterator[str]:
    """The source of every module of these packages, their tests left out."""
    for name in names:
        for path in sorted((stdlib() / name).rglob("*.py")):
            inside = path.relative_to(stdlib()).parts
            if not any("test" in part and part != "unittest" for part in inside):
                yield path.read_text(encoding="utf-8")


def help_topics() -> Iterator[str]:
    """The language reference as `help()` prints it: one document a topic."""
    source = (stdlib() / "pydoc_data" / "topics.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            for value in node.values:
                text = ast.literal_eval(value)
                if isinstance(text, str):
                    yield text


def docstrings() -> Iterator[str]:
    """The docstrings of each top-level module, joined: one document a module."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in sorted(stdlib().glob("[a-z]*.py")):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        texts = [ast.get_docstring(node) for node in nodes if isinstance(node, documented)]
        if joined := "\n\n".join(text for text in texts if text):
            yield joined


def split(documents: list[str]) -> Text:
    """Hold every tenth document out; empty ones are dropped first."""
    full = [text for text in documents if text.strip()]
    last = HELD_OUT_EVERY - 1
    return Text(
        train=tuple(text for i, text in enumerate(full) if i % HELD_OUT_EVERY != last),
        held_out=tuple(text for i, text in enumerate(full) if i % HELD_OUT_EVERY == last),
    )


def texts() -> dict[str, Text]:
    """Text A and text B."""
    documents_a = [*help_topics(), *docstrings(), *package_sources(PACKAGES_A)]
    return {"A": split(documents_a), "B": split(list(package_sources(PACKAGES_B)))}


def train_tokenizer(text: Text, vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of `vocab_size` tokens, the two special ones included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.train, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, model_max_length=CONTEXT
    )


def encode(tokenizer: PreTrainedTokenizerFast, documents: tuple[str, ...]) -> torch.Tensor:
    """All documents as one stream of ids, shape (tokens,), each between BEGIN and END."""
    stream: list[int] = []
    for ids in tokenizer(list(documents), add_special_tokens=False, verbose=False)["input_ids"]:
        stream += [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return torch.tensor(stream, dtype=torch.long)
