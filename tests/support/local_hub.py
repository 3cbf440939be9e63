"""A stand-in for the Hugging Face Hub on loopback, for the real huggingface_hub client.

It serves ``ROOT/owner/name/`` as the repository ``owner/name`` at its branch ``main``, and
``ROOT/owner/name@revision/`` as another branch or tag of it. What the client sees is what the Hub
shows: commits, blob hashes, large files behind a redirect to another origin (which, as a signed
address does, refuses requests that carry a token), ranges, and the Hub's own error codes.

In a test: ``with LocalHub(root) as hub: …`` and HF_ENDPOINT set to ``hub.url``.
As a process: ``python -m tests.support.local_hub ROOT PORT``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

CHUNK = 1 << 20


@dataclass(frozen=True)
class Request:
    """What a client asked: ``range`` is the header or ``""``, ``token`` what it sent or ``""``."""

    method: str
    path: str
    range: str
    token: str


class LocalHub:
    """Two servers, one for the Hub and one for its storage; their behaviour may be changed live.

    ``tokens`` are those that the Hub knows. ``private`` repositories are shown to these only;
    ``readers`` maps them to those of the tokens that are shown them, by default all.
    ``gated`` maps repositories to the tokens that were granted their files. ``login``, if set, is
    the address of an OpenID provider that is reached at the Hub's own. ``status``, if set, is
    the answer to everything. ``page``, if set, is sent instead of every answer of the Hub's API.
    ``ranges`` off makes the storage ignore ranges. ``refusals`` is how many of the next requests
    the storage refuses, as if their addresses had been signed too long ago, and ``cuts`` how many
    of its next answers break off half way. ``chunk_seconds`` is how long it takes to send
    a mebibyte. ``xet`` maps blobs (SHA-256) to their hashes in the Xet storage at ``xet_storage``,
    from where the client then takes them. ``requests`` and ``sent`` (bytes of files) tell what was
    asked and given so far.
    """

    def __init__(self, root: Path, port: int = 0) -> None:
        self.root = root
        self.requests: list[Request] = []
        self.sent = 0
        self.closed = False
        self.tokens: set[str] = set()
        self.private: set[str] = set()
        self.readers: dict[str, Container[str]] = {}
        self.login = ""
        self.gated: dict[str, set[str]] = {}
        self.status: int | None = None
        self.page: bytes | None = None
        self.ranges = True
        self.refusals = self.cuts = 0
        self.chunk_seconds = 0.0
        self.xet: dict[str, str] = {}
        self.xet_storage = ""
        self.blobs: dict[str, Path] = {}
        self._digests: dict[tuple[str, int, int], tuple[str, str]] = {}
        self._servers = (
            ThreadingHTTPServer(("127.0.0.1", port), _handler(_Hub, self)),
            ThreadingHTTPServer(("127.0.0.1", 0), _handler(_Storage, self)),
        )
        self.url, self.storage_url = (
            f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers
        )

    def __enter__(self) -> LocalHub:
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def folder(self, repo: str, revision: str) -> Path | None:
        """Where this revision (branch, tag or commit) of a repository lies."""
        owner, name = repo.split("/")
        for folder in sorted((self.root / owner).glob(f"{name}*")):
            stem, _, label = folder.name.partition("@")
            if stem == name and revision in (label or "main", self.commit(folder)):
                return folder
        return None

    def files(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """The repository's files: name and path."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path

    def commit(self, folder: Path) -> str:
        """A commit hash that changes with names and contents."""
        listing = [(name, self.digests(path)[0]) for name, path in self.files(folder)]
        return hashlib.sha1(json.dumps(listing).encode()).hexdigest()

    def digests(self, path: Path) -> tuple[str, str]:
        """A file's SHA-256 and its git blob hash, computed once a content."""
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._digests:
            sha256, sha1 = hashlib.sha256(), hashlib.sha1(f"blob {status.st_size}\0".encode())
            with path.open("rb") as file:
                while part := file.read(CHUNK):
                    sha256.update(part)
                    sha1.update(part)
            self._digests[key] = sha256.hexdigest(), sha1.hexdigest()
            self.blobs[sha256.hexdigest()] = path
        return self._digests[key]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.hub.closed:  # connections that were kept alive outlast the server
            self.close_connection = True
            return
        url = urlsplit(self.path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.requests.append(
            Request(self.command, self.path, self.headers.get("Range", ""), token)
        )
        if self.hub.status is not None:
            self.send(self.hub.status)
        else:
            self.answer(unquote(url.path), token)

    def answer(self, path: str, token: str) -> None:
        raise NotImplementedError

    def send(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str = "") -> None:
        """Refuse as the Hub does."""
        self.send(status, headers={"X-Error-Code": code, "X-Error-Message": message or code})

    def send_file(self, path: Path, headers: Mapping[str, str]) -> None:
        """Send a file or the range of it that was asked for."""
        size = path.stat().st_size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        begin, end, status = 0, size, 200
        if wanted and self.hub.ranges:
            begin, end, status = int(wanted[1]), min(int(wanted[2] or size) + 1, size), 206
            if begin >= size:
                self.send(416, headers={"Content-Range": f"bytes */{size}"})
                return
            headers = {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{size}"}
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(end - begin)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.cuts and isinstance(self, _Storage):
            self.hub.cuts -= 1
            end = (begin + end) // 2
            self.close_connection = True
        with path.open("rb") as file:
            file.seek(begin)
            while begin < end and (part := file.read(min(CHUNK, end - begin))):
                time.sleep(self.hub.chunk_seconds)
                try:
                    self.wfile.write(part)
                except OSError:  # the client had enough
                    self.close_connection = True
                    return
                begin += len(part)
                self.hub.sent += len(part)


def _bases(repository: Path) -> list[str]:
    """The tags that the Hub gives a model whose card names what it was made of."""
    card = repository / "README.md"
    named = re.findall(r"^base_model: *(\S+)$", card.read_text(), re.M) if card.exists() else []
    return [f"base_model:{kind}{name}" for name in named for kind in ("", "finetune:")]


class _Hub(_Handler):
    def answer(self, path: str, token: str) -> None:
        if self.hub.login and not re.match(r"/(api/|[^/]+/[^/]+/resolve/)", path):
            self.log_in()
        elif token and token not in self.hub.tokens:
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif check := re.fullmatch(r"/api/models/([^/]+/[^/]+)/auth-check", path):
            if self.find(check[1], "main", token) and self.is_granted(check[1], token):
                self.send(200)
        elif refs := re.fullmatch(r"/api/models/([^/]+/[^/]+)/refs", path):
            self.list_refs(refs[1], token)
        elif api := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self.model_info(api[1], api[2] or "main", token)
        elif path == "/api/models":
            self.list_models(token)
        elif path == "/xet-read-token":
            headers = {
                "X-Xet-Access-Token": "xet",
                "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
                "X-Xet-Cas-Url": self.hub.xet_storage,
            }
            self.send(200, headers=headers)
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.resolve(file[1], file[2], file[3], token)
        else:
            self.refuse(404, "NotFound")

    def find(self, repo: str, revision: str, token: str) -> Path | None:
        """The revision's folder; refuses and returns None where there is none to be seen."""
        hidden = repo in self.hub.private and token not in self.hub.readers.get(
            repo, {token} - {""}
        )
        if self.hub.folder(repo, "main") is None or hidden:
            self.refuse(404 if token else 401, "RepoNotFound", "Repository not found")
            return None
        folder = self.hub.folder(repo, revision)
        if folder is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return folder

    def model_info(self, repo: str, revision: str, token: str) -> None:
        folder = self.find(repo, revision, token)
        if folder is None:
            return
        siblings = []
        for name, path in self.hub.files(folder):
            sha256, sha1 = self.hub.digests(path)
            size = path.stat().st_size
            sibling: dict[str, object] = {"rfilename": name, "size": size, "blobId": sha1}
            if _is_large(name):
                sibling["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 134}
            siblings.append(sibling)
        info: dict[str, object] = {"id": repo, "sha": self.hub.commit(folder), "siblings": siblings}
        info |= {
            "private": repo in self.hub.private,
            "gated": "manual" if repo in self.hub.gated else False,
        }
        page = self.hub.page
        self.send(200, json.dumps(info).encode() if page is None else page)

    def list_refs(self, repo: str, token: str) -> None:
        """Revisions are branches, those that look like versions tags."""
        if self.find(repo, "main", token) is None:
            return
        owner, name = repo.split("/")
        refs: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": []}
        for folder in sorted((self.hub.root / owner).glob(f"{name}*")):
            stem, _, label = folder.name.partition("@")
            if stem == name:
                kind = "tags" if re.match(r"v\d", label) else "branches"
                label = label or "main"
                entry = {"name": label, "ref": label, "targetCommit": self.hub.commit(folder)}
                refs[kind].append(entry)
        page = self.hub.page
        self.send(200, json.dumps(refs).encode() if page is None else page)

    def is_granted(self, repo: str, token: str) -> bool:
        """Whether the token may have the files; refuses where not."""
        if repo in self.hub.gated and token not in self.hub.gated[repo]:
            self.refuse(403 if token else 401, "GatedRepo", f"Access to {repo} is restricted.")
            return False
        return True

    def do_POST(self) -> None:
        self.log_in()

    def log_in(self) -> None:
        """Hand the request on to the OpenID provider, which takes the Hub's address for its own."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = urllib.request.Request(
            self.hub.login + self.path, body or None, dict(self.headers), method=self.command
        )
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            answer = opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read()
        names = ("Content-Type", "Location", "Set-Cookie")
        headers = {name: answer.headers[name] for name in names if name in answer.headers}
        self.send(answer.status or 500, content, headers)

    def list_models(self, token: str) -> None:
        """Repositories whose names hold the words that are searched for, of the owner and with the
        tag that are asked for, as the Hub lists them."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        names = sorted(
            f"{folder.parent.name}/{folder.name}"
            for folder in self.hub.root.glob("*/*")
            if "@" not in folder.name
        )
        found = [
            {"id": name, "modelId": name, "tags": tags}
            for name in names
            if (tags := ["safetensors", *_bases(self.hub.root / name)])
            and asked.get("search", "").lower() in name.lower()
            and asked.get("author", name.partition("/")[0]) == name.partition("/")[0]
            and asked.get("filter", "safetensors") in tags
            and (name not in self.hub.private or token)
        ]
        page = self.hub.page
        limited = json.dumps(found[: int(asked.get("limit", "1000"))]).encode()
        self.send(200, limited if page is None else page)

    def resolve(self, repo: str, revision: str, name: str, token: str) -> None:
        folder = self.find(repo, revision, token)
        if folder is None or not self.is_granted(repo, token):
            return
        path = dict(self.hub.files(folder)).get(name)
        if path is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        sha256, sha1 = self.hub.digests(path)
        headers = {"X-Repo-Commit": self.hub.commit(folder), "Accept-Ranges": "bytes"}
        if _is_large(name):
            headers["X-Linked-Etag"] = f'"{sha256}"'
            headers["X-Linked-Size"] = str(path.stat().st_size)
            if sha256 in self.hub.xet:
                headers["X-Xet-Hash"] = self.hub.xet[sha256]
                headers["X-Xet-Refresh-Route"] = f"{self.hub.url}/xet-read-token"
            headers["Location"] = f"{self.hub.storage_url}/{sha256}"
            self.send(302, headers=headers)
        else:
            self.send_file(path, {**headers, "ETag": f'"{sha1}"'})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class _Storage(_Handler):
    def answer(self, path: str, token: str) -> None:
        blob = self.hub.blobs.get(path.lstrip("/"))
        if token:
            self.send(400, b"Only one auth mechanism is allowed")
        elif blob is None:
            self.send(404)
        elif self.hub.refusals:
            self.hub.refusals -= 1
            self.send(403)
        else:
            self.send_file(blob, {"ETag": f'"{path.lstrip("/")}"', "Accept-Ranges": "bytes"})


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin", ".gguf"))


def _handler(kind: type[_Handler], hub: LocalHub) -> type[_Handler]:
    return type(kind.__name__, (kind,), {"hub": hub})


def main() -> None:
    """Serve until killed; prints the address once it listens."""
    parser = argparse.ArgumentParser(description="A stand-in for the Hugging Face Hub.")
    parser.add_argument("root", type=Path, help="folder of owner/name folders")
    parser.add_argument("port", type=int, nargs="?", default=0, help="0 for any free one")
    arguments = parser.parse_args()
    with LocalHub(arguments.root, arguments.port) as hub:
        print(hub.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
