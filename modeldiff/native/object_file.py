"""Object files of Linux on x86-64, put into memory without a linker.

What the compiler makes of the kernels is one object file of code and constants. All that is left
to do is to lay its sections side by side and to write addresses where the file says so, each in 64
bits: a millisecond, where importing llvmlite and having LLVM do it takes thirty. What asks for more
than that is left to LLVM.

The form is the System V ABI's (``Elf64_Ehdr``, ``Elf64_Shdr``, ``Elf64_Sym``, ``Elf64_Rela``), and
the one relocation is its ``R_X86_64_64``: a symbol's address and a number.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Collection, Mapping

_HEADER = struct.Struct("<7s9xHH20xQ10xHH2x")  # what it is, kind, machine; sections: where, number
_SECTION = struct.Struct("<4xIQ8xQQIIQ8x")  # kind, flags, offset, size, link, info, alignment
_SYMBOL = struct.Struct("<I2xHQ8x")  # where its name is, section, value
_RELOCATION = struct.Struct("<QIIq")  # where, kind, symbol, addend
_ADDRESS = struct.Struct("<Q")
_ELF64 = b"\x7fELF\x02\x01\x01"
_RELOCATABLE, _X86_64 = 1, 62
_SYMBOLS, _RELOCATIONS, _ZEROS, _BARE_RELOCATIONS, _UNWINDING = 2, 4, 8, 9, 0x70000001
_WRITTEN_TO, _IN_MEMORY = 1, 2
_ABSOLUTE = 1
_NOWHERE = 0
_READ_AND_EXECUTE = 1 | 4


class NotCodeAlone(Exception):
    """An object file that is not code and constants with absolute addresses."""


class CodeInMemory:
    """The code of an object file; it may be called for as long as this is there.

    ``outside`` are the addresses of what it calls. Raises ``NotCodeAlone`` for what LLVM has to do,
    and ``OSError`` where the system lets nothing be executed that was written.
    """

    def __init__(self, object_code: bytes, outside: Mapping[str, int]) -> None:
        self._content = object_code
        try:
            self._sections = self._read_sections()
            self._begins, size = self._lay_out()
            self._memory = mmap.mmap(-1, max(size, 1))
            self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
            self._symbols, self._named = self._read_symbols(outside)
            self._fill()
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise NotCodeAlone(f"it is cut: {error}") from error
        self._make_executable()

    def addresses(self, functions: Collection[str]) -> dict[str, int]:
        """Where each of ``functions`` begins. Raises ``NotCodeAlone`` where one is missing."""
        missing = set(functions) - set(self._named)
        if missing:
            raise NotCodeAlone(f"it has no {sorted(missing)}")
        return {name: self._named[name] for name in functions}

    def _read_sections(self) -> list[tuple[int, ...]]:
        magic, kind, machine, first, size, count = _HEADER.unpack_from(self._content)
        if (magic, kind, machine, size) != (_ELF64, _RELOCATABLE, _X86_64, _SECTION.size):
            raise NotCodeAlone("it is no object file of x86-64")
        return [_SECTION.unpack_from(self._content, first + size * each) for each in range(count)]

    def _lay_out(self) -> tuple[dict[int, int], int]:
        """Where each section that is needed begins in memory, and the bytes of all."""
        begins: dict[int, int] = {}
        end = 0
        for number, (kind, flags, _, size, _, _, alignment) in enumerate(self._sections):
            if not flags & _IN_MEMORY or kind == _UNWINDING:
                continue
            if flags & _WRITTEN_TO:
                raise NotCodeAlone("it has variables")
            if alignment > mmap.PAGESIZE:  # memory begins on a page, and no better
                raise NotCodeAlone(f"it asks for {alignment:,} bytes of alignment")
            begins[number] = end + -end % max(alignment, 1)
            end = begins[number] + size
        return begins, end

    def _read_symbols(self, outside: Mapping[str, int]) -> tuple[list[int | None], dict[str, int]]:
        """The address of each symbol, None of what has none here, and of those that have names."""
        addresses: list[int | None] = []
        named: dict[str, int] = {}
        tables = [each for each in self._sections if each[0] == _SYMBOLS]
        if len(tables) != 1:
            raise NotCodeAlone(f"it has {len(tables)} tables of symbols")
        names = self._bytes_of(self._sections[tables[0][4]])
        for name_at, section, value in _SYMBOL.iter_unpack(self._bytes_of(tables[0])):
            name = names[name_at : names.index(b"\0", name_at)].decode()
            if section == _NOWHERE:
                addresses.append(outside.get(name))
            elif section in self._begins:
                if value > self._sections[section][3]:
                    raise NotCodeAlone(f"symbol {len(addresses)} is outside of its section")
                addresses.append(self._base + self._begins[section] + value)
                named[name] = self._base + self._begins[section] + value
            else:
                addresses.append(None)
        return addresses, named

    def _fill(self) -> None:
        for number, begin in self._begins.items():
            if self._sections[number][0] != _ZEROS:
                content = self._bytes_of(self._sections[number])
                self._memory[begin : begin + len(content)] = content
        for table in self._sections:
            begun = self._begins.get(table[5])
            if begun is None or table[0] not in (_RELOCATIONS, _BARE_RELOCATIONS):
                continue
            if table[0] == _BARE_RELOCATIONS:
                raise NotCodeAlone("its relocations are without numbers")
            for where, kind, symbol, addend in _RELOCATION.iter_unpack(self._bytes_of(table)):
                at = self._symbols[symbol]
                if kind != _ABSOLUTE or at is None:
                    raise NotCodeAlone(f"it has a relocation of kind {kind} of symbol {symbol}")
                _ADDRESS.pack_into(self._memory, begun + where, at + addend)

    def _bytes_of(self, section: tuple[int, ...]) -> bytes:
        _, _, offset, size, *_ = section
        if offset + size > len(self._content):
            raise NotCodeAlone("it is cut")
        return self._content[offset : offset + size]

    def _make_executable(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        size = ctypes.c_size_t(len(self._memory))
        if libc.mprotect(ctypes.c_void_p(self._base), size, _READ_AND_EXECUTE):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
