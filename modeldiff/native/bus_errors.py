"""An answer to bus errors: mapped files that end too early, or that the disk does not give.

What is read from memory that is mapped to a file comes without a copy, and without a call that
could fail: where the file was cut short meanwhile, the system sends SIGBUS instead, which ends the
process. So those who map files list the memory here, and a handler looks where the error was::

    kernel reads ── page is gone ── SIGBUS ──┬── in a listed range: a page of zeros is put there,
         ^                                   │   once the place is noted; reading goes on
         └── goes on ────────────────────────┤
                                             └── anywhere else: what it was before

Whoever reads asks afterwards whether ``faults`` met what was read, and throws away what was made of
zeros. A handler may take no lock and call next to nothing, so it is machine code that goes with the
kernels, in the language of LLVM, and its table has a fixed size. Display servers protect themselves
from their clients' memory in the same way (``wayland-shm.c`` of Wayland).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import threading
from functools import cache

from modeldiff.native.library import PlainCode, keep_for_good
from modeldiff.processes.late_dataclass import dataclass

_MOST_RANGES = 512
_BEGIN, _END, _LOWEST, _HIGHEST = range(4)
"""A listed range, and the first and last place in it where there was an error; -1 and 0: nowhere.
A range that begins at 0 is free."""
_NOWHERE = (1 << 64) - 1

_Range = ctypes.c_uint64 * 4
_RANGES = (_Range * _MOST_RANGES)()
_PAGE = ctypes.c_uint64(mmap.PAGESIZE)


class _Action(ctypes.Structure):
    """``struct sigaction`` of Linux's C libraries on the processors of ``_MACHINES``."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_uint64 * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_MACHINES = ("x86_64", "aarch64")
_BEFORE = _Action()
_CALLED = ctypes.c_void_p()
"""The handler before, where it can be called in the system's place: so this one stays where it is,
when a library has bus errors of its own and lives on."""
_WITH_INFO, _ON_OWN_STACK = 4, 0x08000000
_BY_SYSTEM_ALONE = 0x40000000 | 0x80000000
"""``SA_NODEFER`` and ``SA_RESETHAND``: what the system does for a handler beside calling it."""

HANDLER = "answer_bus_error"
"""The handler's name in the kernels' object file."""
_ASSEMBLY = f"""
@modeldiff_mapped_ranges = external global [{_MOST_RANGES} x [4 x i64]]
@modeldiff_page_size = external global i64
@modeldiff_action_before = external global i8
@modeldiff_called_before = external global ptr
declare ptr @mmap(ptr, i64, i32, i32, i32, i64)
declare i32 @sigaction(i32, ptr, ptr)
declare i32 @raise(i32)

define void @{HANDLER}(i32 %signal, ptr %info, ptr %context) {{
begin:
  %code_field = getelementptr i8, ptr %info, i64 8      ; siginfo_t: si_code
  %code = load i32, ptr %code_field
  %at_field = getelementptr i8, ptr %info, i64 16       ; siginfo_t: si_addr
  %at = load i64, ptr %at_field
  %page = load i64, ptr @modeldiff_page_size
  %below = sub i64 0, %page
  %first = and i64 %at, %below
  %by_system = icmp sgt i32 %code, 0
  br i1 %by_system, label %look, label %not_ours
look:
  %number = phi i64 [ 0, %begin ], [ %following, %next ]
  %range = getelementptr [4 x i64], ptr @modeldiff_mapped_ranges, i64 %number
  %range_begin = load atomic i64, ptr %range acquire, align 8
  %end_field = getelementptr i64, ptr %range, i64 {_END}
  %range_end = load atomic i64, ptr %end_field acquire, align 8
  %begin_again = load atomic i64, ptr %range acquire, align 8
  %is_used = icmp ne i64 %range_begin, 0
  %is_behind = icmp uge i64 %at, %range_begin
  %is_before = icmp ult i64 %at, %range_end
  %is_within = and i1 %is_behind, %is_before
  ; Another thread may list another range here meanwhile: its end goes with its own begin alone.
  %is_same = icmp eq i64 %range_begin, %begin_again
  %is_one = and i1 %is_used, %is_same
  %is_ours = and i1 %is_one, %is_within
  br i1 %is_ours, label %note, label %next
next:
  %following = add i64 %number, 1
  %more = icmp ult i64 %following, {_MOST_RANGES}
  br i1 %more, label %look, label %not_ours
note:
  ; Before the zeros are there: another thread that reads them meets no error, and asks for this.
  %lowest_field = getelementptr i64, ptr %range, i64 {_LOWEST}
  %highest_field = getelementptr i64, ptr %range, i64 {_HIGHEST}
  %last = add i64 %first, %page
  %lower = atomicrmw umin ptr %lowest_field, i64 %first seq_cst, align 8
  %higher = atomicrmw umax ptr %highest_field, i64 %last seq_cst, align 8
  ; PROT_READ; MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS
  %where = inttoptr i64 %first to ptr
  %zeros = call ptr @mmap(ptr %where, i64 %page, i32 1, i32 50, i32 -1, i64 0)
  %is_there = icmp eq ptr %zeros, %where
  br i1 %is_there, label %leave, label %not_ours
not_ours:
  %before = load ptr, ptr @modeldiff_called_before
  %can_be_called = icmp ne ptr %before, null
  br i1 %can_be_called, label %pass_on, label %give_up
pass_on:
  call void %before(i32 %signal, ptr %info, ptr %context)
  ret void
give_up:
  ; What was done before is done now: the same instruction fails again, or the signal comes again.
  ; Should that lead here, too, it ends the process as the system has it.
  %done = call i32 @sigaction(i32 %signal, ptr @modeldiff_action_before, ptr null)
  store ptr null, ptr @modeldiff_action_before
  br i1 %by_system, label %leave, label %again
again:
  %sent = call i32 @raise(i32 %signal)
  ret void
leave:
  ret void
}}
"""
ANSWER = (
    PlainCode(
        _ASSEMBLY,
        (HANDLER,),
        ("mmap", "sigaction", "raise"),
        {
            "modeldiff_mapped_ranges": ctypes.addressof(_RANGES),
            "modeldiff_page_size": ctypes.addressof(_PAGE),
            "modeldiff_action_before": ctypes.addressof(_BEFORE),
            "modeldiff_called_before": ctypes.addressof(_CALLED),
        },
    )
    if sys.platform == "linux" and sys.maxsize >> 32 > 0 and os.uname().machine in _MACHINES
    else None
)
"""The handler's code; None where its signals are others."""

