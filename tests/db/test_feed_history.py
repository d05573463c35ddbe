"""Histories: which positions can be resumed, and the reason for a reset otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import delete, make_url, text, update

from db import Database
from db.core.feed import FeedState, InvalidReason, PositionInvalid, Reader
from db.events import Event
from db.feeds import Feeds
from support import databases
from support.factories import make_event
from support.feeds import positions, read_up_to
from support.query_count import statements
from support.stored_rows import execute
from support.wait import until

# Judging: once from the ring, once from the table


@pytest.fixture(params=["ring", "table"])
async def judging(
    request: pytest.FixtureRequest, database: Database, reader: Reader
) -> AsyncIterator[tuple[Reader, list[Any]]]:
    """A reader and three events, which are in its ring or not."""
    async with AsyncExitStack() as stack:
        if request.param == "ring":
            await stack.enter_async_context(reader.following())
            yield reader, await read_up_to(database, reader)
        else:
            yield reader, [await make_event(database) for _ in range(3)]


async def test_one_can_continue_from_every_row(
    database: Database, judging: tuple[Reader, list[Any]]
) -> None:
    reader, made = judging
    for position in await positions(database, *made):
        assert await reader.check_position(position) is None
    assert await reader.check_position(replace(position, seq=0, check=0)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": 7}, InvalidReason.EPOCH),
        ({"check": 7}, InvalidReason.DIVERGED),
        ({"seq": 1_000}, InvalidReason.AHEAD),
    ],
)
async def test_an_expired_position_cannot_be_resumed(
    database: Database,
    judging: tuple[Reader, list[Any]],
    change: dict[str, int],
    reason: InvalidReason,
) -> None:
    reader, made = judging
    [position] = await positions(database, made[1])
    assert await reader.check_position(replace(position, **change)) == reason


async def test_many_positions_are_checked_in_one_statement(
    database: Database, reader: Reader
) -> None:
    made = [await make_event(database) for _ in range(9)]
    good = await positions(database, *made)
    asked = {
        **dict.fromkeys(good, None),
        **{replace(each, check=7): InvalidReason.DIVERGED for each in good},
        **{replace(each, seq=each.seq + 100): InvalidReason.AHEAD for each in good},
        **{replace(each, epoch=7): InvalidReason.EPOCH for each in good},
    }
    await execute(database, delete(Event).where(Event.id == made[4].id))
    asked[good[4]] = InvalidReason.DIVERGED
    with statements(database, at_most=2):
        judged = await asyncio.gather(*map(reader.check_position, asked))
    assert dict(zip(asked, judged, strict=True)) == asked


async def test_a_row_that_is_missing_between_others_is_another_history(
    database: Database, reader: Reader
) -> None:
    made = [await make_event(database) for _ in range(3)]
    [position] = await positions(database, made[1])
    await execute(database, delete(Event).where(Event.id == made[1].id))
    assert await reader.check_position(position) == InvalidReason.DIVERGED


async def test_one_can_continue_from_the_last_row_that_went_but_not_before_it(
    database: Database, reader: Reader
) -> None:
    made = [await make_event(database) for _ in range(3)]
    before, at, after = await positions(database, *made)
    await execute(database, delete(Event).where(Event.seq <= at.seq))
    await execute(database, update(FeedState).values(min_seq=at.seq + 1))
    assert await reader.check_position(before) == InvalidReason.EXPIRED
    assert await reader.check_position(at) is None
    assert await reader.check_position(after) is None
    async with reader.following():
        found, last = await reader.rows(at.seq, after.seq, 9)
        assert ([event.seq for event in found], last) == ([after.seq], None)
        with pytest.raises(PositionInvalid) as discontinued:
            await reader.rows(before.seq, after.seq, 9)
        assert discontinued.value.reason == InvalidReason.EXPIRED


async def test_the_beginning_of_an_empty_feed_can_be_continued(
    database: Database, reader: Reader
) -> None:
    async with reader.following():
        assert await reader.check_position(reader.position) is None
        beginning = reader.position
        assert (beginning.seq, beginning.check) == (0, 0)
        [first, *_] = await read_up_to(database, reader)
        assert await reader.check_position(beginning) is None
        assert (reader.since(0) or [])[0] == first
        assert (reader.generation, reader.late_rows) == (0, 0)


# Readers whose database is not what it was


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["delete from system_events where seq = 3"], InvalidReason.AHEAD),
        (["update system_events set id = gen_random_uuid() where seq = 3"], InvalidReason.DIVERGED),
        (["delete from system_events where seq = 3", "select nextval('system_events_seq')"], None),
        (["update feeds set epoch = gen_random_uuid()"], InvalidReason.EPOCH),
        (
            ["select setval('system_events_seq', 99)", "update feeds set min_seq = 100"],
            InvalidReason.EXPIRED,
        ),
    ],
    ids=["behind", "another row", "behind, then on", "another epoch", "expired"],
)
async def test_a_reader_notices_another_history(
    database: Database, reader: Reader, changes: list[str], reason: InvalidReason | None
) -> None:
    async with reader.following():
        await read_up_to(database, reader)
        await _partition_for_random_ids(database)
        async with database.write() as session:
            for change in changes:
                await session.execute(text(change))
            if reason is None:
                await make_event(session)
        await until(lambda: reader.generation == 1)
        assert reader.reason == (reason or InvalidReason.DIVERGED)
        assert reader.resets == {reader.reason: 1}
        head = reader.position
        assert await reader.check_position(head) is None
        assert reader.since(head.seq) == []
        made = await make_event(database)
        await until(lambda: reader.position.seq == made.seq)
        assert reader.since(head.seq) == [made]
        assert reader.generation == 1


async def _partition_for_random_ids(database: Database) -> None:
    """A row that gets another id moves to another month, or else to this partition."""
    rest = "create table if not exists system_events_rest partition of system_events default"
    await execute(database, text(rest))


async def test_retention_of_all_that_was_read_is_no_other_history(
    database: Database, reader: Reader
) -> None:
    async with reader.following():
        made = await read_up_to(database, reader)
        async with database.write() as session:
            await session.execute(update(FeedState).values(min_seq=made[-1].seq + 1))
            await session.execute(delete(Event))
        [more] = await read_up_to(database, reader, 1)
        assert reader.since(made[-1].seq) == [more]
        assert (reader.generation, reader.reason) == (0, None)


async def test_subscribers_of_a_restored_database_get_a_reset(
    database_url: str, server_url: str
) -> None:
    """A copy is made, more is stored and followed, and the copy takes the place of the original."""
    async with _opened(database_url) as database:
        kept = [await make_event(database) for _ in range(3)]
    copy_url = await databases.create_database(server_url, database_url)
    async with _opened(database_url) as database:
        following = Feeds(database)
        reader = following["events"]
        async with following.running(), reader.following():
            lost = await read_up_to(database, reader)
            await _replace(server_url, database_url, copy_url)
            await until(lambda: reader.generation == 1)
            assert reader.reason == InvalidReason.AHEAD
            assert reader.position.seq == kept[-1].seq
            survivors, victims = await positions(database, *kept), await positions(database, *lost)
            assert [await reader.check_position(each) for each in survivors] == [None] * 3
            assert [await reader.check_position(each) for each in victims] == [
                InvalidReason.AHEAD
            ] * 3
            other = await read_up_to(database, reader)
            assert [event.seq for event in other] == [event.seq for event in lost]
            assert [await reader.check_position(each) for each in victims] == [
                InvalidReason.DIVERGED
            ] * 3
            assert reader.since(kept[-1].seq) == other


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


async def _replace(server_url: str, url: str, copy_url: str) -> None:
    """Throws everybody out and gives the copy the name of the original."""
    name, copy = make_url(url).database, make_url(copy_url).database
    await databases.drop_database(server_url, url)
    connection = await asyncpg.connect(server_url)
    await connection.execute(f'alter database "{copy}" rename to "{name}"')
    await connection.close()
