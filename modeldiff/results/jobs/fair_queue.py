"""Jobs that wait, users in turn: whoever asks for twenty stands behind whoever asks for one."""

from __future__ import annotations

from collections import deque

from modeldiff.results.jobs.job import BackgroundJob


class FairQueue:
    """Jobs by user. The user who waits for a turn for longest has it, with the oldest of their
    jobs; then all others who wait have theirs."""

    def __init__(self) -> None:
        self._by_user: dict[str, deque[BackgroundJob]] = {}  # in the order of their turns

    def __len__(self) -> int:
        return sum(map(len, self._by_user.values()))

    def add(self, job: BackgroundJob) -> None:
        """Let ``job`` wait, as the last of its user."""
        self._by_user.setdefault(job.user, deque()).append(job)

    def remove(self, job: BackgroundJob) -> None:
        """Take out ``job``, which waits."""
        waiting = self._by_user[job.user]
        waiting.remove(job)
        if not waiting:
            del self._by_user[job.user]

    def pop(self) -> BackgroundJob:
        """Take out the job whose turn it is. There must be one."""
        user = next(iter(self._by_user))
        waiting = self._by_user.pop(user)
        job = waiting.popleft()
        if waiting:
            self._by_user[user] = waiting
        return job

    def ahead_of(self, job: BackgroundJob) -> int:
        """How many that wait go before ``job``, which waits, if nobody else comes."""
        users = list(self._by_user)
        turn, mine = users.index(job.user), self._by_user[job.user].index(job)
        others = (len(each) for user, each in self._by_user.items() if user != job.user)
        before = [user for user in users if user != job.user]
        rounds = (mine + (position < turn) for position, _ in enumerate(before))
        return mine + sum(map(min, others, rounds))
