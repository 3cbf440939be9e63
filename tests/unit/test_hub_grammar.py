"""``owner/name[@revision][/path][:tag]``, opened at a stand-in for the Hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from modeldiff.checkpoints import Reference, open_checkpoint, parse_reference
from modeldiff.checkpoints.hub.revisions import hub_revisions, revision_order
from modeldiff.cli import main
from modeldiff.errors import (
    AccessDenied,
    CheckpointNotFound,
    HubUnreachable,
    NoWeights,
    UnsupportedFormat,
)
from tests.support.gguf_files import header, tensor
from tests.support.local_hub import LocalHub
from tests.support.safetensors_files import simple, write_sharded
from tests.support.schemas import require_valid

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub with nothing in it, and empty caches."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    monkeypatch.setenv("MODELDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with LocalHub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def publish(hub: LocalHub, files: dict[str, bytes], repo: str = "owner/name") -> Path:
    folder = hub.root / repo
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def one_tensor(name: str) -> bytes:
    """A GGUF with one tensor."""
    content = header(tensors=1) + tensor(name, (4,))
    return content + bytes(-len(content) % 32) + bytes(16)


def names(reference: str | Reference) -> list[str]:
    return [tensor.name for tensor in open_checkpoint(reference).tensors]


class TestPaths:
    def test_a_subfolder_is_a_checkpoint_with_its_own_config(self, hub: LocalHub) -> None:
        publish(
            hub,
            {
                "model.safetensors": simple("root"),
                "vae/model.safetensors": simple("vae"),
                "vae/config.json": b'{"model_type": "llama"}',
                "vae/deep/er/model.safetensors": simple("deeper"),
                "vae2/model.safetensors": simple("vae2"),
            },
        )
        vae = open_checkpoint("owner/name/vae")
        assert [tensor.name for tensor in vae.tensors] == ["vae"]
        assert vae.config == {"model_type": "llama"}
        assert list(vae.files) == ["model.safetensors"]
        assert names("owner/name/vae/deep/er/") == ["deeper"]
        assert names("owner/name") == ["root"]
        assert open_checkpoint("owner/name").fingerprint != vae.fingerprint

    def test_one_file_of_many(self, hub: LocalHub) -> None:
        publish(hub, {"a/x.safetensors": simple("x"), "a/y.safetensors": simple("y")})
        assert names("owner/name/a/x.safetensors") == ["x"]
        assert names("owner/name@main/a/y.safetensors") == ["y"]
        assert names(f"{hub.url}/owner/name/blob/main/a/y.safetensors") == ["y"]

    def test_a_subfolder_is_downloaded_from_where_it_is(self, hub: LocalHub) -> None:
        publish(hub, {"a/model.safetensors": simple("x"), "model.safetensors": simple("root")})
        source = open_checkpoint("owner/name/a").source
        assert source.bytes_to_download("model.safetensors") > 0
        source.reader("model.safetensors").close()
        assert source.bytes_to_download("model.safetensors") == 0
        path = source.path("model.safetensors")
        assert path is not None and path.read_bytes() == simple("x")
        assert path.parent.name == "a"

    def test_a_subfolder_is_read_over_the_network(self, hub: LocalHub) -> None:
        content = simple("x")
        publish(hub, {"a/model.safetensors": content, "model.safetensors": simple("root")})
        source = open_checkpoint("owner/name/a", download=False).source
        buffer = bytearray(len(content))
        source.reader("model.safetensors").readinto(memoryview(buffer), 0)
        assert buffer == content

    def test_what_is_not_there_is_looked_for(self, hub: LocalHub) -> None:
        publish(hub, {"vae_decoder/model.safetensors": simple("vae")})
        with pytest.raises(CheckpointNotFound, match="no folder or file 'vae-decoder'") as caught:
            open_checkpoint("owner/name/vae-decoder")
        assert "vae_decoder" in caught.value.hint

    def test_weights_in_subfolders_alone_are_offered(self, hub: LocalHub) -> None:
        publish(hub, {"a/model.safetensors": simple("a"), "b/model.safetensors": simple("b")})
        reference = parse_reference("owner/name@main")
        with pytest.raises(NoWeights) as caught:
            open_checkpoint(reference)
        assert caught.value.choices == ("/a", "/b")
        assert names(reference.choosing(caught.value.choices[1])) == ["b"]


class TestTags:
    def test_variants(self, hub: LocalHub) -> None:
        publish(
            hub,
            {
                "model.safetensors": simple("full"),
                "model.fp16.safetensors": simple("half"),
                "unet/diffusion_pytorch_model.bf16.safetensors": simple("brain"),
            },
        )
        assert names("owner/name") == names("owner/name:model") == ["full"]
        assert names("owner/name:fp16") == names("owner/name:FP16") == ["half"]
        assert names("owner/name/unet:diffusion_pytorch_model.bf16") == ["brain"]
        half, full = (open_checkpoint(f"owner/name{tag}") for tag in (":fp16", ""))
        assert half.fingerprint != full.fingerprint

    def test_variants_in_shards(self, hub: LocalHub) -> None:
        folder = publish(hub, {"model.safetensors": simple("full")})
        files = {f"model.fp16-0000{n}-of-00002.safetensors": (f"half.{n}",) for n in (1, 2)}
        write_sharded(folder, files)
        shutil.move(
            folder / "model.safetensors.index.json", folder / "model.safetensors.index.fp16.json"
        )
        checkpoint = open_checkpoint("owner/name:fp16")
        assert list(checkpoint.files) == list(files)
        assert [tensor.name for tensor in checkpoint.tensors] == ["half.1", "half.2"]
        assert checkpoint.warnings and "index" not in " ".join(checkpoint.warnings)

    def test_several_sets_are_listed_to_choose_from(self, hub: LocalHub) -> None:
        publish(hub, {"a.safetensors": simple("a"), "b.fp16.safetensors": simple("b")})
        with pytest.raises(UnsupportedFormat, match="several sets of weights") as caught:
            open_checkpoint("owner/name")
        assert caught.value.choices == (":a", ":b.fp16")
        assert names("owner/name:b.fp16") == ["b"]

    def test_quantisations_without_a_tag_are_listed_to_choose_from(self, hub: LocalHub) -> None:
        """A file each, one of them in parts; what lies beside models is none of them."""
        files = {
            "m-Q8_0.gguf": one_tensor("eight"),
            "m-Q4_K_M.gguf": one_tensor("four"),
            "mmproj-m-F16.gguf": b"GGUF",
            "m.imatrix.gguf": b"GGUF",
            "README.md": b"# m",
        }
        publish(hub, files)
        for reference in ("owner/name", "owner/name@main"):
            with pytest.raises(UnsupportedFormat, match="'Q4_K_M', 'Q8_0'") as caught:
                open_checkpoint(reference)
            assert caught.value.choices == (":Q4_K_M", ":Q8_0")
            assert ":Q4_K_M" in caught.value.hint
            chosen = parse_reference(reference).choosing(caught.value.choices[0])
            assert names(chosen) == ["four"]
        assert names("owner/name:q8_0") == names("owner/name/m-Q8_0.gguf") == ["eight"]
        assert names("owner/name:m-Q8_0") == ["eight"]

    def test_quantisations_in_folders_of_their_own(self, hub: LocalHub) -> None:
        parts = {f"Q4_0/m-Q4_0-0000{n}-of-00002.gguf": b"GGUF" for n in (1, 2)}
        publish(hub, {**parts, "Q8_0/m-Q8_0.gguf": one_tensor("eight")})
        with pytest.raises(UnsupportedFormat) as caught:
            open_checkpoint("owner/name")
        assert caught.value.choices == (":Q4_0", ":Q8_0")
        assert names("owner/name:Q8_0") == names("owner/name/Q8_0") == ["eight"]

    def test_a_tag_that_is_not_there_lists_those_that_are(self, hub: LocalHub) -> None:
        publish(
            hub,
            {"model.safetensors": simple("a"), "x-Q8_0.gguf": b"GGUF", "x-Q4_K_M.gguf": b"GGUF"},
        )
        with pytest.raises(UnsupportedFormat, match="no weights called 'Q5_K_M'") as caught:
            open_checkpoint("owner/name:Q5_K_M")
        assert caught.value.choices == (":Q4_K_M", ":Q8_0", ":model")

    def test_a_tag_of_a_file_with_one_set_is_refused(self, hub: LocalHub) -> None:
        publish(hub, {"model.safetensors": simple("a")})
        with pytest.raises(UnsupportedFormat, match="one set of weights"):
            open_checkpoint("owner/name/model.safetensors:fp16")


class TestRevisions:
    def test_are_sorted_by_their_numbers(self, hub: LocalHub) -> None:
        for label in ("", "@step10000", "@step512", "@step2000", "@v1.0"):
            publish(hub, {"model.safetensors": simple(f"w{label}")}, f"owner/name{label}")
        revisions = hub_revisions("owner/name")
        assert [each.name for each in revisions] == [
            *("main", "step512", "step2000", "step10000", "v1.0"),
        ]
        assert [each.kind for each in revisions] == ["branch"] * 4 + ["tag"]
        assert names(f"owner/name@{revisions[2].name}") == ["w@step2000"]

    def test_stages_and_steps(self) -> None:
        steps = [
            "stage2-ingredient1-step1000-tokens5B",
            "stage1-step10000-tokens42B",
            "stage1-step9000-tokens38B",
        ]
        assert sorted(steps, key=revision_order) == steps[::-1]

    def test_hostile_answers(self, hub: LocalHub) -> None:
        publish(hub, {"model.safetensors": simple("w")})
        for page in (b"[]", b"no JSON", b"[" * 100_000, b"{" * 100_000):
            hub.page = page
            with pytest.raises(HubUnreachable):
                hub_revisions("owner/name")
        entries = ["main", "a b", "../x", "a..b", "", 7, None, "x" * 300, "<b>", "a:b", "ok/ay"]
        hub.page = json.dumps(
            {"branches": [{"name": name} for name in entries] + [7, None], "tags": "none"}
        ).encode()
        assert [each.name for each in hub_revisions("owner/name")] == ["main", "ok/ay"]
        hub.page = b" " * (9 << 20)
        with pytest.raises(HubUnreachable):
            hub_revisions("owner/name")

    def test_the_settings_say_whose_are_listed(
        self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(hub, {"model.safetensors": simple("w")})
        monkeypatch.setenv("MODELDIFF_HUB", "somebody")
        with pytest.raises(AccessDenied):
            hub_revisions("owner/name")
        assert not hub.requests


class TestCommands:
    def test_what_a_repository_has_is_listed(
        self, hub: LocalHub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for label in ("", "@step10", "@step9"):
            publish(hub, {"b.safetensors": simple("b")}, f"owner/name{label}")
        publish(hub, {"x/a-Q8_0.gguf": b"GGUF", "x/a-Q4_0.gguf": b"GGUF"})
        assert main(["list", "owner/name/x"]) == 0
        shown = capsys.readouterr().out
        assert shown.index("owner/name@step9/x ") < shown.index("owner/name@step10/x ")
        assert "owner/name/x:Q4_0" in shown
        assert main(["list", "owner/name@step9", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        require_valid(listed, "list")
        assert [entry["reference"] for entry in listed["weights"]] == ["owner/name@step9:b"]
        assert [entry["revision"] for entry in listed["revisions"]] == ["main", "step9", "step10"]

    def test_what_is_no_repository(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "demo:base"]) == 1
        assert "no repository" in capsys.readouterr().err

    def test_a_streamed_diff_keeps_nothing(
        self, hub: LocalHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for side in ("base", "tuned"):
            shutil.copytree(DEMO / side, hub.root / "owner" / "demos" / side)
        options = ["--no-cache", "--json", "--device", "cpu"]
        references = ["owner/demos/base", "owner/demos/tuned"]
        assert main(["diff", *references, "--stream", *options]) == 0
        streamed = json.loads(capsys.readouterr().out)
        assert not list((tmp_path / "huggingface").rglob("*.safetensors"))
        assert main(["diff", *references, *options]) == 0
        downloaded = json.loads(capsys.readouterr().out)
        assert len(list((tmp_path / "huggingface").rglob("*.safetensors"))) == 2
        assert streamed["tensors"] == downloaded["tensors"]
