"""Wrappers' words and base classes' names in stored names change nothing but the names."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from types import FrameType
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.architectures import Architecture, Place, understand
from modeldiff.architectures.naming.layer_lists import NOT_LAYERED, is_list_word, layer_starts
from modeldiff.architectures.naming.plain_names import plain_names
from modeldiff.changes import pair
from modeldiff.checkpoints.checkpoint import Checkpoint
from modeldiff.checkpoints.config_only.catalog import catalog_config
from tests.support.named_shapes import checkpoint, llama_shapes, tiny, tiny_names
from tests.support.saved_models import TINY

Rename = Callable[[str], str]


def before(prefix: str) -> Rename:
    return lambda name: prefix + name


def in_layers(word: str) -> Rename:
    """As if every layer were wrapped by itself."""
    return lambda name: re.sub(r"\.(\d+)\.", rf".\1.{word}.", name, count=1)


def at_parameters(word: str) -> Rename:
    """As if every module with parameters were wrapped by itself."""
    return lambda name: re.sub(r"\.(weight|bias)$", rf".{word}.\1", name)


WRAPPERS: Mapping[str, Rename] = {
    "torch.compile": before("_orig_mod."),
    "a compiled layer": in_layers("_orig_mod"),
    "DistributedDataParallel": before("module."),
    "FSDP": before("_fsdp_wrapped_module."),
    "FSDP, by layer": in_layers("_fsdp_wrapped_module"),
    "checkpointed activations": in_layers("_checkpoint_wrapped_module"),
    "PEFT": before("base_model.model."),
    "PEFT's adapted modules": at_parameters("base_layer"),
    "PEFT's trained copies": at_parameters("modules_to_save.default"),
    "TRL's value head": before("pretrained_model."),
    "a policy": before("policy."),
    "Qwen-Omni's thinker": before("thinker."),
    "MiniCPM-V": before("llm."),
    "a state dict in a dict": before("state_dict."),
    "a language model among others": before("language_model."),
    "a model in a model": before("model."),
    "a class of one's own": before("student_net."),
}


def places(architecture: Architecture) -> list[tuple[Place, str, bool]]:
    return [(p.place, p.role, p.transposed) for p in architecture.parameters]


def named(name: str, rename: Rename, config: Mapping[str, Any] | None) -> Architecture:
    tensors = {rename(tensor.name): tensor for tensor in tiny(name).tensors}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    return understand(checkpoint(shapes, config, dtypes=dtypes))


@pytest.mark.parametrize("name", tiny_names())
def test_a_wrapped_model_has_the_places_of_the_bare_one(name: str) -> None:
    for config in (tiny(name).config, None):
        bare = named(name, str, config)
        for wrapper, rename in WRAPPERS.items():
            wrapped = named(name, rename, config)
            assert wrapped.family == bare.family, wrapper
            assert places(wrapped) == places(bare), wrapper


@settings(max_examples=60)
@given(st.sampled_from(tiny_names()), st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=4))
def test_wrappers_combine(name: str, wrappers: list[str]) -> None:
    def rename(stored: str) -> str:
        for wrapper in wrappers:
            stored = WRAPPERS[wrapper](stored)
        return stored

    config = tiny(name).config
    assert places(named(name, rename, config)) == places(named(name, str, config))


def with_eyes(name: str) -> tuple[dict[str, tuple[int, ...]], Mapping[str, Any]]:
    """The names and shapes of a tiny model that looks at pictures, and its config."""
    model = TINY[name]
    config = getattr(transformers, model.config)(**json.loads(json.dumps(model.options)))
    with torch.device("meta"):
        built = getattr(transformers, model.model)(config)
    return {n: tuple(t.shape) for n, t in built.state_dict().items()}, config.to_dict()


@pytest.mark.parametrize("name", ["qwen2_vl", "llava", "mistral3", "mllama"])
def test_what_looks_beside_a_model_is_found_under_any_wrapper(name: str) -> None:
    shapes, config = with_eyes(name)
    bare = places(understand(checkpoint(shapes, config)))
    assert any(place.tower.startswith("vision") for place, *_ in bare)
    for wrapper, rename in WRAPPERS.items():
        if wrapper == "a language model among others":
            continue  # then the eyes would be a part of it
        wrapped = {rename(stored): shape for stored, shape in shapes.items()}
        assert places(understand(checkpoint(wrapped, config))) == bare, wrapper


@pytest.mark.parametrize(
    ("text", "eyes", "head"),
    [
        ("model.", "visual.", "lm_head."),
        ("model.language_model.", "model.visual.", "lm_head."),
        ("language_model.model.", "vision_tower.", "language_model.lm_head."),
    ],
    ids=["before 4.52", "since", "MLX"],
)
def test_three_ways_to_save_one_vision_language_model(text: str, eyes: str, head: str) -> None:
    shapes, config = with_eyes("qwen2_vl")
    renamed = {}
    for name, shape in shapes.items():
        name = re.sub(r"^model\.language_model\.", text, name)
        name = re.sub(r"^model\.visual\.", eyes, name)
        renamed[re.sub(r"^lm_head\.", head, name)] = shape
    saved = understand(checkpoint(shapes, config))
    assert places(understand(checkpoint(renamed, config))) == places(saved)


ENCODERS = {
    "Bert": ("ForMaskedLM", "ForSequenceClassification", "ForPreTraining"),
    "Roberta": ("ForMaskedLM", "ForSequenceClassification"),
    "Electra": ("ForPreTraining", "ForTokenClassification"),
    "DistilBert": ("ForMaskedLM", "ForQuestionAnswering"),
    "DebertaV2": ("ForMaskedLM", "ForSequenceClassification"),
    "Albert": ("ForMaskedLM", "ForQuestionAnswering"),
    "MPNet": ("ForMaskedLM", "ForSequenceClassification"),
    "Splinter": ("ForQuestionAnswering",),
    "Esm": ("ForSequenceClassification",),
}
SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "embedding_size": 32,
}


@pytest.mark.parametrize("family", ENCODERS)
def test_a_backbone_pairs_whole_with_the_same_model_under_a_head(family: str) -> None:
    small = {"dim": 32, "n_layers": 2, "n_heads": 4} if family == "DistilBert" else SMALL
    config = getattr(transformers, f"{family}Config")(**small)

    def built(suffix: str) -> Architecture:
        with torch.device("meta"):
            model = getattr(transformers, family + suffix)(config)
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        return understand(checkpoint(shapes, config.to_dict()))

    bare = built("Model")
    for head in ENCODERS[family]:
        headed = built(head)
        rows = pair(bare, headed)
        # A pooler is left out of models that do not pool; all else is in both.
        missing = [row.place for row in rows if row.status == "only_in_base"]
        assert all("pooler" in place.component for place in missing), head
        for row in rows:
            if row.base is not None and row.target is not None and row.status != "tied":
                assert row.target.name.endswith(row.base.name)
        assert sum(row.status == "compared" for row in rows) > 20


@pytest.mark.parametrize("reverse", [False, True])
def test_what_would_be_one_place_stays_two_and_says_so(reverse: bool) -> None:
    head = "base_model.model.lm_head"
    shapes = {
        f"{head}.original_module.weight": (8, 4),
        f"{head}.modules_to_save.default.weight": (8, 4),
        "base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight": (4, 4),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight": (2, 4),
        "base_model.model.model.layers.0.self_attn.k_proj.weight": (4, 4),
    }
    names = sorted(shapes, reverse=reverse)
    architecture = understand(
        checkpoint({name: shapes[name] for name in names}, {"model_type": "llama"})
    )
    found = {p.tensor.name: p for p in architecture.parameters}
    used, frozen = found[f"{head}.modules_to_save.default.weight"], found[names_of(head)]
    assert used.place == Place(None, "lm_head") and used.reason == ""
    assert frozen.place != used.place and used.tensor.name in frozen.reason
    adapted = found["base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight"]
    assert adapted.place == Place(0, "self_attn.q_proj")
    assert "adapter" in adapted.reason
    assert len({p.place for p in architecture.parameters}) == len(shapes)
    plain = understand(checkpoint(llama_shapes(catalog_config("llama-3.2-1b"))))
    [row] = [r for r in pair(plain, architecture) if r.place == adapted.place]
    assert row.reason == f"target: {adapted.reason}"


def names_of(head: str) -> str:
    return f"{head}.original_module.weight"


SEGMENTS = st.sampled_from(["model", "module", "a", "layers", "0", "1", "weight"])


@given(st.lists(st.lists(SEGMENTS, min_size=1, max_size=6).map(".".join), unique=True))
def test_two_names_stay_two(names: list[str]) -> None:
    plain = plain_names(tuple(names)).plain
    assert len(set(plain)) == len(plain) == len(names)
    assert all(plain)


@pytest.mark.parametrize(
    "module",
    [
        "vision_tower.merger.mlp",
        "multi_modal_projector",
        "classifier",
        "value_head.net",
        "resampler.ff",
    ],
)
def test_a_number_in_a_small_module_is_no_layer(module: str) -> None:
    steps = {f"{module}.{n}.{p}": (4, 4) for n in (0, 2) for p in ("weight", "bias")}
    llama = llama_shapes({**catalog_config("llama-3.2-1b"), "num_hidden_layers": 2})
    for beside in ({}, llama):
        architecture = understand(checkpoint({**beside, **steps}))
        found = {p.tensor.name: p.place for p in architecture.parameters}
        assert {found[name].layer for name in steps} == {None}
        assert len({found[name] for name in steps}) == len(steps)
        assert architecture.layer_count == (2 if beside else 0)


def made_up(count: int) -> dict[str, list[str]]:
    every, pairs = range(count), [(n, k) for n in range(count // 2) for k in (0, 1)]
    return {
        "all different": [f"m{n}.x{n * 7}.weight" for n in every],
        "a stack a layer": [f"s{n}.layers.{k}.w.weight" for n, k in pairs],
        "stacks by their members": [f"s{n}.{k}.a.w.weight" for n, k in pairs],
        "wrapped anyhow": ["module." * (n % 5) + "model." * (n % 7) + f"n{n // 35}" for n in every],
        "one below the other": ["a." * (n % 20) + f"layers.{n // 20}.w.weight" for n in every],
        "scaled": [f"l.{n}.w.{('weight', 'weight_scale')[k]}" for n, k in pairs],
    }


def lines_run(source: Checkpoint) -> int:
    """How many lines of Python it takes to understand names, each turn of a loop counted."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        understand(source)
    finally:
        sys.settrace(former)
    return count


