"""Text → reference: every form, what wins where two fit, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldiff.checkpoints import open_checkpoint, parse_reference
from modeldiff.checkpoints.references import MAX_LENGTH
from modeldiff.errors import InvalidReference, ModeldiffError
from tests.support.safetensors_files import simple


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_folders_in_every_spelling_are_one_reference(here: Path) -> None:
    folder = here / "models" / "llama"
    folder.mkdir(parents=True)
    spellings = [str(folder), "~/models/llama", "models/llama", "./models/llama", f" {folder}/ "]
    references = {parse_reference(text) for text in spellings}
    assert len(references) == 1
    (reference,) = references
    assert (reference.kind, reference.location) == ("folder", str(folder))
    assert parse_reference(reference.text) == reference


def test_a_file_is_known_by_being_there_or_by_its_suffix(here: Path) -> None:
    (here / "blob").write_bytes(simple("w"))
    assert parse_reference("./blob").kind == "file"
    assert parse_reference("no-such.safetensors").kind == "file"
    assert parse_reference("./no-such").kind == "folder"


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B", None),
        ("owner/name@main", "owner/name", "main"),
        ("owner/name@refs/pr/12", "owner/name", "refs/pr/12"),
        ("o/n@" + "a" * 40, "o/n", "a" * 40),
        ("owner/name.safetensors", "owner/name.safetensors", None),
    ],
)
def test_hub(here: Path, text: str, repo: str, revision: str | None) -> None:
    reference = parse_reference(text)
    assert (reference.kind, reference.location, reference.revision) == ("hub", repo, revision)
    assert parse_reference(reference.text) == reference


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("https://huggingface.co/owner/name", "owner/name"),
        ("https://huggingface.co/owner/name/", "owner/name"),
        ("http://www.HuggingFace.co/owner/name?library=transformers#files", "owner/name"),
        ("https://hf.co/owner/name/tree/main", "owner/name@main"),
        ("https://huggingface.co/owner/name/tree/refs%2Fpr%2F12", "owner/name@refs/pr/12"),
        ("https://huggingface.co/owner/name/tree/refs/pr/12", "owner/name@refs/pr/12"),
        ("https://huggingface.co/owner/name/blob/v1.0/config.json", "owner/name@v1.0"),
        (
            "https://huggingface.co/owner/name/resolve/main/a.safetensors?download=true",
            "owner/name@main/a.safetensors",
        ),
        (
            "https://huggingface.co/owner/name/blob/main/vae/model-00001-of-00002.safetensors",
            "owner/name@main/vae",
        ),
        ("https://huggingface.co/owner/name/tree/main/vae", "owner/name@main/vae"),
        ("https://huggingface.co/owner/name/tree/refs/pr/12/vae", "owner/name@refs/pr/12/vae"),
        ("https://huggingface.co/owner/name/tree/feature%2Fx/a%20b", "owner/name@feature%2Fx/a b"),
        ("owner/name/tree/v1/sub/model.Q8_0.gguf", "owner/name@v1/sub/model.Q8_0.gguf"),
        ("hf://owner/name@main/vae:fp16", "owner/name@main/vae:fp16"),
        ("https://huggingface.co/owner/name/commit/" + "a" * 40, "owner/name@" + "a" * 40),
        ("https://huggingface.co/owner/name/discussions/4", "owner/name"),
        ("https://huggingface.co/owner/name.git", "owner/name"),
        ("https://mirror.example:8443/owner/name/tree/main", "owner/name@main"),
        ("https://user:token@huggingface.co/owner/name", "owner/name"),
        ("hf.co/owner/name", "owner/name"),
        ("hf://owner/name@main", "owner/name@main"),
        ("owner/name/", "owner/name"),
        ("owner/name/tree/main", "owner/name@main"),
        ("models--owner--name", "owner/name"),
        ('"owner/name"', "owner/name"),
        ("'\"catalog:llama-3-8b\"'", "catalog:llama-3-8b"),
        ("<https://huggingface.co/owner/name>", "owner/name"),
    ],
)
def test_what_people_paste(
    here: Path, monkeypatch: pytest.MonkeyPatch, text: str, means: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example:8443")
    assert parse_reference(text) == parse_reference(means)


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hf_secret@huggingface.co/datasets/owner/name",
        "https://hf_secret@huggingface.co/owner/name/tree/main/..",
        '"https://user:p@hf_secret@example.com/owner//name"',
        "https://example.com/a//b?X-Amz-Signature=hf_secret",
        "s3://key:hf_secret@bucket//name",
        "hf://hf_secret@owner",
    ],
)
def test_a_token_in_an_address_is_not_repeated(here: Path, text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert "hf_secret" not in caught.value.message + caught.value.hint


def test_an_address_is_never_what_lies_here_under_its_name(here: Path) -> None:
    (here / "owner" / "name").mkdir(parents=True)
    assert parse_reference("owner/name").kind == "folder"
    reference = parse_reference("https://huggingface.co/owner/name")
    assert (reference.kind, reference.location) == ("hub", "owner/name")
    assert parse_reference(reference.text) == reference


def test_paths_that_people_paste(here: Path) -> None:
    folder = here / "my models" / "naïve"
    folder.mkdir(parents=True)
    address = folder.as_uri()
    assert "%20" in address
    for text in (f"'{folder}'", f'"{folder}/"', "“~/my models/naïve”", address, f"{address}/"):
        assert parse_reference(text) == parse_reference(str(folder)), text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://huggingface.co/gpt2", "names no repository"),
        ("https://huggingface.co/datasets/owner/name", "not of a model"),
        ("https://huggingface.co/owner/name/tree/main/..", "no repository that there can be"),
        ("https://huggingface.co/owner/name/tree/main/a:b/c", "a colon in it"),
        ("https://huggingface.co/owner/name/tree/a..b", "no repository that there can be"),
        ("https://huggingface.co/owner/%2e%2e", "no repository that there can be"),
        ("https://huggingface.co/%2Fetc/passwd", "no repository that there can be"),
        ("https://[/owner/name", "no valid address"),
        ("ftp://bucket/key", "begins with ftp://"),
        ("s3://bucket/a/../b", "a path that leads nowhere"),
        ("s3://bucket/a//b", "a path that leads nowhere"),
        ("s3://b ucket/a", "no bucket that there can be"),
        ("s3://169.254.169.254:80/a", "no bucket that there can be"),
        ("https://example.com/a%0Ab", "a path that leads nowhere"),
        ("https://example.com/%2e%2e/b", "a path that leads nowhere"),
        ("https://exa$mple.com/b", "no server's name"),
        ("https:///owner/name", "an address at ''"),
        ("file://server/share/model", "on another machine"),
        ("file:///models/%0Aname", "control characters"),
    ],
)
def test_addresses_of_something_else(here: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert says in caught.value.message
    assert "owner/name" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("owner/name/vae", (None, "vae", "")),
        ("owner/name/vae/", (None, "vae", "")),
        ("owner/name:Q4_K_M", (None, "", "Q4_K_M")),
        ("owner/name@v1:UD-Q4_K_XL", ("v1", "", "UD-Q4_K_XL")),
        ("owner/name@v1/a/b.pt:ema/shadow", ("v1", "a/b.pt", "ema/shadow")),
        ("owner/name@refs/pr/12/a", ("refs/pr/12", "a", "")),
        ("owner/name@a%2fb/c", ("a/b", "c", "")),
        ("owner/name@a/b", ("a", "b", "")),
        ("owner/name/ünï cødé/x@y", (None, "ünï cødé/x@y", "")),
        ("hf://owner/name/tree/x", ("main", "tree/x", "")),
    ],
)
def test_what_stands_behind_a_repository(
    here: Path, text: str, parts: tuple[str | None, str, str]
) -> None:
    reference = parse_reference(text)
    assert (reference.kind, reference.location) == ("hub", "owner/name")
    assert (reference.revision, reference.path, reference.tag) == parts
    assert parse_reference(reference.text) == reference


@pytest.mark.parametrize(
    ("text", "location", "tag"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b", ""),
        ("S3://bucket", "s3://bucket", ""),
        ("s3://bucket/llama:Q4_K_M", "s3://bucket/llama", "Q4_K_M"),
        ("s3://bucket/run:1/step", "s3://bucket/run:1/step", ""),
        ("s3://bucket/run:1/", "s3://bucket/run:1/", ""),
        ("gs://bucket/a.pt:ema/shadow", "gs://bucket/a.pt", "ema/shadow"),
        ("az://container/a b?#%", "az://container/a b?#%", ""),
        ("HTTPS://Example.COM:443/a%20b", "https://example.com/a%20b", ""),
        ("http://127.0.0.1:9000/x.gguf", "http://127.0.0.1:9000/x.gguf", ""),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x", ""),
        ("https://u:secret@example.com/x?sig=secret#a", "https://example.com/x", ""),
        ("https://huggingface.co.example.com/o/n", "https://huggingface.co.example.com/o/n", ""),
        ("https://huggingface.co@example.com/o/n", "https://example.com/o/n", ""),
        ("https://huggingface.co:8443/owner/name", "https://huggingface.co:8443/owner/name", ""),
    ],
)
def test_what_lies_in_stores(here: Path, text: str, location: str, tag: str) -> None:
    reference = parse_reference(text)
    assert (reference.kind, reference.location, reference.tag) == ("store", location, tag)
    assert "secret" not in reference.text
    assert parse_reference(reference.text) == reference


_STARTS = (
    *("file://", "https://hf.co/", "hf.co/", "'", "models--", "owner/name", "owner/name@"),
    *("hf://owner/name/", "https://hf.co/owner/name/tree/", "s3://bucket/", "https://a.b/"),
)


@given(st.sampled_from(_STARTS), st.text(max_size=40))
def test_whatever_follows_gets_a_reference_or_a_clear_error(start: str, text: str) -> None:
    try:
        reference = parse_reference(start + text)
    except InvalidReference as error:
        assert error.hint and error.message.isprintable()
    else:
        assert parse_reference(reference.text) == reference


def test_a_local_folder_wins_over_the_hub(here: Path) -> None:
    (here / "owner" / "name").mkdir(parents=True)
    assert parse_reference("owner/name").kind == "folder"
    assert parse_reference("owner/other").kind == "hub"


def test_catalog() -> None:
    reference = parse_reference("catalog:llama-3-8b")
    assert (reference.kind, reference.location) == ("catalog", "llama-3-8b")
    with pytest.raises(InvalidReference) as caught:
        parse_reference("catalog:../catalog/llama-3-8b")
    assert "llama-3-8b" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "gpt2",
        "a/b/../c",
        "a/b/c:",
        "a/b//c",
        "owner/name/a\\b",
        "owner/name:a:b",
        "owner/",
        "owner/name@",
        "owner/name@a..b",
        "owner/na--me",
        "-owner/name",
        "owner/name.git",
        "owner/../name",
        "demo:",
        "demo:../base",
        "demo:no-such",
        "<script>alert(1)</script>",
        "a\nb",
        "/models/\0",
        "owner\x85/name",
        "\ud800/x",
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_what_is_no_reference(here: Path, text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert "owner/name" in caught.value.hint
    assert len(caught.value.message) < 250
    assert caught.value.message.isprintable()


@given(st.text(max_size=60))
def test_any_text_gets_a_reference_or_a_clear_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReference as error:
        assert error.hint
    else:
        assert parse_reference(reference.text) == reference


class TestRoots:
    """MODELDIFF_ROOTS: what a shared server lets its viewers open."""

    @pytest.fixture
    def allowed(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        allowed, second = here / "allowed", here / "second"
        for folder in (allowed, second, here / "secret", here / "owner" / "name"):
            folder.mkdir(parents=True)
            (folder / "model.safetensors").write_bytes(simple("w"))
        monkeypatch.setenv("MODELDIFF_ROOTS", f"{allowed}{os.pathsep}{second}")
        return allowed

    def test_inside_opens(self, here: Path, allowed: Path) -> None:
        assert open_checkpoint(str(allowed)).elements == 4
        assert open_checkpoint(str(here / "second" / "model.safetensors")).elements == 4

    def test_outside_says_the_same_whether_it_exists_or_not(
        self, here: Path, allowed: Path
    ) -> None:
        messages = set()
        for name in ("secret", "nosuch"):
            with pytest.raises(InvalidReference) as caught:
                parse_reference(str(here / name))
            messages.add((caught.value.message.replace(name, ""), caught.value.hint))
        assert len(messages) == 1

    def test_dots_and_links_do_not_lead_out(self, here: Path, allowed: Path) -> None:
        (allowed / "link").symlink_to(here / "secret")
        secret = (here / "secret").as_uri()
        for text in (f"{allowed}/../secret", f"{allowed}/link", "~/secret", "./secret", secret):
            with pytest.raises(InvalidReference):
                parse_reference(text)

    def test_a_file_in_an_allowed_folder_may_not_be_a_link_out(
        self, here: Path, allowed: Path
    ) -> None:
        (allowed / "model.safetensors").unlink()
        (allowed / "model.safetensors").symlink_to(here / "secret" / "model.safetensors")
        with pytest.raises(ModeldiffError, match="leads out"):
            open_checkpoint(str(allowed))

    def test_a_link_among_a_caches_snapshots_does_not_lead_out(
        self, here: Path, allowed: Path
    ) -> None:
        repository = allowed / "models--owner--name"
        repository.mkdir()
        (here / "snapshots" / "secret").mkdir(parents=True)
        (here / "snapshots" / "secret" / "model.safetensors").write_bytes(simple("w"))
        (repository / "snapshots").symlink_to(here / "snapshots")
        for folder in (repository, allowed):
            (allowed / "model.safetensors").unlink(missing_ok=True)
            with pytest.raises(ModeldiffError) as caught:
                open_checkpoint(str(folder))
            assert "secret" not in caught.value.hint

    def test_a_folder_outside_does_not_hide_the_hub(self, allowed: Path) -> None:
        assert parse_reference("owner/name").kind == "hub"

    def test_a_reference_made_earlier_is_checked_when_it_is_opened(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, allowed: Path
    ) -> None:
        monkeypatch.delenv("MODELDIFF_ROOTS")
        reference = parse_reference(str(here / "secret"))
        monkeypatch.setenv("MODELDIFF_ROOTS", str(allowed))
        with pytest.raises(InvalidReference):
            open_checkpoint(reference)
