"""Numbering: pending rows of a feed become its rows, in the order of their commits.

Writers insert pending rows and commit without waiting for each other. Then one statement moves the
rows of all transactions that have committed to the table of the feed, where they get their `seq`.
It holds the lock of the feed, so the order of `seq` is the order in which rows become visible
there. It takes them in the order of their numbers: a transaction that changes a row after another
has the greater number for it.

The process that wrote moves them, and any reader what others left behind.
"""

import asyncio
import time
from collections.abc import Callable

import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
)

from db.core.background import background
from db.core.error_facts import summary
from db.core.errors import ReadOnly
from db.core.session.database import Database
from db.core.session.direct_writes import DirectConnection, compile_write
from db.core.session.pg_errors import domain_errors
from db.core.table import Table

LOCK = 0x66656564, 3  # of changes, as migration 0004 has it
BATCH_ROWS = 5_000
WHOLE_SECONDS = 60.0  # between two looks at all pending rows
REST_SECONDS = 0.005  # between two statements, however many transactions commit
RETRY_SECONDS = 1.0
FLOOR = bindparam("floor", type_=BigInteger, required=True)

log = structlog.get_logger()


class Numbering:
    """Moves the rows of `pending` to `table`. `numbered` is called after rows were moved.

    All rows of transactions before `floor` were moved, and are not looked at again: an old
    snapshot, such as that of a dump, keeps PostgreSQL from removing what was deleted.
    """

    def __init__(self, pending: type[Table], table: type[Table], database: Database) -> None:
        self.database = database.borrowed_by("feeds")
        self.numbered: Callable[[], None] = lambda: None
        self._statement = compile_write(database, _move(pending, table))
        self._floor = 0
        self._whole_at = float("-inf")
        self._wanted = self._is_failing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def floor(self) -> int:
        """The transaction from which on there may be pending rows. Sometimes 0: a row of a restored
        database may have any."""
        is_whole_due = time.monotonic() - self._whole_at > WHOLE_SECONDS
        return 0 if is_whole_due else self._floor

    def soon(self) -> None:
        """Move the rows of transactions that have committed, in the background."""
        self._wanted = True
        if self._task is None:
            self._task = background(self._run())

    async def run(self) -> None:
        """Move the rows of transactions that have committed. Raises as `Database.write`."""
        while not await self._move():
            pass

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                try:
                    await self.run()
                except Exception as error:
                    self._fail(error)
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._is_failing = False
                    self.numbered()
                    await asyncio.sleep(REST_SECONDS)
        finally:
            self._task = None

    def _fail(self, error: Exception) -> None:
        if not self._is_failing:
            log.warning("changes cannot be numbered", error=summary(error))
        self._is_failing = True
        self._wanted = not isinstance(error, ReadOnly)  # the next poll finds what is pending

    async def _move(self) -> bool:
        """Move one batch; return whether it was the last."""
        floor = self.floor
        with self.database.measuring(), domain_errors():
            async with DirectConnection(self.database) as connection:
                [(count, oldest)] = await connection.execute(self._statement, {"floor": floor})
        if oldest < floor:  # the transactions of another server
            self._whole_at = float("-inf")
            return False
        if count == BATCH_ROWS:
            return False
        self._floor = oldest
        if floor == 0:
            self._whole_at = time.monotonic()
        return True


def has_pending(pending: type[Table]) -> ColumnElement[bool]:
    """Whether there are pending rows of transactions from `FLOOR` on that have committed."""
    return exists().where(pending.__table__.c.xid >= FLOOR)


def _move(pending: type[Table], table: type[Table]) -> Select[int, int]:
    """The number of rows moved, and the oldest transaction that was running.

    No number is drawn before the lock is taken: the rows to delete depend on it. The snapshot is
    older than the lock, so rows that another statement moved meanwhile are skipped. Rows are found
    by their place, which cannot change before they are deleted.
    """
    own = pending.__table__
    turn = select(func.pg_advisory_xact_lock(*LOCK).label("taken")).cte("turn")
    is_taken = select(func.count()).select_from(turn).scalar_subquery() == 1
    place: ColumnElement[object] = literal_column(f"{pending.__tablename__}.ctid")
    ready = select(place).where(own.c.xid >= FLOOR, is_taken)
    ready = ready.order_by(own.c.number).limit(BATCH_ROWS)
    chosen = any_(func.array(ready.scalar_subquery()))
    moved = delete(pending).where(place == chosen).returning(*own.c).cte("moved")
    names = [column.name for column in own.c if column.name not in ("xid", "number")]
    rows = select(*(moved.c[name] for name in names), moved.c.number).order_by(moved.c.number)
    numbered = insert(table).from_select([*names, "pending_number"], rows, False)
    stored = numbered.returning(table.__table__.c.seq).cte("stored")
    count = select(func.count()).select_from(stored).scalar_subquery()
    oldest = cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text)
    return select(count, cast(oldest, BigInteger))
