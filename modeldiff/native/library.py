"""Kernels, ready to call: compiled by Numba once a machine, loaded without it after that.

Importing Numba and typing its functions takes half a second, longer than measuring a small model.
So the machine code that Numba makes is kept as one object file in the cache folder, under a name
that stands for the kernels' source, the compiler's version and the processor. To load it takes
nothing but Python on Linux and x86-64, elsewhere llvmlite, the thin layer under Numba. Machine code
is loaded only from where nobody but this user (or root) can have put it; where there is no such
folder, the kernels are compiled anew in each process.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from modeldiff.files.atomic import write_if_possible
from modeldiff.files.cache_folder import user_cache
from modeldiff.files.private import is_private, make_private_folder
from modeldiff.native.object_file import CodeInMemory, NotCodeAlone
from modeldiff.native.processor import compiler_version, processor
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.settings.table import CACHE, KERNELS

logger = logging.getLogger("modeldiff")

_FROM_C = ("memset", "memcpy", "memmove")
"""What a compiler may call for a loop that it recognises; nothing else is called."""
_NO_DESTRUCTOR = "define void @NRT_MemInfo_call_dtor(ptr %memory) { ret void }"
"""Numba destroys an array's memory with its last reference. The kernels' arrays are views of memory
that is not theirs, so this is never called; but it has to be there."""

_CTYPES: dict[str, Any] = {"i64": ctypes.c_int64, "u32": ctypes.c_uint32, "u64": ctypes.c_uint64}

Kernel = Callable[..., int]
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class PlainCode:
    """``functions`` that C calls, beside kernels in their object file, as LLVM's own ``assembly``.
    They call ``called`` of the C library, and ``variables`` are at these addresses."""

    assembly: str
    functions: tuple[str, ...]
    called: tuple[str, ...]
    variables: Mapping[str, int]


@dataclass(eq=False)
class KernelLibrary:
    """Some kernels that are compiled together, as functions; pointers are given as addresses
    (``array.ctypes.data``). A kernel releases the interpreter's lock while it runs.

    ``name`` is how messages call them. ``sources`` are the folders of modules whose content says
    whether they are still the same. ``module`` has them as plain functions; it is imported only to
    compile, for it imports Numba. ``signatures`` are the kernels and their arguments; each returns
    an int64. ``exact``: every operation rounds as it is written. ``plain`` is what else is in the
    object file.
    """

    name: str
    sources: tuple[Path, ...]
    module: str
    signatures: Mapping[str, str]
    exact: bool = False
    plain: PlainCode | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _loaded: Mapping[str, Kernel] | None = field(default=None, repr=False)
    _addresses: Mapping[str, int] = field(default_factory=dict, repr=False)

    def load(self, on_step: OnStep | None = None) -> Mapping[str, Kernel]:
        """The kernels by name, from this process, the cache folder or the compiler, whichever comes
        first. ``on_step`` hears how many steps of compiling are done, of how many; an error that it
        raises ends it."""
        with self._lock:
            if self._loaded is None:
                file = self.private_file()
                object_code = _stored(file) if file else None
                if object_code is None:
                    object_code = self._compile(on_step or _unheard)
                    _store(file, object_code)
                self._loaded = self._link(object_code)
            return self._loaded

    def address(self, function: str) -> int:
        """Where a function of ``plain`` begins. To be called after ``load``."""
        return self._addresses[function]

    def is_compiled(self) -> bool:
        """Whether ``load()`` would return without compiling."""
        if self._loaded is not None:
            return True
        file = self.private_file()
        return file is not None and _stored(file) is not None

    def private_file(self) -> Path | None:
        """The file of the kernels, which may not exist yet, in the first folder that is private."""
        folder = next((folder for folder in _folders() if make_private_folder(folder)), None)
        return folder / f"{self._fingerprint()}.o" if folder else None

    def _fingerprint(self) -> str:
        """Names all that the object code depends on: source, compiler and processor."""
        digest = hashlib.sha256(self.module.encode())
        for folder in (Path(__file__).parent, *self.sources):
            for module in sorted(folder.glob("*.py")):
                digest.update(module.read_bytes())
        digest.update(compiler_version())
        digest.update(processor())
        return digest.hexdigest()[:32]

    def _link(self, object_code: bytes) -> Mapping[str, Kernel]:
        outside = self._outside()
        functions = (*self.signatures, *(self.plain.functions if self.plain else ()))
        try:
            code = CodeInMemory(object_code, outside)
            self._addresses = code.addresses(functions)
            keep_for_good(code)
        except (NotCodeAlone, OSError):
            self._addresses = self._link_by_llvm(object_code, functions, outside)
        return {
            name: _function(self._addresses[name], signature)
            for name, signature in self.signatures.items()
        }

    def _called(self) -> tuple[str, ...]:
        return (*_FROM_C, *(self.plain.called if self.plain else ()))

    def _outside(self) -> dict[str, int]:
        """The addresses of all that the object code names and does not have."""
        library = ctypes.CDLL(None)
        called = {
            name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            for name in self._called()
        }
        return {**called, **(self.plain.variables if self.plain else {})}

    def _link_by_llvm(
        self, object_code: bytes, functions: Collection[str], outside: Mapping[str, int]
    ) -> dict[str, int]:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        for name, address in outside.items():
            llvm.add_symbol(name, address)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(object_code))
        engine.finalize_object()
        keep_for_good(engine)
        return {name: engine.get_function_address(name) for name in functions}

    def _compile(self, on_step: OnStep) -> bytes:
        """Machine code for this processor: one object file that holds the kernels under their
        names. A step is a kernel, and the last one all of them together."""
        logger.info(
            "compiling %s for this processor; this happens once and takes seconds", self.name
        )
        import llvmlite.binding as llvm
        import numba

        from modeldiff.native.numba_types import EXACT, MEASURING

        entries = importlib.import_module(self.module)
        types = _numba_types()
        linked = llvm.parse_assembly(_NO_DESTRUCTOR)
        steps = len(self.signatures) + 1
        for done, (name, words) in enumerate(self.signatures.items()):
            on_step(done, steps)
            signature = numba.types.int64(*[types[word] for word in words.split()])
            options = EXACT if self.exact else MEASURING
            dispatcher = numba.njit(signature, **options)(getattr(entries, name))
            (compiled,) = dispatcher.overloads.values()
            module = llvm.parse_assembly(compiled.library.get_llvm_str())
            for function in module.functions:
                if function.name == compiled.fndesc.llvm_func_name:
                    function.name = name
                elif not function.is_declaration:
                    function.linkage = "internal"
            linked.link_in(module)
        if self.plain:
            linked.link_in(llvm.parse_assembly(self.plain.assembly))
        on_step(steps - 1, steps)
        machine = _target_machine()
        builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
        passes = llvm.create_new_module_pass_manager()
        passes.add_global_dead_code_eliminate_pass()
        passes.run(linked, builder)
        called = {
            function.name
            for function in linked.functions
            if function.is_declaration and not function.name.startswith("llvm.")
        }
        if not called <= set(self._called()):
            raise AssertionError(f"the kernels call {sorted(called)}")
        return bytes(machine.emit_object(linked))


def keep_for_good(owner: object) -> None:
    """Keeps what owns machine code for as long as the process lives, modules that are imported anew
    notwithstanding: whoever took a kernel may call it when its library is gone, the system calls
    what it was told to, and code that was given back is a crash."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))


