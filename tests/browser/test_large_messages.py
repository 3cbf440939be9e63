"""What a browser may say at once: as much as the settings say, and no more."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from scripts.serving import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group(__name__)]
SETTINGS = tomllib.loads(Path(".streamlit/config.toml").read_text(encoding="utf-8"))
MOST = SETTINGS["server"]["maxWidgetStateSize"] * 1_000_000
TOO_LARGE = 1009


def message(nbytes: int) -> bytes:
    """One of this many bytes, which the page has no use for."""
    said = BackMsg()
    said.rerun_script.query_string = "x" * (nbytes - 64)
    said.rerun_script.query_string += "x" * (nbytes - said.ByteSize())
    return bytes(said.SerializeToString())


@pytest.mark.parametrize(("nbytes", "closes"), [(MOST - 100, False), (MOST + 100, True)])
def test_a_message_has_at_most_what_the_settings_say(
    server: Server, nbytes: int, closes: bool
) -> None:
    address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(address, max_size=None, origin=Origin(server.url)) as socket:
        socket.send(message(nbytes))
        if not closes:
            assert socket.recv(timeout=60)  # the page's first words
            return
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == TOO_LARGE
