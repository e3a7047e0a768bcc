"""Mailboxes of the lanes, which hold their next jobs."""

import asyncio
from collections import defaultdict, deque
from typing import Any

import ray


@ray.remote(num_cpus=0)
class Mailbox:
    """Actor with one box per lane; taking from an empty box waits for a job.

    Calls may arrive out of order, so the driver numbers its jobs.
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
        """Put ``job``, the ``number``-th, into the box of ``lane``."""
        if number <= self._void[lane]:
            return
        waiting = self._waiting.pop(lane, None)
        if waiting:
            waiting.set_result(job)
        else:
            self._jobs[lane].append(job)

    async def reset(self, lane: int, number: int) -> None:
        """Cancel the call that waits as ``lane``, and drop its jobs up to the ``number``-th.

        Called when the process of the lane has died, before another replaces it.
        """
        self._void[lane] = number
        self._jobs[lane].clear()
        if waiting := self._waiting.pop(lane, None):
            waiting.cancel()
