"""What is done before anything else runs: all settings are read, who can come in is checked, and
NumPy is told how many threads it needs."""

from __future__ import annotations

import ipaddress
import os

from modeldiff.errors import InvalidOption
from modeldiff.settings.table import ALLOW_ALL_PATHS, RAY, RAY_ADDRESS, ROOTS, SETTINGS, WORKER
from modeldiff.text.quoting import did_you_mean

_OURS = "MODELDIFF_"
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def check_settings() -> None:
    """Raise ``InvalidOption`` for the first setting that can't be read, and for a variable that is
    called like one of ours and is none (a misspelt limit is no limit), or where a cluster is set
    and the process that would use it is not."""
    known = [setting.name for setting in SETTINGS]
    for name in sorted(os.environ):
        if name.startswith(_OURS) and name not in known:
            raise InvalidOption(
                f"There is no setting {name}.",
                hint=did_you_mean(name, known) or "docs/server.md lists them all.",
            )
    for setting in SETTINGS:
        setting.value()
    if RAY.value() and not (WORKER.value() and RAY_ADDRESS.value()):
        raise InvalidOption(
            f"{RAY.name} needs {WORKER.name}=yes and {RAY_ADDRESS.name}.",
            hint="modeldiff worker alone connects to the cluster: it can be started again when "
            "the cluster's head is gone, and pages go on.",
        )


def import_numpy() -> None:
    """Import NumPy with one thread of OpenBLAS, unless the environment says how many it has.

    The few samples that these commands multiply need no more, and threads for all cores cost time
    before there is anything to multiply. Who is started from here has the environment as it was.
    """
    if _BLAS_THREADS in os.environ:
        return
    os.environ[_BLAS_THREADS] = "1"
    try:
        import numpy  # noqa: F401
    finally:
        del os.environ[_BLAS_THREADS]


def is_server() -> bool:
    """Whether others than this machine's user may be looking: then messages show what was typed,
    and never what lies where on this machine."""
    return bool(ROOTS.value()) or ALLOW_ALL_PATHS.value()


def is_loopback(address: str) -> bool:
    """Whether a server at ``address`` (a host's name or number, a Unix socket's path) is reached
    from this machine alone. The empty address is every one."""
    if address.startswith("unix://") or address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def require_roots(address: str) -> None:
    """Raise ``InvalidOption`` where the app would show all of this machine's files to others: at an
    ``address`` that is not loopback, without roots; and where a root is no folder."""
    for root in ROOTS.value():
        if not root.is_dir():
            raise InvalidOption(
                f"{ROOTS.name} names {root}, which is not a folder here.",
                hint="Mount it, or mend the setting.",
            )
    if not (is_loopback(address) or is_server()):
        raise InvalidOption(
            f"At {address or 'every address of this machine'}, whoever reaches the app could open "
            "every file that its user may read.",
            hint=f"Set {ROOTS.name} to the folders that may be opened, or say --allow-all-paths "
            f"({ALLOW_ALL_PATHS.name}=yes) if that is what you want.",
        )
