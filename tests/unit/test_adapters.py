"""An adapter and its base are what PEFT's ``merge_and_unload`` makes of them, bit for bit where
torch adds up products in the same order, and a comparison says so."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modeldiff.architectures import Place
from modeldiff.changes import SingularValues, measure_singular_values
from modeldiff.checkpoints import Checkpoint, open_checkpoint, parse_reference
from modeldiff.cli import main
from modeldiff.comparison import Comparison
from modeldiff.errors import (
    CheckpointError,
    CheckpointNotFound,
    DamagedCheckpoint,
    InvalidReference,
    NoWeights,
    UnsupportedFormat,
)
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.model import Model
from modeldiff.results import run_diff
from modeldiff.settings.table import ROOTS
from tests.support.adapters import (
    merged,
    merged_model,
    part_values,
    values_of,
    write_adapter,
    write_base,
)

PARAMETERS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("llama", {"target_modules": ["q_proj", "v_proj", "down_proj"]}),
    "rslora": ("llama", {"target_modules": ["q_proj"], "use_rslora": True}),
    "patterns": (
        "llama",
        {
            "target_modules": ["q_proj", "v_proj"],
            "rank_pattern": {"layers.1.self_attn.q_proj": 16},
            "alpha_pattern": {"v_proj": 64, r"^model\.layers\.\d+\.self_attn.q_proj": 7},
        },
    ),
    "modules to save": ("llama", {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    "a tied head saved": ("tied", {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    "an embedding": ("llama", {"target_modules": ["embed_tokens", "q_proj"]}),
    "a tied embedding": ("tied", {"target_modules": ["embed_tokens", "q_proj"]}),
    "a head": ("llama", {"target_modules": ["lm_head"]}),
    "a tied head": ("tied", {"target_modules": ["lm_head"]}),
    "biases": ("qwen2", {"target_modules": ["q_proj"], "bias": "all"}),
    "biases of LoRA": ("qwen2", {"target_modules": ["q_proj"], "lora_bias": True}),
    "tokens": ("llama", {"target_modules": ["q_proj"], "trainable_token_indices": [3, 9]}),
    "tokens, tied": ("tied", {"target_modules": ["q_proj"], "trainable_token_indices": [95]}),
    "stored turned": ("gpt2", {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
    "turned and not": ("gpt2", {"target_modules": ["c_attn", "c_proj", "lm_head"]}),
    "experts": ("experts", {"target_modules": ["q_proj"], "target_parameters": PARAMETERS}),
    "experts, turned": ("turned_experts", {"target_modules": [], "target_parameters": PARAMETERS}),
}
DORA: dict[str, tuple[str, dict[str, Any]]] = {
    "matrices": ("llama", {"target_modules": ["q_proj", "up_proj"]}),
    "an embedding": ("llama", {"target_modules": ["embed_tokens"]}),
    "stored turned": ("gpt2", {"target_modules": ["c_attn"], "fan_in_fan_out": True}),
}
Q = Place(0, "self_attn.q_proj")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A base by its name, written once."""
    folder = tmp_path_factory.mktemp("bases")

    def of(name: str) -> Path:
        return folder / name if (folder / name).exists() else write_base(name, folder / name)

    return of


