"""Server-sent events: a job or a download as an event each time it changes, until it is finished."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from unbraid.service.jobs import FINISHED

_LOOK_SECONDS = 0.25
_ALIVE_SECONDS = 15.0  # between comments, by which proxies and browsers see that the connection lives


class Told(Protocol):
    """A job, or a download."""

    @property
    def id(self) -> str:
        """By which it is recognised."""

    @property
    def state(self) -> str:
        """One of `FINISHED` in the end."""

    def model_dump_json(self) -> str:
        """All of it as JSON."""


async def events(look: Callable[[], Sequence[Told]], *, name: str = "job", endless: bool = False) -> AsyncIterator[str]:
    """The jobs that LOOK finds, each at first and when it changes; ends once all are finished, unless it is ENDLESS.

    Their events have this NAME; jobs that are gone are told as `gone`.
    """
    told: dict[str, str] = {}
    spoken = time.monotonic()
    while True:
        jobs = await asyncio.to_thread(look)
        for job in reversed(jobs):
            text = job.model_dump_json()
            if told.get(job.id) != text:
                told[job.id], spoken = text, time.monotonic()
                yield f"event: {name}\ndata: {text}\n\n"
        for gone in told.keys() - {job.id for job in jobs}:
            del told[gone]
            yield f'event: gone\ndata: {{"id": "{gone}"}}\n\n'
        if not endless and all(job.state in FINISHED for job in jobs):
            return
        if time.monotonic() - spoken > _ALIVE_SECONDS:
            spoken = time.monotonic()
            yield ": alive\n\n"
        await asyncio.sleep(_LOOK_SECONDS)
