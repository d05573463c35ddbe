"""Archive: months become files and come back equal, whatever happens meanwhile."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from sqlalchemy import text

from db import Database, rollups
from db.archive import NOUNS, Differs, archive, archived, restore
from db.core.errors import Invalid, NotFound
from db.core.schema import partition
from support.archived import AFTER, LONG_AGO, MONTH, fill, folder, stored
from support.factories import make_ai_test, make_metric, make_queued_ai_test
from support.rollups import roll
from support.stored_rows import execute

MONTHS = {partition.name(noun.table, MONTH) for noun in NOUNS.values()}


@pytest.fixture
async def dream(database: Database) -> Any:
    return await fill(database)


async def test_a_month_becomes_a_file_and_comes_back_equal(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    before, files = await stored(database), folder(tmp_path)

    assert set(await archive(database, files, AFTER) or []) == MONTHS
    left = await stored(database)
    assert {name: len(rows) for name, rows in left.items()} == {
        **{name: len(before[name]) - 12 for name in NOUNS},
    }
    for month in await archived(database):
        file = parquet.ParquetFile(tmp_path / "archive" / month.file)
        assert (file.metadata.num_rows, month.rows) == (12, 12)
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"

    assert await archive(database, files, AFTER) == []
    for noun in NOUNS.values():
        done = await restore(database, files, noun, MONTH)
        assert done is not None
        assert (done.rows, done.dropped) == (12, 0)
    assert await stored(database) == before
    assert await archive(database, files, AFTER) == []
    assert set(await archive(database, files, AFTER, restored=True) or []) == MONTHS


async def test_sums_stay_when_their_rows_are_archived(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    async def sums() -> list[Any]:
        async with database.read() as session:
            return [
                sorted(map(str, await session.rows(each.table.select())))
                for each in rollups.ROLLUPS
            ]

    before = await sums()
    await archive(database, folder(tmp_path), AFTER)
    await roll(database)
    assert await sums() == before
    assert [each.wrong for each in await rollups.verify(database)] == [[]] * len(rollups.ROLLUPS)
    await rollups.rebuild(database)
    await roll(database)
    assert await sums() == before

    for noun in NOUNS.values():
        await restore(database, folder(tmp_path), noun, MONTH)
    await roll(database)
    assert await sums() == before
    assert [each.wrong for each in await rollups.verify(database)] == [[]] * len(rollups.ROLLUPS)


async def test_rows_of_an_archived_month_are_refused(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    await archive(database, folder(tmp_path), AFTER)
    async with database.write() as session:
        with pytest.raises(Invalid, match=f"{MONTH:%Y-%m} is in the archive"):
            await partition.ensure(session, NOUNS["tests"].table, [LONG_AGO])


async def test_rows_of_deleted_dreams_are_not_restored(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    await archive(database, folder(tmp_path), AFTER)
    await execute(database, text("delete from dreams"))
    done = await restore(database, folder(tmp_path), NOUNS["tests"], MONTH)
    assert done is not None
    assert (done.rows, done.dropped) == (0, 12)


async def test_a_user_who_was_deleted_is_no_longer_named(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    await archive(database, folder(tmp_path), AFTER)
    await execute(database, text("delete from users"))
    await restore(database, folder(tmp_path), NOUNS["tests"], MONTH)
    async with database.read() as session:
        users = await session.rows(text("select distinct user_id from ai_tests"))
    assert [tuple(row) for row in users] == [(None,)]


async def test_a_month_in_use_is_left_for_later(database: Database, tmp_path: Path) -> None:
    dream = await fill(database)
    test = await make_ai_test(database, dream_id=dream.id, created_at=LONG_AGO, status="PENDING")
    await make_queued_ai_test(database, test)
    await roll(database)
    moved = await archive(database, folder(tmp_path), AFTER)
    assert set(moved or []) == MONTHS - {partition.name(NOUNS["tests"].table, MONTH)}


async def test_a_damaged_file_is_not_restored(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    await archive(database, folder(tmp_path), AFTER)
    [file] = (tmp_path / "archive" / "metrics").iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(Differs, match="checksum"):
        await restore(database, folder(tmp_path), NOUNS["metrics"], MONTH)
    with pytest.raises(NotFound):
        await restore(database, folder(tmp_path), NOUNS["metrics"], partition.next_month(MONTH, -1))


async def test_values_without_a_place_in_a_file_keep_their_month(
    database: Database, dream: Any, tmp_path: Path
) -> None:
    """A time of infinity, which only SQL can store: nothing is dropped."""
    at = MONTH + timedelta(days=1)
    row = await make_metric(database, timestamp=at, metric_name="odd")
    await execute(
        database,
        text("update performance_metrics set timestamp = 'infinity' where metric_name = 'odd'"),
    )
    await roll(database)
    before = await stored(database)
    with pytest.raises(Differs):
        await archive(database, folder(tmp_path), {"metrics": AFTER["metrics"]})
    assert await stored(database) == before
    assert row.id in {id for _, id in before["metrics"]}
