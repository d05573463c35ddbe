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
from graph.core.subscriptions.group import SharedSubscription, Subscriber
from graph.core.subscriptions.source import Invalidations, ResetReason
from graph.core.subscriptions.updates import START, Offset
from graph.core.types.errors import failure

LOOK_SECONDS = 0.25  # between checks for sinks that have become ready
LONGEST_TURN = 0.01  # seconds

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Channel:
    """All groups of one feed in this process. It follows the feed while it has groups."""

    reader: Reader
    db: Database
    groups: dict[Hashable, SharedSubscription] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    started: asyncio.Future[None] | None = None
    joining: int = 0
    watchers: dict[Invalidations, asyncio.Task[None]] = field(default_factory=dict)

    async def join(
        self,
        key: Hashable,
        group: SharedSubscription,
        member: Subscriber,
        position: Position | None,
    ) -> SharedSubscription:
        """Add a subscriber to the group with this key, or to the given group if there is none.
        `position`: the last one delivered, None for a new subscriber. Raises Unavailable."""
        self.joining += 1
        try:
            await self._start()
            offset = await self._initial_offset(group, position)
            group = self.groups.setdefault(key, group)
            self._start_watching(group.planner.source.invalidations())
            group.join(member, offset)
            return group
        finally:
            self.joining -= 1

    async def stop(self) -> None:
        for task in [*self.watchers.values(), *filter(None, [self.task]), *self._deliveries()]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _start(self) -> None:
        """Wait until the feed is followed. Raises Unavailable."""
        if self.task is None:
            self.started = asyncio.get_running_loop().create_future()
            self.task = background(self._run(self.started))
        if self.started:
            await asyncio.shield(self.started)

    async def _initial_offset(self, group: SharedSubscription, position: Position | None) -> Offset:
        if position is None:
            return START
        pending_keys = frozenset(await group.planner.source.pending_keys(group.planner.coalescer))
        generation, reason = -1, None
        while generation != self.reader.generation:  # else the result is about a replaced history
            generation = self.reader.generation
            reason = await self.reader.check_position(position)
        return (
            Offset(None, ResetReason(reason))
            if reason
            else Offset(position, pending_keys=pending_keys)
        )

    def _start_watching(self, invalidations: Invalidations | None) -> None:
        if invalidations and invalidations not in self.watchers:
            self.watchers[invalidations] = background(self._watch(invalidations))

    async def _run(self, started: asyncio.Future[None]) -> None:
        try:
            while self.groups or self.joining:  # a subscriber may join while the reader stops
                async with self.reader.following():
                    if not started.done():
                        started.set_result(None)
                    await self._follow()
        except Exception as error:
            if started.done():
                self._end_groups(error, self.groups)
            else:
                started.set_exception(error)
                started.exception()  # marks it as retrieved: there may be no waiter
        finally:
            self.task = None
            for task in self.watchers.values():
                task.cancel()
            self.watchers = {}

    def _end_groups(self, error: Exception, keys: Iterable[Hashable]) -> None:
        errors = failure(error)
        for key in list(keys):
            self.groups.pop(key).end(errors)

    async def _follow(self) -> None:
        generation = self.reader.generation
        while self.groups or self.joining:
            seq = self.reader.position.seq
            if generation != self.reader.generation:
                generation = self.reader.generation
                self._reset()
            await self._advance_groups()
            await self.reader.changed(generation, seq, LOOK_SECONDS)

    async def _advance_groups(self) -> None:
        began = time.monotonic()
        for key, group in list(self.groups.items()):
            group.advance()
            if group.is_idle and self.groups.get(key) is group:
                del self.groups[key]
            if time.monotonic() > began + LONGEST_TURN:
                await asyncio.sleep(0)
                began = time.monotonic()

    def _reset(self) -> None:
        reason = ResetReason(self.reader.reason or ResetReason.DIVERGED)
        log.warning("subscribers reset", feed=self.reader.feed.name, reason=reason)
        for group in self.groups.values():
            group.reset(reason)

    async def _watch(self, invalidations: Invalidations) -> None:
        try:
            async for keys in invalidations(self.db):
                for key in self._invalidated_by(invalidations):
                    self.groups[key].invalidate(keys)
        except Exception as error:
            del self.watchers[invalidations]  # restarted by the next subscriber
            self._end_groups(error, self._invalidated_by(invalidations))

    def _invalidated_by(self, invalidations: Invalidations) -> list[Hashable]:
        return [
            key
            for key, group in self.groups.items()
            if group.planner.source.invalidations() is invalidations
        ]

    def _deliveries(self) -> Iterable[asyncio.Task[None]]:
        return [group.task for group in self.groups.values() if group.task]
