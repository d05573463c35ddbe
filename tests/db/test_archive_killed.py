"""Archive: a process that is killed before any of its statements loses nothing."""

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, event

from db import Database
from db.archive import NOUNS, archive, archived, restore
from support.archived import AFTER, MONTH, fill, folder, stored
from support.databases import create_database, drop_database
from support.effort import IS_HIGH

NAMES = ("tests", "metrics")
ALL = {name: AFTER[name] for name in NAMES}
# `make faults` kills before each statement, other runs before some of them.
EACH = 1 if IS_HIGH else 13


def in_child(work: Callable[[], None]) -> bool:
    """Whether work in a process of its own was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _run(url: str, path: Path, killed_at: int) -> None:
    asyncio.run(_archive(url, path, killed_at))


async def _archive(url: str, path: Path, killed_at: int) -> None:
    database = Database(url)
    count = 0

    def before(*_: object) -> None:
        nonlocal count
        count += 1
        if count == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "commit", before)
    await archive(database, folder(path), ALL)
    await database.close()


def test_a_killed_process_loses_nothing(database_url: str, server_url: str, tmp_path: Path) -> None:
    before = asyncio.run(_filled(database_url))
    assert {len(before[name]) for name in NAMES} == {13, 12}
    killed_at, kills = 1, 0
    while True:
        copy = asyncio.run(create_database(server_url, database_url))
        path = tmp_path / str(killed_at)
        killed = in_child(partial(_run, copy, path, killed_at))
        assert asyncio.run(_everything(copy, path)) == before, f"killed before {killed_at}"
        asyncio.run(drop_database(server_url, copy))
        if not killed:
            break
        killed_at, kills = killed_at + EACH, kills + 1
    assert kills > 5


async def _filled(url: str) -> dict[str, list[tuple[object, ...]]]:
    database = Database(url)
    await fill(database)
    rows = await stored(database)
    await database.close()
    return rows


async def _everything(url: str, path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rows of all tables, after the archive was continued and all of it restored."""
    database = Database(url)
    await archive(database, folder(path), ALL)
    months = [month for month in await archived(database) if month.restored_at is None]
    assert len(months) == len(NAMES)
    assert all(month.archived_at for month in months)
    for name in NAMES:
        assert await restore(database, folder(path), NOUNS[name], MONTH)
    rows = await stored(database)
    await database.close()
    return rows
