"""Groups: subscribers who get the same messages, each when it can take them.

Members who have been told the same are a cohort. What comes next for a cohort is read and executed
once, and goes to those of it who are ready; they are another cohort then, and the rest stay where
they are. So nobody waits for anybody, no messages are kept for those who are slow, and those who
are level again share their messages again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError

from db import Database
from db.core.errors import Unavailable
from db.core.feed import Discontinued, Position, Reader
from graph.core.errors import formatted
from graph.core.operation import Answer
from graph.core.outlet import Message, Outlet
from graph.core.stream import ResetReason, Shown, Source, Told, UpdateKind

HEARTBEAT_SECONDS = 10.0
SHORTEST_PAUSE = 0.02  # between two messages, so that what comes in bursts goes out together
AGAIN_SECONDS = 0.5  # after the database was away
MAX_ROWS = 500  # of a message that shows every row
AT_ONCE = 256  # members who are sent a message before others get a turn

Tell = Callable[[Told], Awaitable[Answer]]


class Place(NamedTuple):
    """What a cohort was told: everything up to a position, or nothing yet. `owed` names what has
    changed beside the feed; a reason is told before a snapshot."""

    position: Position | None
    reason: ResetReason | None = None
    owed: frozenset[Any] = frozenset()


BEGINNING = Place(None)


@dataclass(eq=False, slots=True)
class Member:
    """One subscriber of a group."""

    outlet: Outlet
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a cohort is told next, None for nothing, and where it is then."""

    told: Told | None
    place: Place


