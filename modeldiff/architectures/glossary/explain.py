"""What each component does, in plain words, with its formula and why a change in it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from modeldiff.processes.late_dataclass import dataclass


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
    own = "" if tower else _own_numbers(name, architecture)
    shape = _shape(_node(component, architecture))
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


def _own_numbers(name: str, architecture: Architecture | None) -> str:
    """One sentence with this architecture's own numbers; empty where there is nothing to say."""
    if architecture is None:
        return ""
    sentence = _SENTENCES.get(name) or _SENTENCES.get(name.rpartition(".")[2])
    return sentence(architecture) if sentence is not None else ""


def _sharing(architecture: Architecture) -> str:
    heads, kv_heads = architecture.number("heads"), architecture.number("kv_heads")
    if not heads or not kv_heads or heads % kv_heads:
        return ""
    if heads == kv_heads:
        return f"Here each of the {heads} heads has its own."
    return f"Here {heads // kv_heads} query heads share each of the {kv_heads} KV heads."


def _reach(architecture: Architecture) -> str:
    heads = architecture.number("heads")
    if not heads:
        return ""
    window, layers = architecture.fact("sliding_window"), architecture.fact("sliding_layers")
    some = f" in {layers.text} layers" if layers is not None and layers.value != "all" else ""
    limit = f", over at most {window.text}{some}" if window is not None else ""
    return f"Here {heads} heads do so at once{limit}."


def _angles(architecture: Architecture) -> str:
    theta, scaling = architecture.fact("rope_theta"), architecture.fact("rope_scaling")
    if theta is None:
        return ""
    scaled = scaling is not None and scaling.value != "none"
    stretched = f", stretched: {scaling.value}" if scaling is not None and scaled else ""
    return f"Here θ is {theta.text}{stretched}."


def _routing(architecture: Architecture) -> str:
    experts, chosen = architecture.number("experts"), architecture.number("experts_per_token")
    return f"Here {chosen} of {experts} experts process a token." if experts and chosen else ""


def _gate(architecture: Architecture) -> str:
    if not _word("mlp", architecture).startswith("plain"):
        return ""
    return "This MLP has no gate: the activation is between up and down."


def _tie(architecture: Architecture) -> str:
    head = architecture.holdings.get("lm_head", {}).get("weight", {})
    if not any(one.role == "tied" for group in head.values() for one in group):
        return ""
    return "Here it is tied to the embedding."


_SENTENCES: Mapping[str, Callable[[Architecture], str]] = {
    "k_proj": _sharing,
    "v_proj": _sharing,
    "attention": _reach,
    "rope": _angles,
    "mlp.router": _routing,
    "mlp.up_proj": _gate,
    "mlp.down_proj": _gate,
    "lm_head": _tie,
}
"""What an architecture's own numbers say of a component, by its name or the last word of it."""


def _shape(node: Node | None) -> str:
    if node is None or not node.shape:
        return ""
    # The stored name is said where it is not the one that everything here goes by.
    own = node.id.rpartition(".")[2] != node.label
    name = f"In the file it is called {node.label}. " if own else ""
    detail = f" ({node.detail})" if node.detail else ""
    return f"{name}Shape: {node.shape}{detail}."


def _unknown(
    component: str, name: str, parameter: str, architecture: Architecture | None
) -> Explanation:
    """What can honestly be said of a component that no description names."""
    node = _node(component, architecture) or _node(component.removesuffix(".bias"), architecture)
    nature = {
        "norm": "By its name a norm, which would bring vectors to a common size.",
        "linear": "A matrix (or a stack of them) that turns one vector into another.",
        "embedding": "By its name a table of vectors, one row for each thing that is looked up.",
    }.get(node.kind if node else "", "A learned parameter.")
    if parameter == "bias":
        nature = "A learned constant that is added to this component's output."
    surroundings, _, _ = name.rpartition(".")
    where = f"It belongs to {surroundings}." if surroundings else ""
    known = "It is not part of what is known of this family, so what it does is not known here."
    sentences = (nature, where, known, _shape(node))
    title = f"{name}: {parameter}" if parameter else name or "Unnamed"
    return Explanation(
        title,
        " ".join(sentence for sentence in sentences if sentence),
        "",
        "Its change is measured like any other; what it means depends on the model's code.",
    )


def _node(component: str, architecture: Architecture | None) -> Node | None:
    nodes = architecture.nodes() if architecture is not None else ()
    return next((node for node in nodes if node.id == component), None)


def _word(key: str, architecture: Architecture | None) -> str:
    fact = architecture.fact(key) if architecture else None
    return str(fact.value) if fact is not None else ""
