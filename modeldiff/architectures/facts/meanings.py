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
from modeldiff.text.formatting import counted, format_bytes, format_share
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
    return f"{counted(count, f'{word} layer')}: {int(both[1]):,} instead of {int(both[0]):,}."


def _attention(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    sentence = {
        "MHA": "Every query head has its own keys and values",
        "GQA": "Groups of query heads share their keys and values",
        "MQA": "All query heads share one set of keys and values",
        "MLA": "Keys and values are cached as one compressed vector per token",
    }.get(str(target.value))
    return f"{sentence}{_cache_beside(before, after)}." if sentence else ""


def _kv_heads(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    kv_heads, heads = number(target), number(after.fact("heads"))
    if kv_heads is None or heads is None:
        return ""
    kind = after.fact("attention")
    if kind is not None and kind.value == "MLA":
        return (
            f"Keys and values of all {int(heads):,} heads are computed from one compressed vector."
        )
    if kv_heads < heads:
        plural, verb = ("s", "shared") if kv_heads > 1 else ("", "is shared")
        sentence = f"{int(kv_heads):,} KV head{plural} {verb} by {int(heads):,} query heads"
    else:
        sentence = f"Each of the {int(heads):,} query heads has its own keys and values"
    return f"{sentence}{_cache_beside(before, after)}."


def _cache_beside(before: Architecture, after: Architecture) -> str:
    """How the KV cache changed for all reasons together, where both sides' is known."""
    both = [number(one.fact("kv_cache_bytes_per_token")) for one in (before, after)]
    if both[0] is None or both[1] is None:
        return ""
    if both[0] == both[1]:
        return "; the KV cache per token stays the same"
    return f"; in all, the KV cache per token is {times(both[0], both[1])}"


def _vocabulary(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both, width = positive_numbers(base, target), number(after.fact("hidden_size"))
    if both is None:
        return ""
    more = abs(int(both[1] - both[0]))
    sentence = f"{more:,} {'more' if both[1] > both[0] else 'fewer'} tokens"
    if width is None:
        return sentence + "."
    tied = after.fact("tied_head")
    matrices = 2 if tied is not None and tied.value is False else 1
    cost = int(both[1] * width) * matrices
    where = "the embedding holds" if matrices == 1 else "embedding and head hold"
    return f"{sentence}; {where} {short_count(cost)} parameters."


def _context(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both = positive_numbers(base, target)
    if both is None:
        return ""
    sentence = f"The context is {times(*both, 'long longer shorter')}"
    cache = number(after.fact("kv_cache_bytes"))
    if cache is None:
        return sentence + "."
    return f"{sentence}; when full, its KV cache takes {format_bytes(int(cache))}."


def _rope_scaling(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    if target.value == "none":
        return "Rotations keep their original frequencies; the context is not stretched."
    context = after.fact("context")
    which = "Low" if str(target.value).startswith(("llama3", "yarn")) else "All"
    sentence = f"{which} frequencies are scaled down ({target.value})"
    if base.value != "none":
        return f"{sentence} instead of {base.value}."
    if context is not None:
        return f"{sentence}; the context is {context.text}."
    return f"{sentence}, to reach positions beyond the original training."


def _rope_theta(base: Fact, target: Fact, *_: Architecture) -> str:
    both = positive_numbers(base, target)
    if both is None:
        return ""
    turns = "slower: distant positions stay distinct, which suits a longer context"
    if both[1] < both[0]:
        turns = "faster: near positions are told apart more sharply"
    return f"With θ at {target.text} instead of {base.text}, rotations are {turns}."


def _cap(base: Fact, target: Fact, *_: Architecture) -> str:
    return f"Scores are soft-capped at {target.text} instead of {base.text}."


def _memory(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both, size = positive_numbers(base, target), number(target)
    if both is None or size is None:
        return ""
    sentence = f"An estimated {format_bytes(int(size))}"
    ours, theirs = map(_estimated_text, (before, after))
    if ours != theirs:
        return (
            f"{sentence} with a text of {theirs:,} tokens, the base {format_bytes(int(both[0]))} "
            f"with one of {ours:,}."
        )
    # The estimate's only text: what writes nothing token by token keeps none.
    if any(one.fact("kv_cache_bytes_per_token") for one in (before, after)):
        sentence += f" with a text of {theirs:,} tokens"
    return f"{sentence}: {times(*both, 'much more less')} memory."


def _estimated_text(architecture: Architecture) -> int:
    """For a text of how many tokens the memory is estimated."""
    context = number(architecture.fact("context"))
    return min(ESTIMATE_TOKENS, int(context)) if context is not None else ESTIMATE_TOKENS


def _intermediate(base: Fact, target: Fact, before: Architecture, after: Architecture) -> str:
    both, width = positive_numbers(base, target), number(after.fact("hidden_size"))
    if both is None:
        return ""
    room = f", {ratio_text(both[1] / width)} times the hidden size" if width else ""
    return f"The MLP's hidden layer is {times(*both, 'wide wider narrower')}{room}."


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
    sentence = f"{after.name} resolves {after.resolution_pct:.2g} % of a value, {before.name} "
    sentence += f"{before.resolution_pct:.2g} %: a change below the coarser step can't be told "
    sentence += "from rounding"
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
    return f"{shares[1]} of all parameters, in the base {shares[0]}."


_COUNT = "many more fewer"
_LENGTH = "long longer shorter"
_WIDTH = "wide wider narrower"

_MEANINGS: dict[str, Meaning] = {
    "layers": _layers,
    "hidden_size": compared("Each token's vector is {times}.", _LENGTH),
    "intermediate_size": _intermediate,
    "heads": compared("{times} heads attend in parallel.", _COUNT),
    "kv_heads": _kv_heads,
    "kv_latent": compared("The compressed vector of keys and values is {times}.", _LENGTH),
    "head_dim": compared("Each head's queries and keys are {times}.", _LENGTH),
    "attention": _attention,
    "sliding_window": compared("The window of sliding-window layers is {times}.", _LENGTH),
    "sliding_layers": lambda base, target, *_: (
        f"Layers that attend within the window only: {target.text}, in the base {base.text}."
    ),
    "qkv_bias": lambda _base, target, *_: (
        f"A learned offset is added to {target.text.removeprefix('on ')}."
        if target.value
        else "No bias on queries, keys or values."
    ),
    "o_bias": bias("Attention outputs"),
    "mlp_bias": bias("The MLP's matrices"),
    "qk_norm": by_value(
        {
            "none": "Queries and keys are not normalised.",
            "one per head": "Each head's queries and keys are normalised, to keep scores in range.",
            "over all heads together": "All heads' queries (and keys) are normalised together.",
        }
    ),
    "norm": by_value(
        {
            "RMSNorm": "Vectors are scaled to unit size; the mean is not subtracted.",
            "RMSNorm, scaled by 1 + weight": "Vectors are scaled to unit size, then by 1 + weight: "
            "a stored 0 leaves them as they are.",
            "LayerNorm": "Vectors are centred as well as scaled to unit size.",
            "LayerNorm without parameters": "Vectors are centred and scaled to unit size, with "
            "nothing learned.",
            "RMSNorm without parameters": "Vectors are scaled to unit size, with nothing learned.",
        }
    ),
    "norm_eps": lambda base, target, *_: (
        f"{target.text} instead of {base.text}: matters only where a vector is nearly zero."
    ),
    "norm_placement": by_value(
        {
            "before each sublayer": "Each sublayer reads a normalised copy of the stream.",
            "after each sublayer": "Each sublayer reads the raw stream; its output is normalised.",
            "after each addition": "The stream itself is normalised after each sublayer.",
            "before and after each sublayer": "A sublayer's input and its output are both "
            "normalised.",
        }
    ),
    "position": by_value(
        {
            "RoPE": "Queries and keys are rotated by position, so attention sees distances.",
            "learned": "Each position has a learned vector; there are none beyond the last.",
            "ALiBi": "Scores fall with distance by a fixed slope per head; nothing is learned.",
            "relative": "A learned bias is added to the scores for each range of distances.",
            "none": "Attention gets no positions.",
        }
    ),
    "rope_theta": _rope_theta,
    "rope_theta_sliding": _rope_theta,
    "rope_scaling": _rope_scaling,
    "rope_share": compared("The rotated part of each head is {times}."),
    "attention_softcap": _cap,
    "logit_softcap": _cap,
    "activation": lambda base, target, *_: (
        f"The MLP's activation is {target.text} instead of {base.text}."
    ),
    "mlp": by_value(
        {
            "SwiGLU": "The MLP is gated: three matrices, with a SiLU on the gate.",
            "GeGLU": "The MLP is gated: three matrices, with a GELU on the gate.",
            "plain GELU": "The MLP is two matrices with a GELU between them, and no gate.",
            "plain ReLU": "The MLP is two matrices with a ReLU between them, and no gate.",
        }
    ),
    "experts": compared("{times} experts per MoE layer.", _COUNT),
    "expert_layers": compared("{times} MoE layers.", _COUNT),
    "experts_per_token": compared("{times} experts per token.", _COUNT),
    "expert_size": compared("Each expert's hidden layer is {times}.", _WIDTH),
    "shared_expert": compared("The shared expert's hidden layer is {times}.", _WIDTH),
    "vocabulary": _vocabulary,
    "context": _context,
    "tied_head": by_value(
        {
            True: "The head is tied to the embedding: one matrix, stored once.",
            False: "The head is a matrix of its own.",
        }
    ),
    "stored_types": _types,
    "parameters": _parameters,
    "parameters_active": compared("{times} parameters are active per token.", _COUNT),
    **{f"parameters_{part}": _part for part in PARTS},
    "checkpoint_bytes": compared("The files are {times}."),
    "kv_cache_bytes_per_token": compared("The KV cache per token is {times}."),
    "kv_cache_bytes": compared("With the context full, the KV cache is {times}."),
    "memory_bytes": _memory,
}
