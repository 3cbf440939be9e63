"""A web server with ranges and ETags on loopback, whose manners may be changed live."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

Headers = dict[str, str]


class WebServer:
    """Serves the files below ``root``.

    ``bend`` may change the status, headers and body of an answer before it is sent. ``moved`` maps
    paths to the addresses that they redirect to. ``cuts`` is how many of the next answers break off
    half way. ``byte_seconds`` is how long each byte takes. ``requests`` are the paths and ranges
    that were asked for; ``sent`` is the most of one body that was taken.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bend: Callable[[int, Headers, bytes], tuple[int, Headers, bytes]] | None = None
        self.moved: dict[str, str] = {}
        self.cuts = 0
        self.byte_seconds = 0.0
        self.requests: list[tuple[str, str]] = []
        self.sent = 0
        handler = type("_Bound", (_Handler,), {"site": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> WebServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: WebServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path, wanted = unquote(urlsplit(self.path).path), self.headers.get("Range", "")
        self.site.requests.append((self.path, wanted))
        status, headers, body = self._answer(path, wanted)
        if self.site.bend is not None:
            status, headers, body = self.site.bend(status, headers, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.site.cuts and len(body) > 1:
            self.site.cuts -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        try:
            if self.site.byte_seconds:
                for at in range(len(body)):
                    self.wfile.write(body[at : at + 1])
                    time.sleep(self.site.byte_seconds)
            for at in range(0, len(body), 1 << 16):
                self.wfile.write(body[at : at + (1 << 16)])
                self.site.sent = max(self.site.sent, at)
        except OSError:
            self.close_connection = True

    def _answer(self, path: str, wanted: str) -> tuple[int, Headers, bytes]:
        if path in self.site.moved:
            return 302, {"Location": self.site.moved[path], "Content-Length": "0"}, b""
        file = self.site.root / path.lstrip("/")
        if not file.is_file():
            return 404, {"Content-Length": "0"}, b""
        content = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if self.headers.get("If-Match") not in (None, headers["ETag"]):
            return 412, {"Content-Length": "0"}, b""
        bounds = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
        if bounds is None:
            return 200, headers | {"Content-Length": str(len(content))}, content
        begin, end = int(bounds[1]), min(int(bounds[2]) + 1, len(content))
        if begin >= len(content):
            headers["Content-Range"] = f"bytes */{len(content)}"
            return 416, headers | {"Content-Length": "0"}, b""
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        headers["Content-Length"] = str(end - begin)
        return 206, headers, content[begin:end]
