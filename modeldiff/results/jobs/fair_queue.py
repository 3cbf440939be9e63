"""Jobs that wait, users in turn: whoever asks for twenty stands behind whoever asks for one."""

from __future__ import annotations

from collections import deque

from modeldiff.results.jobs.job import BackgroundJob

_MOST_TURNS = 1_000
"""Of so many users the last turn is remembered; without a login each tab is one."""


class FairQueue:
    """Jobs by user. The user whose last turn is longest ago has the next, with the oldest of their
    jobs: first of all who has had none, in the order in which they came. A turn counts while jobs
    wait, and so does the last one before: what it brought may still run."""

    def __init__(self) -> None:
        self._by_user: dict[str, deque[BackgroundJob]] = {}  # as they came
        self._turns: dict[str, int] = {}  # the number of the last turn of each, the latest last

    def __len__(self) -> int:
        return sum(map(len, self._by_user.values()))

    def add(self, job: BackgroundJob) -> None:
        """Let ``job`` wait, as the last of its user."""
        if not self._by_user:
            self._turns = dict([*self._turns.items()][-1:])
        self._by_user.setdefault(job.user, deque()).append(job)

    def remove(self, job: BackgroundJob) -> None:
        """Take out ``job``, which waits."""
        waiting = self._by_user[job.user]
        waiting.remove(job)
        if not waiting:
            del self._by_user[job.user]

    def pop(self) -> BackgroundJob:
        """Take out the job whose turn it is. There must be one."""
        user = self._users()[0]
        job = self._by_user[user][0]
        self.remove(job)
        latest = max(self._turns.values(), default=0)
        self._turns.pop(user, None)
        self._turns[user] = latest + 1
        while len(self._turns) > _MOST_TURNS:
            del self._turns[next(iter(self._turns))]
        return job

    def ahead_of(self, job: BackgroundJob) -> int:
        """How many that wait go before ``job``, which waits, if nobody else comes."""
        users = self._users()
        turn, mine = users.index(job.user), self._by_user[job.user].index(job)
        return mine + sum(
            min(len(self._by_user[user]), mine + (position < turn))
            for position, user in enumerate(users)
            if user != job.user
        )

    def _users(self) -> list[str]:
        """Who waits, in the order of their turns."""
        return sorted(self._by_user, key=lambda user: self._turns.get(user, 0))
