"""All settings. What is not here is not read from the environment, but for what describes the
terminal (``NO_COLOR`` and its kin)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from modeldiff.settings.setting import (
    HubAccess,
    StoreAccess,
    Variable,
    count,
    folder,
    folders,
    host_and_port,
    hub_access,
    log_form,
    names,
    size,
    store_access,
    store_prefix,
    word,
    yes_or_no,
)

_SIZE = "a size with its unit, as 500 GB"
_COUNT = "a whole number above zero"
_FOLDER = "a folder"
_SWITCH = "yes or no"

CACHE: Final = Variable[Path | None](
    "MODELDIFF_CACHE",
    "a folder of this machine (for a store, see MODELDIFF_SHARED)",
    "the user's own cache",
    "Where results, drill-downs, journals and what was read of the Hub are kept. Where a group may "
    "write to the folder, all of the group can use what lies in it.",
    None,
    folder,
)
SHARED: Final = Variable[str | None](
    "MODELDIFF_SHARED",
    "an object store's prefix, as s3://team/modeldiff",
    "none",
    "Where a team shares results, drill-downs and the journals of diffs that run: what is not in "
    "this machine's cache is looked for there, and what is measured is put there, too.",
    None,
    store_prefix,
)
CACHE_SIZE: Final = Variable(
    "MODELDIFF_CACHE_SIZE",
    _SIZE,
    "20 GB",
    "How much the cache may hold. What was not used for longest makes room first.",
    20_000_000_000,
    size,
)
CACHE_DAYS: Final = Variable[int | None](
    "MODELDIFF_CACHE_DAYS",
    _COUNT,
    "no limit",
    "After how many days without use a result goes, and the drill-downs into it.",
    None,
    count,
)
KERNELS: Final = Variable[Path | None](
    "MODELDIFF_KERNELS",
    _FOLDER,
    "beside the results, else in the user's own cache",
    "Where compiled kernels are kept. They are loaded only from a folder that nobody else can "
    "write to.",
    None,
    folder,
)
GALLERY_FOLDER: Final = Variable[Path | None](
    "MODELDIFF_GALLERY",
    _FOLDER,
    "the one that ships with modeldiff",
    "Where the gallery's entries lie.",
    None,
    folder,
)
ROOTS: Final = Variable[tuple[Path, ...]](
    "MODELDIFF_ROOTS",
    f"folders, joined by {os.pathsep}",
    "every folder",
    "The folders that may be opened, links followed. The app starts without them on a loopback "
    "address only.",
    (),
    folders,
)
ALLOW_ALL_PATHS: Final = Variable(
    "MODELDIFF_ALLOW_ALL_PATHS",
    _SWITCH,
    "no",
    "Lets the app serve other machines without MODELDIFF_ROOTS. Then whoever reaches it sees what "
    "its user may read.",
    False,
    yes_or_no,
)
HUB: Final = Variable(
    "MODELDIFF_HUB",
    "off, all, or owners and repositories, as: meta-llama, Qwen/Qwen3-8B",
    "all",
    "Which repositories of the Hugging Face Hub may be opened. On a server, its token is sent for "
    "those alone that are named here.",
    HubAccess(),
    hub_access,
)
STORES: Final = Variable[StoreAccess | None](
    "MODELDIFF_STORES",
    "off, all, or prefixes, as: s3://models/public, https://example.org/models",
    "all on one's own machine, off on a server",
    "Which object stores and web servers may be read, with this machine's credentials. On a "
    "server, private addresses are read only where a prefix names them.",
    None,
    store_access,
)
MOST_DOWNLOAD: Final = Variable[int | None](
    "MODELDIFF_MAX_DOWNLOAD",
    _SIZE,
    "what the disk has room for",
    "The most that may be downloaded of one checkpoint.",
    None,
    size,
)
MOST_HEADER_BYTES: Final = Variable(
    "MODELDIFF_MAX_HEADER_BYTES",
    _SIZE,
    "128 MB",
    "The most bytes that the headers of one checkpoint's files may have.",
    128_000_000,
    size,
)
MOST_TENSORS: Final = Variable(
    "MODELDIFF_MAX_TENSORS",
    _COUNT,
    "500,000",
    "The most tensors that one checkpoint may have.",
    500_000,
    count,
)
MOST_FILES: Final = Variable(
    "MODELDIFF_MAX_FILES",
    _COUNT,
    "10,000",
    "The most files that one checkpoint may have.",
    10_000,
    count,
)
MOST_NAME_BYTES: Final = Variable(
    "MODELDIFF_MAX_NAME_BYTES",
    _SIZE,
    "64 MB",
    "The most that the names of one checkpoint's tensors may have together.",
    64_000_000,
    size,
)
MOST_OPENING_SECONDS: Final = Variable(
    "MODELDIFF_MAX_OPENING_SECONDS",
    _COUNT,
    "120",
    "The most seconds of a processor that reading one checkpoint's headers may take, and as many "
    "again for understanding its names.",
    120,
    count,
)
MOST_QUEUED: Final = Variable(
    "MODELDIFF_MAX_QUEUED",
    _COUNT,
    "100",
    "How many diffs and drill-downs may wait. Users take turns, and small diffs do not wait for "
    "large ones.",
    100,
    count,
)
MOST_QUEUED_PER_USER: Final = Variable(
    "MODELDIFF_MAX_QUEUED_PER_USER",
    _COUNT,
    "20",
    "How many of them may be one user's: who has logged in, else one tab.",
    20,
    count,
)
WORKER: Final = Variable(
    "MODELDIFF_WORKER",
    _SWITCH,
    "no",
    "The app measures nothing itself, but asks the process of modeldiff worker that has the same "
    "MODELDIFF_CACHE.",
    False,
    yes_or_no,
)
RAY: Final = Variable(
    "MODELDIFF_RAY",
    _SWITCH,
    "no",
    "Lets modeldiff worker measure diffs of 1 GiB and more on the Ray cluster at RAY_ADDRESS. "
    "Needs MODELDIFF_WORKER=yes.",
    False,
    yes_or_no,
)
RAY_ADDRESS: Final = Variable(
    "RAY_ADDRESS",
    "HOST:PORT",
    "none",
    "The head of the running Ray cluster that diff --on ray uses, and modeldiff worker with "
    "MODELDIFF_RAY.",
    "",
    word,
)
RAY_WITHOUT_TOKEN: Final = Variable(
    "MODELDIFF_RAY_WITHOUT_TOKEN",
    _SWITCH,
    "no",
    "Uses a Ray cluster that asks nobody for a token. Whoever reaches such a cluster can run code "
    "on all its machines.",
    False,
    yes_or_no,
)
LOGIN: Final = Variable(
    "MODELDIFF_LOGIN",
    "names, addresses or groups, as: ada@example.org, @example.org, group:research",
    "nobody has to log in",
    "Who may use the app once logged in; needs [auth] in Streamlit's secrets, or "
    "MODELDIFF_LOGIN_HEADER.",
    frozenset[str](),
    names,
)
LOGIN_HEADER: Final = Variable(
    "MODELDIFF_LOGIN_HEADER",
    "the name of a header",
    "none is trusted",
    "The header in which a proxy says who has logged in there. The proxy has to remove what a "
    "browser sends under that name, and be the only way to the app.",
    "",
    word,
)
METRICS_ADDRESS: Final = Variable[tuple[str, int] | None](
    "MODELDIFF_METRICS",
    "an address of this machine and a port, as 127.0.0.1:9100",
    "none",
    "Where counts are served in Prometheus' format. Nobody has to log in there: keep it on "
    "loopback, or in a network of the collector's own.",
    None,
    host_and_port,
)
LOG: Final = Variable(
    "MODELDIFF_LOG",
    "json",
    "text",
    "How the app's log is written: as lines of JSON with the id of the request, without tokens and "
    "without paths outside MODELDIFF_ROOTS.",
    "",
    log_form,
)
HF_ENDPOINT: Final = Variable(
    "HF_ENDPOINT", "an address", "https://huggingface.co", "The Hub that is asked.", "", word
)
HF_HUB_CACHE: Final = Variable[Path | None](
    "HF_HUB_CACHE", _FOLDER, "hub in HF_HOME", "Where downloaded weights lie.", None, folder
)
HUGGINGFACE_HUB_CACHE: Final = Variable[Path | None](
    "HUGGINGFACE_HUB_CACHE", _FOLDER, "HF_HUB_CACHE", "Its former name.", None, folder
)
HF_HOME: Final = Variable[Path | None](
    "HF_HOME",
    _FOLDER,
    "huggingface in XDG_CACHE_HOME",
    "Where huggingface_hub keeps its files, the token among them.",
    None,
    folder,
)
XDG_CACHE_HOME: Final = Variable[Path | None](
    "XDG_CACHE_HOME", _FOLDER, "~/.cache", "The user's own cache.", None, folder
)
VISIBLE_CARDS: Final = Variable[str | None](
    "CUDA_VISIBLE_DEVICES",
    "numbers with commas between them",
    "all cards",
    "Which NVIDIA cards may be used.",
    None,
    str,
    may_be_empty=True,
)
SERVER_ADDRESS: Final = Variable(
    "STREAMLIT_SERVER_ADDRESS",
    "an address of this machine, or 0.0.0.0 for all of them",
    "127.0.0.1",
    "Where the app is served.",
    "127.0.0.1",
    word,
)

SETTINGS: Final[tuple[Variable[Any], ...]] = (
    *(ROOTS, ALLOW_ALL_PATHS, HUB, STORES, MOST_DOWNLOAD),
    *(LOGIN, LOGIN_HEADER),
    *(MOST_QUEUED, MOST_QUEUED_PER_USER, WORKER),
    *(RAY, RAY_ADDRESS, RAY_WITHOUT_TOKEN),
    *(METRICS_ADDRESS, LOG),
    *(CACHE, SHARED, CACHE_SIZE, CACHE_DAYS, KERNELS, GALLERY_FOLDER),
    *(MOST_HEADER_BYTES, MOST_TENSORS, MOST_FILES, MOST_NAME_BYTES, MOST_OPENING_SECONDS),
    *(HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, XDG_CACHE_HOME),
    *(SERVER_ADDRESS, VISIBLE_CARDS),
)
"""In the order in which they are shown."""


def settings_table() -> str:
    """The settings as a table in Markdown, as it stands in ``docs/server.md``."""
    rows = [
        f"| `{each.name}` | {each.meaning} | {each.form} | {each.default} |" for each in SETTINGS
    ]
    return "\n".join(
        ["| setting | meaning | form | without it |", "| --- | --- | --- | --- |", *rows]
    )
