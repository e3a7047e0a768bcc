"""Mailbox of a lane, which holds its next job."""

import asyncio
from collections import defaultdict, deque
from typing import Any

import ray


@ray.remote(num_cpus=0)
class Mailbox:
    """One box a lane; a lane that takes from an empty box waits there.

    Calls may overtake one another on their way here, so the driver numbers what it sends.
    """

    def __init__(self) -> None:
        self._jobs: defaultdict[int, deque[Any]] = defaultdict(deque)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._void: defaultdict[int, int] = defaultdict(int)

    async def take(self, lane: int) -> Any:
        """The next job for ``lane``; None if there is no more work for it."""
        if self._jobs[lane]:
            return self._jobs[lane].popleft()
        self._waiting[lane] = asyncio.get_running_loop().create_future()
        return await self._waiting[lane]

    async def put(self, lane: int, number: int, job: Any) -> None:
        """Leave ``job``, the ``number``-th, for ``lane``."""
        if number <= self._void[lane]:
            return
        waiting = self._waiting.pop(lane, None)
        if waiting:
            waiting.set_result(job)
        else:
            self._jobs[lane].append(job)

    async def reset(self, lane: int, number: int) -> None:
        """Forget whoever waits as ``lane``, and all jobs for it up to the ``number``-th.

        Its process has died; another will take its place.
        """
        self._void[lane] = number
        self._jobs[lane].clear()
        if waiting := self._waiting.pop(lane, None):
            waiting.cancel()
