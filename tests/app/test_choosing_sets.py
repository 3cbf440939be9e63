"""Where a reference names several things, the app offers them, and lists a repository's steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from tests.app.conftest import OpenPage, chosen_text, words
from tests.support.gguf_files import llama_tensors, write_gguf
from tests.support.local_hub import LocalHub
from tests.support.planted import llama_values
from tests.support.small_models import write_llama


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """owner/name with weights of two names and of two revisions."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    with LocalHub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        content = (write_llama(tmp_path / "llama") / "model.safetensors").read_bytes()
        for label in ("", "@step1000", "@step200"):
            folder = hub.root / "owner" / f"name{label}"
            folder.mkdir(parents=True)
            for name in ("raw.safetensors", "ema.safetensors"):
                (folder / name).write_bytes(content)
        yield hub


def test_sets_of_weights_are_offered_as_buttons(
    hub: LocalHub, open_page: OpenPage, tmp_path: Path
) -> None:
    app = open_page("compare", base="owner/name@step200", target=str(tmp_path / "llama"))
    assert "several sets of weights" in words(app)
    offered = [b for b in app.button if str(b.key).startswith("base_choice_")]
    assert [button.label for button in offered] == ["ema", "raw"]
    offered[1].click()
    app.run()
    assert not app.exception and not app.error
    assert chosen_text(app, "Base") == "owner/name@step200:raw"


def test_quantisations_of_a_repository_are_offered(
    hub: LocalHub, open_page: OpenPage, tmp_path: Path
) -> None:
    values = llama_values(layers=2)
    converted = llama_tensors({n: v.astype(np.float32) for n, v in values.items()}, 1, 1)
    heads = {"attention.head_count": 1, "attention.head_count_kv": 1}
    folder = hub.root / "owner" / "llama-GGUF"
    folder.mkdir()
    for kind in ("Q8_0", "Q4_0"):
        write_gguf(folder / f"llama-{kind}.gguf", "llama", converted, kind, heads)
    app = open_page("compare", base=str(tmp_path / "llama"), target="owner/llama-GGUF")
    assert "several sets of weights" in words(app)
    offered = [b for b in app.button if str(b.key).startswith("target_choice_")]
    assert [button.label.replace("\\", "") for button in offered] == ["Q4_0", "Q8_0"]
    offered[1].click()
    app.run()
    assert not app.exception and not app.error
    assert chosen_text(app, "Target") == "owner/llama-GGUF:Q8_0"


def test_a_repositorys_revisions_are_listed_by_number(
    hub: LocalHub, open_page: OpenPage, tmp_path: Path
) -> None:
    llama = str(tmp_path / "llama")
    app = open_page("compare", base=llama, target=llama)
    app.text_input(key="hub_search").input("name")
    app.run()
    app.selectbox(key="hub_model").select("owner/name")
    app.run()
    assert not any("/refs" in request.path for request in hub.requests)
    app.toggle(key="hub_revisions").set_value(True)
    app.run()
    box = app.selectbox(key="hub_revision")
    assert box.options == ["step200", "step1000"]
    box.select("step1000")
    app.run()
    app.button(key="revision_as_base").click()
    app.run()
    assert chosen_text(app, "Base") == "owner/name@step1000"


def test_weights_are_read_at_the_hub_where_that_is_asked_for(
    hub: LocalHub, open_page: OpenPage, tmp_path: Path
) -> None:
    query = {"base": "owner/name:raw", "target": "owner/name@step200:ema"}
    downloaded = open_page("compare", **query)
    assert "downloaded first" in str(downloaded.get("button")) + words(downloaded)
    streamed = open_page("compare", **query, stream="1")
    assert not streamed.error
    assert next(box.value for box in streamed.checkbox if "over the network" in box.label)
    assert "downloaded first" not in str(streamed.get("button")) + words(streamed)
