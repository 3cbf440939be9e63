"""Two chat templates in words: what each makes of the same conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from modeldiff.architectures import FactPair
from modeldiff.companions import Companions
from modeldiff.companions.chat.rendering import RenderedPair, Rendering
from modeldiff.companions.chat.template import ChatTemplate
from modeldiff.findings.companions.part import (
    CompanionPart,
    FactMaker,
    known_of,
    only,
    side_alone,
)
from modeldiff.text.formatting import counted

_MAKE = FactMaker("template")
_TOOL, _SYSTEM, _QUESTION, _DAY = (
    "get_weather",
    "Answer in one word.",
    "What is the capital of France?",
    "26 Jul 2024",
)
"""Words of the conversations by which one sees what was written of them."""


def template_part(companions: Companions) -> CompanionPart:
    """What both templates are, and what they write."""
    base, target = companions.templates
    alone = side_alone(bool(base.sources), bool(target.sources))
    facts = known_of(alone, _facts(companions))
    notes = [
        f"{name}: {problem}"
        for name, side in (("Base", base), ("Target", target))
        for problem in side.problems
    ]
    if companions.renderings and not any(map(_texts, companions.renderings)):
        sides = (companions.renderings[0].base, companions.renderings[0].target)
        notes += dict.fromkeys(side.problem for side in sides if side is not None)
    sentences = tuple(_sentences(base, target, facts, companions.renderings))
    return CompanionPart("template", "Chat template", sentences, facts, tuple(notes), alone)


def _sentences(
    base: ChatTemplate,
    target: ChatTemplate,
    facts: Sequence[FactPair],
    renderings: Sequence[RenderedPair],
) -> Iterator[str]:
    if not base.sources and not target.sources:
        yield "Neither side has a chat template."
        return
    if alone := side_alone(bool(base.sources), bool(target.sources)):
        yield only(alone, "a chat template")
        return
    written = [each for each in renderings if _texts(each)]
    same = [each for each in written if each.same]
    if base.sources == target.sources:
        yield "Both have the same chat template."
        if len(same) == len(written):
            return
    elif not written:
        yield "The chat templates differ; none of the conversations could be rendered."
    elif len(same) == len(written):
        yield (
            f"The templates differ, but render alike: {len(same)} of "
            f"{counted(len(written), 'conversation')} come out the same."
        )
    else:
        yield (
            f"The chat templates differ: {len(written) - len(same)} of "
            f"{counted(len(written), 'conversation')} come out differently."
        )
    for fact in facts:
        if not fact.same and fact.meaning and fact.key in _TOLD:
            yield fact.meaning


_TOLD = {f"template.{name}" for name in ("tools", "system", "date", "prompt")}


def _texts(pair: RenderedPair) -> bool:
    return any(side is not None and side.text is not None for side in (pair.base, pair.target))


def _facts(companions: Companions) -> Iterator[FactPair]:
    base, target = companions.templates
    if not base.sources and not target.sources:
        return
    for name in dict.fromkeys((*base.sources, *target.sources)):
        before, after = base.sources.get(name), target.sources.get(name)
        yield _MAKE.pair(
            f"source.{name}",
            "Template" if name == "default" else f"Template “{name}”",
            _length(before),
            _length(after),
            same=before == after,
            meaning="The template's source differs."
            if before and after
            else "Only one side has it.",
            source=base.file or target.file,
        )
    by_key = {each.conversation.key: each for each in companions.renderings}
    yield _seen("tools", "Tools", by_key["tools"], _writes(_TOOL), _tools_meaning)
    yield _seen("system", "System message", by_key["system"], _writes(_SYSTEM), _system_meaning)
    yield _seen("date", "Today's date", by_key["system"], _writes(_DAY), _date_meaning)
    yield _seen("prompt", "An answer begins after", by_key["prompt"], _tail, _prompt_meaning)
    for each in companions.renderings:
        yield _written(each)


def _length(source: str | None) -> str | None:
    if source is None:
        return None
    lines = source.count("\n") + 1
    return f"{counted(lines, 'line')}, {counted(len(source), 'character')}"


TemplateTrait = Callable[[str], str]


def _writes(words: str) -> TemplateTrait:
    return lambda text: "written" if words in text else "left out"


def _tail(text: str) -> str:
    """What stands between the question and the answer."""
    _, found, tail = text.rpartition(_QUESTION)
    return (tail if found else text[-80:]).replace("\n", "↵") or "nothing"


def _seen(
    name: str,
    label: str,
    pair: RenderedPair,
    read: TemplateTrait,
    meaning: Callable[[str | None, str | None], str],
) -> FactPair:
    before, after = (_read(side, read) for side in (pair.base, pair.target))

    def tried() -> str:
        # A template may do otherwise with another conversation.
        words = meaning(before, after).removesuffix(".")
        return f"{words}, in the conversation that was tried." if words else ""

    return _MAKE.pair(name, label, before, after, meaning=tried, source="as rendered")


def _read(side: Rendering | None, read: TemplateTrait) -> str | None:
    if side is None:
        return None
    return read(side.text) if side.text is not None else "refused"


def _written(pair: RenderedPair) -> FactPair:
    before, after = (
        None
        if side is None
        else "refused"
        if side.text is None
        else counted(len(side.text), "character")
        for side in (pair.base, pair.target)
    )
    changed = sum(line.kind != "same" for line in pair.lines)
    problem = next((s.problem for s in (pair.base, pair.target) if s is not None and s.problem), "")
    words = (
        f"{counted(changed, 'line')} differ{'s' if changed == 1 else ''}." if changed else problem
    )
    return _MAKE.pair(
        f"conversation.{pair.conversation.key}",
        f"Conversation: {pair.conversation.title}",
        before,
        after,
        same=pair.same,
        meaning=words,
        source="as rendered",
    )


_TOOLS = {
    "written": "The target's template tells the model of its tools; the base's does not.",
    "left out": "The target's template leaves out the tools that the base's tells the model of.",
    "refused": "The target's template can't render a conversation with tools.",
}
_SYSTEM_MESSAGE = {
    "written": "The target's template renders a system message; the base's does not.",
    "left out": "The target's template leaves a system message out.",
    "refused": "The target's template can't render a system message.",
}


def _tools_meaning(before: str | None, after: str | None) -> str:
    return _TOOLS.get(after or "", "") if before is not None else ""


def _system_meaning(before: str | None, after: str | None) -> str:
    return _SYSTEM_MESSAGE.get(after or "", "") if before is not None else ""


def _date_meaning(before: str | None, after: str | None) -> str:
    if before is None or after is None or "refused" in (before, after):
        return ""
    one = "tells" if after == "written" else "does not tell"
    other = "does not" if after == "written" else "does"
    return f"The target's template {one} the model what day it is; the base's {other}."


def _prompt_meaning(before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return ""
    return "Other tokens mark where the answer begins."
