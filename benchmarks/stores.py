"""A diff of files that lie at a server, and its reading alone, beside a plain download of the same
files to nowhere.

The server is nginx on loopback: over HTTP, over TLS, and asked as S3 is (requests are signed, and
nginx answers them without looking at that). It shares the processor with whoever asks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.programs import Program
from benchmarks.report import machine
from benchmarks.running import Run

_PLAIN, _TLS = 8941, 8942
_NGINX = """
daemon off; pid {home}/pid; error_log {home}/errors; worker_processes 2; events {{}}
http {{
  access_log off; sendfile on;
  client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
  uwsgi_temp_path {home}; scgi_temp_path {home};
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; root {folder};
    ssl_certificate {home}/server.crt; ssl_certificate_key {home}/server.key;
  }}
}}
"""
_S3_DOWNLOAD = """
import sys, threading, obstore
from obstore.store import S3Store
def read(address):
    bucket, _, key = address.removeprefix("s3://").partition("/")
    store = S3Store(bucket, client_options={"allow_http": True})
    for part in obstore.get(store, key).stream(min_chunk_size=1 << 20):
        pass
threads = [threading.Thread(target=read, args=(address,)) for address in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
_OPENING, _READING = "modeldiff, starting and opening", "modeldiff, its reading alone"
WAYS: Mapping[str, str] = {
    "HTTP": f"http://localhost:{_PLAIN}",
    "HTTPS": f"https://localhost:{_TLS}",
    "S3": "s3:/",
}


@contextmanager
def file_server(folder: Path) -> Iterator[None]:
    """A server of what lies in ``folder``, and an environment in which it is found and trusted."""
    before = dict(os.environ)
    with TemporaryDirectory() as name:
        home = Path(name)
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", "server.key", "-out", "server.crt"),
            ],
            cwd=home,
            check=True,
            capture_output=True,
        )
        text = _NGINX.format(home=home, plain=_PLAIN, tls=_TLS, folder=folder.resolve())
        (home / "nginx.conf").write_text(text, encoding="utf-8")
        server = subprocess.Popen(["nginx", "-c", str(home / "nginx.conf")])
        os.environ |= {
            "SSL_CERT_FILE": str(home / "server.crt"),
            "CURL_CA_BUNDLE": str(home / "server.crt"),
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_PLAIN}",
        }
        try:
            time.sleep(1)  # until it listens
            yield
        finally:
            server.terminate()
            server.wait()
            os.environ.clear()
            os.environ.update(before)


def first_files(*folders: Path) -> list[Path]:
    """The first shard of each folder: large, so that starting is a small part of reading it, and
    small enough to stay in memory, so that no disk is timed."""
    return [min(folder.glob("*.safetensors")) for folder in folders]


def store_programs(base: Path, target: Path) -> list[Program]:
    """By each way a download, and a diff, of the first file of both folders, which lie in one."""
    files = first_files(base, target)
    options = ("--no-cache", "--quiet", "--device", "cpu")
    programs = []
    for way, root in WAYS.items():
        addresses = [f"{root}/{file.parent.name}/{file.name}" for file in files]
        nowhere = [part for address in addresses for part in ("-o", os.devnull, address)]
        download = ("curl", "--silent", "--fail", "--parallel", *nowhere)
        if way == "S3":
            download = (sys.executable, "-c", _S3_DOWNLOAD, *addresses)
        ours = (sys.executable, "-m", "modeldiff", "diff", *addresses, *options)
        programs.append(Program(f"{way}: a download of both at once", download, "nothing"))
        reading = (sys.executable, str(Path(__file__).with_name("only_read.py")))
        opening = (*reading, "--only-open", *addresses)
        programs.append(Program(f"{way}: {_OPENING}", opening, "headers"))
        programs.append(Program(f"{way}: {_READING}", (*reading, *addresses), "nothing"))
        programs.append(Program(f"{way}: **modeldiff**", ours, "all columns, exact median"))
    local = (sys.executable, "-m", "modeldiff", "diff", *map(str, files), *options)
    programs.append(Program("from the disk: **modeldiff**", local, "all columns, exact median"))
    return programs


def store_table(runs: Mapping[Program, Sequence[Run]], nbytes: int) -> str:
    """Medians and rates, start included; reading's and a diff's rate also as a share of that of
    their download, reading's besides without what starting and opening take. In Markdown."""
    lines = [
        f"### Files at a server: {nbytes / 1e9:.2f} GB on both sides",
        "",
        "| | wall | rate | of the download's | CPU of the client | peak memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    floor = opening = 0.0
    for program, measured in runs.items():
        seconds = median(run.seconds for run in measured)
        rate, share = f"{nbytes / seconds / 1e9:.2f} GB/s", "–"
        if "download" in program.name:
            floor = seconds
        elif program.name.endswith(_OPENING):
            opening, rate = seconds, "–"
        elif not program.name.startswith("from"):
            share = f"{100 * floor / seconds:.0f} %"
        if program.name.endswith(_READING):
            share += f" ({100 * floor / (seconds - opening):.0f} % without its start)"
        processor = median(run.processor for run in measured)
        memory = max(run.memory for run in measured) / 1e6
        lines.append(
            f"| {program.name} | {seconds:.2f} s | {rate} | {share} "
            f"| {processor:.2f} s | {memory:,.0f} MB |"
        )
    return "\n".join([*lines, "", machine()])
