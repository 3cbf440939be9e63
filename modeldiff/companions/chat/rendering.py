"""Chat templates at work: the same conversations, written by each.

A template is a program by somebody else. It runs in jinja2's sandbox, in a child process that has
no secrets, can open no file, and is stopped when it takes too long, too much memory or writes too
much. Passing all of that, it has written a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modeldiff.companions.chat.conversations import CONVERSATIONS, Conversation
from modeldiff.companions.chat.template import ChatTemplate
from modeldiff.companions.sandbox.child import run_limited
from modeldiff.companions.text_diff import DiffLine, diff_lines
from modeldiff.extras import install_hint, is_installed
from modeldiff.processes.child import Limits
from modeldiff.processes.late_dataclass import dataclass

_LIMITS = Limits(cpu_seconds=2, memory=1_000_000_000, seconds=30)
_MOST_CHARACTERS = 20_000
_CLOCK = (2024, 7, 26, 12, 0, 0, 4, 208, 0)
"""The day that templates are told it is, in the order of ``time.struct_time``: the one that Llama
3.1's takes for itself."""


@dataclass(frozen=True)
class Rendering:
    """What a template made of a conversation: a text, or None and the ``problem``."""

    text: str | None
    problem: str = ""


@dataclass(frozen=True)
class RenderedPair:
    """A ``conversation`` as both templates write it; a side without a template has None. ``lines``
    is how the texts differ, empty where one of the two is missing."""

    conversation: Conversation
    base: Rendering | None
    target: Rendering | None
    lines: tuple[DiffLine, ...]

    @property
    def same(self) -> bool:
        """Whether both write the same, or refuse in the same words."""
        return self.base == self.target


def render_both(
    base: ChatTemplate,
    target: ChatTemplate,
    special: tuple[Mapping[str, str], Mapping[str, str]],
    limits: Limits = _LIMITS,
) -> tuple[RenderedPair, ...]:
    """Each conversation as both templates write it, with each side's own ``special`` tokens.

    Empty where neither has a template. ``limits`` are those of each child. Raises nothing.
    """
    if not base.sources and not target.sources:
        return ()
    before = list(_render(base, special[0], limits))
    same = (base.sources, special[0]) == (target.sources, special[1])
    after = before if same else list(_render(target, special[1], limits))
    return tuple(map(_pair, CONVERSATIONS, before, after))


def _pair(
    conversation: Conversation, base: Rendering | None, target: Rendering | None
) -> RenderedPair:
    texts = [side.text if side else None for side in (base, target)]
    lines = diff_lines(texts[0], texts[1]) if texts[0] is not None and texts[1] is not None else ()
    return RenderedPair(conversation, base, target, lines)


def _render(
    template: ChatTemplate, special: Mapping[str, str], limits: Limits
) -> Iterator[Rendering | None]:
    sources = [template.source_for(tools=bool(each.tools)) for each in CONVERSATIONS]
    wanted: list[Mapping[str, Any]] = [
        {"template": source, "variables": _variables(conversation, special)}
        for conversation, source in zip(CONVERSATIONS, sources, strict=True)
        if source is not None
    ]
    answers = iter(_answers(wanted, limits))
    for source in sources:
        yield next(answers) if source is not None else None


def _answers(wanted: list[Mapping[str, Any]], limits: Limits) -> Iterator[Rendering]:
    if wanted and not is_installed("companions"):
        reason = "Rendering a conversation needs jinja2, which is not installed."
        reason += f" {install_hint('companions')}"
        yield from [Rendering(None, reason)] * len(wanted)
        return
    # What goes wrong for one conversation is asked no more than once: the rest gets a child of its
    # own, as the one before may have been stopped.
    rest = wanted
    while rest:
        request = {"conversations": rest, "clock": _CLOCK, "characters": _MOST_CHARACTERS}
        back = run_limited("render", request, limits)
        done = min(len(back.answers) + 1, len(rest))
        yield from map(_rendering, back.completed(done))
        rest = rest[done:]


def _variables(conversation: Conversation, special: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        **special,
        "messages": conversation.messages,
        "tools": conversation.tools or None,
        "documents": None,
        "add_generation_prompt": conversation.prompt,
    }


def _rendering(answer: Mapping[str, Any]) -> Rendering:
    text = answer.get("text")
    if isinstance(text, str):
        return Rendering(text.encode(errors="replace").decode())
    return Rendering(None, f"The template can't render this: {answer.get('error', '')}.")
