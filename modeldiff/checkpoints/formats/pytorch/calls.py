"""What a pickle would call that can act on a machine. Nothing of it is called here."""

from __future__ import annotations

from collections.abc import Collection

from modeldiff.text.quoting import listed

_MODULES = frozenset(
    (
        *("os", "posix", "nt", "subprocess", "sys", "shutil", "pty", "platform", "signal"),
        *("socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "ftplib", "smtplib"),
        *("importlib", "runpy", "imp", "pkgutil", "zipimport", "pip", "code", "codeop", "pdb"),
        *("ctypes", "cffi", "multiprocessing", "asyncio", "threading", "webbrowser"),
        *("pickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve", "functools", "operator"),
    )
)
_BUILTINS = frozenset(
    (
        *("eval", "exec", "execfile", "compile", "open", "input", "breakpoint", "__import__"),
        *("getattr", "setattr", "delattr", "globals", "locals", "vars", "apply"),
    )
)


def dangerous_calls(names: Collection[str]) -> tuple[str, ...]:
    """A sentence where ``names``, the paths that a pickle imports, are of what can run programs,
    reach files or the network, or load code; else none."""
    acting = sorted(name for name in names if _acts(name))
    if not acting:
        return ()
    return (
        f"Its pickle asks for {listed(acting)}. Nothing of it was run here; a program that loads "
        "the file with pickle, or with torch.load(weights_only=False), may run it.",
    )


def _acts(path: str) -> bool:
    module, _, name = path.rpartition(".")
    if module in ("builtins", "__builtin__"):
        return name in _BUILTINS
    return module.partition(".")[0] in _MODULES
