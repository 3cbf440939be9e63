"""Base's tensors as ``merge_and_unload`` of PEFT would leave them, described and not computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import NoReturn

import numpy as np

from modeldiff.checkpoints.adapters.base_names import BaseNames
from modeldiff.checkpoints.adapters.config import AdapterConfig
from modeldiff.checkpoints.adapters.patterns import Patterns
from modeldiff.checkpoints.adapters.single_experts import expert_shares
from modeldiff.checkpoints.adapters.stored_parts import ModuleParts, StoredParts
from modeldiff.checkpoints.formats.adapters import MERGE_IT
from modeldiff.checkpoints.formats.tied_heads import is_embedding, is_head
from modeldiff.checkpoints.recipes.adapted.low_rank import MOST_HELD, Factor, LowRankUpdate
from modeldiff.checkpoints.recipes.adapted.trained_whole import AddedVector, ReplacedRows, Rounded
from modeldiff.checkpoints.recipes.floats import COMPUTED
from modeldiff.checkpoints.tensor import TensorInfo
from modeldiff.errors import DamagedCheckpoint, UnsupportedFormat
from modeldiff.text.quoting import quoted

_OTHER_BASE = "Give the base that it was trained on: BASE + ADAPTER."


class Merging:
    """Puts an adapter's parts onto base's ``tensors``, one after the other.

    ``where`` names the adapter in messages. ``updated`` are the names of what a low-rank update
    was put on, ``ranks`` those of the updates, ``modules`` the names of the modules updated.
    """

    def __init__(self, tensors: Iterable[TensorInfo], config: AdapterConfig, where: str) -> None:
        self._merged = {tensor.name: tensor for tensor in tensors}
        self._names = BaseNames(self._merged.values())
        self._config, self._where = config, where
        self._alphas = Patterns(config.alpha_pattern, where)
        self._embedding = next(filter(is_embedding, self._merged), "")
        self._tied = bool(self._embedding) and not any(map(is_head, self._merged))
        self.updated: list[str] = []
        self.ranks: set[int] = set()
        self.modules: list[str] = []

    def merge(self, parts: StoredParts) -> tuple[TensorInfo, ...]:
        """Base's tensors in their order, updated, then those that the adapter alone has.

        Raises ``UnsupportedFormat`` where the adapter is another base's, or cannot be merged, and
        ``DamagedCheckpoint`` where its parts do not fit each other.
        """
        for name, tensor in parts.whole.items():
            self._replace(name, tensor)
        self._turned = self._mostly_turned(parts.modules)
        for module in _in_order(parts.modules):
            self._put_on(module)
        return tuple(self._merged.values())

    def _replace(self, name: str, tensor: TensorInfo) -> None:
        """A tensor that was trained whole, or a copy of base's that was stored beside."""
        base = self._names.find(name)
        trained = any(name.rpartition(".")[0].endswith(module) for module in self._config.saved)
        if base is None and self._tied and is_head(name) and not trained:
            return  # the embedding again, which a tied model has no second of
        if base is None:
            self._merged[name] = replace(tensor, name=name)
            return
        if base.recipe is not None or tensor.values == base.values:
            own = replace(tensor, name=base.name)
        else:
            self._require_computed(base)
            self._require_computed(tensor)
            recipe = Rounded(tensor, base.values)
            own = TensorInfo.made(base.name, tensor.shape, base.values, recipe)
        self._merged[base.name] = own

    def _put_on(self, module: ModuleParts) -> None:
        if "trainable_tokens_delta" in module.tensors:
            self._replace_rows(module)
            return
        factors = module.factors()
        if factors is None:
            self._damaged(f"{quoted(module.module)} has one factor alone of an update")
        for factor in factors:
            self._require_computed(factor)
        if self._put_on_experts(module, factors):
            return
        base = self._weight_of(module, factors)
        if len(base.shape) == 3:
            recipe = self._of_stack(module, base, factors)
        elif len(base.shape) == 2 and all(len(each.shape) == 2 for each in factors):
            recipe = self._of_matrix(module, base, factors)
        else:
            raise UnsupportedFormat(
                f"{self._where} updates {quoted(base.name)} of shape {list(base.shape)}: updates "
                "of convolutions are not read.",
                hint=MERGE_IT,
            )
        self._update(base, recipe)
        self.modules.append(module.module)
        if (bias := module.tensors.get("lora_B.bias")) is not None:
            self._add_bias(module, bias, recipe.scale)

    def _update(self, base: TensorInfo, recipe: LowRankUpdate) -> None:
        if max(recipe.rows.tensor.elements, recipe.columns.tensor.elements) > MOST_HELD:
            raise UnsupportedFormat(
                f"{self._where}: the update of {quoted(base.name)} has rank {recipe.rank}, which "
                "is more than is read into memory.",
                hint=MERGE_IT,
            )
        self._merged[base.name] = TensorInfo.made(base.name, base.shape, base.values, recipe)
        self.updated.append(base.name)
        self.ranks.add(recipe.rank)

    def _put_on_experts(self, module: ModuleParts, factors: tuple[TensorInfo, TensorInfo]) -> bool:
        """Put the update of a stack of experts onto those that base stores one by one; whether it
        does, and the factors fit one of the parameters that the config lists."""
        parameters = [*dict.fromkeys(name.rpartition(".")[2] for name in self._config.parameters)]
        try:
            fitting = list(expert_shares(self._names, module.module, parameters, factors))
        except ValueError:
            return False
        if len(fitting) != 1:
            return False
        ((parameter, shares),) = fitting
        alpha = self._alphas.value(f"{module.module}.{parameter}")
        for share in shares:
            base = self._merged[share.base.name]
            self._require_computed(base)
            scale = self._config.scale(alpha, share.rows.rank)
            recipe = LowRankUpdate(
                base, share.rows, share.columns, scale, turned=share.turned, rounds_update=True
            )
            self._update(base, recipe)
        self.modules.append(f"{module.module}.{parameter}")
        return True

    def _weight_of(self, module: ModuleParts, factors: tuple[TensorInfo, TensorInfo]) -> TensorInfo:
        """What is updated, as it is by now: base's weight, or one of the parameters that the config
        lists."""
        found = self._names.find(f"{module.module}.weight")
        if found is None and self._tied and is_head(f"{module.module}.weight"):
            found = self._names.find(self._embedding)
        if found is None:
            found = self._parameter_of(module, factors)
        if found is None and self._names.find(f"{module.module}.0.down_proj.weight"):
            raise UnsupportedFormat(
                f"{self._where} updates all experts of {quoted(module.module)} in one matrix, "
                "which does not fit those that the base stores one by one.",
                hint=MERGE_IT,
            )
        if found is None:
            raise UnsupportedFormat(
                f"{self._where} updates {quoted(module.module)}, which the base does not have.",
                hint=_OTHER_BASE,
            )
        base = self._merged[found.name]
        self._require_computed(base)
        return base

    def _parameter_of(
        self, module: ModuleParts, factors: tuple[TensorInfo, TensorInfo]
    ) -> TensorInfo | None:
        """Of the module's parameters that are updated directly, the one that the factors fit; of
        several, PEFT wraps the first in the innermost."""
        own = dict.fromkeys(each.rpartition(".")[2] for each in self._config.parameters)
        there = [self._names.find(f"{module.module}.{name}") for name in own]
        fitting = [
            tensor
            for tensor in there
            if tensor is not None
            and len(tensor.shape) in (2, 3)
            and sorted(tensor.shape[-2:]) == sorted((factors[0].shape[-1], factors[1].shape[0]))
        ]
        return fitting[0] if len(fitting) == 1 else None

    def _of_matrix(
        self, module: ModuleParts, base: TensorInfo, factors: tuple[TensorInfo, TensorInfo]
    ) -> LowRankUpdate:
        a, b = factors
        rank, inputs, outputs = a.shape[0], a.shape[1], b.shape[0]
        if not rank or b.shape[1] != rank:
            self._damaged(f"the factors of {quoted(module.module)} do not fit each other")
        turned = self._is_turned(module, base)
        if base.shape != ((inputs, outputs) if turned else (outputs, inputs)):
            self._require_other_base(module, base, (outputs, inputs))
        direct = not base.name.endswith(".weight")
        key = f"{module.module}.{base.name.rpartition('.')[2]}" if direct else module.module
        scale = self._config.scale(self._alphas.value(key), rank)
        inner, outer = Factor(a, rank, 1, across=False), Factor(b, rank, 1, across=True)
        magnitude = module.tensors.get("lora_magnitude_vector")
        if magnitude is not None and magnitude.elements != outputs:
            self._damaged(f"the magnitudes of {quoted(module.module)} do not fit its factors")
        return LowRankUpdate(
            base=base,
            rows=inner if turned else outer,
            columns=outer if turned else inner,
            scale=scale,
            magnitude=magnitude,
            turned=turned,
            rounds_update=magnitude is None and (module.of_embedding or direct),
        )

    def _of_stack(
        self, module: ModuleParts, base: TensorInfo, factors: tuple[TensorInfo, TensorInfo]
    ) -> LowRankUpdate:
        """The update of each matrix of a stack of experts."""
        a, b = factors
        parts = base.shape[0]
        stacked, inputs, outputs = a.shape[0], a.shape[-1], b.shape[0]
        if len(a.shape) != 2 or b.shape != (outputs, stacked) or not stacked or stacked % parts:
            self._damaged(f"the factors of {quoted(module.module)} do not fit each other")
        turned = base.shape[1:] == (inputs, outputs) and (inputs != outputs or self._turned)
        if base.shape[1:] != ((inputs, outputs) if turned else (outputs, inputs)):
            self._require_other_base(module, base, (outputs, inputs))
        rank = stacked // parts
        key = f"{module.module}.{base.name.rpartition('.')[2]}"
        inner, outer = Factor(a, rank, parts, across=False), Factor(b, rank, parts, across=True)
        return LowRankUpdate(
            base=base,
            rows=inner if turned else outer,
            columns=outer if turned else inner,
            scale=self._config.scale(self._alphas.value(key), rank),
            turned=turned,
            rounds_update=True,
        )

    def _is_turned(self, module: ModuleParts, base: TensorInfo) -> bool:
        """Whether base stores the matrix as [in, out]: an embedding; else by the shapes, and of a
        square one by those of the others."""
        factors = module.factors()
        assert factors is not None
        if module.of_embedding:
            return True
        inputs, outputs = factors[0].shape[-1], factors[1].shape[0]
        if inputs == outputs:
            return self._turned and not is_head(base.name)
        return base.shape == (inputs, outputs)

    def _mostly_turned(self, modules: Iterable[ModuleParts]) -> bool:
        """Whether the matrices of the layers that are no squares are stored as [in, out]; where
        there is none, what the config says."""
        votes = 0
        for module in modules:
            factors, base = module.factors(), self._names.find(f"{module.module}.weight")
            if base is None or factors is None or module.of_embedding or is_head(base.name):
                continue
            inputs, outputs = factors[0].shape[-1:], factors[1].shape[:1]
            if inputs != outputs and len(base.shape) == 2:
                votes += 1 if base.shape == inputs + outputs else -1
        return votes > 0 if votes else self._config.turned

    def _add_bias(self, module: ModuleParts, bias: TensorInfo, scale: float) -> None:
        found = self._names.find(f"{module.module}.bias")
        if found is None:
            raise UnsupportedFormat(
                f"{self._where} updates the bias of {quoted(module.module)}, which the base does "
                "not have, so it cannot be merged.",
                hint=_OTHER_BASE,
            )
        base = self._merged[found.name]
        self._require_computed(base)
        self._require_computed(bias)
        if base.shape != bias.shape:
            self._require_other_base(module, base, bias.shape)
        recipe = AddedVector(base, bias, scale)
        self._merged[base.name] = TensorInfo.made(base.name, base.shape, base.values, recipe)

    def _replace_rows(self, module: ModuleParts) -> None:
        rows = module.tensors["trainable_tokens_delta"]
        found = self._names.find(f"{module.module}.weight")
        if found is None and self._tied and is_head(f"{module.module}.weight"):
            found = self._names.find(self._embedding)
        if found is None:
            raise UnsupportedFormat(
                f"{self._where} has rows of {quoted(module.module)}, which the base does not have.",
                hint=_OTHER_BASE,
            )
        base = self._merged[found.name]
        self._require_computed(base)
        self._require_computed(rows)
        numbers = self._row_numbers(module.module)
        if len(rows.shape) != 2 or rows.shape[0] != len(numbers):
            self._damaged(f"{quoted(module.module)} has other rows than its config lists")
        if len(base.shape) != 2 or rows.shape[1] != base.shape[1] or max(numbers) >= base.shape[0]:
            self._require_other_base(module, base, rows.shape)
        recipe = ReplacedRows(base, rows, np.array(numbers, np.int64).tobytes())
        self._merged[base.name] = TensorInfo.made(base.name, base.shape, base.values, recipe)
        self.modules.append(module.module)

    def _row_numbers(self, module: str) -> tuple[int, ...]:
        """The rows that were trained, by the module's name in the config. A tied head's are the
        embedding's."""
        tokens = self._config.tokens
        fitting = [key for key in tokens if not key or module == key or module.endswith(f".{key}")]
        if not fitting and len(tokens) == 1:
            fitting = list(tokens)
        numbers = tokens[max(fitting, key=len)] if fitting else ()
        if not numbers:
            self._damaged(f"no config says which rows those of {quoted(module)} are")
        return numbers

    def _require_computed(self, tensor: TensorInfo) -> None:
        if tensor.values not in COMPUTED or not prod(tensor.shape):
            raise UnsupportedFormat(
                f"{self._where}: {quoted(tensor.name)} holds {tensor.values}, shape "
                f"{list(tensor.shape)}: an adapter is merged into floats of 16 bits and more.",
                hint="Give a base that is not quantised: BASE + ADAPTER.",
            )

    def _require_other_base(
        self, module: ModuleParts, base: TensorInfo, shape: tuple[int, ...]
    ) -> NoReturn:
        raise UnsupportedFormat(
            f"{self._where} does not fit the base: of {quoted(module.module)} it has "
            f"{list(shape)}, and the base's {quoted(base.name)} is {list(base.shape)}.",
            hint=_OTHER_BASE,
        )

    def _damaged(self, what: str) -> NoReturn:
        raise DamagedCheckpoint(
            f"{self._where}: {what}.",
            hint="Copy it again, or save the adapter with PEFT anew.",
        )


def _in_order(modules: Iterable[ModuleParts]) -> list[ModuleParts]:
    """In the order in which PEFT merges what shares a weight: an embedding before its tied head."""
    return sorted(modules, key=lambda module: is_head(f"{module.module}.weight"))
