"""What object code depends on beside its source, found without the compiler where the system says
it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = (b"vendor_id", b"cpu family", b"model", b"stepping", b"flags")
"""Lines of a processor of x86 that stay the same and tell what it can do."""


def compiler_version() -> bytes:
    """The version of the compiler that is installed, as its package has it in a file; else as the
    package says, which takes longer."""
    spec = find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return b""
    try:
        return Path(spec.origin).with_name("_version.py").read_bytes()
    except OSError:
        import llvmlite

        return str(llvmlite.__version__).encode()


def processor() -> bytes:
    """This machine's processor and what it can do: as Linux says it of x86, else as LLVM does."""
    lines = _first_of_cpuinfo()
    if all(any(line.startswith(telling) for line in lines) for telling in _TELLING):
        return b"\n".join(line for line in lines if line.startswith(_TELLING))
    import llvmlite.binding as llvm

    words = (
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )
    return "\n".join(words).encode()


def _first_of_cpuinfo() -> list[bytes]:
    """What Linux says of the first processor, a line each; nothing elsewhere."""
    try:
        with _CPUINFO.open("rb", buffering=0) as file:
            return file.read(1 << 14).partition(b"\n\n")[0].splitlines()
    except OSError:
        return []
