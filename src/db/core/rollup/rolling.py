"""Rolling: close periods, and compute those that are marked.

One process at a time works on a rollup: each transaction begins by locking its state. Nothing else
locks it, and writers wait for nothing here.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Text,
    any_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.core.ids import EPOCH, floor, time_of
from db.core.ingest.statements import core_table
from db.core.query.time_range import Bucket
from db.core.rollup import periods
from db.core.rollup.archived import is_of_archive, with_rows
from db.core.rollup.declaring import AT, Rollup
from db.core.rollup.state import RollupMark, RollupState
from db.core.session.database import Database, WriteSession
from db.core.table import AnySelect, Expression, Values
from db.core.timeouts import Timeouts

ABANDONED = timedelta(days=7)  # since a period was closed; the longest is of a day
PERIODS_AT_ONCE = 7 * 24
COMPUTE_SECONDS = 600.0


async def roll(database: Database, rollups: Iterable[Rollup]) -> dict[str, int]:
    """Close the periods that have ended, and compute marked ones. Returns the number of periods
    computed, by rollup. Raises as sessions do."""
    now, rolled = await database.now(), list(rollups)
    await _forget_abandoned(database, [rollup.name for rollup in rolled], now)
    return {rollup.name: await _roll(database, rollup, now) for rollup in rolled}


async def _forget_abandoned(database: Database, known: Collection[str], now: datetime) -> None:
    """Let writers no longer mark the periods of rollups of earlier versions, of which no gateway
    closes any."""
    others = RollupState.name.not_in(known), RollupState.closed < now - ABANDONED
    async with database.read() as session:
        if await session.scalar(select(RollupState.name).where(*others).limit(1)) is None:
            return
    async with database.write() as session:
        gone = delete(RollupState).where(*others).returning(RollupState.name)
        names = [name for (name,) in await session.rows(gone)]
        await session.execute(delete(RollupMark).where(RollupMark.rollup.in_(names)))


async def _roll(database: Database, rollup: Rollup, now: datetime) -> int:
    target = periods.settled(now, rollup.shortest)
    await _register(database, rollup)
    if await _begin_to_close(database, rollup, target):
        await _set_horizon(database, rollup)
    await _close(database, rollup)
    if not await _is_marked(database, rollup):
        return 0
    done = 0
    async with _patient(database) as own:
        while computed := await compute_marked(own, rollup):
            done += computed
    return done


@asynccontextmanager
async def _patient(database: Database) -> AsyncIterator[Database]:
    """The same database, for statements that take long: a period may have millions of rows."""
    own = Database(database.url, pool_size=1, timeouts=Timeouts(other=COMPUTE_SECONDS))
    try:
        yield own
    finally:
        await own.close()


async def _is_marked(database: Database, rollup: Rollup) -> bool:
    any_mark = select(RollupMark.number).where(RollupMark.rollup == rollup.name).limit(1)
    async with database.read() as session:
        return await session.scalar(any_mark) is not None


async def _register(database: Database, rollup: Rollup) -> None:
    known = select(RollupState.name).where(RollupState.name == rollup.name)
    async with database.read() as session:
        if await session.scalar(known) is not None:
            return
    row = {
        "name": rollup.name,
        "source": rollup.source.__tablename__,
        "width": rollup.shortest.value,
        "bound": floor(EPOCH),
    }
    async with database.write() as session:
        await session.execute(upsert(RollupState).values(row).on_conflict_do_nothing())


async def _begin_to_close(database: Database, rollup: Rollup, target: datetime) -> bool:
    """From the commit on, writes to periods before `target` mark them. True if a horizon is
    needed."""
    async with database.write() as session:
        state = await _locked(session, rollup)
        if state is None:
            return False
        if state.closing != state.closed:
            return state.horizon is None or await _is_of_another_server(session, state.horizon)
        if state.closed is not None and target <= state.closed:
            return False
        values = {"closing": target, "bound": floor(target), "horizon": None}
        await _set(session, rollup, values)
        return True


async def _set_horizon(database: Database, rollup: Rollup) -> None:
    """Transactions that could have missed the bound have lower numbers than this one."""
    async with database.write() as session:
        if await _locked(session, rollup):
            await _set(session, rollup, {"horizon": _number(func.pg_current_xact_id())})


async def _close(database: Database, rollup: Rollup) -> None:
    """Close the periods before `closing`, marked, once every transaction below the horizon has
    ended."""
    async with database.write() as session:
        state = await _locked(session, rollup)
        if state is None or state.closing is None or state.closing == state.closed:
            return
        oldest = await session.scalar(select(_number(_snapshot("xmin"))))
        if state.horizon is None or oldest < state.horizon:
            return
        first = state.closed or await _first(session, rollup)
        closing = periods.between(first, state.closing, rollup.shortest) if first else []
        marks = await with_rows(session, rollup, closing)
        await mark(session, rollup, marks)
        await _set(session, rollup, {"closed": state.closing})


async def compute_marked(database: Database, rollup: Rollup) -> int:
    """Compute some marked periods; return their number, 0 if there are none.

    The marks are removed first. Rows that a transaction wrote and did not commit before have a mark
    that is not visible here, and stays.
    """
    async with database.write() as session:
        if await _locked(session, rollup) is None:
            return 0
        marked = await _take_marks(session, rollup)
        if marked:
            await _compute(session, rollup, marked)
        return len(marked)


async def _take_marks(session: WriteSession, rollup: Rollup) -> list[datetime]:
    of_rollup = RollupMark.rollup == rollup.name
    computable = of_rollup, ~is_of_archive(rollup, RollupMark.period)
    newest = select(RollupMark.period).where(*computable).distinct()
    chosen = newest.order_by(RollupMark.period.desc()).limit(PERIODS_AT_ONCE)
    found = [period for (period,) in await session.rows(chosen)]
    taken = delete(RollupMark).where(of_rollup, RollupMark.period == any_(times(found)))
    rows = await session.rows(taken.returning(RollupMark.period)) if found else []
    return sorted({period for (period,) in rows})


async def _compute(session: WriteSession, rollup: Rollup, marked: Collection[datetime]) -> None:
    shortest, *longer = rollup.widths
    await _replace(session, rollup, shortest, marked, sums(rollup, marked))
    for width in longer:
        around = {periods.start(period, width) for period in marked}
        await _replace(session, rollup, width, around, sums_of_periods(rollup, width, around))


async def _replace(
    session: WriteSession,
    rollup: Rollup,
    width: Bucket,
    starts: Collection[datetime],
    computed: AnySelect,
) -> None:
    table = rollup.table
    old = delete(table).where(table.width == width, table.period == any_(times(starts)))
    await session.execute(old)
    names = ["width", "period", *rollup.names]
    ordered = computed.order_by(*computed.selected_columns)  # so that a range is read in one go
    await session.execute(insert(core_table(table)).from_select(names, ordered, False))


def sums(rollup: Rollup, starts: Collection[datetime]) -> AnySelect:
    """The sums of the shortest periods, from the rows."""
    width = rollup.shortest
    first: Expression = func.unnest(times(starts)).column_valued("first")
    low, high = periods.floor_sql(first), periods.floor_sql(periods.following_sql(first, width))
    rows = rollup.rows(first.label("period"))
    id = rollup.source.id
    return _grouped(rollup, width, rows.where(id >= low, id < high))


def sums_of_periods(rollup: Rollup, width: Bucket, starts: Collection[datetime]) -> AnySelect:
    """The sums of longer periods, from the shortest ones within."""
    table = rollup.table
    start = periods.start_sql(table.period, width).label("period")
    last = periods.following(max(starts), width)
    within = table.period >= min(starts), table.period < last, start == any_(times(starts))
    piece = start, table.period.label(AT), *rollup.columns()
    rows = select(*piece).where(table.width == rollup.shortest, *within)
    if rollup.linked is not None:
        rows = rollup.linked(rows.cte("pieces"), ("period",))
    return _grouped(rollup, width, rows)


def _grouped(rollup: Rollup, width: Bucket, rows: AnySelect) -> AnySelect:
    of = rows.subquery("part")
    keys = [of.c[name] for name in rollup.keys]
    measures = [rollup.combine(name, of.c[name]) for name in rollup.measures]
    selected = select(literal(width.value, Text), of.c.period, *keys, *measures)
    return selected.group_by(of.c.period, *keys)


async def mark(session: WriteSession, rollup: Rollup, starts: Collection[datetime]) -> None:
    if starts:
        first = func.unnest(times(starts)).column_valued("first")
        marks = select(literal(rollup.name, Text), first)
        table = core_table(RollupMark)
        await session.execute(insert(table).from_select(["rollup", "period"], marks, False))


async def reset(database: Database, rollup: Rollup) -> None:
    """Forget all sums but those of the archive; `roll` computes them again, and until then all rows
    are read."""
    async with database.write() as session:
        name = RollupState.name == rollup.name
        await session.record(RollupState, RollupState.select().where(name).with_for_update())
        values = {"bound": floor(EPOCH), "closing": None, "closed": None, "horizon": None}
        await _set(session, rollup, values)
        await session.execute(delete(RollupMark).where(RollupMark.rollup == rollup.name))
        kept = is_of_archive(rollup, rollup.table.period)
        await session.execute(delete(rollup.table).where(~kept))


async def forget_before(database: Database, rollup: Rollup, limit: datetime) -> None:
    """Delete the sums of rows that have expired."""
    async with database.write() as session:
        table = rollup.table
        await session.execute(delete(table).where(table.period < limit))


async def _locked(session: WriteSession, rollup: Rollup) -> RollupState | None:
    """The state, or None while another process works on it."""
    state = RollupState.select().where(RollupState.name == rollup.name)
    return await session.record(RollupState, state.with_for_update(skip_locked=True))


async def _set(session: WriteSession, rollup: Rollup, values: Values) -> None:
    await session.execute(
        update(RollupState).where(RollupState.name == rollup.name).values(**values)
    )


async def _first(session: WriteSession, rollup: Rollup) -> datetime | None:
    id = await session.scalar(select(rollup.source.id).order_by(rollup.source.id).limit(1))
    return None if id is None else periods.start(time_of(id), rollup.shortest)


async def _is_of_another_server(session: WriteSession, horizon: int) -> bool:
    """True for a number that this server has not reached: the database was restored."""
    return bool(await session.scalar(select(_number(_snapshot("xmax")))) <= horizon)


def _snapshot(end: str) -> Expression:
    return getattr(func, f"pg_snapshot_{end}")(func.pg_current_snapshot())  # type: ignore[no-any-return]  # by name


def _number(transaction: Expression) -> Expression:
    return cast(cast(transaction, Text), BigInteger)


def times(times: Collection[datetime]) -> Expression:
    return cast(
        literal(list(times), ARRAY(DateTime(timezone=True))), ARRAY(DateTime(timezone=True))
    )