@pytest.mark.parametrize("kind", made_up(2))
def test_twice_as_many_names_take_twice_as_many_steps(kind: str) -> None:
    steps = []
    for count in (640, 1_280, 2_560):
        names = made_up(count)[kind]
        dtypes = {name: "F8_E4M3" for name in names if name.endswith("w.weight")}
        steps.append(lines_run(checkpoint(dict.fromkeys(names, (2, 2)), dtypes=dtypes)))
    # Only so many names are looked up in the families: that part is the same each time.
    assert steps[2] - steps[1] < 2.2 * (steps[1] - steps[0])


_NAME = st.lists(
    st.sampled_from(["layers", "attn", "experts", "expert_layers", "w", "0", "1", "2", "10000"]),
    min_size=1,
    max_size=7,
).map(".".join)


@given(st.lists(_NAME, unique=True, max_size=12))
def test_the_layer_is_the_first_number_that_counts_a_list(names: list[str]) -> None:
    """As every number of every name is looked at, whatever stands before it."""
    numbers = {
        (name, match.start()): (name[: match.start()], match[1], name[match.end() + 1 :])
        for name in names
        for match in islice(re.finditer(r"\.([0-9]{1,4})(?=\.)", name), 4)
    }
    values: dict[tuple[str, str], set[str]] = {}
    for parent, value, rest in numbers.values():
        values.setdefault((parent, rest), set()).add(value)
    lists = {
        parent
        for parent, _, rest in numbers.values()
        if is_list_word(parent.rpartition(".")[2])
        or ("." in rest and not rest[0].isdigit() and len(values[parent, rest]) > 1)
    }
    for name, found in zip(names, layer_starts(names), strict=True):
        expected = NOT_LAYERED
        for start in (start for of, start in numbers if of == name):
            parent = name[:start]
            if "expert" in parent.rpartition(".")[2]:
                break
            if parent in lists:
                expected = start
                break
        assert found == expected