def _unheard(done: int, steps: int) -> None:
    """Nobody wants to know."""


def _function(address: int, signature: str) -> Kernel:
    # Numba's own calling convention: a status, the result and an exception through pointers.
    arguments = [_CTYPES.get(word, ctypes.c_void_p) for word in signature.split()]
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *arguments)
    function = prototype(address)

    def call(*arguments: int) -> int:
        result = ctypes.c_int64()
        exception = ctypes.c_void_p()
        function(ctypes.byref(result), ctypes.byref(exception), *arguments)
        return result.value

    return call


def _numba_types() -> dict[str, Any]:
    from numba import types

    by_word: dict[str, Any] = {"raw": types.voidptr}
    for word, kind in (
        ("i64", types.int64),
        ("u64", types.uint64),
        ("u32", types.uint32),
        ("u16", types.uint16),
        ("f64", types.float64),
    ):
        by_word[word] = kind
        by_word[f"{word}*"] = types.CPointer(kind)
    return by_word


def _folders() -> list[Path]:
    """Where the kernels may be kept, the best place first: the folder that ``MODELDIFF_KERNELS``
    names; else beside the results, unless a group shares those, and in the user's own cache."""
    if own := KERNELS.value():
        return [own]
    shared = CACHE.value()
    return [*([shared / "kernels"] if shared else []), user_cache("modeldiff-kernels")]


def _stored(file: Path) -> bytes | None:
    """The object code in a file of ours that begins with its checksum; None if there is none
    unharmed."""
    try:
        content = file.read_bytes() if is_private(file) else b""
    except OSError:
        return None
    checksum, object_code = content[:32], content[32:]
    return object_code if hashlib.sha256(object_code).digest() == checksum else None


def _store(file: Path | None, object_code: bytes) -> None:
    """Keeps the object code behind its checksum; where that can't be done, it is no error."""
    if file is None:
        places = " and ".join(str(folder) for folder in _folders())
        logger.warning(
            "The kernels are not kept, and each process compiles them: %s can't be written, or can "
            "be written by others, too. Set %s to a folder of your own.",
            places,
            KERNELS.name,
        )
    elif not write_if_possible(
        file, hashlib.sha256(object_code).digest() + object_code, mode=0o600
    ):
        logger.warning("The kernels are not kept: %s can't be written.", file)


def _target_machine() -> Any:
    import llvmlite.binding as llvm

    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )
