"""What the environment says of object stores, by the names that the stores' own tools know."""

from __future__ import annotations

import os
from urllib.request import getproxies

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL",),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ONLY_THE_LIBRARY = ("AWS_SKIP_SIGNATURE", "AWS_PROXY_URL")


def store_endpoint(scheme: str) -> str:
    """The server that is asked in the place of the store's own, whose addresses begin with
    ``scheme``; empty without one."""
    return next(filter(None, map(os.environ.get, _ENDPOINTS[scheme])), "")


def may_sign() -> bool:
    """Whether objects in S3 can be read by addresses that the library signs: not by way of a proxy,
    which the library finds, and not without credentials, which signing would look for in the
    network."""
    return not getproxies() and not any(name in os.environ for name in _ONLY_THE_LIBRARY)
