"""How a tokenizer cuts text, from its ``tokenizer.json``, in short texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

from modeldiff.processes.late_dataclass import dataclass

_STAGES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_OPTIONS = (
    "unk_token",
    "byte_fallback",
    "ignore_merges",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "dropout",
    "fuse_unk",
)
"""Of the model; those that are off or empty say nothing."""
_LONGEST = 240
_MOST_STEPS = 20
_DEEPEST = 5


@dataclass(frozen=True)
class TokenizerSettings:
    """How text is cut.

    ``kind`` is the model (``BPE``, ``WordPiece``, ``Unigram``, ``WordLevel``), ``bytewise`` whether
    its letters are bytes. ``stages`` are the normaliser, pre-tokeniser, post-processor and decoder
    by the file's own names, each in a line, ``options`` the model's; ``digests`` of the stages tell
    apart what reads alike when it is cut short. ``merges`` counts a BPE's rules, ``merges_digest``
    identifies them with their order.
    """

    kind: str
    bytewise: bool
    stages: Mapping[str, str]
    digests: Mapping[str, str]
    options: str
    merges: int | None
    merges_digest: str


def read_settings(parsed: Any, merges: Sequence[str] | None) -> TokenizerSettings:
    """The settings in the ``parsed`` content of a ``tokenizer.json`` with these ``merges_of`` it;
    what makes no sense is left out, nothing is raised."""
    document = parsed if isinstance(parsed, Mapping) else {}
    model = document.get("model")
    model = model if isinstance(model, Mapping) else {}
    stages = {name: document.get(name) for name in _STAGES}
    return TokenizerSettings(
        kind=_kind(model),
        bytewise='"ByteLevel"' in json.dumps([stages["decoder"], stages["pre_tokenizer"]]),
        stages={name: _stage(stage) for name, stage in stages.items()},
        digests={name: _digest(json.dumps(s, sort_keys=True)) for name, s in stages.items()},
        options=_parameters({name: model.get(name) for name in _OPTIONS}),
        merges=len(merges) if merges is not None else None,
        merges_digest=_digest("\n".join(merges or ())),
    )


def merges_of(parsed: Any) -> Sequence[str] | None:
    """A BPE's merges in their order, as ``left right`` each, however the file writes them; None
    where it lists none. What is no merge is left out."""
    model = parsed.get("model") if isinstance(parsed, Mapping) else None
    merges = model.get("merges") if isinstance(model, Mapping) else None
    if not isinstance(merges, list):
        return None
    # There are hundreds of thousands, nearly always of one form.
    forms = set(map(type, merges))
    if forms <= {str}:
        return merges
    if forms == {list}:
        with suppress(TypeError):
            return list(map(" ".join, merges))
    return list(_each_merge(merges))


def _each_merge(merges: Sequence[Any]) -> Iterator[str]:
    for merge in merges:
        if isinstance(merge, str):
            yield merge
        elif isinstance(merge, list) and all(isinstance(half, str) for half in merge):
            yield " ".join(merge)


def _kind(model: Mapping[str, Any]) -> str:
    kind = model.get("type")
    if isinstance(kind, str) and kind:
        return kind[:40]
    # Older files leave the type out.
    return "BPE" if "merges" in model else "Unigram" if "unk_id" in model else ""


def _stage(stage: Any) -> str:
    steps = list(_steps(stage, 0))[: _MOST_STEPS + 1]
    text = ", then ".join(steps[:_MOST_STEPS])
    if len(steps) > _MOST_STEPS or len(text) > _LONGEST:
        return f"{text[:_LONGEST]}…"
    return text


def _steps(stage: Any, depth: int) -> Iterator[str]:
    if not isinstance(stage, Mapping) or depth > _DEEPEST:
        return
    kind = str(stage.get("type", "?"))[:40]
    inner = next((value for value in stage.values() if _is_steps(value)), None)
    if kind == "Sequence" and inner is not None:
        for step in inner:
            yield from _steps(step, depth + 1)
    elif kind == "TemplateProcessing":
        yield f"TemplateProcessing ({_template(stage.get('single'))})"
    else:
        details = _parameters({name: v for name, v in stage.items() if name != "type"})
        yield f"{kind} ({details})" if details else kind


def _is_steps(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _template(single: Any) -> str:
    """What stands around one text: ``<s> A </s>``."""
    pieces = [piece for piece in single if isinstance(piece, Mapping)] if _is_steps(single) else []
    values = [value for piece in pieces for value in piece.values() if isinstance(value, Mapping)]
    return " ".join(str(value.get("id", "?"))[:60] for value in values[:_MOST_STEPS])


def _parameters(table: Mapping[str, Any]) -> str:
    """``name=value`` of what is set; a pattern by what it holds."""
    shown = []
    for name, value in table.items():
        if isinstance(value, Mapping) and len(value) == 1 and name == "pattern":
            value = next(iter(value.values()))
        if value not in (None, False, "", [], {}):
            text = json.dumps(value, ensure_ascii=False)
            shown.append(f"{str(name)[:40]}={text[:160]}")
    return ", ".join(shown[:_MOST_STEPS])


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
