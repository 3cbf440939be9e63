"""What each component does, in plain words, with its formula and why a change in it matters."""

from __future__ import annotations

from dataclasses import dataclass

from modeldiff.architectures.architecture import Architecture, Node
from modeldiff.architectures.components import NORMS
from modeldiff.architectures.glossary import EXPLAINED
from modeldiff.architectures.glossary.entry import (
    ACTIVATION_FORMULAS,
    BIAS,
    LAYER_NORM,
    NORM_BIAS,
    PLUS_ONE_NORM,
    RMS_NORM,
    GlossaryEntry,
)


@dataclass(frozen=True)
class Explanation:
    """``what`` it computes, its ``formula``, and ``why`` a change there matters.

    Sentences carry the architecture's own numbers where it was given. ``formula`` is empty where
    nothing is known.
    """

    title: str
    what: str
    formula: str
    why: str


def explain(component: str, architecture: Architecture | None = None) -> Explanation:
    """The explanation of a component, of a column (``….bias``) or of an operation of the drawing.

    Always returns something: of what no description names it tells the shape and the surroundings,
    and that more is not known.
    """
    name, parameter, tower = _parse(component, architecture)
    text = EXPLAINED.get(name)
    if text is None:
        return _unknown(component, name, parameter, architecture)
    title = f"{text.title} ({tower})" if tower else text.title
    if parameter == "bias":
        bias = NORM_BIAS if name in NORMS else BIAS
        return Explanation(f"{title}: bias", bias.what, bias.formula, bias.why)
    if parameter:
        what = f"“{parameter}”, stored beside the weight of this component. {text.what}"
        return Explanation(f"{title}: {parameter}", what, "", text.why)
    own = "" if tower else _numbers(name, architecture)
    shape = _shape(_step(component, architecture))
    what = " ".join(sentence for sentence in (text.what, own, shape) if sentence)
    return Explanation(title, what, _formula(text, architecture), text.why)


def _parse(component: str, architecture: Architecture | None) -> tuple[str, str, str]:
    """Name without tower, the parameter where it is not the weight, and the tower."""
    towers = architecture.towers if architecture else frozenset()
    first, _, rest = component.partition(".")
    tower, name = (first, rest) if first in towers and rest else ("", component)
    if name not in EXPLAINED:
        head, _, last = name.rpartition(".")
        if head in EXPLAINED:
            return head, last, tower
        if last == "bias" and head:
            return head, last, tower
    return name, "", tower


def _formula(text: GlossaryEntry, architecture: Architecture | None) -> str:
    if text.formula == "norm":
        norm = architecture.fact("norm") if architecture else None
        if norm is not None and norm.text.startswith("LayerNorm"):
            return LAYER_NORM
        return PLUS_ONE_NORM if norm is not None and "1 + weight" in norm.text else RMS_NORM
    if text.formula == "activation":
        return ACTIVATION_FORMULAS.get(_word("activation", architecture).partition(" ")[0], "")
    return text.formula


def _numbers(name: str, architecture: Architecture | None) -> str:
    """One sentence with this architecture's own numbers."""
    if architecture is None:
        return ""
    heads, kv_heads = _count("heads", architecture), _count("kv_heads", architecture)
    part = name.rpartition(".")[2]
    if part in ("k_proj", "v_proj") and heads and kv_heads and heads % kv_heads == 0:
        if heads == kv_heads:
            return f"Here each of the {heads} heads has its own."
        return f"Here {heads // kv_heads} query heads share each of the {kv_heads} KV heads."
    if part == "attention" and heads:
        window, layers = architecture.fact("sliding_window"), architecture.fact("sliding_layers")
        some = f" in {layers.text} layers" if layers is not None and layers.value != "all" else ""
        seen = f", over at most {window.text}{some}" if window is not None else ""
        return f"Here {heads} heads do so at once{seen}."
    if part == "rope":
        theta, scaling = architecture.fact("rope_theta"), architecture.fact("rope_scaling")
        if theta is not None:
            scaled = scaling is not None and scaling.value != "none"
            stretched = f", stretched: {scaling.value}" if scaling is not None and scaled else ""
            return f"Here θ is {theta.text}{stretched}."
    if name == "mlp.router":
        experts, chosen = (
            _count("experts", architecture),
            _count("experts_per_token", architecture),
        )
        if experts and chosen:
            return f"Here {chosen} of {experts} experts work on a token."
    if name in ("mlp.up_proj", "mlp.down_proj") and _word("mlp", architecture).startswith("plain"):
        return "This MLP has no gate: the activation stands between up and down."
    if name == "lm_head" and _is_tied(architecture):
        return "Here it is the embedding itself, used a second time."
    return ""


def _shape(step: Node | None) -> str:
    if step is None or not step.shape:
        return ""
    # The stored name is said where it is not the one that everything here goes by.
    own = step.id.rpartition(".")[2] != step.label
    name = f"In the file it is called {step.label}. " if own else ""
    detail = f" ({step.detail})" if step.detail else ""
    return f"{name}Shape: {step.shape}{detail}."


def _unknown(
    component: str, name: str, parameter: str, architecture: Architecture | None
) -> Explanation:
    """What can honestly be said of a component that no description names."""
    step = _step(component, architecture) or _step(component.removesuffix(".bias"), architecture)
    thing = {
        "norm": "By its name a norm: it would bring vectors to a common size.",
        "linear": "A matrix (or a stack of them) that turns one vector into another.",
        "embedding": "By its name a table of vectors, one row for each thing that is looked up.",
    }.get(step.kind if step else "", "A learned parameter.")
    if parameter == "bias":
        thing = "A learned constant that is added to this component's output."
    surroundings, _, _ = name.rpartition(".")
    where = f"It belongs to {surroundings}." if surroundings else ""
    known = "This family's description does not name it, so what it does is not known here."
    sentences = (thing, where, known, _shape(step))
    title = f"{name}: {parameter}" if parameter else name or "Unnamed"
    return Explanation(
        title,
        " ".join(sentence for sentence in sentences if sentence),
        "",
        "Its change is measured like any other; what follows from it depends on the model's code.",
    )


def _step(component: str, architecture: Architecture | None) -> Node | None:
    if architecture is None:
        return None
    in_layers = (
        step
        for kind in architecture.layer_kinds
        for sublayer in kind.sublayers
        for row in sublayer.rows
        for step in row
    )
    everywhere = (*architecture.stem, *architecture.tail, *in_layers)
    return next((step for step in everywhere if step.id == component), None)


def _count(key: str, architecture: Architecture) -> int | None:
    fact = architecture.fact(key)
    return fact.value if fact is not None and isinstance(fact.value, int) else None


def _is_tied(architecture: Architecture) -> bool:
    head = architecture.holdings.get("lm_head", {}).get("weight", {})
    return any(one.role == "tied" for held in head.values() for one in held)


def _word(key: str, architecture: Architecture | None) -> str:
    fact = architecture.fact(key) if architecture else None
    return str(fact.value) if fact is not None else ""
