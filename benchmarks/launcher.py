"""Starts a program, waits for it and writes its seconds, seconds of processor
time, peak memory and exit status as JSON.

Run by path as a process of its own, with nothing imported that is large: a process inherits the
peak memory of the one that starts it (Linux carries the high-water mark over ``exec``), so a caller
that has built a pair would be seen in the figures of ``cat``.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    silence = os.open(os.devnull, os.O_RDWR)
    started = time.perf_counter()
    child = os.posix_spawnp(
        sys.argv[1],
        sys.argv[1:],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, silence, 0), (os.POSIX_SPAWN_DUP2, silence, 1)],
    )
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    processor = usage.ru_utime + usage.ru_stime
    json.dump([seconds, processor, memory, os.waitstatus_to_exitcode(status)], sys.stdout)
