"""A real S3 server on loopback: moto's, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.store import S3Store

BUCKET = "models"
SECRET = "s3cr3t-and-never-shown"
# A store writes an object on a condition or does not; moto looks first and writes then, so that two
# threads may both create one. Hence one write at a time.
_START = (
    "import sys, threading\n"
    "from moto.s3.responses import S3Response\n"
    "from moto.server import ThreadedMotoServer\n"
    "put, lock = S3Response.put_object, threading.Lock()\n"
    "def put_alone(self):\n"
    "    with lock:\n"
    "        return put(self)\n"
    "S3Response.put_object = put_alone\n"
    "server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)\n"
    "server.start()\n"
    "print(server.get_host_and_port()[1], flush=True)\n"
    "sys.stdin.read()\n"
)


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server with an empty bucket, ``models``."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        address = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                _make_bucket(address)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        assert server.stdin is not None and server.stdout is not None
        server.stdin.close()
        server.stdout.close()
        server.kill()
        server.wait()


def put(address: str, key: str, content: bytes) -> None:
    """Write an object."""
    store = S3Store(
        BUCKET,
        endpoint=address,
        access_key_id="key",
        secret_access_key=SECRET,
        region="us-east-1",
        client_options={"allow_http": True},
    )
    obstore.put(store, key, content)


def put_for_all(address: str, key: str, content: bytes) -> None:
    """Write an object that may be read without credentials."""
    headers = {"x-amz-acl": "public-read", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{address}/{BUCKET}/{key}", content, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=60):
        pass


def _make_bucket(address: str) -> None:
    request = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
    with urllib.request.urlopen(request, timeout=60):
        pass


def put_folder(address: str, prefix: str, folder: Path) -> None:
    """Write a folder's files below a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            put(address, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def environment(address: str) -> Mapping[str, str]:
    """What AWS' own tools would need, too."""
    return {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }
