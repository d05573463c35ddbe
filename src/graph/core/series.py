"""Series: figures that are read again and again, once for all who watch them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from db import Database
from db.core.errors import Unavailable
from graph.core.group import Member, encoded
from graph.core.operation import Answer
from graph.core.outlet import Message


class Series:
    """What is read every `seconds`; each message shows the newest figures whole."""

    seconds: ClassVar[float]

    async def read(self, db: Database) -> Any:
        """The source of a message."""
        raise NotImplementedError


@dataclass(eq=False, slots=True)
class SeriesGroup:
    """Those who watch one series."""

    series: Series
    db: Database
    tell: Callable[[Any], Awaitable[Answer]]
    members: set[Member] = field(default_factory=set)
    latest: Message | None = None
    task: asyncio.Task[None] | None = None

    def join(self, member: Member) -> None:
        """Takes a member, who is told what the others were told last."""
        self.members.add(member)
        if self.task is None:
            self.task = asyncio.create_task(self._run())
        elif self.latest:
            member.outlet.send(self.latest)

    def leave(self, member: Member) -> None:
        """Lets a member go; the last one ends the reading."""
        self.members.discard(member)
        if not self.members and self.task:
            self.task.cancel()
            self.task = None

    async def _run(self) -> None:
        while True:
            try:
                answer = await self.tell(await self.series.read(self.db))
                self._send(Message(encoded(answer), None))
            except Unavailable:  # the next reading may be answered
                self.latest = None
            await asyncio.sleep(self.series.seconds)

    def _send(self, message: Message) -> None:
        self.latest = message
        for member in self.members:
            if member.outlet.ready:
                member.outlet.send(message)
