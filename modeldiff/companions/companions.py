"""All companions of two checkpoints, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from modeldiff.architectures.understand import understand
from modeldiff.checkpoints import Checkpoint
from modeldiff.companions.card import ModelCard, read_card
from modeldiff.companions.chat.rendering import RenderedPair, render_both
from modeldiff.companions.chat.template import ChatTemplate, read_chat_template
from modeldiff.companions.entries import EntriesPair, pair_entries
from modeldiff.companions.tokenizer.encoding import SAMPLES, Encoding, encode
from modeldiff.companions.tokenizer.tokenizer import TokenizerPair, compare_tokenizers
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.wanted import require_wanted


@dataclass(frozen=True)
class Companions:
    """What lies beside the weights of base and target and changes how a model behaves.

    ``tokenizer`` are both tokenizers, ``encodings`` the sample texts as both cut them (none where
    they are one file, or one of them can't be run). ``templates`` are both chat templates,
    ``renderings`` the same conversations as both write them. ``config`` and ``generation`` are the
    entries of both configs, ``cards`` both cards.
    """

    tokenizer: TokenizerPair
    encodings: tuple[tuple[Encoding, Encoding], ...]
    templates: tuple[ChatTemplate, ChatTemplate]
    renderings: tuple[RenderedPair, ...]
    config: EntriesPair
    generation: EntriesPair
    cards: tuple[ModelCard, ModelCard]


def compare_companions(base: Checkpoint, target: Checkpoint) -> Companions:
    """The companions of both checkpoints, compared. Files of some megabytes are read; templates
    and tokenizers are run in a process of their own.

    Raises nothing for what the files hold, nor where one can't be read: the values say so; but
    ``Cancelled`` once nobody waits for it any more.
    """
    tokenizer = compare_tokenizers(base, target)
    require_wanted()
    templates = read_chat_template(base), read_chat_template(target)
    config, generation = pair_entries(understand(base).entries, understand(target).entries)
    special = tokenizer.base.special, tokenizer.target.special
    differ = not tokenizer.same_file and tokenizer.base.is_whole and tokenizer.target.is_whole
    return Companions(
        tokenizer,
        encode_both((base, target), tokenizer, tuple(SAMPLES.values())) if differ else (),
        templates,
        render_both(*templates, special),
        config,
        generation,
        (read_card(base), read_card(target)),
    )


def encode_both(
    checkpoints: tuple[Checkpoint, Checkpoint], tokenizer: TokenizerPair, texts: Sequence[str]
) -> tuple[tuple[Encoding, Encoding], ...]:
    """The ``texts`` as both sides' tokenizers cut them."""
    tokenizers = tokenizer.base, tokenizer.target
    if tokenizer.same_file:
        before = after = encode(checkpoints[0], tokenizer.base, texts)
    else:
        # At the same time: each is a process of its own, which mostly reads its vocabulary.
        with ThreadPoolExecutor(2) as both:
            before, after = both.map(encode, checkpoints, tokenizers, (texts, texts))
    return tuple(zip(before, after, strict=True))
