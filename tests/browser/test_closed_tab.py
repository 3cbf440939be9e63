"""A tab that is closed: what the server still did for it ends."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from benchmarks.visitor import Visitor
from scripts.serving import serve
from tests.support.safetensors_files import write_sharded

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]

_SHARDS = 400
# The app, whose headers take a processor long to parse, as if they were a hostile file's; each is
# noted in a file. A tab that is away has soon left.
_COSTLY = """
import sys, time
from streamlit.web import cli
from modeldiff.checkpoints.formats import safetensors_files
from modeldiff.ui.session import presence

presence._SECONDS_UNTIL_LEFT = 1.0

parse, parsed = safetensors_files.parse_header, open(sys.argv.pop(1), "ab", buffering=0)

def costly(*content, **options):
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass
    parsed.write(b".")
    return parse(*content, **options)

safetensors_files.parse_header = costly
sys.argv = ["streamlit", "run", "streamlit_app.py", *sys.argv[1:]]
cli.main()
"""


def test_what_nobody_looks_at_any_more_takes_no_processor(tmp_path: Path) -> None:
    width = len(str(_SHARDS))
    shards = {
        f"model-{n + 1:05}-of-{_SHARDS:05}.safetensors": (f"layers.{n:0{width}}.weight",)
        for n in range(_SHARDS)
    }
    hostile, parsed = write_sharded(tmp_path / "hostile", shards), tmp_path / "parsed"
    query = urlencode({"base": "demo:base", "target": str(hostile)})
    with serve(tmp_path, (sys.executable, "-c", _COSTLY, str(parsed))) as server:
        port = int(server.url.rpartition(":")[2])
        with ThreadPoolExecutor(1) as pool:  # this thread may have the browser's loop
            pool.submit(lambda: asyncio.run(_look_and_leave(port, query, parsed))).result()
    assert parsed.stat().st_size < _SHARDS


async def _look_and_leave(port: int, query: str, parsed: Path) -> None:
    """Close the tab once headers are read for it, then wait until no more are."""
    look = asyncio.create_task(Visitor("", query).look(port))
    async with asyncio.timeout(120):
        while parsed.stat().st_size < 2:
            assert not look.done()
            await asyncio.sleep(0.1)
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    # One header takes a tenth of a second of a processor, which others may want, too.
    before, still = -1, 0
    async with asyncio.timeout(300):
        while still < 10:
            now = parsed.stat().st_size
            before, still = now, still + 1 if now == before else 0
            await asyncio.sleep(0.3)
