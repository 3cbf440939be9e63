"""What a difference between two facts means, in one plain sentence computed from the values."""

from __future__ import annotations

from modeldiff.architectures.architecture import Architecture, Fact
from modeldiff.architectures.config.parameter_counts import PARTS
from modeldiff.architectures.facts.memory import ESTIMATE_TOKENS
from modeldiff.architectures.facts.one_sided import one_sided
from modeldiff.architectures.facts.sentences import (
    Meaning,
    bias,
    by_value,
    compared,
    number,
    positive_numbers,
)
from modeldiff.checkpoints.dtypes import STORED_TYPES
from modeldiff.text.formatting import format_bytes, format_share
from modeldiff.text.magnitudes import (
    ratio_text,
    short_count,
    times,
)


def meaning_of(
    base: Fact | None, target: Fact | None, whose: tuple[Architecture, Architecture]
) -> str:
    """One sentence on the target as seen from the base; "" where there is nothing to say."""
    if base is None or target is None:
        return one_sided(base, target, whose)
    find = _MEANINGS.get(base.key)
    sentence = find(base, target, *whose) if find else ""
    return sentence or f"{base.label}: {target.text} instead of {base.text}."


def _layers(base: Fact, target: Fact, *_: Architecture) -> str:
    both = positive_numbers(base, target)
    if both is None:
        return ""
    difference = int(both[1] - both[0])
    word = "more" if difference > 0 else "fewer"
    count = abs(difference)
    return (
        f"{count:,} {word} layer{'s' if count > 1 else ''}: a token is worked on in "
        f"{int(both[1]):,} steps, one after the other, instead of {int(both[0]):,}."
    )


