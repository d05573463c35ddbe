"""Series: figures that are read again and again, once for all who watch them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from graphql import GraphQLError

from db import Database
from graph.core.errors import formatted
from graph.core.group import Member, encoded
from graph.core.operation import Answer
from graph.core.outlet import Message
from graph.core.steps import SOURCE


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
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._run())
        elif self.latest:
            member.outlet.send(self.latest)

    def leave(self, member: Member) -> None:
        """Lets a member go; the last one ends the reading."""
        self.members.discard(member)
        if not self.members:
            self.stop()

    def stop(self) -> None:
        """Ends the reading."""
        if self.task:
            self.task.cancel()

    async def _run(self) -> None:
        while self.members:
            try:
                await self._read()
            except Exception as error:
                self.latest = None
                failed = formatted(GraphQLError("", original_error=error), SOURCE)
                if failed["extensions"]["code"] != "SERVICE_UNAVAILABLE":  # that one may pass
                    self._end([failed])
            await asyncio.sleep(self.series.seconds)

    async def _read(self) -> None:
        answer = await self.tell(await self.series.read(self.db))
        if answer.data is None:
            self._end(answer.errors)
            return
        self.latest = Message(encoded(answer), None)
        for member in self.members:
            if member.outlet.ready:
                member.outlet.send(self.latest)

    def _end(self, errors: list[dict[str, Any]]) -> None:
        members, self.members = self.members, set()
        for member in members:
            member.outlet.end(errors)
