"""The Hub's answers and silences → our errors.

Messages name the repository and what to do; they never carry headers, tokens or signed addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import errors as hub

from modeldiff.errors import (
    AccessDenied,
    CheckpointError,
    CheckpointNotFound,
    HubUnreachable,
    ModeldiffError,
    placing_errors,
)

_LOG_IN = "log in with `hf auth login` or set HF_TOKEN"
_TRY_AGAIN = (
    "Check the network, HF_ENDPOINT and proxy settings and try again. What was downloaded before "
    "can be opened offline."
)


@contextmanager
def translating_hub_errors(repo: str, revision: str | None, endpoint: str) -> Iterator[None]:
    """Raise our error for whatever goes wrong between here and the Hub."""
    with placing_errors(repository=repo):
        try:
            yield
        except (ModeldiffError, KeyboardInterrupt):
            raise
        except Exception as error:
            ours = _translate(error, repo, revision, endpoint)
            if ours is None:
                raise
            raise ours from error


def _translate(
    error: Exception, repo: str, revision: str | None, endpoint: str
) -> ModeldiffError | None:
    match error:
        case hub.GatedRepoError():  # a kind of RepositoryNotFoundError: has to stand before it
            return AccessDenied(
                f"{repo} is gated: its files are for those who were granted access.",
                hint=f"Ask for access at {endpoint}/{repo}, then {_LOG_IN}.",
            )
        case hub.RepositoryNotFoundError():
            return CheckpointNotFound(
                f"The Hub shows no repository {repo}, nor is there a folder of that name here.",
                hint=f"Check the spelling of owner/name. If it is private, {_LOG_IN}.",
            )
        case hub.RevisionNotFoundError():
            return CheckpointNotFound(
                f"{repo} has no revision {revision or 'main'}.",
                hint=f"`modeldiff list {repo}` lists its branches and tags. A slash in a name is "
                "written %2F: what follows one is a folder or file.",
            )
        case hub.RemoteEntryNotFoundError():
            return CheckpointNotFound(
                f"{repo} no longer has a file that it listed.", hint="Open it again."
            )
        case hub.DisabledRepoError():
            return AccessDenied(
                f"The Hub has disabled {repo}.", hint=f"{endpoint}/{repo} may say why."
            )
        case hub.HfHubHTTPError():
            return _for_status(error.response.status_code, repo)
        case hub.OfflineModeIsEnabled():
            return HubUnreachable(
                f"{repo} is not in the cache, and HF_HUB_OFFLINE forbids asking the Hub.",
                hint="Unset HF_HUB_OFFLINE, or give a folder of this machine.",
            )
        case httpx2.TimeoutException():
            return HubUnreachable(f"The Hub took too long to answer for {repo}.", hint=_TRY_AGAIN)
        case httpx2.HTTPError() | httpx2.InvalidURL() | hub.LocalEntryNotFoundError():
            return HubUnreachable(
                f"The Hub at {endpoint} could not be reached for {repo}.", hint=_TRY_AGAIN
            )
        case hub.FileMetadataError() | hub.XetDownloadError():
            return HubUnreachable(f"{endpoint} does not answer as a Hub does.", hint=_TRY_AGAIN)
        case OSError() if error.errno is not None:  # the disk, not the network
            return CheckpointError(
                f"A file of {repo} could not be stored: {error.strerror}.",
                hint="Make room or set HF_HOME to a folder with room that may be written to.",
            )
        case OSError() | RuntimeError():  # a file that arrived short; whatever Xet reports
            return HubUnreachable(f"The download from {repo} broke off.", hint=_TRY_AGAIN)
        case _:
            return None


def _for_status(status: int, repo: str) -> ModeldiffError:
    if status == 401:
        return AccessDenied(
            f"The Hub does not accept the token that was sent for {repo}.",
            hint="It may have expired: log in again (in the app, or with `hf auth login`), or "
            "renew HF_TOKEN.",
        )
    if status == 403:
        return AccessDenied(
            f"The Hub refuses access to {repo}.",
            hint="The token may lack the permission to read it: check its scope.",
        )
    if status == 429:
        return HubUnreachable(
            f"The Hub asks to wait before it answers for {repo} again.",
            hint="Wait some minutes; logging in raises the limit.",
        )
    return HubUnreachable(f"The Hub answered for {repo} with status {status}.", hint=_TRY_AGAIN)