def _attention(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    sentence = {
        "MHA": "Every query head has its own keys and values",
        "GQA": "Groups of query heads share their keys and values",
        "MQA": "All query heads share one set of keys and values",
        "MLA": "Keys and values are kept as one short compressed vector a token",
    }.get(str(target.value))
    return f"{sentence}{_cache_beside(before, after)}." if sentence else ""


def _kv_heads(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    kv_heads, heads = number(target), number(after.fact("heads"))
    if kv_heads is None or heads is None:
        return ""
    kind = after.fact("attention")
    if kind is not None and kind.value == "MLA":
        return f"Keys and values of all {int(heads):,} heads come out of one compressed vector."
    if kv_heads < heads:
        plural, verb = ("s", "shared") if kv_heads > 1 else ("", "is shared")
        sentence = f"{int(kv_heads):,} KV head{plural} {verb} by {int(heads):,} query heads"
    else:
        sentence = f"Each of the {int(heads):,} query heads has keys and values of its own"
    return f"{sentence}{_cache_beside(before, after)}."


def _cache_beside(before: Architecture, after: Architecture) -> str:
    """How the KV cache changed for all reasons together, where both sides' is known."""
    both = [number(one.fact("kv_cache_bytes_per_token")) for one in (before, after)]
    if both[0] is None or both[1] is None:
        return ""
    if both[0] == both[1]:
        return "; the KV cache of a token is as large as the base's"
    return f"; all in all the KV cache of a token is {times(both[0], both[1])}"


def _vocabulary(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both, width = positive_numbers(base, target), number(after.fact("hidden_size"))
    if both is None:
        return ""
    more = abs(int(both[1] - both[0]))
    sentence = f"{more:,} {'more' if both[1] > both[0] else 'fewer'} tokens to choose from"
    if width is None:
        return sentence + "."
    tied = after.fact("tied_head")
    matrices = 2 if tied is not None and tied.value is False else 1
    cost = int(both[1] * width) * matrices
    where = "the embedding holds" if matrices == 1 else "embedding and head hold"
    return f"{sentence}, and {where} {short_count(cost)} parameters."


def _context(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both = positive_numbers(base, target)
    if both is None:
        return ""
    sentence = f"The longest text is {times(*both, 'long longer shorter')}"
    cache = number(after.fact("kv_cache_bytes"))
    if cache is None:
        return sentence + "."
    return f"{sentence}; filled to the end, the KV cache takes {format_bytes(int(cache))}."


def _rope_scaling(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    if target.value == "none":
        return "Positions turn at their plain rates, not stretched to a longer context."
    context = after.fact("context")
    which = "Slow" if str(target.value).startswith(("llama3", "yarn")) else "All"
    sentence = f"{which} rotations are stretched ({target.value})"
    if base.value != "none":
        return f"{sentence} instead of {base.value}."
    if context is not None:
        return f"{sentence}; the longest text is of {context.text}."
    return f"{sentence}, so that positions reach further than in the first training."


def _rope_theta(base: Fact, target: Fact, *_: Architecture) -> str:
    both = positive_numbers(base, target)
    if both is None:
        return ""
    turns = "more slowly: far positions stay apart, which suits a longer context"
    if both[1] < both[0]:
        turns = "faster: near positions are told apart more sharply"
    return f"With θ at {target.text} instead of {base.text}, the rotations turn {turns}."


def _cap(base: Fact, target: Fact, *_: Architecture) -> str:
    return f"Scores are bent so that none passes {target.text}, instead of {base.text}."


def _memory(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both, size = positive_numbers(base, target), number(target)
    if both is None or size is None:
        return ""
    sentence = f"By estimate it needs {format_bytes(int(size))}"
    lengths = {_estimated_text(one) for one in (before, after)}
    if len(lengths) > 1:
        return f"{sentence}, the base {format_bytes(int(both[0]))}, for texts of different lengths."
    return f"{sentence}: {times(*both, 'much more less')} memory."


def _estimated_text(architecture: Architecture) -> int:
    """For a text of how many tokens the memory is estimated."""
    context = number(architecture.fact("context"))
    return min(ESTIMATE_TOKENS, int(context)) if context is not None else ESTIMATE_TOKENS


def _intermediate(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both, width = positive_numbers(base, target), number(after.fact("hidden_size"))
    if both is None:
        return ""
    room = f", {ratio_text(both[1] / width)} times the model's width" if width else ""
    return f"The MLP's inner layer is {times(*both, 'wide wider narrower')}{room}."


def _parameters(base: Fact, target: Fact, *_: Architecture) -> str:
    both = positive_numbers(base, target)
    if both is None:
        return ""
    difference = abs(int(both[1] - both[0]))
    word = "more" if both[1] > both[0] else "fewer"
    return f"{short_count(difference)} {word} parameters: {times(*both, 'many more fewer')}."


def _types(base: Fact, target: Fact, *_: Architecture) -> str:
    kinds = [STORED_TYPES.get(str(fact.value)) for fact in (base, target)]
    before, after = kinds
    if before is None or after is None or not before.resolution_pct or not after.resolution_pct:
        return ""
    sentence = f"{after.name} steps by {after.resolution_pct:.2g} % of a value, {before.name} by "
    sentence += f"{before.resolution_pct:.2g} %: between the two no change below the larger step "
    sentence += "can be told from rounding"
    if before.bits == after.bits:
        return sentence + "."
    return f"{sentence}; a parameter takes {after.bits // 8} bytes instead of {before.bits // 8}."


def _part(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    whole = number(before.fact("parameters")), number(after.fact("parameters"))
    both = positive_numbers(base, target)
    if both is None or whole[0] is None or whole[1] is None:
        return ""
    shares = format_share(both[0], whole[0]), format_share(both[1], whole[1])
    if shares[0] == shares[1]:
        return ""
    return f"Of all parameters {shares[1]}, in the base {shares[0]}."


_COUNT = "many more fewer"
_LENGTH = "long longer shorter"
_WIDTH = "wide wider narrower"

_MEANINGS: dict[str, Meaning] = {
    "layers": _layers,
    "hidden_size": compared("Each token travels as a vector that is {times}.", _LENGTH),
    "intermediate_size": _intermediate,
    "heads": compared("{times} things that attention can look for at once.", _COUNT),
    "kv_heads": _kv_heads,
    "kv_latent": compared("The vector that keys and values come out of is {times}.", _LENGTH),
    "head_dim": compared("Each head compares queries and keys that are {times}.", _LENGTH),
    "attention": _attention,
    "sliding_window": compared("Sliding layers look back over a window that is {times}.", _LENGTH),
    "sliding_layers": lambda base, target, *_: (
        f"Of the layers, {target.text} look back over the window only, in the base {base.text}."
    ),
    "qkv_bias": bias("queries, keys and values"),
    "o_bias": bias("the attention's output"),
    "mlp_bias": bias("the MLP's matrix products"),
    "qk_norm": by_value(
        {
            "none": "Queries and keys are compared as they are, without a norm.",
            "one per head": "Each head's queries and keys are normed, which keeps scores in range.",
            "over all heads together": "All heads' queries (and keys) are normed as one vector.",
        }
    ),
    "norm": by_value(
        {
            "RMSNorm": "Vectors are only scaled to unit size; their mean is not subtracted.",
            "RMSNorm, scaled by 1 + weight": "Vectors are only scaled to unit size, then by 1 + "
            "weight: a stored 0 leaves them as they are.",
            "LayerNorm": "Vectors are centred as well as scaled to unit size.",
            "LayerNorm without parameters": "Vectors are centred and scaled to unit size, with "
            "nothing learned.",
            "RMSNorm without parameters": "Vectors are scaled to unit size, with nothing learned.",
        }
    ),
    "norm_eps": lambda base, target, *_: (
        f"{target.text} instead of {base.text} keeps the norm from dividing by zero: felt only "
        "where a vector is nearly zero."
    ),
    "norm_placement": by_value(
        {
            "before each sublayer": "Each sublayer reads a normed copy; the stream itself grows.",
            "after each sublayer": "Each sublayer reads the raw stream; what it adds is normed.",
            "after each addition": "The stream itself is normed after each sublayer.",
            "before and after each sublayer": "Both what a sublayer reads and what it adds is "
            "normed.",
        }
    ),
    "position": by_value(
        {
            "RoPE": "Positions turn queries and keys, so attention sees distances between tokens.",
            "learned": "Each position has a learned vector, so no position beyond the last exists.",
            "ALiBi": "Attention fades with distance by a fixed slope a head, with nothing learned.",
            "relative": "Attention adds a learned number for each range of distance.",
            "none": "Positions are not told to the attention at all.",
        }
    ),
    "rope_theta": _rope_theta,
    "rope_theta_sliding": _rope_theta,
    "rope_scaling": _rope_scaling,
    "rope_share": compared("The part of each head that positions turn is {times}."),
    "attention_softcap": _cap,
    "logit_softcap": _cap,
    "activation": lambda base, target, *_: (
        f"The MLP bends its features by {target.text} instead of {base.text}."
    ),
    "mlp": by_value(
        {
            "SwiGLU": "The MLP has a gate: three matrices, and a smooth SiLU decides what passes.",
            "GeGLU": "The MLP has a gate: three matrices, and a smooth GELU decides what passes.",
            "plain GELU": "The MLP has two matrices with a GELU between them, and no gate.",
            "plain ReLU": "The MLP has two matrices with a ReLU between them, and no gate.",
        }
    ),
    "experts": compared("{times} experts to choose from in each such layer.", _COUNT),
    "expert_layers": compared("{times} layers choose among experts.", _COUNT),
    "experts_per_token": compared("{times} experts work on one token.", _COUNT),
    "expert_size": compared("Each expert's inner layer is {times}.", _WIDTH),
    "shared_expert": compared("The expert that sees every token is {times}.", _WIDTH),
    "vocabulary": _vocabulary,
    "context": _context,
    "tied_head": by_value(
        {
            True: "The embedding serves as the head too: one large matrix is stored once.",
            False: "The head is a matrix of its own, free to differ from the embedding.",
        }
    ),
    "stored_types": _types,
    "parameters": _parameters,
    "parameters_active": compared("{times} parameters work on one token.", _COUNT),
    **{f"parameters_{part}": _part for part in PARTS},
    "checkpoint_bytes": compared("The files are {times}."),
    "kv_cache_bytes_per_token": compared("The memory that each token of context takes is {times}."),
    "kv_cache_bytes": compared("Filled to the end of the context, the KV cache is {times}."),
    "memory_bytes": _memory,
}
