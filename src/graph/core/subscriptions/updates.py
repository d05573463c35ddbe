"""Updates: the next message of a subscription, by the offset of its subscribers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from graphql import GraphQLFormattedError

from db import Database
from db.core.feed import Position, PositionInvalid, Reader
from db.core.feed.feed import FeedRow
from db.core.session.coalescing import ReadCoalescer
from graph.core.subscriptions.source import (
    AnySource,
    ResetReason,
    UpdateKind,
    UpdatePayload,
    VisibleRows,
)

MAX_ROWS, MAX_BYTES = 500, 1024 * 1024  # of a message that shows every row, in stored size


class Offset(NamedTuple):
    """The last position delivered to a cohort, None before its snapshot. `pending_keys`: rows that
    changed without a row in the feed. `reason`: sent as a RESET before a snapshot."""

    position: Position | None
    reason: ResetReason | None = None
    pending_keys: frozenset[str] = frozenset()


START = Offset(None)
NO_ROWS = VisibleRows(())


class SubscriptionFailed(Exception):
    """A message without data: its errors end the subscription, which may be resumed."""

    def __init__(self, errors: list[GraphQLFormattedError]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class PlannedUpdate:
    """The next message of a cohort, None without one, and the offset after it."""

    payload: UpdatePayload | None
    offset: Offset


@dataclass(frozen=True, slots=True)
class UpdatePlanner:
    """Plans the next message of one source, reading rows from the database."""

    source: AnySource
    reader: Reader
    database: Database
    coalescer: ReadCoalescer

    def has_pending(self, offset: Offset) -> bool:
        return offset.position is None or bool(offset.pending_keys) or self.is_behind(offset)

    def is_behind(self, offset: Offset) -> bool:
        return offset.position is not None and offset.position.seq < self.reader.position.seq

    def skip_unrelated(self, offset: Offset) -> Offset | None:
        """The offset after rows that are all irrelevant to the source; None if one may be
        relevant."""
        rows = self.reader.since(offset.position.seq) if offset.position else None
        if rows is None or any(map(self.source.is_relevant, rows)):
            return None
        return offset._replace(position=self.reader.position)

    def heartbeat(self, offset: Offset, is_due: bool) -> PlannedUpdate:
        due = is_due and offset.position
        return PlannedUpdate(self._payload(UpdateKind.HEARTBEAT, due) if due else None, offset)

    async def next(self, offset: Offset, is_due: bool) -> PlannedUpdate:
        """The next message after an offset. Raises Unavailable."""
        try:
            return await self._following(offset, is_due)
        except PositionInvalid as invalid:
            return PlannedUpdate(None, Offset(None, ResetReason(invalid.reason)))

    async def _following(self, offset: Offset, is_due: bool) -> PlannedUpdate:
        if offset.reason:
            # A client that resumes before its snapshot is reset again.
            nowhere = self.reader.position.nowhere
            reset = self._payload(UpdateKind.RESET, nowhere, reason=offset.reason)
            return PlannedUpdate(reset, Offset(None))
        if offset.position is None:
            return await self._snapshot()
        if not self.has_pending(offset):
            return self.heartbeat(offset, is_due)
        return await self._update(offset, offset.position, is_due)

    async def _snapshot(self) -> PlannedUpdate:
        # The position is read before the rows: changes in between are sent twice rather than lost.
        position = self.reader.position
        rows = await self.source.snapshot(self.database)
        return PlannedUpdate(
            self._payload(UpdateKind.SNAPSHOT, position, VisibleRows(rows)), Offset(position)
        )

    async def _update(self, offset: Offset, position: Position, is_due: bool) -> PlannedUpdate:
        if self.source.state:
            rows, head = self.reader.since(position.seq), self.reader.position
            if rows is None:
                return await self._snapshot()
        else:
            rows, head = await self._in_order(position)
        relevant = [row for row in rows if self.source.is_relevant(row)]
        if not self.source.state and len(relevant) > MAX_ROWS:
            relevant = relevant[:MAX_ROWS]
            head = self._position_after(relevant[-1], position)
        visible = await self._visible(relevant)
        payload = len(visible.rows) + len(visible.removed)
        skipped = len(relevant) - payload if self.source.state else 0
        visible = await self._with_pending(visible, offset.pending_keys)
        head = head if head.seq > position.seq else position
        if not visible.rows and not visible.removed:
            return self.heartbeat(Offset(head), is_due)
        return PlannedUpdate(
            self._payload(UpdateKind.UPDATE, head, visible, skipped=skipped), Offset(head)
        )

    async def _in_order(self, position: Position) -> tuple[Sequence[FeedRow], Position]:
        """The next rows that fit one message, and the position after them. Read from the table for
        a cohort that is behind the ring buffer."""
        head, rows = self.reader.position, self.reader.since(position.seq, MAX_BYTES)
        if rows is not None:
            return rows, self._position_after(rows[-1], position) if rows else head
        conditions = self.source.conditions()
        rows, last = await self.reader.rows(
            position.seq, head.seq, MAX_ROWS, *conditions, most_bytes=MAX_BYTES
        )
        return rows, self._position_after(last, position) if last else head

    def _position_after(self, row: FeedRow, before: Position) -> Position:
        return replace(before, seq=row.seq, check=self.reader.feed.check(row))

    async def _visible(self, rows: Sequence[FeedRow]) -> VisibleRows:
        return await self.source.visible(self.database, rows, self.coalescer) if rows else NO_ROWS

    async def _with_pending(
        self, visible: VisibleRows, pending_keys: Collection[str]
    ) -> VisibleRows:
        if not pending_keys:
            return visible
        more = await self.source.invalidated_rows(self.database, pending_keys, self.coalescer)
        return VisibleRows([*visible.rows, *more.rows], [*visible.removed, *more.removed])

    def _payload(
        self,
        kind: UpdateKind,
        position: Position,
        visible: VisibleRows = NO_ROWS,
        reason: ResetReason | None = None,
        skipped: int = 0,
    ) -> UpdatePayload:
        at, lag = self.database.clock.now(), self.reader.lag
        return UpdatePayload(
            kind, str(position), at, lag, reason, visible.rows, visible.removed, skipped
        )
