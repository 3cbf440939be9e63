"""Tensors that an index lists and no file need hold: transformers loads the model without them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from modeldiff.checkpoints.formats.config_json import CONFIG_NAME, MAX_CONFIG_BYTES, parse_config
from modeldiff.checkpoints.source import Source
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import CheckpointError
from modeldiff.text.quoting import listed

_HEADS = re.compile(r"(.+\.)?(lm_head|embed_out|output|decoder|embed_tokens)\.(weight|bias)")
"""What transformers' models tie: the head, and an encoder's or decoder's own embedding."""
_HEAD = re.compile(r"(.+\.)?(lm_head|embed_out|output)\.weight")
_IN_LAYER = re.compile(r"\.\d+\.")
_BUFFERS = re.compile(
    r"(.+\.)?(inv_freq|rope\.freqs|position_ids|masked_bias|attn\.bias|attention\.bias)"
)
"""What models compute as they are built."""
_EMBEDDINGS = tuple(
    f"{name}.weight"
    for name in ("embed_tokens", "wte", "word_embeddings", "shared", "embed_in", "tok_embeddings")
)


def may_share_embedding(source: Source) -> bool:
    """Whether the config says that the head is the embedding, or says nothing of it, which means
    so in many families. False where there is no config to say anything."""
    try:
        config, _ = parse_config(source.read_small(CONFIG_NAME, MAX_CONFIG_BYTES))
    except CheckpointError:
        return False
    if config is None:
        return False
    inner = config.get("text_config")
    flags = [
        part["tie_word_embeddings"]
        for part in (config, inner)
        if isinstance(part, Mapping) and "tie_word_embeddings" in part
    ]
    return True in flags or not flags


def needless(lacking: Sequence[str], stored: Collection[str], *, shared: bool) -> list[str]:
    """Those of the ``lacking`` tensors that a model is whole without: buffers and, where heads may
    be ``shared``, those beside an embedding that is among the ``stored``."""
    heads = shared and any(name.endswith(_EMBEDDINGS) for name in stored)
    return [
        name
        for name in lacking
        if _BUFFERS.fullmatch(name)
        or (heads and _HEADS.fullmatch(name) and not _IN_LAYER.search(name))
    ]


def is_embedding(name: str) -> bool:
    """Whether a tensor is called as the embedding of the tokens is."""
    return name.endswith(_EMBEDDINGS)


def is_head(name: str) -> bool:
    """Whether a tensor is called as a head is that may be tied to the embedding."""
    return bool(_HEAD.fullmatch(name)) and not _IN_LAYER.search(name)


def without_aliases(tensors: Iterable[TensorInfo]) -> tuple[tuple[TensorInfo, ...], list[str]]:
    """The tensors in the order of their bytes, without heads that are the embedding's own bytes,
    as safetensors stores a tied model; and the names of these."""
    in_order = sorted(tensors, key=lambda tensor: (tensor.file, tensor.offset, tensor.name))
    places: dict[object, list[str]] = {}
    for tensor in in_order:
        places.setdefault((tensor.shape, tensor.pieces), []).append(tensor.name)
    tied: list[str] = []
    for names in places.values():
        if len(names) > 1:
            spare = needless(names, [tensor.name for tensor in in_order], shared=True)
            tied += spare[: len(names) - 1]
    return tuple(tensor for tensor in in_order if tensor.name not in set(tied)), tied


def tied_warning(tied: Sequence[str]) -> tuple[str, ...]:
    """That the tensors of these names were left out so; nothing where there are none."""
    if not tied:
        return ()
    return (f"Stored as the same bytes as the embedding, so tied to it: {listed(tied)}.",)
