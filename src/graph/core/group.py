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
from graph.core.errors import failure
from graph.core.operation import Answer
from graph.core.outlet import Message, Outlet
from graph.core.steps import BEGINNING, Failed, Place, Steps
from graph.core.stream import ResetReason, Told

HEARTBEAT_SECONDS = 10.0
SHORTEST_PAUSE = 0.02  # between two messages, so that what comes in bursts goes out together
AGAIN_SECONDS = 0.5  # after the database was away
SHARE = 0.02  # of the time that a group took, for others
LONGEST_TELLING = 0.03  # seconds to tell one message, when there is a newer one
AT_ONCE = 128  # members who are sent a message before others get a turn

Tell = Callable[[Told], Awaitable[Answer]]


@dataclass(eq=False, slots=True)
class Member:
    """One subscriber of a group."""

    outlet: Outlet
    gone: bool = False


@dataclass(eq=False, slots=True)
class Group:
    """The members of one subscription over one feed."""

    steps: Steps
    tell: Tell
    cohorts: dict[Place, set[Member]] = field(default_factory=dict)
    generation: int = 0
    beginning: Place = BEGINNING
    nudged: frozenset[Any] = frozenset()
    interrupted: bool = False
    departed: set[Member] = field(default_factory=set)
    errors: list[dict[str, Any]] | None = None
    task: asyncio.Task[None] | None = None
    beat: float = field(default_factory=time.monotonic)

    def join(self, member: Member, place: Place) -> None:
        """Takes a member who was told that much."""
        self._add(place, [member])
        self.advance()

    def leave(self, member: Member) -> None:
        """Lets a member go, who is told nothing more."""
        member.gone = True
        if self.task:
            self.departed.add(member)  # in case it is being told something
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
        self.nudged = self.nudged.union(keys)  # of those who are being told something, later
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
            self.task = background(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while waiting := self._waiting():
                began = time.monotonic()
                pause = await self._serve_all(waiting, self._beats())
                await asyncio.sleep(pause + (time.monotonic() - began) * SHARE)
        finally:
            self.task = None

    async def _serve_all(self, waiting: Sequence[Place], beats: bool) -> float:
        """The seconds until the next message. When some of a cohort are left who should be told
        newer news before anybody else is, it ends early, and there is nothing to wait for."""
        served = True
        for place in waiting:
            self.interrupted = False
            served &= await self._serve(place, beats)
            if self.interrupted and not beats:
                return 0
        return SHORTEST_PAUSE if served else AGAIN_SECONDS

    def _waiting(self) -> list[Place]:
        """The places where something is to be told to somebody who is ready, those who know least
        first; cohorts whom nothing concerns are moved on."""
        for place in [place for place in self.cohorts if self.steps.is_behind(place)]:
            if moved := self.steps.passing(place):
                self._add(moved, self.cohorts.pop(place))
        beats = time.monotonic() >= self.beat + HEARTBEAT_SECONDS
        waiting = [
            place
            for place, cohort in self.cohorts.items()
            if (beats or self.steps.has_news(place)) and any(m.outlet.ready for m in cohort)
        ]
        return sorted(waiting, key=lambda place: place.position.seq if place.position else 0)

    def _beats(self) -> bool:
        """Whether it is time for a heartbeat."""
        if time.monotonic() < self.beat + HEARTBEAT_SECONDS:
            return False
        self.beat = time.monotonic()
        return True

    async def _serve(self, place: Place, beats: bool) -> bool:
        """Tells a cohort what comes next. False when that cannot be read: then it is told, when it
        is time, that we are still here."""
        cohort = self.cohorts.pop(place, set())
        self.nudged = frozenset()
        try:
            return await self._tell_cohort(place, cohort, beats)
        except Exception as error:
            self._end(cohort, _errors(error))
            return True
        finally:
            self.departed.clear()

    async def _tell_cohort(self, place: Place, cohort: set[Member], beats: bool) -> bool:
        generation, served = self.generation, True
        try:
            step = await self.steps.next(place, beats)
            message = await self._message(step.told)
        except Unavailable:
            step, served = self.steps.heartbeat(place, beats), False
            message = await self._message(step.told)
        if generation == self.generation:
            told = await self._deliver(cohort, message, step.place)
            if generation == self.generation:
                cohort -= told
                self._add(self._owing(step.place), told)
        self._add(self._owing(place) if generation == self.generation else self.beginning, cohort)
        return served

    def _owing(self, place: Place) -> Place:
        return place._replace(owed=place.owed | self.nudged)

    async def _message(self, told: Told | None) -> Message | None:
        """Raises Unavailable where a part of it could not be read, Failed where nothing is left."""
        if told is None:
            return None
        answer = await self.tell(told)
        if any(error["extensions"]["code"] == "SERVICE_UNAVAILABLE" for error in answer.errors):
            raise Unavailable
        if answer.data is None:
            raise Failed(answer.errors)
        return Message(answer.body, told.cursor)

    async def _deliver(
        self, cohort: Iterable[Member], message: Message | None, place: Place
    ) -> set[Member]:
        """Sends a message to those who are ready; returns who was told. When telling all of them
        takes long and there is newer news, the others are told that instead, before anybody else.
        """
        if message is None:
            return set(cohort)
        told: set[Member] = set()
        until = time.monotonic() + LONGEST_TELLING
        for count, member in enumerate(list(cohort), 1):
            if not member.gone and member.outlet.ready:
                member.outlet.send(message)
                told.add(member)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
                self.interrupted = time.monotonic() > until and self.steps.is_behind(place)
                if self.interrupted:
                    break
        return told

    def _add(self, place: Place, members: Iterable[Member]) -> None:
        if self.errors is not None:
            self._end(members, self.errors)
        elif present := set(members) - self.departed:
            self.cohorts.setdefault(place, set()).update(present)

    def end(self, errors: list[dict[str, Any]]) -> None:
        """Nobody is told anything more, but these errors; who is being told something, after it."""
        self.errors = errors
        before, self.cohorts = self.cohorts, {}
        for cohort in before.values():
            self._end(cohort, errors)

    def _end(self, cohort: Iterable[Member], errors: list[dict[str, Any]]) -> None:
        for member in cohort:
            if not member.gone:
                member.gone = True
                member.outlet.end(errors)


def _errors(error: Exception) -> list[dict[str, Any]]:
    """What subscribers are told who are told nothing more."""
    if isinstance(error, Failed):
        return error.errors
    return failure(error)
