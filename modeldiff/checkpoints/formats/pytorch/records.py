"""What a pickle says, as data: a name where it would import, a record where it would call."""

from __future__ import annotations

from typing import Any

from modeldiff.processes.late_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Global:
    """Something of a module that a pickle names. It is never imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """``torch._utils._rebuild_tensor_v2``."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Call:
    """A call that a pickle asks for: of ``what``, with ``arguments``. It was never made.

    ``state`` is what the object would be set to afterwards, ``entries`` what would be put into it
    by key, ``items`` what would be appended to it. Compared by identity: what it holds may be
    nested so deeply that comparing it would not end.
    """

    what: Any
    arguments: Any = ()
    state: Any = None
    entries: dict[Any, Any] | None = None
    items: list[Any] | None = None

    @property
    def path(self) -> str:
        """The path of what would be called; empty where that is no plain name."""
        return self.what.path if isinstance(self.what, Global) else ""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of values that lies outside of the pickle, under a ``key``.

    ``dtype`` in safetensors' spelling, or torch's own where that has none; ``elements`` as the
    pickle counts them.
    """

    dtype: str
    key: str
    elements: int


TORCH_TYPES = {
    "float64": "F64",
    "double": "F64",
    "float32": "F32",
    "float": "F32",
    "float16": "F16",
    "half": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "int64": "I64",
    "long": "I64",
    "uint64": "U64",
    "int32": "I32",
    "int": "I32",
    "uint32": "U32",
    "int16": "I16",
    "short": "I16",
    "uint16": "U16",
    "int8": "I8",
    "char": "I8",
    "uint8": "U8",
    "byte": "U8",
    "bool": "BOOL",
    "complex64": "C64",
    "complexfloat": "C64",
    "untyped": "U8",
}
"""torch's names of element types, and of its storages in small letters, as safetensors spells
them."""