@dataclass(eq=False, slots=True)
class Group:
    """The members of one subscription over one feed."""

    source: Source
    reader: Reader
    db: Database
    tell: Tell
    cohorts: dict[Place, set[Member]] = field(default_factory=dict)
    generation: int = 0
    beginning: Place = BEGINNING
    task: asyncio.Task[None] | None = None
    beat: float = field(default_factory=time.monotonic)

    def join(self, member: Member, place: Place) -> None:
        """Takes a member who was told that much."""
        self._add(place, [member])
        self.advance()

    def leave(self, member: Member) -> None:
        """Lets a member go, who is told nothing more."""
        member.gone = True
        for place, cohort in list(self.cohorts.items()):
            cohort.discard(member)
            if not cohort:
                del self.cohorts[place]

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left, and nothing under way."""
        return not self.cohorts and self.task is None

    def nudge(self, keys: Collection[Any]) -> None:
        """Notes that things changed without a row in the feed."""
        before, self.cohorts = self.cohorts, {}
        for place, cohort in before.items():
            self._add(place._replace(owed=place.owed.union(keys)), cohort)
        self.advance()

    def reset(self, reason: ResetReason) -> None:
        """The history is another one: nothing that anybody was told counts."""
        self.generation += 1
        self.beginning = Place(None, reason)
        before, self.cohorts = self.cohorts, {}
        for cohort in before.values():
            self._add(self.beginning, cohort)
        self.advance()

    def advance(self) -> None:
        """Sees to it that everybody who is ready is told what is new."""
        if self.task is None and self._waiting():
            self.task = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while waiting := self._waiting():
                began = time.monotonic()
                await self._serve_all(waiting)
                spent = time.monotonic() - began
                await asyncio.sleep(max(spent, SHORTEST_PAUSE))  # others have as much time as we
        finally:
            self.task = None

    async def _serve_all(self, waiting: Sequence[Place]) -> None:
        beats = self._beats()
        try:
            for place in waiting:
                await self._serve(place, beats)
        except Unavailable:
            await asyncio.sleep(AGAIN_SECONDS)
        except Exception as error:
            self._end(formatted(GraphQLError("", original_error=error), "subscription"))

    def _waiting(self) -> list[Place]:
        """The places where something is to be told to somebody who is ready; cohorts that only
        move on are moved."""
        for place in [place for place in self.cohorts if self._is_behind(place)]:
            self._pass_over(place)
        beats = time.monotonic() >= self.beat + HEARTBEAT_SECONDS
        return [
            place
            for place, cohort in self.cohorts.items()
            if (beats or self._has_news(place)) and any(m.outlet.ready for m in cohort)
        ]

    def _has_news(self, place: Place) -> bool:
        return place.position is None or bool(place.owed) or self._is_behind(place)

    def _is_behind(self, place: Place) -> bool:
        return place.position is not None and place.position.seq < self.reader.position.seq

    def _pass_over(self, place: Place) -> None:
        """Moves a cohort over rows that do not concern it."""
        rows = self.reader.since(place.position.seq) if place.position else None
        if rows is not None and not any(map(self.source.concerns, rows)):
            moved = place._replace(position=self.reader.position)
            self._add(moved, self.cohorts.pop(place))

    def _beats(self) -> bool:
        """Whether it is time for a heartbeat."""
        if time.monotonic() < self.beat + HEARTBEAT_SECONDS:
            return False
        self.beat = time.monotonic()
        return True

    async def _serve(self, place: Place, beats: bool) -> None:
        """Tells a cohort what comes next."""
        generation, cohort = self.generation, self.cohorts.pop(place, set())
        try:
            step = await self._next(place, beats)
            message = await self._message(step.told) if step.told else None
            if generation == self.generation:
                told = await self._deliver(cohort, message)
            if generation == self.generation:
                cohort -= told
                self._add(step.place, told)
        finally:
            self._add(place if generation == self.generation else self.beginning, cohort)

    async def _next(self, place: Place, beats: bool) -> Step:
        try:
            return await self._following(place, beats)
        except Discontinued as discontinued:
            return Step(None, Place(None, ResetReason(discontinued.reason)))

    async def _following(self, place: Place, beats: bool) -> Step:
        if place.reason:
            reset = self._told(UpdateKind.RESET, self.reader.position, reason=place.reason)
            return Step(reset, Place(None))
        if place.position is None:
            return await self._snapshot()
        if not self._has_news(place):
            told = self._told(UpdateKind.HEARTBEAT, place.position) if beats else None
            return Step(told, place)
        return await self._update(place, place.position)

    async def _snapshot(self) -> Step:
        """The position is older than the rows, never newer: what lies between is told twice."""
        position = self.reader.position
        rows = await self.source.snapshot(self.db)
        return Step(self._told(UpdateKind.SNAPSHOT, position, Shown(rows)), Place(position))

    async def _update(self, place: Place, position: Position) -> Step:
        head, rows = self.reader.position, self.reader.since(position.seq)
        if rows is None and self.source.state:
            return await self._snapshot()
        if rows is None:
            rows, head = await self._from_table(position, head)
        concerned = [row for row in rows if self.source.concerns(row)]
        if not self.source.state and len(concerned) > MAX_ROWS:
            concerned = concerned[:MAX_ROWS]
            head = self._after(concerned[-1], position)
        shown = await self._shown(concerned, place.owed)
        head = head if head.seq > position.seq else position
        if not shown.rows and not shown.removed:
            return Step(None, Place(head))
        skipped = max(0, len(concerned) - len(shown.rows)) if self.source.state else 0
        return Step(self._told(UpdateKind.UPDATE, head, shown, skipped=skipped), Place(head))

    async def _from_table(
        self, position: Position, head: Position
    ) -> tuple[Sequence[Any], Position]:
        """What a cohort that fell behind the ring has missed, as much as fits one message."""
        rows = await self.reader.rows(position.seq, head.seq, MAX_ROWS, *self.source.conditions())
        return rows, head if len(rows) < MAX_ROWS else self._after(rows[-1], position)

    def _after(self, row: Any, before: Position) -> Position:
        """The position after a row of the same history."""
        return replace(before, seq=row.seq, check=self.reader.feed.check(row))

    async def _shown(self, rows: Sequence[Any], owed: Collection[Any]) -> Shown:
        shown = await self.source.shown(self.db, rows) if rows else Shown(())
        if not owed:
            return shown
        more = await self.source.named(self.db, owed)
        return Shown([*shown.rows, *more.rows], [*shown.removed, *more.removed])

    def _told(
        self, kind: UpdateKind, position: Position, shown: Shown | None = None, **more: Any
    ) -> Told:
        shown = shown or Shown(())
        facts = {"rows": shown.rows, "removed": shown.removed, **more}
        return Told(kind, str(position), datetime.now(UTC), self.reader.lag, **facts)

    async def _message(self, told: Told) -> Message:
        """Raises Unavailable where a part of the message could not be read."""
        answer = await self.tell(told)
        if any(error["extensions"]["code"] == "SERVICE_UNAVAILABLE" for error in answer.errors):
            raise Unavailable
        return Message(encoded(answer), told.cursor)

    async def _deliver(self, cohort: Iterable[Member], message: Message | None) -> set[Member]:
        """Sends a message to those who are ready; returns who was told."""
        if message is None:
            return set(cohort)
        told: set[Member] = set()
        for count, member in enumerate(list(cohort), 1):
            if not member.gone and member.outlet.ready:
                member.outlet.send(message)
                told.add(member)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        return told

    def _add(self, place: Place, members: Iterable[Member]) -> None:
        present = {member for member in members if not member.gone}
        if present:
            self.cohorts.setdefault(place, set()).update(present)

    def _end(self, error: dict[str, Any]) -> None:
        before, self.cohorts = self.cohorts, {}
        for member in (member for cohort in before.values() for member in cohort):
            member.gone = True
            member.outlet.end([error])


def encoded(answer: Answer) -> bytes:
    """An answer as JSON, in the shape of GraphQL responses."""
    errors = {"errors": answer.errors} if answer.errors else {}
    return orjson.dumps({**errors, "data": answer.data})
