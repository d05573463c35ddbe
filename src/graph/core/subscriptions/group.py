"""Groups: subscribers who get the same messages, each when it can take them.

Members who have been told the same are a cohort. What comes next for a cohort is read and executed
once, and goes to those of it who are ready; they are another cohort then, and the rest stay where
they are. So nobody waits for anybody, no messages are kept for those who are slow, and those who
are level again share their messages again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.core.background import background
from db.core.errors import Unavailable
from graph.core.execution.operation import OperationResult
from graph.core.subscriptions.sink import Message, Sink
from graph.core.subscriptions.source import ResetReason, UpdatePayload
from graph.core.subscriptions.updates import START, Offset, SubscriptionFailed, UpdatePlanner
from graph.core.types.errors import failure

HEARTBEAT_SECONDS = 10.0
SHORTEST_PAUSE = 0.02  # between two messages, so that what comes in bursts goes out together
AGAIN_SECONDS = 0.5  # after the database was away
SHARE = 0.02  # of the time that a group took, for others
LONGEST_TELLING = 0.03  # seconds to tell one message, when there is a newer one
AT_ONCE = 128  # members who are sent a message before others get a turn

ExecuteUpdate = Callable[[UpdatePayload], Awaitable[OperationResult]]


@dataclass(eq=False, slots=True)
class Subscriber:
    """One subscriber of a group."""

    sink: Sink
    gone: bool = False


@dataclass(eq=False, slots=True)
class SharedSubscription:
    """The members of one subscription over one feed."""

    planner: UpdatePlanner
    execute: ExecuteUpdate
    cohorts: dict[Offset, set[Subscriber]] = field(default_factory=dict)
    generation: int = 0
    beginning: Offset = START
    invalidated: frozenset[Any] = frozenset()
    interrupted: bool = False
    departed: set[Subscriber] = field(default_factory=set)
    errors: list[dict[str, Any]] | None = None
    task: asyncio.Task[None] | None = None
    beat: float = field(default_factory=time.monotonic)

    def join(self, member: Subscriber, offset: Offset) -> None:
        """Takes a member who was told that much."""
        self._add(offset, [member])
        self.advance()

    def leave(self, member: Subscriber) -> None:
        """Lets a member go, who is told nothing more."""
        member.gone = True
        if self.task:
            self.departed.add(member)  # in case it is being told something
        for offset, cohort in list(self.cohorts.items()):
            cohort.discard(member)
            if not cohort:
                del self.cohorts[offset]

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left, and nothing under way."""
        return not self.cohorts and self.task is None

    def invalidate(self, keys: Collection[Any]) -> None:
        """Notes that things changed without a row in the feed."""
        self.invalidated = self.invalidated.union(
            keys
        )  # of those who are being told something, later
        before, self.cohorts = self.cohorts, {}
        for offset, cohort in before.items():
            self._add(offset._replace(pending_keys=offset.pending_keys.union(keys)), cohort)
        self.advance()

    def reset(self, reason: ResetReason) -> None:
        """The history is another one: nothing that anybody was told counts."""
        self.generation += 1
        self.beginning = Offset(None, reason)
        before, self.cohorts = self.cohorts, {}
        for cohort in before.values():
            self._add(self.beginning, cohort)
        self.advance()

    def advance(self) -> None:
        """Sees to it that everybody who is ready is told what is new."""
        if self.task is None and self._ready_offsets():
            self.task = background(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while ready_offsets := self._ready_offsets():
                began = time.monotonic()
                pause = await self._advance_all(ready_offsets, self._beats())
                await asyncio.sleep(pause + (time.monotonic() - began) * SHARE)
        finally:
            self.task = None

    async def _advance_all(self, ready_offsets: Sequence[Offset], beats: bool) -> float:
        """The seconds until the next message. When some of a cohort are left who should be told
        newer news before anybody else is, it ends early, and there is nothing to wait for."""
        served = True
        for offset in ready_offsets:
            self.interrupted = False
            served &= await self._advance_cohort(offset, beats)
            if self.interrupted and not beats:
                return 0
        return SHORTEST_PAUSE if served else AGAIN_SECONDS

    def _ready_offsets(self) -> list[Offset]:
        """The places where something is to be told to somebody who is ready, those who know least
        first; cohorts whom nothing concerns are moved on."""
        for offset in [offset for offset in self.cohorts if self.planner.is_behind(offset)]:
            if moved := self.planner.skip_unrelated(offset):
                self._add(moved, self.cohorts.pop(offset))
        beats = time.monotonic() >= self.beat + HEARTBEAT_SECONDS
        ready_offsets = [
            offset
            for offset, cohort in self.cohorts.items()
            if (beats or self.planner.has_news(offset)) and any(m.sink.ready for m in cohort)
        ]
        return sorted(
            ready_offsets, key=lambda offset: offset.position.seq if offset.position else 0
        )

    def _beats(self) -> bool:
        """Whether it is time for a heartbeat."""
        if time.monotonic() < self.beat + HEARTBEAT_SECONDS:
            return False
        self.beat = time.monotonic()
        return True

    async def _advance_cohort(self, offset: Offset, beats: bool) -> bool:
        """Tells a cohort what comes next. False when that cannot be read: then it is told, when it
        is time, that we are still here."""
        cohort = self.cohorts.pop(offset, set())
        self.invalidated = frozenset()
        try:
            return await self._send_to_cohort(offset, cohort, beats)
        except Exception as error:
            self._end(cohort, _errors(error))
            return True
        finally:
            self.departed.clear()

    async def _send_to_cohort(self, offset: Offset, cohort: set[Subscriber], beats: bool) -> bool:
        generation, served = self.generation, True
        try:
            planned = await self.planner.next(offset, beats)
            message = await self._message(planned.payload)
        except Unavailable:
            planned, served = self.planner.heartbeat(offset, beats), False
            message = await self._message(planned.payload)
        if generation == self.generation:
            payload = await self._deliver(cohort, message, planned.offset)
            if generation == self.generation:
                cohort -= payload
                self._add(self._with_invalidated(planned.offset), payload)
        self._add(
            self._with_invalidated(offset) if generation == self.generation else self.beginning,
            cohort,
        )
        return served

    def _with_invalidated(self, offset: Offset) -> Offset:
        return offset._replace(pending_keys=offset.pending_keys | self.invalidated)

    async def _message(self, payload: UpdatePayload | None) -> Message | None:
        """Raises Unavailable where a part of it could not be read, Failed where nothing is left."""
        if payload is None:
            return None
        answer = await self.execute(payload)
        if any(error["extensions"]["code"] == "SERVICE_UNAVAILABLE" for error in answer.errors):
            raise Unavailable
        if answer.data is None:
            raise SubscriptionFailed(answer.errors)
        return Message(answer.body, payload.cursor)

    async def _deliver(
        self, cohort: Iterable[Subscriber], message: Message | None, offset: Offset
    ) -> set[Subscriber]:
        """Sends a message to those who are ready; returns who was told. When telling all of them
        takes long and there is newer news, the others are told that instead, before anybody else.
        """
        if message is None:
            return set(cohort)
        payload: set[Subscriber] = set()
        until = time.monotonic() + LONGEST_TELLING
        for count, member in enumerate(list(cohort), 1):
            if not member.gone and member.sink.ready:
                member.sink.send(message)
                payload.add(member)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
                self.interrupted = time.monotonic() > until and self.planner.is_behind(offset)
                if self.interrupted:
                    break
        return payload

    def _add(self, offset: Offset, members: Iterable[Subscriber]) -> None:
        if self.errors is not None:
            self._end(members, self.errors)
        elif present := set(members) - self.departed:
            self.cohorts.setdefault(offset, set()).update(present)

    def end(self, errors: list[dict[str, Any]]) -> None:
        """Nobody is told anything more, but these errors; who is being told something, after it."""
        self.errors = errors
        before, self.cohorts = self.cohorts, {}
        for cohort in before.values():
            self._end(cohort, errors)

    def _end(self, cohort: Iterable[Subscriber], errors: list[dict[str, Any]]) -> None:
        for member in cohort:
            if not member.gone:
                member.gone = True
                member.sink.end(errors)


def _errors(error: Exception) -> list[dict[str, Any]]:
    """What subscribers are told who are told nothing more."""
    if isinstance(error, SubscriptionFailed):
        return error.errors
    return failure(error)
