"""What lies beside the weights, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from scripts.serving import Server
from tests.support.companions import LLAMA_3, llama_3, llama_3_1, write_companions

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]


def test_a_conversation_is_chosen_and_stays_in_the_link(
    server: Server, tab: Page, tmp_path: Path
) -> None:
    pair = {"base": str(llama_3(tmp_path / "3")), "target": str(llama_3_1(tmp_path / "3.1"))}
    tab.goto(f"{server.url}/beyond?{urlencode(pair)}")
    text = tab.get_by_role("region", name="Plain: base and target")
    expect(text.locator("ins").nth(2)).to_contain_text("Cutting Knowledge Date")
    tab.get_by_text("With tools", exact=True).click()
    text = tab.get_by_role("region", name="With tools: base and target")
    expect(text.locator("ins").filter(has_text="get_weather").first).to_be_visible()
    expect(tab).to_have_url(re.compile("conversation=With"))
    tab.get_by_text("How the templates differ").click()
    source = tab.get_by_role("region", name="How the templates differ")
    expect(source.locator("del").first).to_contain_text("loop_messages")


def test_what_a_template_writes_stays_text(server: Server, tab: Page, tmp_path: Path) -> None:
    markup = "<img src=x onerror=alert(1)>{{ messages[0].content }}"
    base = write_companions(tmp_path / "base", {"chat_template.jinja": markup})
    config = {"chat_template": LLAMA_3, "bos_token": "<s>"}
    target = write_companions(tmp_path / "target", {"tokenizer_config.json": config})
    tab.goto(f"{server.url}/beyond?{urlencode({'base': str(base), 'target': str(target)})}")
    text = tab.get_by_role("region", name="Plain: base and target")
    expect(text.locator("del").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert text.locator("img").count() == 0