_lock = threading.Lock()
_handler = 0
_was_asked = False


@dataclass(frozen=True)
class ListedRange:
    """A range of memory in which bus errors are answered, by its ``number`` in the table."""

    number: int

    def faults(self, begin: int, end: int) -> bool:
        """Whether zeros may stand in place of bytes from this address to before that one."""
        _, _, lowest, highest = _RANGES[self.number]
        return bool(lowest < end and begin < highest)

    def strike(self) -> None:
        """Takes the range off the list: before the memory is given back."""
        with _lock:
            # No end is left for whoever lists the next range: half of one range and half of the
            # other would be a third one.
            _RANGES[self.number][_BEGIN] = _RANGES[self.number][_END] = 0


def answer_by(handler: int) -> None:
    """From now on ranges can be listed: the handler's code is at this address."""
    global _handler
    for variable in (_RANGES, _PAGE, _BEFORE, _CALLED):
        keep_for_good(variable)
    _handler = handler


def list_range(begin: int, end: int) -> ListedRange | None:
    """Answers bus errors in memory from one address to before another. None where that is not
    possible: the kernels are not loaded, the table is full, this thread has blocked the signal (as
    others have whom the same thread began), or this is another system."""
    if not _handler:
        return None
    with _lock:
        number = next((n for n, listed in enumerate(_RANGES) if not listed[_BEGIN]), None)
        if number is None or _is_blocked() or not _be_asked():
            return None
        listed = _RANGES[number]
        listed[_END], listed[_LOWEST], listed[_HIGHEST] = end, _NOWHERE, 0
        listed[_BEGIN] = begin
        return ListedRange(number)


def stay_asked() -> None:
    """Takes the handler's place again, if somebody took it since a range was listed: a library that
    was loaded meanwhile, or one that had its own bus error."""
    with _lock:
        _be_asked()


def _is_blocked() -> bool:
    """Whether this thread has blocked the signal, as it may have been begun: then the system asks
    no handler, and ends the process."""
    return signal.SIGBUS in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _be_asked() -> bool:
    """Makes the handler the one that the system calls, whoever took its place since."""
    global _was_asked
    libc = _libc()
    current = _Action()
    if libc.sigaction(signal.SIGBUS, None, ctypes.byref(current)):
        return False
    if current.handler == _handler:
        return True
    # Whoever took this handler's place may call it in turn: two that call each other never end.
    can_be_called = not _was_asked and _can_be_called(current)
    _CALLED.value = current.handler if can_be_called else None
    _was_asked = True
    ctypes.memmove(ctypes.byref(_BEFORE), ctypes.byref(current), ctypes.sizeof(_Action))
    own = _Action(handler=_handler, flags=_WITH_INFO | _ON_OWN_STACK)
    return bool(libc.sigaction(signal.SIGBUS, ctypes.byref(own), None) == 0)


def _can_be_called(action: _Action) -> bool:
    """Whether an action is a function, and all that the system does is to call it."""
    default_or_ignored = (None, 1)
    return action.handler not in default_or_ignored and not action.flags & _BY_SYSTEM_ALONE


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