@pytest.fixture(scope="module")
def plain(base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain adapter on the Llama."""
    return write_adapter(
        base("llama"), tmp_path_factory.mktemp("adapters") / "plain", **VARIANTS["plain"][1]
    )


@pytest.fixture
def own(plain: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    return shutil.copytree(plain, tmp_path / "own")


def with_config(adapter: Path, **entries: Any) -> Path:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))
    return adapter


def narrative_of(one: str | Path, other: str | Path) -> Narrative:
    return narrate(run_diff(Comparison.open(str(one), str(other)), device="cpu").changes)


def refused(reference: str | Path, kind: type[CheckpointError]) -> str:
    with pytest.raises(kind) as caught:
        open_checkpoint(str(reference))
    assert caught.value.hint
    return f"{caught.value.message} {caught.value.hint}"


def assert_merged(own: Any, tensor: Any, key: str) -> None:
    """That these are one matrix, but for what another order of float32 sums leaves: it is torch's,
    and the processor's. Of the 16-bit types a rounding in thousands may fall the other way."""
    if tensor.dtype == torch.float32:
        torch.testing.assert_close(own, tensor, rtol=0, atol=2**-22 * float(tensor.abs().max()))
        return
    different = own.view(torch.int16) != tensor.view(torch.int16)
    assert int(different.sum()) <= max(1e-3 * tensor.numel(), 1), key
    torch.testing.assert_close(own, tensor, rtol=2**-7, atol=0)


def expect_merged(checkpoint: Checkpoint, truth: dict[str, torch.Tensor]) -> None:
    """All tensors are those of ``truth``, as ``assert_merged`` has it."""
    assert set(checkpoint) == set(truth)
    for key, tensor in truth.items():
        assert_merged(values_of(checkpoint, key, tensor.dtype), tensor, key)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_what_merging_gives_but_for_the_order_of_sums(
    variant: str, base: Callable[[str], Path], tmp_path: Path
) -> None:
    name, config = VARIANTS[variant]
    adapter = write_adapter(base(name), tmp_path / "adapter", **config)
    checkpoint = open_checkpoint(str(adapter))
    expect_merged(checkpoint, merged(base(name), adapter))
    assert any(tensor.recipe is not None for tensor in checkpoint.tensors)


def one_by_one(tensors: dict[str, Any]) -> dict[str, Any]:
    """Stacks of experts as most files store them."""
    single = {}
    for name, tensor in tensors.items():
        stem, _, last = name.rpartition(".")
        parts = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}.get(last)
        if parts is None or tensor.dim() != 3:
            single[name] = tensor
            continue
        for expert, matrix in enumerate(tensor):
            for part, rows in zip(parts, matrix.chunk(len(parts)), strict=True):
                single[f"{stem}.{expert}.{part}.weight"] = rows.contiguous()
    return single


def test_experts_that_the_base_stores_one_by_one(
    base: Callable[[str], Path], tmp_path: Path
) -> None:
    """PEFT updates the stacks that transformers makes of them; most files have no stacks."""
    adapter = write_adapter(base("experts"), tmp_path / "adapter", **VARIANTS["experts"][1])
    single = shutil.copytree(base("experts"), tmp_path / "single")
    save_file(one_by_one(load_file(single / "model.safetensors")), single / "model.safetensors")
    truth = one_by_one(merged(base("experts"), adapter))
    checkpoint = open_checkpoint(f"{single} + {adapter}")
    expect_merged(checkpoint, truth)
    assert checkpoint.adapter is not None
    assert checkpoint.adapter.updated == 2 * (1 + 4 * 3)
    assert {"gate_up_proj", "down_proj", "q_proj"} == set(checkpoint.adapter.targets)
    fewer = {n: t for n, t in load_file(single / "model.safetensors").items() if ".3." not in n}
    save_file(fewer, single / "model.safetensors")
    assert "one by one" in refused(f"{single} + {adapter}", UnsupportedFormat)


@pytest.mark.parametrize("variant", DORA)
def test_with_magnitudes_a_norm_may_be_summed_otherwise(
    variant: str, base: Callable[[str], Path], tmp_path: Path
) -> None:
    name, config = DORA[variant]
    adapter = write_adapter(base(name), tmp_path / "adapter", use_dora=True, **config)
    checkpoint = open_checkpoint(str(adapter))
    assert checkpoint.adapter is not None and checkpoint.adapter.words == "DoRA, rank 8"
    expect_merged(checkpoint, merged(base(name), adapter))


@pytest.mark.parametrize("kind", [torch.float16, torch.float32])
def test_other_types_of_base(kind: torch.dtype, tmp_path: Path) -> None:
    base = write_base("llama", tmp_path / "base", kind)
    adapter = write_adapter(base, tmp_path / "adapter", kind, target_modules=["k_proj"])
    expect_merged(open_checkpoint(str(adapter)), merged(base, adapter, kind))


