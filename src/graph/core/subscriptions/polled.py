"""Polled sources: figures that are read at an interval, once for all subscribers.

All groups read at the same moments, the multiples of their interval, and together: a source costs
its statements once per interval, whichever fields are selected.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, cast

from graphql import GraphQLFormattedError

from db import ReadSession
from db.core.background import background
from db.core.errors import Unavailable
from db.core.session.coalescing import ReadCoalescer
from graph.core.execution.result import OperationResult
from graph.core.subscriptions.group import Subscriber
from graph.core.subscriptions.heartbeat import HEARTBEAT_SECONDS
from graph.core.subscriptions.sink import Message
from graph.core.types.errors import failure

HEARTBEAT = timedelta(seconds=HEARTBEAT_SECONDS)


class PolledSource:
    """A source that is read every `seconds`. Each message shows all its newest figures. Equal
    sources are read once. It does not depend on the viewer."""

    seconds: ClassVar[float]

    async def read(self, session: ReadSession) -> object:
        raise NotImplementedError

    def is_due(self, _sent: object, _figures: object) -> bool:
        """True if figures are sent after those that were sent last."""
        return True


class Figures(Protocol):
    """A dataclass of figures, and the time when they were read."""

    at: datetime


class ChangingSource(PolledSource):
    """A source whose figures are sent when they change, and otherwise with each heartbeat, which
    shows that the subscription is alive. `read` returns `Figures`."""

    def is_due(self, sent: object, figures: object) -> bool:
        before, now = cast("Figures | None", sent), cast("Figures", figures)
        if before is None or now.at - before.at >= HEARTBEAT:
            return True
        return replace(now, at=before.at) != before  # type: ignore[type-var]  # a dataclass


async def _all(
    session: ReadSession, wanted: Collection[PolledSource]
) -> dict[PolledSource, object]:
    return {source: await source.read(session) for source in wanted}


@dataclass(eq=False, slots=True)
class PolledGroup:
    """The subscribers of one polled source."""

    source: PolledSource
    coalescer: ReadCoalescer
    execute: Callable[[object], Awaitable[OperationResult]]
    members: set[Subscriber] = field(default_factory=set)
    sent: object = None
    latest: Message | None = None
    task: asyncio.Task[None] | None = None

    def join(self, member: Subscriber) -> None:
        self.members.add(member)
        if self.task is None or self.task.done():
            self.task = background(self._run())
        elif self.latest and member.sink.ready:
            member.sink.send(self.latest)

    def leave(self, member: Subscriber) -> None:
        self.members.discard(member)
        if not self.members:
            self.stop()

    def stop(self) -> None:
        if self.task:
            self.task.cancel()
            self.task = None

    async def _run(self) -> None:
        while self.members:
            try:
                await self._read()
            except Exception as error:
                self.latest = None
                if not isinstance(error, Unavailable):  # temporary
                    self._end(failure(error))
            seconds = self.source.seconds
            await asyncio.sleep(seconds - time.monotonic() % seconds)

    async def _read(self) -> None:
        figures = (await self.coalescer.of(_all, (self.source,)))[self.source]
        if self.latest and not self.source.is_due(self.sent, figures):
            return
        answer = await self.execute(figures)
        if answer.data is None:
            self._end(answer.errors)
            return
        self.sent, self.latest = figures, Message(answer.body, None)
        for member in self.members:
            if member.sink.ready:
                member.sink.send(self.latest)

    def _end(self, errors: list[GraphQLFormattedError]) -> None:
        members, self.members = self.members, set()
        for member in members:
            member.sink.end(errors)
