"""What a step of a line of models brought, in phrases short enough for a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from modeldiff.architectures.architecture import Architecture, Fact, FactPair
from modeldiff.architectures.facts.diagram_anchors import in_brief, is_of_size
from modeldiff.architectures.facts.lineage import LineageStep
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.text.magnitudes import ratio_text

_BIASES = {"qkv_bias": "attention", "o_bias": "attention", "mlp_bias": "MLP"}
_EXPERTS = ("experts", "experts_per_token", "expert_size", "expert_layers", "shared_expert")
_NUMBER_WORDS = {
    "experts": "{} experts",
    "experts_per_token": "{} experts a token",
    "expert_size": "experts of {}",
    "sliding_window": "window of {}",
}
_NO_IDEA = (*_EXPERTS[1:], "intermediate_size")
"""Follows from what another phrase says, even where only one of the two has it."""
_NAMES = {"learned": "learned positions", "plain GELU (tanh)": "GELU", "plain GELU": "GELU"}
_SIZES_IN_ONE = ("layers", "hidden_size", "heads", "kv_heads", "head_dim", "parameters")
"""Said together with another size, or in the line under the model's name."""


@dataclass(frozen=True)
class StepWords:
    """A step in phrases: ``ideas`` are what is computed otherwise, ``sizes`` are other numbers. Of
    the first model of a line, both say what it starts from."""

    ideas: tuple[str, ...]
    sizes: tuple[str, ...]


def step_words(step: LineageStep) -> StepWords:
    """What ``step`` brought against the model before it."""
    here = step.architecture
    if step.before is None:
        return StepWords((), tuple(_start(here)))
    pairs = {pair.key: pair for pair in step.telling}
    return StepWords(tuple(_ideas(pairs, here)), tuple(_sizes(pairs, here)))


def _start(here: Architecture) -> Iterator[str]:
    for key in ("position", "norm", "mlp"):
        text = _text(here.fact(key))
        if text:
            yield _NAMES.get(text, text)
    attention = here.fact("attention")
    if attention is not None and attention.value != "MHA":
        yield str(attention.value)
    experts = here.fact("experts")
    if experts is not None:
        yield f"{experts.text} experts"
    biased = (here.fact(key) for key in _BIASES)
    if any(fact is not None and fact.value for fact in biased):
        yield "biases"
    tied = here.fact("tied_head")
    if tied is not None and tied.value is True:
        yield "embedding as head"


def _ideas(pairs: Mapping[str, FactPair], here: Architecture) -> Iterator[str]:
    for key, pair in pairs.items():
        if is_of_size(pair) or key in _BIASES or key in _NO_IDEA:
            continue
        phrase = _PHRASES.get(key)
        text = phrase(pair, here) if phrase else _plain(pair)
        if text:
            yield text
    yield from _biases(pairs, here)


def _biases(pairs: Mapping[str, FactPair], here: Architecture) -> Iterator[str]:
    """All biases in one phrase, or one a sublayer where they differ."""
    different = [key for key in _BIASES if key in pairs]
    if not different:
        return
    present = [key for key in _BIASES if (fact := here.fact(key)) is not None and fact.value]
    if not present:
        yield "no biases"
        return
    for key in different:
        fact = pairs[key].target
        gained = fact is not None and bool(fact.value)
        where = {"qkv_bias": "q, k, v", "o_bias": "o", "mlp_bias": "MLP"}[key]
        yield f"biases on {where}" if gained else f"no biases on {where}"


def _sizes(pairs: Mapping[str, FactPair], here: Architecture) -> Iterator[str]:
    if "layers" in pairs or "hidden_size" in pairs:
        yield f"{_number(here, 'layers')} × {_number(here, 'hidden_size')}"
    if "intermediate_size" in pairs and "experts" not in pairs:
        yield f"MLP {_number(here, 'intermediate_size')}"
    if "head_dim" in pairs:
        yield f"heads of {_number(here, 'head_dim')}"
    elif "heads" in pairs:
        yield f"{_number(here, 'heads')} heads"
    if "kv_heads" in pairs and "attention" not in pairs and "heads" not in pairs:
        yield f"{_number(here, 'kv_heads')} KV heads"
    words = {"vocabulary": "vocabulary", "rope_theta": "θ", "context": "context"}
    done = {*_SIZES_IN_ONE, "intermediate_size", "parameters_active", "expert_layers", *words}
    if "experts" in pairs and not is_of_size(pairs["experts"]):
        done |= set(_EXPERTS)
    for key, pair in pairs.items():
        if key in done or not is_of_size(pair):
            continue
        if key == "rope_scaling":
            yield f"RoPE {_factor(pair.target)}".strip()
        elif key in _NUMBER_WORDS:
            yield _NUMBER_WORDS[key].format(in_brief(pair)[1])
        else:
            yield f"{pair.label[:1].lower()}{pair.label[1:]} {in_brief(pair)[1]}"
    for key, name in words.items():
        if key in pairs and is_of_size(pairs[key]):
            yield f"{name} {_times(pairs[key])}"


