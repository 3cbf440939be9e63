"""Bringing one file of a repository into huggingface_hub's cache, with progress and cancelling.

huggingface_hub reports through a progress bar of a class that we give. Over plain HTTP an
exception raised in the bar ends the download; over Xet the bar runs on a thread of the transfer's
own, where exceptions are swallowed (huggingface_hub issue 4632). So the download has a thread,
and the caller's thread watches, reports, and may leave at any time.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

from huggingface_hub import get_hf_file_metadata, hf_hub_download

from modeldiff.checkpoints.hub.errors import translating_hub_errors
from modeldiff.checkpoints.hub.repository import TIMEOUT_SECONDS, Repository, file_url
from modeldiff.checkpoints.source import FetchProgress
from modeldiff.errors import Cancelled

_REPORT_SECONDS = 0.2
_LEAVE_SECONDS = 2.0


def download(repository: Repository, file: str, size: int, progress: FetchProgress | None) -> Path:
    """Download ``file`` of ``size`` bytes at the repository's commit and return where it lies.

    ``progress`` is called on this thread about five times a second and at the end; what it raises
    ends the download. Raises the Hub's errors as ours.
    """
    transfer = _Transfer()
    thread = threading.Thread(
        target=transfer.run, args=(repository, file), name=f"download {file}", daemon=True
    )
    thread.start()
    try:
        while thread.is_alive():
            if progress:
                progress(min(transfer.received, size), size)
            thread.join(_REPORT_SECONDS)
    except BaseException:
        transfer.cancelled = True
        _abort_xet()
        thread.join(_LEAVE_SECONDS)  # so that its temporary file is gone, if it is quick
        raise
    with translating_hub_errors(repository.repo, repository.commit, repository.endpoint):
        path = transfer.result()
    if progress:
        progress(size, size)
    return path


class _Transfer:
    """A download on its thread: what it received so far and how it ended."""

    def __init__(self) -> None:
        self.received = 0
        self.cancelled = False
        self._path: Path | None = None
        self._error: BaseException | None = None

    def run(self, repository: Repository, file: str) -> None:
        token = repository.token
        try:
            # One quick question first: hf_hub_download, finding no Hub, would retry for minutes.
            url = file_url(repository, file)
            get_hf_file_metadata(
                url, timeout=TIMEOUT_SECONDS, endpoint=repository.endpoint, token=token
            )
            path = hf_hub_download(
                repository.repo,
                file,
                revision=repository.commit,
                endpoint=repository.endpoint,
                token=token,
                etag_timeout=TIMEOUT_SECONDS,
                tqdm_class=_bar_class(self),
            )
            self._path = Path(path)
        except BaseException as error:
            self._error = error

    def stop_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled("The download was cancelled.")

    def result(self) -> Path:
        if self._path is None:
            assert self._error is not None
            raise self._error
        return self._path


def _bar_class(transfer: _Transfer) -> Any:
    """A class with as much of tqdm as huggingface_hub uses, that counts into ``transfer``."""

    class Bar:
        def __init__(self, *_: Any, total: int | None = None, initial: int = 0, **__: Any) -> None:
            transfer.stop_if_cancelled()
            self.total, self.n = total, initial

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            transfer.stop_if_cancelled()
            self.n += count
            transfer.received = self.n

        # Having this makes Xet use one bar for bytes on disk and bytes received; only the first
        # are counted.
        def update_transfer(self, count: int) -> None:
            pass

        def set_postfix_str(self, *_: Any, **__: Any) -> None:
            pass

        set_transfer_postfix_str = set_postfix_str

        def close(self) -> None:
            pass

    return Bar


def _abort_xet() -> None:
    """Stop Xet transfers. There is no public way; without this one, a cancelled download would run
    to its end unseen. Does nothing where Xet is not in use."""
    with contextlib.suppress(ImportError, AttributeError):
        from huggingface_hub.utils._xet import abort_xet_session

        abort_xet_session()  # type: ignore[no-untyped-call]