def test_a_resized_vocabulary_comes_with_the_adapter(
    base: Callable[[str], Path], own: Path
) -> None:
    """PEFT stores a copy of a resized embedding beside the factors: another base's."""
    file = own / "adapter_model.safetensors"
    larger = torch.randn(99, 64, dtype=torch.bfloat16)
    copy = {"base_model.model.model.embed_tokens.base_layer.weight": larger}
    save_file({**load_file(file), **copy}, file)
    checkpoint = open_checkpoint(str(own))
    assert torch.equal(values_of(checkpoint, "model.embed_tokens.weight"), larger)


def test_a_file_of_pytorch(plain: Path, own: Path) -> None:
    file = own / "adapter_model.safetensors"
    torch.save(load_file(file), own / "adapter_model.bin")
    file.unlink()
    name = "model.layers.1.mlp.down_proj.weight"
    one, other = (open_checkpoint(str(each)) for each in (plain, own))
    assert torch.equal(values_of(one, name), values_of(other, name))


class TestReferences:
    def test_alone_and_with_its_base_are_the_same(
        self, base: Callable[[str], Path], plain: Path
    ) -> None:
        text = f"{base('llama')} + {plain}"
        alone, both = open_checkpoint(str(plain)), open_checkpoint(text)
        assert alone.fingerprint == both.fingerprint
        assert alone.fingerprint != open_checkpoint(str(base("llama"))).fingerprint
        assert both.reference.text == text and parse_reference(text) == both.reference
        assert both.adapter is not None
        assert (both.adapter.words, both.adapter.updated) == ("LoRA, rank 8", 6)
        facts = {fact.key: fact.text for fact in Model.of(both).architecture.facts}
        assert facts["adapter"] == "LoRA, rank 8" and facts["adapter_base"] == "llama"
        assert facts["adapter_targets"] == "down_proj, q_proj, v_proj (6 tensors)"
        assert Model.of(both).name == "llama + plain"

    def test_the_base_that_changes_is_noticed(
        self, base: Callable[[str], Path], own: Path, tmp_path: Path
    ) -> None:
        copy = shutil.copytree(base("llama"), tmp_path / "copy")
        model = Model.open(str(with_config(own, base_model_name_or_path=str(copy))))
        assert model.reopened() is model
        (copy / "config.json").write_text("{}")
        assert model.reopened() is not model

    def test_a_base_that_is_not_there_is_asked_for(self, own: Path) -> None:
        for stale in ("/home/somebody/llama", "", "llama", "s3://bucket/llama", "./llama"):
            said = refused(with_config(own, base_model_name_or_path=stale), CheckpointNotFound)
            assert re.search(r"BASE \+ \S*own, with", said) and "%2B" in said

    def test_on_a_server_a_config_opens_nothing_that_a_user_could_not(
        self, base: Callable[[str], Path], own: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(ROOTS.name, str(own.parent))
        monkeypatch.chdir(base("llama").parent)
        for text in (str(base("llama")), str(base("llama").parent / "nothing")):
            with_config(own, base_model_name_or_path=text)
            assert "outside the folders" in refused(own, CheckpointNotFound)
        with_config(own, base_model_name_or_path="llama")
        assert str(base("llama").parent) not in refused(own, CheckpointNotFound)
        with pytest.raises(InvalidReference, match="outside the folders"):
            open_checkpoint(f"{base('llama')} + {own}")

    def test_an_adapter_is_no_base(self, plain: Path, own: Path) -> None:
        assert "no model itself" in refused(f"{plain} + {own}", UnsupportedFormat)
        with_config(own, base_model_name_or_path=str(own))
        assert "no model itself" in refused(own, UnsupportedFormat)
        with pytest.raises(InvalidReference, match="one at a time"):
            parse_reference(f"{plain} + {plain} + {own}")

    def test_a_model_is_no_adapter(self, base: Callable[[str], Path], plain: Path) -> None:
        llama = base("llama")
        assert "adapter_config.json" in refused(f"{llama} + {llama}", NoWeights)
        assert "no weights" in refused(f"catalog:llama-3-8b + {plain}", NoWeights)

    def test_the_tokenizer_is_the_adapters_where_it_has_one(self, own: Path) -> None:
        model = open_checkpoint(str(own)).adapter
        assert model is not None
        base = Path(model.base.location)
        for name in ("tokenizer.json", "merges.txt"):
            (base / name).write_text("of base")
        try:
            source = open_checkpoint(str(own)).source
            assert source.read_small("tokenizer.json", 99) == b"of base"
            (own / "tokenizer.json").write_text("of the adapter")
            assert source.read_small("tokenizer.json", 99) == b"of the adapter"
            assert not source.has("merges.txt")
            assert source.has("config.json")
        finally:
            for name in ("tokenizer.json", "merges.txt"):
                (base / name).unlink()


class TestWhatIsSaid:
    def test_a_merged_folder_is_that_adapter_on_that_base(
        self, base: Callable[[str], Path], plain: Path, tmp_path: Path
    ) -> None:
        merged_model(base("llama"), plain).save_pretrained(tmp_path / "merged")
        said = narrative_of(plain, tmp_path / "merged")
        assert "are identical" in said.headline
        assert any("target is that base with that adapter merged" in fact for fact in said.facts)

    def test_a_merged_folder_that_is_its_base(
        self, base: Callable[[str], Path], plain: Path, tmp_path: Path
    ) -> None:
        copy = shutil.copytree(base("llama"), tmp_path / "merged")
        assert "are identical" in narrative_of(base("llama"), copy).headline
        said = narrative_of(plain, copy)
        (fact,) = (fact for fact in said.facts if "not merged" in fact)
        assert fact.startswith("6 tensors of target are what base is without its adapter (rank 8")
        assert "mlp.down_proj, self_attn.q_proj and self_attn.v_proj in layers 0–1" in fact
        assert said.likeness[0].startswith("All that moved is the adapter on base (rank 8)")

    def test_base_against_its_adapter(self, base: Callable[[str], Path], plain: Path) -> None:
        said = narrative_of(base("llama"), plain)
        assert said.likeness[0].startswith("All that moved is the adapter on target (rank 8)")
        assert "as when" not in " ".join(said.likeness)

    def test_a_merge_into_something_else_is_not_said_to_be_one(
        self, base: Callable[[str], Path], plain: Path, tmp_path: Path
    ) -> None:
        model = merged_model(base("llama"), plain)
        model.model.layers[0].self_attn.q_proj.weight.data[5, 7] += 1
        model.save_pretrained(tmp_path / "merged")
        said = narrative_of(plain, tmp_path / "merged")
        assert not any("adapter merged" in fact for fact in said.facts)
        assert not any("not merged" in fact for fact in said.facts)

    @pytest.mark.parametrize("scale", [1.0, 2.0**-9], ids=["samples tell", "all elements tell"])
    def test_a_merge_of_which_few_roundings_differ_is_that_merge(
        self, base: Callable[[str], Path], own: Path, tmp_path: Path, scale: float
    ) -> None:
        """As of another library or processor, whose sums have another order."""
        file = own / "adapter_model.safetensors"
        factors = load_file(file)
        save_file({k: v * scale if "lora_B" in k else v for k, v in factors.items()}, file)
        model = merged_model(base("llama"), own)
        bits = model.model.layers[0].self_attn.q_proj.weight.data.view(torch.int16)
        bits.view(-1)[:2] += 1
        model.save_pretrained(tmp_path / "merged")
        said = narrative_of(own, tmp_path / "merged")
        facts = [fact for fact in said.facts if "base's adapter" in fact and "but for" in fact]
        if scale == 1.0:
            assert facts[0].startswith("1 tensor of target is what merging base's adapter (rank 8)")
            assert said.likeness[0].startswith("But for rounding, base's adapter merged into its")
        else:
            assert re.search(r"but for \d+ of [\d,]+ elements \(relative Frobenius", facts[0])
            assert said.likeness[0].startswith("Like base's adapter merged into its base")
        assert "small dense update" not in " ".join((*said.facts, *said.likeness))

    def test_a_sum_in_float32_is_off_by_roundings_alone(
        self, base: Callable[[str], Path], plain: Path, tmp_path: Path
    ) -> None:
        """huggingface/peft#1388: W_merged is not W + BA."""
        file = load_file(plain / "adapter_model.safetensors")
        stem = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
        name = "model.layers.0.self_attn.q_proj.weight"
        weight = load_file(base("llama") / "model.safetensors")[name].float()
        total = weight + 2 * file[f"{stem}B.weight"] @ file[f"{stem}A.weight"]
        own = values_of(open_checkpoint(str(plain)), name).float()
        assert (own - total).abs().max() > 0
        assert ((own - total).abs() <= 2.0**-8 * total.abs() * (1 + 2.0**-8)).all()

    def test_a_tied_model_with_a_head_of_its_own(
        self, base: Callable[[str], Path], tmp_path: Path
    ) -> None:
        _, config = VARIANTS["a tied head saved"]
        adapter = write_adapter(base("tied"), tmp_path / "adapter", **config)
        comparison = Comparison.open(str(base("tied")), str(adapter))
        (head,) = (pair for pair in comparison.pairs if pair.place.component == "lm_head")
        assert head.status == "compared" and "base stores no head" in head.reason
        facts = {fact.key: fact.text for fact in comparison.target.architecture.facts}
        assert "a head of its own" in facts["tied_head"] and "config" in facts["tied_head"]


class TestItsSpectrum:
    def spectrum(self, one: str | Path, other: str | Path) -> SingularValues:
        comparison = Comparison.open(str(one), str(other))
        (pair,) = (pair for pair in comparison.pairs if pair.place == Q)
        return measure_singular_values(pair, *comparison.checkpoints, device="cpu")

    def test_it_is_the_factors_own(self, base: Callable[[str], Path], plain: Path) -> None:
        file = load_file(plain / "adapter_model.safetensors")
        stem = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
        b, a = (file[f"{stem}{each}.weight"].double().numpy() for each in "BA")
        truth = np.linalg.svd(2 * b @ a, compute_uv=False)
        weight = load_file(base("llama") / "model.safetensors")[
            "model.layers.0.self_attn.q_proj.weight"
        ]
        for sides in ((base("llama"), plain), (plain, base("llama"))):
            spectrum = self.spectrum(*sides)
            assert (spectrum.method, spectrum.known_rank, spectrum.fitting_rank) == (
                "factors",
                8,
                8,
            )
            np.testing.assert_allclose(spectrum.values, truth[:8], rtol=1e-9)
        norm = float(weight.double().norm())
        spectrum = self.spectrum(base("llama"), plain)
        assert spectrum.base_energy == pytest.approx(norm**2)
        assert spectrum.energy == pytest.approx(float(np.linalg.norm(2 * b @ a)) ** 2)

    @pytest.mark.parametrize("variant", ["stored turned", "experts"])
    def test_of_parts_of_a_matrix(
        self, variant: str, base: Callable[[str], Path], tmp_path: Path
    ) -> None:
        name, config = VARIANTS[variant]
        adapter = write_adapter(base(name), tmp_path / "adapter", **config)
        comparison = Comparison.open(str(base(name)), str(adapter))
        updated = [
            pair
            for pair in comparison.pairs
            if pair.target and pair.target.recipe and pair.status == "compared"
        ]
        assert updated
        for pair in updated[-3:]:
            spectrum = measure_singular_values(pair, *comparison.checkpoints, device="cpu")
            assert spectrum.known_rank == 8
            assert pair.base is not None and pair.target is not None
            before, after = (
                part_values(each, tensor)
                for each, tensor in zip(
                    comparison.checkpoints, (pair.base, pair.target), strict=True
                )
            )
            measured = np.linalg.svd(after - before, compute_uv=False)
            np.testing.assert_allclose(spectrum.values, measured[:8], rtol=0.02)

    def test_of_another_base_it_is_measured(
        self, base: Callable[[str], Path], plain: Path, tmp_path: Path
    ) -> None:
        copy = shutil.copytree(base("llama"), tmp_path / "copy")
        assert self.spectrum(copy, plain).method == "lapack"

    def test_with_magnitudes_it_is_measured(
        self, base: Callable[[str], Path], tmp_path: Path
    ) -> None:
        adapter = write_adapter(
            base("llama"), tmp_path / "adapter", use_dora=True, target_modules=["q_proj"]
        )
        assert self.spectrum(base("llama"), adapter).known_rank is None


class TestWhatIsRefused:
    @pytest.mark.parametrize("kind", ["ADALORA", "IA3", "LOHA", "VERA", "PREFIX_TUNING", None, 5])
    def test_other_kinds_are_named(self, kind: object, own: Path) -> None:
        said = refused(with_config(own, peft_type=kind), UnsupportedFormat)
        assert "no LoRA" in said and "merge_and_unload" in said
        if isinstance(kind, str):
            assert kind in said

    @pytest.mark.parametrize(
        "entry",
        [
            {"alora_invocation_tokens": [1]},
            {"use_qalora": True},
            {"layer_replication": [[0, 1]]},
            {"init_lora_weights": "pissa_niter_16"},
            {"init_lora_weights": "olora"},
        ],
    )
    def test_variants_that_are_more_than_an_update(self, entry: Any, own: Path) -> None:
        assert "base" in refused(with_config(own, **entry), UnsupportedFormat)

    @pytest.mark.parametrize(
        "entry",
        [
            {"r": 0},
            {"r": "8"},
            {"lora_alpha": None},
            {"lora_alpha": True},
            {"alpha_pattern": {"q_proj": "x"}},
            {"alpha_pattern": [1]},
            {"alpha_pattern": {"q_proj": float("inf")}},
            {"trainable_token_indices": {"embed_tokens": [-1]}},
            {"trainable_token_indices": 7},
            {"modules_to_save": "lm_head"},
            {"target_parameters": ["x"] * 2_000},
        ],
    )
    def test_configs_without_sense(self, entry: Any, own: Path) -> None:
        assert "adapter_config.json" in refused(with_config(own, **entry), DamagedCheckpoint)

    def test_configs_that_are_none(self, own: Path) -> None:
        for raw in (b"[" * 100_000, b"{", b"[]", b"\xff", b"1" * 5_000, b""):
            (own / "adapter_config.json").write_bytes(raw)
            assert "adapter_config.json" in refused(own, DamagedCheckpoint)
        (own / "adapter_config.json").write_bytes(b" " * 6_000_000)
        refused(own, DamagedCheckpoint)

    def test_another_base_is_told_by_names_and_shapes(
        self, base: Callable[[str], Path], plain: Path, own: Path
    ) -> None:
        said = refused(f"{base('gpt2')} + {plain}", UnsupportedFormat)
        assert "which the base does not have" in said and "BASE + ADAPTER" in said
        file = own / "adapter_model.safetensors"
        tensors = load_file(file)
        name = next(name for name in tensors if name.endswith("q_proj.lora_A.weight"))
        save_file({**tensors, name: torch.zeros(8, 63)}, file)
        assert "does not fit the base" in refused(own, UnsupportedFormat)

    def test_parts_that_do_not_fit_each_other(self, own: Path) -> None:
        file = own / "adapter_model.safetensors"
        tensors = load_file(file)
        name = next(name for name in tensors if name.endswith("q_proj.lora_A.weight"))
        save_file({**tensors, name: torch.zeros(9, 64)}, file)
        assert "do not fit each other" in refused(own, DamagedCheckpoint)
        save_file({key: each for key, each in tensors.items() if key != name}, file)
        assert "one factor alone" in refused(own, DamagedCheckpoint)
        save_file({**tensors, name: torch.zeros(8, 64, dtype=torch.int8)}, file)
        assert "I8" in refused(own, UnsupportedFormat)
        file.unlink()
        assert "neither adapter_model.safetensors nor" in refused(own, NoWeights)


def test_from_the_command_line(
    base: Callable[[str], Path], plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(plain)]) == 0
    assert "LoRA, rank 8" in capsys.readouterr().out
    assert main(["diff", str(base("llama")), f"{base('llama')} + {plain}"]) == 0
    out = capsys.readouterr().out
    assert "All that moved is the adapter on target (rank 8)" in out
    assert "llama + " in out
