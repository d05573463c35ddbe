"""Channels: the groups that follow one feed, and what wakes them."""

import asyncio
import time
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from db import Database
from db.core.background import background
from db.core.feed import Position, Reader
from graph.core.errors import failure
from graph.core.group import Group, Member
from graph.core.steps import BEGINNING, Place
from graph.core.stream import Nudges, ResetReason

LOOK_SECONDS = 0.25  # after those who were not ready
LONGEST_TURN = 0.01  # seconds

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Channel:
    """All groups over one feed of this process. It follows the feed while there is one."""

    reader: Reader
    db: Database
    groups: dict[Hashable, Group] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    started: asyncio.Future[None] | None = None
    joining: int = 0
    nudging: dict[Nudges, asyncio.Task[None]] = field(default_factory=dict)

    async def join(
        self, key: Hashable, group: Group, member: Member, position: Position | None
    ) -> Group:
        """Takes a subscriber who was told everything up to a position, or nothing yet, into the
        group of that key; the group given, if there is none yet. Raises Unavailable."""
        self.joining += 1
        try:
            await self._start()
            place = await self._place(group, position)
            group = self.groups.setdefault(key, group)
            self._listen(group.steps.source.nudges())
            group.join(member, place)
            return group
        finally:
            self.joining -= 1

    async def stop(self) -> None:
        """Ends the following; nobody is told anything more."""
        for task in [*self.nudging.values(), *filter(None, [self.task]), *self._serving()]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _start(self) -> None:
        """Returns once the feed is followed. Raises Unavailable."""
        if self.task is None:
            self.started = asyncio.get_running_loop().create_future()
            self.task = background(self._run(self.started))
        if self.started:
            await asyncio.shield(self.started)

    async def _place(self, group: Group, position: Position | None) -> Place:
        if position is None:
            return BEGINNING
        owed = frozenset(await group.steps.source.owed(group.steps.reads))
        generation, reason = -1, None
        while generation != self.reader.generation:  # or the answer is about another history
            generation = self.reader.generation
            reason = await self.reader.judge(position)
        return Place(None, ResetReason(reason)) if reason else Place(position, owed=owed)

    def _listen(self, nudges: Nudges | None) -> None:
        if nudges and nudges not in self.nudging:
            self.nudging[nudges] = background(self._nudge(nudges))

    async def _run(self, started: asyncio.Future[None]) -> None:
        try:
            while self.groups or self.joining:  # somebody may join while the reader is stopping
                async with self.reader.following():
                    if not started.done():
                        started.set_result(None)
                    await self._follow()
        except Exception as error:
            if started.done():
                self._fail(error, self.groups)
            else:
                started.set_exception(error)
                started.exception()  # heard by whoever waits, if anybody does
        finally:
            self.task = None
            for task in self.nudging.values():
                task.cancel()
            self.nudging = {}

    def _fail(self, error: Exception, concerned: Iterable[Hashable]) -> None:
        """Whoever followed in one of these groups may begin again, where he was."""
        errors = failure(error)
        for key in list(concerned):
            self.groups.pop(key).end(errors)

    async def _follow(self) -> None:
        generation = self.reader.generation
        while self.groups or self.joining:
            seq = self.reader.position.seq
            if generation != self.reader.generation:
                generation = self.reader.generation
                self._reset()
            await self._advance()
            await self.reader.changed(generation, seq, LOOK_SECONDS)

    async def _advance(self) -> None:
        """Looks at what is new for each group, and lets others have a turn in between."""
        began = time.monotonic()
        for key, group in list(self.groups.items()):
            group.advance()
            if group.is_empty and self.groups.get(key) is group:
                del self.groups[key]
            if time.monotonic() > began + LONGEST_TURN:
                await asyncio.sleep(0)
                began = time.monotonic()

    def _reset(self) -> None:
        reason = ResetReason(self.reader.reason or ResetReason.DIVERGED)
        log.warning("subscribers begin anew", feed=self.reader.feed.name, reason=reason)
        for group in self.groups.values():
            group.reset(reason)

    async def _nudge(self, nudges: Nudges) -> None:
        try:
            async for keys in nudges(self.db):
                for key in self._nudged_by(nudges):
                    self.groups[key].nudge(keys)
        except Exception as error:
            del self.nudging[nudges]  # the next to join begins it anew
            self._fail(error, self._nudged_by(nudges))

    def _nudged_by(self, nudges: Nudges) -> list[Hashable]:
        return [key for key, group in self.groups.items() if group.steps.source.nudges() is nudges]

    def _serving(self) -> Iterable[asyncio.Task[None]]:
        return [group.task for group in self.groups.values() if group.task]
