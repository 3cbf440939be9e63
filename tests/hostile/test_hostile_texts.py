"""Names with every character that is no text: drawn, exported and reported without harm."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

import modeldiff
from modeldiff.cli import main
from modeldiff.drawings.output import conversion
from modeldiff.drawings.output.conversion import pdf_of, png_of
from modeldiff.errors import ResultError

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
NO_CHARACTERS = [
    chr(plane << 16 | low)
    for plane in (0, 1, 16)
    for low in (*(range(0xFDD0, 0xFDF0) if not plane else ()), 0xFFFE, 0xFFFF)
]
BIDIRECTIONAL = [chr(code) for code in (0x200B, 0x200F, 0x202E, 0x2066, 0x2028, 0x2029, 0xFEFF)]
SURROGATES = "".join(map(chr, range(0xD800, 0xE000)))
LETTERS = "".join((*CONTROLS, *NO_CHARACTERS, *BIDIRECTIONAL))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two models whose tensors have these letters everywhere, in layers and outside."""
    numbers = np.random.default_rng(0)
    names = [
        *(f"model.layers.{layer}.self_attn.q{LETTERS}_proj.weight" for layer in range(2)),
        *(f"model.layers.{layer}.mlp.{letter}.weight" for layer in range(2) for letter in CONTROLS),
        f"a{LETTERS}b.weight",
        LETTERS,
    ]
    folder = tmp_path_factory.mktemp("pair")
    sides = []
    for side in ("base", "target"):
        (folder / side).mkdir()
        values = {name: numbers.standard_normal((4, 4), dtype=np.float32) for name in names}
        save_file(values, folder / side / "model.safetensors")
        config = {"model_type": f"x{LETTERS}", "hidden_size": 4, "note": LETTERS}
        (folder / side / "config.json").write_text(json.dumps(config))
        sides.append(str(folder / side))
    return sides[0], sides[1]


@pytest.fixture(scope="module")
def beside(pair: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The same weights with every surrogate in what JSON and Markdown beside them say."""
    sides = []
    for number, side in enumerate(pair):
        folder = tmp_path_factory.mktemp("beside")
        shutil.copytree(side, folder, dirs_exist_ok=True)
        text = f"{number}{SURROGATES}{LETTERS}"
        for name, content in {
            "config.json": {"model_type": text, "architectures": [text], text: text},
            "tokenizer_config.json": {"bos_token": text, "chat_template": f"{{{{ 1 }}}}{text}"},
            "tokenizer.json": {"model": {"vocab": {text: 0, f"{text}a": 1}}},
            "generation_config.json": {text: text},
        }.items():
            (folder / name).write_text(json.dumps(content))
        card = f"---\nlicense: x{number}\n---\n{text}".encode("utf-8", "surrogatepass")
        (folder / "README.md").write_bytes(card)
        sides.append(str(folder))
    return sides[0], sides[1]


@pytest.mark.parametrize("ending", ["parquet", "csv", "json", "html", "pdf"])
def test_every_export_is_made_of_what_lies_beside(
    ending: str, beside: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / f"out.{ending}"
    assert main(["diff", *beside, "--quiet", "--output", str(path)]) == 0
    assert path.read_bytes()


@pytest.mark.parametrize("given", ["pair", "beside"])
def test_a_notebook_shows_it(given: str, request: pytest.FixtureRequest) -> None:
    base, target = request.getfixturevalue(given)
    comparison = modeldiff.compare(base, target)
    for shown in (comparison, comparison.base, modeldiff.diff(base, target)):
        html = shown._repr_html_()
        html.encode()
        assert not set(html) & (set(CONTROLS) - set("\t\n\r") | set(NO_CHARACTERS))
        for drawing in re.findall(r"base64,([\w+/=]+)", html):
            ElementTree.fromstring(base64.b64decode(drawing))


@pytest.mark.parametrize("ending", ["parquet", "csv", "json", "html", "pdf"])
def test_every_export_is_made(ending: str, pair: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / f"out.{ending}"
    assert main(["diff", *pair, "--quiet", "--output", str(path)]) == 0
    content = path.read_bytes()
    if ending == "json":
        assert any(LETTERS in str(row["name"]) for row in json.loads(content)["tensors"])
    elif ending == "parquet":
        assert any(LETTERS in str(name) for name in pq.read_table(path)["name"].to_pylist())
    elif ending == "html":
        text = content.decode()
        assert not set(text) & {chr(code) for code in range(0x20)} - {"\t", "\n", "\r"}
    else:
        assert content


def test_commands_print_no_control_characters(
    pair: tuple[str, str], beside: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    every = (["inspect", pair[0]], ["compare", *pair], ["diff", *pair])
    for command in (*every, ["inspect", beside[0]], ["compare", *beside], ["diff", *beside]):
        assert main(command) == 0
        printed = "".join(capsys.readouterr())
        assert not set(printed) & (set(CONTROLS) - {"\n"} | set(BIDIRECTIONAL))


def test_a_drawing_with_such_texts_is_converted() -> None:
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text>{LETTERS}</text></svg>"
    )
    assert png_of(svg, 1.0).startswith(b"\x89PNG")
    assert pdf_of(svg).startswith(b"%PDF")


@pytest.mark.parametrize("raw", [f"<svg>{LETTERS}</svg>", "<svg", "", "no drawing"])
def test_what_cannot_be_drawn_is_an_error_of_ours(raw: str) -> None:
    for draw in (pdf_of, lambda svg: png_of(svg, 1.0)):
        try:
            assert draw(raw)
        except ResultError as error:
            assert "can't be made" in error.message and error.hint


@pytest.mark.skipif(sys.platform == "win32", reason="only the clock limits there")
def test_a_drawing_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    large = '<svg xmlns="http://www.w3.org/2000/svg" width="60000" height="60000"/>'
    with pytest.raises(ResultError, match="ended with status"):
        png_of(large, 1.0)
    monkeypatch.setattr(conversion, "SECONDS", 0.01)
    with pytest.raises(ResultError, match=r"stopped after"):
        png_of('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 1.0)
