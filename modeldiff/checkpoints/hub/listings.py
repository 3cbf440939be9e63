"""What the Hub lists, asked with bounds: so many seconds, so many bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import httpx2
from huggingface_hub import get_session, hf_raise_for_status
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]


def read_listing(
    address: str,
    *,
    token: str | Literal[False] | None,
    parameters: Mapping[str, str],
    most_bytes: int,
    patience: float,
    most_seconds: float,
) -> bytes:
    """What is answered at ``address``.

    Args:
        token: as huggingface_hub takes it; False sends none.
        parameters: of the query.
        most_bytes: the longest answer that is read.
        patience: seconds without a byte.
        most_seconds: of the whole answer.

    Raises ``httpx2.ReadTimeout`` for an answer that is too long or takes too long, and the client's
    errors.
    """
    began = time.monotonic()
    received = bytearray()
    with get_session().stream(
        "GET",
        address,
        params=dict(parameters),
        headers=build_hf_headers(token=token),
        timeout=patience,
    ) as response:
        hf_raise_for_status(response)
        for part in response.iter_bytes():
            received += part
            if len(received) > most_bytes or time.monotonic() - began > most_seconds:
                raise httpx2.ReadTimeout("too long", request=response.request)
    return bytes(received)
