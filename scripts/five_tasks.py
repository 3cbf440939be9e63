"""Five tasks from a cold start, each with its clicks, keys and seconds: `python -m
scripts.five_tasks`.

A pair is made of a demo checkpoint: three matrices changed, nothing else. Everything is reached as
people reach it, from the first page of a server with an empty cache, or from a shell. A pasted
path counts as one key.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from playwright.sync_api import Locator, Page, expect, sync_playwright
from safetensors.torch import load_file, save_file

from scripts.serving import ROOT, launch_chromium, serve, settle

_BASE = ROOT / "demo" / "base"
_CHANGED = (
    "model.layers.2.self_attn.q_proj.weight",
    "model.layers.5.mlp.up_proj.weight",
    "model.layers.5.mlp.down_proj.weight",
)
_PATIENCE_MS = 180_000


@dataclass
class Person:
    """Somebody at a browser: what they do is counted."""

    page: Page
    clicks: int = 0
    keys: int = 0
    rows: list[str] = field(default_factory=list)

    def click(self, what: Locator) -> None:
        """Click what is in sight; scrolling to it is no click."""
        what.click()
        self.clicks += 1

    def button(self, name: str) -> None:
        """Click the button of this name."""
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        self.keys += len(keys)

    def paste(self, text: str) -> None:
        """Paste a text in place of what the field holds."""
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)
        self.keys += 1

    def save(self, name: str, folder: Path) -> Path:
        """Save the file of a button."""
        with self.page.expect_download() as download:
            self.button(name)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        assert path.stat().st_size > 1000
        return path

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Count and time what is done until the block ends."""
        before, start = (self.clicks, self.keys), time.monotonic()
        yield
        seconds = time.monotonic() - start
        self.note(name, self.clicks - before[0], self.keys - before[1], seconds)

    def note(self, name: str, clicks: int, keys: int, seconds: float) -> None:
        """Add a row to the table."""
        self.rows.append(f"| {name} | {clicks} | {keys} | {seconds:.1f} |")


def make_edit(target: Path) -> Path:
    """A copy of the demo's base in ``target``, in which three matrices moved by about a tenth."""
    shutil.copytree(_BASE, target)
    file = target / "model.safetensors"
    tensors = load_file(file)
    noise = torch.Generator().manual_seed(0)
    for name in _CHANGED:
        values = tensors[name].float()
        values *= 1 + 0.1 * torch.randn(values.shape, generator=noise)
        tensors[name] = values.bfloat16()
    save_file(tensors, file, metadata={"format": "pt"})
    return target


def choose_folders(person: Person, base: Path, target: Path) -> None:
    """Both folders, pasted under Pair; the answer is there once something is measured."""
    page = person.page
    person.button("Pair")
    person.click(page.get_by_label("Base", exact=True))
    person.paste(str(base))
    person.press("Tab")
    person.paste(str(target))
    person.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{base.name} → {target.name}")
    expect(page.locator(".st-key-measured")).to_be_visible(timeout=_PATIENCE_MS)


def present(person: Person) -> None:
    """Full screen, which the button leads to, every view once, and back to the page."""
    place = person.page.locator(".st-key-presentation .place")
    person.button("Present")
    expect(place).to_contain_text("/")
    person.page.wait_for_function("() => document.fullscreenElement")
    here, views = map(int, place.inner_text().rpartition("· ")[2].split("/"))
    for number in range(here + 1, views + 1):
        person.press("ArrowRight")
        expect(place).to_contain_text(f"{number} / {views}")
    person.press("Escape")
    expect(person.page.get_by_role("navigation", name="Pages")).to_be_visible()


def in_the_app(person: Person, url: str, folder: Path, target: Path) -> None:
    """The first four tasks."""
    page = person.page
    with person.task("1. what changed between two folders"):
        page.goto(url)
        expect(page.get_by_role("button", name="Pair", exact=True)).to_be_visible()
        choose_folders(person, _BASE, target)
        expect(page.locator(".st-key-what_differs")).to_contain_text("self_attn.q_proj in layer 2")
    with person.task("2. send the picture (PNG)"):
        person.click(page.get_by_role("link", name="Heatmap", exact=True))
        person.button("Save")
        person.save("PNG", folder)
        page.keyboard.press("Escape")
    with person.task("2. send the report"):
        person.save("Report", folder)
    saved = person.save("Parquet", folder)
    settle(page)
    with person.task("3. on a projector: full screen, all views, and back"):
        present(person)
    shutil.rmtree(target)  # the weights are gone by next week
    page.goto("about:blank")
    with person.task("4. reopen a file, without the weights"):
        page.goto(url)
        person.button("Pair")
        page.locator(".st-key-pair_chooser input[type=file]").set_input_files(saved)
        person.clicks += 2  # "Upload", and the file in the system's own window
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{_BASE.name} → {target.name}")
        expect(page.locator(".st-key-measured")).to_be_visible()


def in_a_shell(person: Person, cache: Path, target: Path) -> None:
    """What is done without the app: one line each."""
    condition = ("--fail-if", "median_pct > 5", "--only", "layers.0-3.*q_proj")
    lines: tuple[tuple[str, int, tuple[str, ...]], ...] = (
        ("4. modeldiff open last", 0, ("open", "last")),
        ("5. check a merge: a condition holds", 3, ("check", str(_BASE), str(target), *condition)),
        ("5. check a merge: passes", 0, ("check", str(_BASE), str(_BASE), *condition)),
    )
    for name, code, arguments in lines:
        command = [sys.executable, "-m", "modeldiff", *arguments]
        environment = {**os.environ, "MODELDIFF_CACHE": str(cache)}
        start = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        assert done.returncode == code, done.stderr.decode()
        person.note(name, 0, 1, time.monotonic() - start)


def main() -> None:
    """Do all of them, and print the table."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        target = make_edit(folder / "edited")
        browser = launch_chromium(playwright)
        with serve(folder) as server:
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.set_default_timeout(_PATIENCE_MS)
            expect.set_options(timeout=_PATIENCE_MS)
            person = Person(page)
            in_the_app(person, server.url, folder, target)
            in_a_shell(person, server.cache, make_edit(target))
        browser.close()
    print("| task | clicks | keys | seconds |\n| --- | --: | --: | --: |")
    print("\n".join(person.rows))
    cores = os.cpu_count()
    print(f"\nLoad {os.getloadavg()[0]:.1f} on {cores} cores when it ended, everything included.")


if __name__ == "__main__":
    main()
