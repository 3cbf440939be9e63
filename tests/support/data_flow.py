"""What reads what in a model of transformers, traced on the meta device: shapes and no numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.support.saved_models import TINY

Reads = Mapping[str, frozenset[str]]
"""For each module with parameters of its own, by its path, those whose outputs reach its input
without passing another. A parameter beside a module's children goes by its own path."""


class _Flow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows through every operation where its inputs came from."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sources: dict[int, frozenset[str]] = {}
        self._alive: list[torch.Tensor] = []

    def mark(self, value: object, sources: frozenset[str]) -> None:
        for tensor in _tensors(value):
            # Kept, so that no other gets its storage.
            self._alive.append(tensor)
            self.sources[_storage(tensor)] = sources

    def of(self, value: object) -> frozenset[str]:
        found = (self.sources.get(_storage(tensor), frozenset()) for tensor in _tensors(value))
        return frozenset().union(*found)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        came = self.of((args, kwargs))
        for tensor in _tensors(made):
            self.mark(tensor, came | self.of(tensor))
        return made


def traced_reads(name: str) -> tuple[Mapping[str, Any], Reads]:
    """The config of a tiny model of ``TINY``, and what its modules read in one forward pass."""
    kind = TINY[name]
    config = getattr(transformers, kind.config)(**kind.options)
    config._attn_implementation = "eager"
    # The default looks at which experts were chosen, and there are no numbers to look at.
    config._experts_implementation = "batched_mm"
    with torch.device("meta"):
        model = getattr(transformers, kind.model)(config).eval()
    flow = _Flow()
    reads: dict[str, frozenset[str]] = {}

    def hook(path: str, module: torch.nn.Module) -> None:
        def before(_module: object, args: object, kwargs: object) -> None:
            reads[path] = reads.get(path, frozenset()) | flow.of((args, kwargs))

        def after(_module: object, _args: object, output: object) -> None:
            flow.mark(output, frozenset({path}))

        module.register_forward_pre_hook(before, with_kwargs=True)
        module.register_forward_hook(after)

    for path, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if own and not list(module.children() if not _experts(path) else ()):
            hook(path, module)
        elif own:
            for parameter, tensor in own.items():
                flow.mark(tensor, frozenset({f"{path}.{parameter}"}))
    ids = torch.zeros((1, 5), dtype=torch.long, device="meta")
    # Without a mask decoders look at the positions' numbers, with one the others look at its own.
    causal = "CausalLM" in kind.model or "LMHead" in kind.model
    given = {"attention_mask": torch.ones_like(ids), "use_cache": False} if causal else {}
    if config.is_encoder_decoder:
        given["decoder_input_ids"] = ids
    with flow, torch.no_grad():
        model(input_ids=ids, **given)
    return {**config.to_dict(), "architectures": [kind.model]}, reads


def _experts(path: str) -> bool:
    """Whether a module is a layer's experts, which compute together whatever they hold inside."""
    return path.endswith(".experts")


def _storage(tensor: torch.Tensor) -> int:
    """What a tensor has in common with its views: what is written into one is in all."""
    return int(tensor.untyped_storage()._cdata)


def _tensors(value: object) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))