def _times(pair: FactPair) -> str:
    """How many times a number is what it was, if that is a round number; else the number."""
    before, after = (fact.value if fact else None for fact in (pair.base, pair.target))
    if isinstance(before, int | float) and isinstance(after, int | float) and before > 0:
        ratio = after / before
        if ratio >= 1.9 and abs(ratio - round(ratio)) < 0.01 * ratio:
            return f"×{ratio_text(round(ratio))}"
    return f"{after:,.10g}" if isinstance(after, int | float) else in_brief(pair)[1]


def _attention(pair: FactPair, here: Architecture) -> str:
    kind = pair.target.value if pair.target else None
    heads, shared = here.number("heads"), here.number("kv_heads")
    if kind == "GQA" and heads and shared and heads % shared == 0:
        return f"GQA: {heads // shared} query heads share one key and value head"
    if kind == "MLA":
        return "MLA: keys and values of all heads out of one compressed vector"
    if kind == "MQA":
        return "MQA: all query heads share one key and value head"
    if kind == "MHA":
        return "MHA: keys and values of its own for each head"
    return _plain(pair)


def _position(pair: FactPair, here: Architecture) -> str:
    del here
    old, new = _text(pair.base), _text(pair.target)
    return f"{new} for {_NAMES.get(old, old)}" if old and new else _plain(pair)


def _mlp(pair: FactPair, here: Architecture) -> str:
    del here
    old, new = _text(pair.base), _text(pair.target)
    if old.startswith("plain ") and new.endswith("GLU"):
        return f"{new}: a gate beside up"
    old, new = old.removeprefix("plain "), new.removeprefix("plain ")
    return f"{new} for {old}" if old and new else _plain(pair)


def _norm(pair: FactPair, here: Architecture) -> str:
    del here
    old, new = _text(pair.base).partition(", "), _text(pair.target).partition(", ")
    if old[0] != new[0]:
        return f"{new[0]} for {old[0]}"
    return f"norms {new[2] or 'scaled by their weight'}"


def _instead(pair: FactPair, here: Architecture) -> str:
    del here
    old, new = _text(pair.base), _text(pair.target)
    return f"{new} for {old}" if old and new else _plain(pair)


def _scaling(pair: FactPair, here: Architecture) -> str:
    factor = _factor(pair.target)
    if not factor:
        return "RoPE no longer scaled" if here.fact("rope_theta") else ""
    kind = str(pair.target.value).partition(" ")[0] if pair.target else ""
    if kind in ("llama3", "yarn"):
        return f"RoPE scaled: slow rotations {factor[1:]} times slower"
    return f"RoPE scaled {factor}"


def _head(pair: FactPair, here: Architecture) -> str:
    del here
    tied = pair.target is not None and pair.target.value is True
    return "embedding as head" if tied else "a head of its own"


def _experts(pair: FactPair, here: Architecture) -> str:
    if pair.target is None:
        return "one MLP for all experts"
    chosen, shared = here.fact("experts_per_token"), here.fact("shared_expert")
    words = [f"{pair.target.text} experts", f"{chosen.text} a token" if chosen else ""]
    words.append("one shared" if shared else "")
    return ", ".join(filter(None, words))


def _qk_norm(pair: FactPair, here: Architecture) -> str:
    del here
    new = _text(pair.target)
    return "no norms on q and k" if new in ("", "none") else "norms on q and k"


def _placement(pair: FactPair, here: Architecture) -> str:
    del here
    return f"norms {_text(pair.target)}" if _text(pair.target) else _plain(pair)


def _window(pair: FactPair, here: Architecture) -> str:
    if pair.target is None:
        return "no window"
    layers = _text(here.fact("sliding_layers"))
    among = f" in {layers} layers" if " of " in layers else ""
    return f"window of {pair.target.text}{among}"


def _plain(pair: FactPair) -> str:
    new = in_brief(pair)[1]
    return f"no {pair.label.lower()}" if new in ("none", "no") else f"{pair.label}: {new}"


def _factor(fact: Fact | None) -> str:
    """The ``×8`` of ``llama3 ×8 from 8,192``."""
    words = str(fact.value).split() if fact else []
    return next((word for word in words if word.startswith("×")), "")


def _text(fact: Fact | None) -> str:
    return str(fact.value) if fact is not None and fact.value is not None else ""


def _number(here: Architecture, key: str) -> str:
    number = here.number(key)
    return f"{number:,}" if number is not None else "?"


_PHRASES: Mapping[str, Callable[[FactPair, Architecture], str]] = {
    "attention": _attention,
    "position": _position,
    "mlp": _mlp,
    "activation": _instead,
    "norm": _norm,
    "norm_placement": _placement,
    "qk_norm": _qk_norm,
    "rope_scaling": _scaling,
    "tied_head": _head,
    "experts": _experts,
    "sliding_window": _window,
}
