"""Steps: what those who follow a source are told next, by where they are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from db import Database
from db.core.feed import Discontinued, Position, Reader
from db.core.reads import Reads
from graph.core.stream import ResetReason, Shown, Source, Told, UpdateKind

MAX_ROWS, MAX_BYTES = 500, 1024 * 1024  # of a message that shows every row, as they are stored


class Place(NamedTuple):
    """What a cohort was told: everything up to a position, or nothing yet. `owed` names what has
    changed beside the feed; a reason is told before a snapshot."""

    position: Position | None
    reason: ResetReason | None = None
    owed: frozenset[Any] = frozenset()


BEGINNING = Place(None)


class Failed(Exception):
    """Nothing of a message is left: its errors end the subscription, which may be resumed."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Step:
    """What a cohort is told next, None for nothing, and where it is then."""

    told: Told | None
    place: Place


@dataclass(frozen=True, slots=True)
class Steps:
    """What comes next in one source, which reads what it shows from the database."""

    source: Source
    reader: Reader
    database: Database
    reads: Reads

    def has_news(self, place: Place) -> bool:
        """Whether there may be something to tell to those who are there."""
        return place.position is None or bool(place.owed) or self.is_behind(place)

    def is_behind(self, place: Place) -> bool:
        """Whether the feed has rows after that place."""
        return place.position is not None and place.position.seq < self.reader.position.seq

    def passing(self, place: Place) -> Place | None:
        """The place after rows none of which concerns the source; None when one may."""
        rows = self.reader.since(place.position.seq) if place.position else None
        if rows is None or any(map(self.source.concerns, rows)):
            return None
        return place._replace(position=self.reader.position)

    def heartbeat(self, place: Place, beats: bool) -> Step:
        """That we are still here, when it is time."""
        due = beats and place.position
        return Step(self._told(UpdateKind.HEARTBEAT, due) if due else None, place)

    async def next(self, place: Place, beats: bool) -> Step:
        """What to tell. Raises Unavailable."""
        try:
            return await self._following(place, beats)
        except Discontinued as discontinued:
            return Step(None, Place(None, ResetReason(discontinued.reason)))

    async def _following(self, place: Place, beats: bool) -> Step:
        if place.reason:
            # Whoever is interrupted before the snapshot, and resumes, is reset again.
            nowhere = self.reader.position.nowhere
            reset = self._told(UpdateKind.RESET, nowhere, reason=place.reason)
            return Step(reset, Place(None))
        if place.position is None:
            return await self._snapshot()
        if not self.has_news(place):
            return self.heartbeat(place, beats)
        return await self._update(place, place.position)

    async def _snapshot(self) -> Step:
        """The position is older than the rows, never newer: what lies between is told twice."""
        position = self.reader.position
        rows = await self.source.snapshot(self.database)
        return Step(self._told(UpdateKind.SNAPSHOT, position, Shown(rows)), Place(position))

    async def _update(self, place: Place, position: Position) -> Step:
        if self.source.state:
            rows, head = self.reader.since(position.seq), self.reader.position
            if rows is None:
                return await self._snapshot()
        else:
            rows, head = await self._in_order(position)
        concerned = [row for row in rows if self.source.concerns(row)]
        if not self.source.state and len(concerned) > MAX_ROWS:
            concerned = concerned[:MAX_ROWS]
            head = self._after(concerned[-1], position)
        shown = await self._shown(concerned)
        told = len(shown.rows) + len(shown.removed)
        skipped = len(concerned) - told if self.source.state else 0
        shown = await self._with_owed(shown, place.owed)
        head = head if head.seq > position.seq else position
        if not shown.rows and not shown.removed:
            return Step(None, Place(head))
        return Step(self._told(UpdateKind.UPDATE, head, shown, skipped=skipped), Place(head))

    async def _in_order(self, position: Position) -> tuple[Sequence[Any], Position]:
        """The next rows, as many as fit one message, and how far they reach; from the table for a
        cohort that fell behind the ring."""
        head, rows = self.reader.position, self.reader.since(position.seq, MAX_BYTES)
        if rows is not None:
            return rows, self._after(rows[-1], position) if rows else head
        conditions = self.source.conditions()
        rows, whole = await self.reader.rows(
            position.seq, head.seq, MAX_ROWS, *conditions, most_bytes=MAX_BYTES
        )
        return rows, head if whole else self._after(rows[-1], position)

    def _after(self, row: Any, before: Position) -> Position:
        """The position after a row of the same history."""
        return replace(before, seq=row.seq, check=self.reader.feed.check(row))

    async def _shown(self, rows: Sequence[Any]) -> Shown:
        return await self.source.shown(self.database, rows, self.reads) if rows else Shown(())

    async def _with_owed(self, shown: Shown, owed: Collection[Any]) -> Shown:
        if not owed:
            return shown
        more = await self.source.named(self.database, owed, self.reads)
        return Shown([*shown.rows, *more.rows], [*shown.removed, *more.removed])

    def _told(
        self, kind: UpdateKind, position: Position, shown: Shown | None = None, **more: Any
    ) -> Told:
        shown = shown or Shown(())
        facts = {"rows": shown.rows, "removed": shown.removed, **more}
        return Told(kind, str(position), self.database.clock.now(), self.reader.lag, **facts)
