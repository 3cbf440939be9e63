"""A checkpoint's chat template: how a conversation becomes the text that the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.formats.gguf.vocabulary import read_chat_templates
from modeldiff.checkpoints.tokenizer import GGUF
from modeldiff.companions.files import read_object, read_text
from modeldiff.errors import CheckpointError
from modeldiff.processes.late_dataclass import dataclass

DEFAULT_TEMPLATE = "default"
WITH_TOOLS = "tool_use"
"""Names of templates: transformers takes the second where there are tools and such a template."""
_OWN_FILE = "chat_template.jinja"
_IN_JSON = ("chat_template.json", "tokenizer_config.json")
TEMPLATE_FILES = (_OWN_FILE, *_IN_JSON)
"""All files that a template may be in."""
_MOST_BYTES = 500_000
_MOST_TEMPLATES = 10


@dataclass(frozen=True)
class ChatTemplate:
    """The templates of a checkpoint, unrendered.

    ``sources`` are Jinja's, by name; a model with one has it as ``default``. ``file`` is where
    they were read, "" where there are none. ``problems`` are sentences about what could not be.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    problems: tuple[str, ...] = ()

    def source_for(self, *, tools: bool) -> str | None:
        """The template that a conversation is written with, with ``tools`` or without any."""
        named = self.sources.get(WITH_TOOLS) if tools else None
        return named or self.sources.get(DEFAULT_TEMPLATE)


def read_chat_template(checkpoint: Checkpoint) -> ChatTemplate:
    """The chat template as transformers finds it: in a file of its own, else in the tokenizer's
    config, else in a GGUF's metadata."""
    text, problem = read_text(checkpoint, _OWN_FILE, _MOST_BYTES)
    if text is not None:
        return ChatTemplate({DEFAULT_TEMPLATE: text}, _OWN_FILE)
    problems = [problem]
    for file in _IN_JSON:
        document, problem = read_object(checkpoint, file)
        problems.append(problem)
        sources = _sources(document.get("chat_template"))
        if sources:
            return ChatTemplate(sources, file, tuple(filter(None, problems)))
    if checkpoint.format == GGUF:
        first = next(iter(checkpoint.files))
        try:
            sources = read_chat_templates(checkpoint.source, first)
        except CheckpointError as error:
            problems.append(error.message)
        else:
            if sources:
                cut = {name: source[:_MOST_BYTES] for name, source in sources.items()}
                return ChatTemplate(cut, first, tuple(filter(None, problems)))
    return ChatTemplate(problems=tuple(filter(None, problems)))


def _sources(entry: Any) -> Mapping[str, str]:
    """One template, or a list of some with names."""
    if isinstance(entry, str):
        return {DEFAULT_TEMPLATE: entry[:_MOST_BYTES]}
    sources: dict[str, str] = {}
    for each in entry[:_MOST_TEMPLATES] if isinstance(entry, list) else ():
        name, source = (
            (each.get("name"), each.get("template")) if isinstance(each, dict) else ("", "")
        )
        if isinstance(name, str) and isinstance(source, str) and name:
            sources[name[:60]] = source[:_MOST_BYTES]
    return sources
