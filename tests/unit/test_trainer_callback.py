"""The Trainer's callback: each saved checkpoint is diffed, and nothing of it ends a training."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import modeldiff
from modeldiff.errors import MissingExtra
from modeldiff.integrations import ChangeCallback
from tests.support import faulty_pairs
from tests.support.faulty_pairs import moved, tensors, write
from tests.support.results import cache_at


@pytest.fixture(autouse=True)
def results(tmp_path: Path) -> Iterator[Path]:
    with cache_at(tmp_path / "cache") as folder:
        yield folder


class Training:
    """Saves checkpoints as the Trainer does, and tells the callback."""

    def __init__(self, folder: Path, callback: ChangeCallback, loaded_from: str = "") -> None:
        self.folder, self.callback = folder, callback
        model = SimpleNamespace(config=SimpleNamespace(_name_or_path=loaded_from))
        callback.on_train_begin(SimpleNamespace(output_dir=folder), None, None, model=model)

    def save(self, step: int, share: float, *, main_process: bool = True) -> str:
        path = write(self.folder / f"checkpoint-{step}", moved(tensors(), share))
        self.tell(step, main_process=main_process)
        return path

    def tell(self, step: int, *, main_process: bool = True) -> None:
        state = SimpleNamespace(global_step=step, is_world_process_zero=main_process)
        self.callback.on_save(SimpleNamespace(output_dir=self.folder), state, None, model=None)


class TestWhatIsCompared:
    def test_with_what_the_model_was_loaded_from(self, tmp_path: Path) -> None:
        callback = ChangeCallback(against="both", by_layer=True)
        base = write(tmp_path / "base", tensors())
        training = Training(tmp_path / "out", callback, loaded_from=base)
        first, second = training.save(10, 0.1), training.save(20, 0.2)
        assert [
            (each.step, each.against, each.base, each.checkpoint) for each in callback.history
        ] == [
            (10, "initial", base, first),
            (20, "initial", base, second),
            (20, "previous", first, second),
        ]
        medians = [
            each.metrics[f"modeldiff/{each.against}/median_pct"] for each in callback.history
        ]
        assert medians == pytest.approx([10, 20, 100 * 0.1 / 1.1], rel=0.02)
        for each in callback.history:
            table = modeldiff.diff(each.base, each.checkpoint)
            assert table.whole is not None
            name = f"modeldiff/{each.against}/rel_frobenius_pct"
            assert each.metrics[name] == table.whole.rel_frobenius_pct
            assert f"modeldiff/{each.against}/layers.2/rel_frobenius_pct" in each.metrics
            assert each.metrics[f"modeldiff/{each.against}/coverage_pct"] == 100

    @pytest.mark.parametrize("loaded_from", ["", "/no/such/folder"])
    def test_else_with_the_first_one_saved(self, loaded_from: str, tmp_path: Path) -> None:
        callback = ChangeCallback()
        training = Training(tmp_path / "out", callback, loaded_from)
        first = training.save(1, 0.0)
        training.save(2, 0.1)
        training.save(3, 0.2)
        assert [(each.step, each.base) for each in callback.history] == [(2, first), (3, first)]

    def test_on_the_main_process_alone(self, tmp_path: Path) -> None:
        callback = ChangeCallback(write(tmp_path / "base", tensors()))
        Training(tmp_path / "out", callback).save(1, 0.1, main_process=False)
        assert callback.history == []


def test_what_cannot_be_read_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    callback = ChangeCallback(write(tmp_path / "base", tensors()))
    training = Training(tmp_path / "out", callback)
    with caplog.at_level(logging.WARNING):
        training.tell(1)
    assert "What changed up to step 1 can't be told" in caplog.text
    training.save(2, 0.1)
    assert [each.step for each in callback.history] == [2]


class TestTrackers:
    def test_take_the_numbers_where_a_run_is_going(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wandb, mlflow = ModuleType("wandb"), ModuleType("mlflow")
        logged: list[Any] = []
        wandb.__dict__.update(run=object(), log=lambda numbers: logged.append(("wandb", numbers)))
        mlflow.__dict__.update(
            active_run=object,
            log_metrics=lambda numbers, step: logged.append((f"mlflow {step}", numbers)),
        )
        monkeypatch.setitem(sys.modules, "wandb", wandb)
        monkeypatch.setitem(sys.modules, "mlflow", mlflow)
        callback = ChangeCallback(write(tmp_path / "base", tensors()))
        training = Training(tmp_path / "out", callback)
        training.save(5, 0.1)
        metrics = dict(callback.history[0].metrics)
        assert logged == [("wandb", {**metrics, "train/global_step": 5}), ("mlflow 5", metrics)]
        wandb.__dict__.update(run=None)
        mlflow.__dict__.update(active_run=lambda: None)
        training.save(6, 0.1)
        assert len(logged) == 2 and len(callback.history) == 2

    def test_are_never_imported(self, tmp_path: Path) -> None:
        Training(tmp_path, ChangeCallback(write(tmp_path / "base", tensors()))).save(5, 0.1)
        assert not {"wandb", "mlflow"} & set(sys.modules)


def test_without_transformers_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeldiff.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="transformers"):
        from modeldiff.integrations import ChangeCallback as _  # noqa: F401


@pytest.mark.skipif(find_spec("accelerate") is None, reason="the Trainer needs accelerate")
def test_a_real_training(tmp_path: Path) -> None:
    import torch
    from transformers import LlamaForCausalLM, Trainer, TrainingArguments

    base = write(tmp_path / "base", faulty_pairs.whole_model())
    model = LlamaForCausalLM.from_pretrained(base)
    tokens = [{"input_ids": torch.arange(8), "labels": torch.arange(8)} for _ in range(8)]
    callback = ChangeCallback(against="both")
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=4,
        save_steps=2,
        per_device_train_batch_size=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    Trainer(model=model, args=arguments, train_dataset=tokens, callbacks=[callback]).train()
    assert [(each.step, each.against) for each in callback.history] == [
        *((2, "initial"), (4, "initial"), (4, "previous"))
    ]
    assert callback.history[0].base == base
    for each in callback.history:
        assert each.metrics[f"modeldiff/{each.against}/unchanged_pct"] < 100
