"""The test ground: a real PostgreSQL for the session, a clone of a migrated database per test.

Workers of pytest-xdist share one server, because they name the same folder; each has a template.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db import Database
from db.core.embedded import Embedded
from db.core.schema import migrate, partition
from db.importer import import_files
from graph.core.execution import execute
from graph.core.execution.plan.plan import Fallback
from support.databases import REAL_FILES, REAL_FOLDER, create_database, drop_database
from support.executors import PLANS_ARE_OFF

# Where requests are recorded, tests that count rows and statements would count those as well.
os.environ["DREAMNET_REQUEST_LOG"] = "off"

# A developer's own server, which PGHOST and the like name, is none of ours.
for _name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[_name]


async def _never_planned(*_: object) -> Fallback:
    return Fallback("the tests run with graphql-core", {})


# Gateways have a setting; this is for operations that tests execute themselves.
if PLANS_ARE_OFF:
    execute.execute_plan = _never_planned

# A test database need not survive a crash, and nothing else may touch a template.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
}


# A file system in memory, for the databases of tests, if so many bytes of it are free.
MEMORY = Path("/dev/shm")  # noqa: S108  each run makes a folder of its own
ROOM = 4 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Uses a temporary folder for this run alone. Each run of pytest closes the folder that all
    runs share to other users, and under root the server runs as another user."""
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="dreamnet-tests-")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores, because tests wait for the servers they start."""
    return (os.cpu_count() or 1) + 1


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Removes the databases, and the folder unless a test failed. Workers of pytest-xdist leave it
    to their parent."""
    if hasattr(session.config, "workerinput"):
        return
    folder = Path(session.config.option.basetemp)
    shutil.rmtree(MEMORY / folder.name, ignore_errors=True)
    if exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session")
def server_url(shared_folder: Path) -> Iterator[str]:
    """The URL of the server's own database: a place to create and drop others from."""
    with Embedded(_server_folder(shared_folder) / "postgres", SETTINGS) as url:
        yield url


def _server_folder(shared_folder: Path) -> Path:
    """In memory if there is room: each test copies a database of some 400 files."""
    folder = MEMORY / shared_folder.name
    with contextlib.suppress(OSError):
        if folder.exists() or shutil.disk_usage(MEMORY).free > ROOM:
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
    return shared_folder


@pytest.fixture(scope="session")
def template_url(server_url: str) -> str:
    """A migrated database with the partitions of these months, and no rows. Never connect to it
    in a test: it could not be cloned meanwhile."""
    return asyncio.run(_template(server_url))


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """The URL of a database without tables, to which no migration was applied."""
    url = asyncio.run(create_database(server_url))
    yield url
    asyncio.run(drop_database(server_url, url))


@pytest.fixture
async def database_url(server_url: str, template_url: str) -> AsyncIterator[str]:
    """The URL of a database of this test's own."""
    url = await create_database(server_url, template_url)
    yield url
    await drop_database(server_url, url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database of this test's own."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def imported_template_url(server_url: str, shared_folder: Path) -> str:
    """A database that holds the real files, for `create_database`; never connect to it.

    It takes some ten seconds, so the first worker that needs it makes it for all of them.
    """
    missing = [path.name for path in REAL_FILES if not path.exists()]
    if missing:
        pytest.skip(f"NOT TESTED ON REAL DATA: {REAL_FOLDER} has no {', '.join(missing)}")
    with (shared_folder / "imported").open("a+") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        note.seek(0)
        if not (url := note.read()):
            url = asyncio.run(_import(server_url, shared_folder))
            note.write(url)
    return url


@pytest.fixture(scope="session")
def imported_url(server_url: str, imported_template_url: str) -> str:
    """The URL of a database that holds the real files, for tests that only read."""
    return asyncio.run(create_database(server_url, imported_template_url))


@pytest.fixture
async def imported(imported_url: str) -> AsyncIterator[Database]:
    """An open database that holds the real files, for tests that only read."""
    database = Database(imported_url)
    yield database
    await database.close()


async def _template(server_url: str) -> str:
    url = await create_database(server_url)
    await migrate.upgrade(url)
    database = Database(url)
    await partition.ensure_ahead(database)
    await database.close()
    return url


async def _import(server_url: str, rejects_dir: Path) -> str:
    url = await _template(server_url)
    database = Database(url)
    report = await import_files(database, REAL_FILES, rejects_dir=rejects_dir)
    assert report.failed == 0, [file.rejects for file in report.files]
    async with database.write() as session:
        await session.execute(text("analyze"))
    await database.close()
    return url
