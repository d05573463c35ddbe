"""Groups: subscribers that receive the same messages, each at its own pace.

Members at the same offset are a cohort. The next message of a cohort is read and executed once, and
is sent to the members that are ready; they form another cohort, and the others remain. So no member
waits for another, no messages are queued for slow members, and members that reach the same offset
share messages again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLFormattedError

from db.core.background import background
from db.core.error_codes import ErrorCode
from db.core.errors import Unavailable
from graph.core.execution.result import OperationResult
from graph.core.subscriptions.heartbeat import HEARTBEAT_SECONDS
from graph.core.subscriptions.sink import Message, Sink
from graph.core.subscriptions.source import ResetReason, UpdatePayload
from graph.core.subscriptions.updates import START, Offset, SubscriptionFailed, UpdatePlanner
from graph.core.types.errors import failure

SHORTEST_PAUSE = 0.02  # between two messages, to combine bursts of rows
RETRY_SECONDS = 0.5  # after the database was unavailable
YIELDED_SHARE = 0.02  # of the time a group took, left to other groups
MAX_DELIVERY_SECONDS = 0.03  # of one message, if there is newer data
DELIVERIES_PER_TURN = 128  # before yielding to other tasks

ExecuteUpdate = Callable[[UpdatePayload], Awaitable[OperationResult]]


@dataclass(eq=False, slots=True)
class Subscriber:
    sink: Sink
    gone: bool = False


@dataclass(eq=False, slots=True)
class SharedSubscription:
    """The members of equal subscriptions to one feed."""

    planner: UpdatePlanner
    execute: ExecuteUpdate
    cohorts: dict[Offset, set[Subscriber]] = field(default_factory=dict)
    generation: int = 0
    initial_offset: Offset = START
    invalidated: frozenset[str] = frozenset()
    interrupted: bool = False
    departed: set[Subscriber] = field(default_factory=set)
    errors: list[GraphQLFormattedError] | None = None
    task: asyncio.Task[None] | None = None
    last_heartbeat: float = field(default_factory=time.monotonic)

    def join(self, member: Subscriber, offset: Offset) -> None:
        self._add(offset, [member])
        self.advance()

    def leave(self, member: Subscriber) -> None:
        member.gone = True
        if self.task:
            self.departed.add(member)  # in case a delivery to it is in progress
        for offset, cohort in list(self.cohorts.items()):
            cohort.discard(member)
            if not cohort:
                del self.cohorts[offset]

    @property
    def is_idle(self) -> bool:
        return not self.cohorts and self.task is None

    def invalidate(self, keys: Collection[str]) -> None:
        self.invalidated = self.invalidated.union(keys)  # for the delivery in progress
        before, self.cohorts = self.cohorts, {}
        for offset, cohort in before.items():
            self._add(offset._replace(pending_keys=offset.pending_keys.union(keys)), cohort)
        self.advance()

    def reset(self, reason: ResetReason) -> None:
        self.generation += 1
        self.initial_offset = Offset(None, reason)
        before, self.cohorts = self.cohorts, {}
        for cohort in before.values():
            self._add(self.initial_offset, cohort)
        self.advance()

    def advance(self) -> None:
        if self.task is None and self._ready_offsets():
            self.task = background(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while ready_offsets := self._ready_offsets():
                began = time.monotonic()
                pause = await self._advance_all(ready_offsets, self._heartbeat_due())
                await asyncio.sleep(pause + (time.monotonic() - began) * YIELDED_SHARE)
        finally:
            self.task = None

    async def _advance_all(self, ready_offsets: Sequence[Offset], heartbeat_due: bool) -> float:
        """Advance cohorts and return the pause until the next message in seconds. Ends early,
        without a pause, if a delivery was interrupted by newer data."""
        served = True
        for offset in ready_offsets:
            self.interrupted = False
            served &= await self._advance_cohort(offset, heartbeat_due)
            if self.interrupted and not heartbeat_due:
                return 0
        return SHORTEST_PAUSE if served else RETRY_SECONDS

    def _ready_offsets(self) -> list[Offset]:
        """Offsets with pending data and a ready subscriber, furthest behind first. Cohorts without
        relevant rows are moved forward."""
        for offset in [offset for offset in self.cohorts if self.planner.is_behind(offset)]:
            if moved := self.planner.skip_unrelated(offset):
                self._add(moved, self.cohorts.pop(offset))
        heartbeat_due = time.monotonic() >= self.last_heartbeat + HEARTBEAT_SECONDS
        ready_offsets = [
            offset
            for offset, cohort in self.cohorts.items()
            if (heartbeat_due or self.planner.has_pending(offset))
            and any(m.sink.ready for m in cohort)
        ]
        return sorted(
            ready_offsets, key=lambda offset: offset.position.seq if offset.position else 0
        )

    def _heartbeat_due(self) -> bool:
        """True if a heartbeat is due, which resets the timer."""
        if time.monotonic() < self.last_heartbeat + HEARTBEAT_SECONDS:
            return False
        self.last_heartbeat = time.monotonic()
        return True

    async def _advance_cohort(self, offset: Offset, heartbeat_due: bool) -> bool:
        """Send a cohort its next message. Returns False if it could not be read; then only a
        heartbeat is sent, when due."""
        cohort = self.cohorts.pop(offset, set())
        self.invalidated = frozenset()
        try:
            return await self._send_to_cohort(offset, cohort, heartbeat_due)
        except Exception as error:
            self._end(cohort, _errors(error))
            return True
        finally:
            self.departed.clear()

    async def _send_to_cohort(
        self, offset: Offset, cohort: set[Subscriber], heartbeat_due: bool
    ) -> bool:
        generation, served = self.generation, True
        try:
            planned = await self.planner.next(offset, heartbeat_due)
            message = await self._message(planned.payload)
        except Unavailable:
            planned, served = self.planner.heartbeat(offset, heartbeat_due), False
            message = await self._message(planned.payload)
        if generation == self.generation:
            payload = await self._deliver(cohort, message, planned.offset)
            if generation == self.generation:
                cohort -= payload
                self._add(self._with_invalidated(planned.offset), payload)
        self._add(
            self._with_invalidated(offset)
            if generation == self.generation
            else self.initial_offset,
            cohort,
        )
        return served

    def _with_invalidated(self, offset: Offset) -> Offset:
        return offset._replace(pending_keys=offset.pending_keys | self.invalidated)

    async def _message(self, payload: UpdatePayload | None) -> Message | None:
        """Raises Unavailable if a part could not be read, SubscriptionFailed if nothing is left."""
        if payload is None:
            return None
        answer = await self.execute(payload)
        if any(
            error["extensions"]["code"] == ErrorCode.SERVICE_UNAVAILABLE for error in answer.errors
        ):
            raise Unavailable
        if answer.data is None:
            raise SubscriptionFailed(answer.errors)
        return Message(answer.body, payload.cursor)

    async def _deliver(
        self, cohort: Iterable[Subscriber], message: Message | None, offset: Offset
    ) -> set[Subscriber]:
        """Send a message to the ready members and return these. If it takes long and there is newer
        data, stop: the others receive the newer data instead."""
        if message is None:
            return set(cohort)
        payload: set[Subscriber] = set()
        until = time.monotonic() + MAX_DELIVERY_SECONDS
        for count, member in enumerate(list(cohort), 1):
            if not member.gone and member.sink.ready:
                member.sink.send(message)
                payload.add(member)
            if count % DELIVERIES_PER_TURN == 0:
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

    def end(self, errors: list[GraphQLFormattedError]) -> None:
        self.errors = errors
        before, self.cohorts = self.cohorts, {}
        for cohort in before.values():
            self._end(cohort, errors)

    def _end(self, cohort: Iterable[Subscriber], errors: list[GraphQLFormattedError]) -> None:
        for member in cohort:
            if not member.gone:
                member.gone = True
                member.sink.end(errors)


def _errors(error: Exception) -> list[GraphQLFormattedError]:
    if isinstance(error, SubscriptionFailed):
        return error.errors
    return failure(error)
