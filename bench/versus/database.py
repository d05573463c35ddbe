"""Database: one PostgreSQL with the same rows for the gateway and for its peers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from db import Database, rollups, users
from db.api_keys import writes
from db.core.api_key_format import ApiKeyCodec
from db.core.embedded import Embedded
from db.core.embedded.programs import run
from db.core.schema import migrate, partition
from db.users import Role
from gateway.auth.pepper import ENVS
from versus.processes import pin

SQL = Path(__file__).parent / "sql"
NAME = "dreamnet"
PEERS_ROLE = "peers"
MONTHS = [datetime(2025, month, 1, tzinfo=UTC) for month in (3, 4, 5, 6)]  # of the rows
PEPPER = "versus" * 8
ADMINISTRATORS = 8  # callers of the gateway, each with a key

# Without `synchronous_commit`, M1 measures servers rather than the disk.
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "autovacuum_naptime": "10min",
    "synchronous_commit": "off",
}


@dataclass
class Postgres:
    """A PostgreSQL in a temporary folder. It listens on a Unix socket only."""

    folder: Path
    core: int | None
    url: str = ""
    keys: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self.embedded = Embedded(self.folder / "postgres", SETTINGS)
        self.url = self.embedded.start()
        pin(self.pid, self.core)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.embedded.stop()

    @property
    def pid(self) -> int:
        pid = self.embedded.server.pid
        if pid is None:
            raise SystemExit(f"PostgreSQL has ended. {self.embedded.server.log_tail()}")
        return pid

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment of the peers, for libpq and its likes."""
        return {
            "PGHOST": self.embedded.server.sockets,
            "PGPORT": "5432",
            "PGUSER": PEERS_ROLE,
            "PGDATABASE": NAME,
        }

    def fill(self) -> None:
        """Create tables, rows, and keys of the gateway. Its sums of old periods are computed here;
        else it would do so while the first operations are measured."""
        asyncio.run(migrate.upgrade(self.url))
        self.keys = asyncio.run(prepare(self.url))
        for name in ("schema", "rows", "gateway_rows"):
            self.run_file(name)
        asyncio.run(sum_up(self.url))
        self.run_file("settle")

    def reset(self) -> None:
        self.run_file("reset")

    def run_file(self, name: str) -> None:
        self.rows((SQL / f"{name}.sql").read_text(), user="postgres")

    def rows(self, sql: str, user: str = PEERS_ROLE) -> list[str]:
        """The rows of statements; columns are separated by `|`."""
        address = ("--host", self.embedded.server.sockets, "--username", user, "--dbname", NAME)
        return run("psql", "-qXAt", "-vON_ERROR_STOP=1", *address, text=sql).splitlines()


async def prepare(url: str) -> tuple[str, ...]:
    """Create the partitions of all rows, and administrators; return their keys."""
    database = Database(url)
    try:
        await _add_partitions(database)
        codec = ApiKeyCodec(ENVS["production"], PEPPER.encode())
        return tuple([await _key(database, codec, number) for number in range(ADMINISTRATORS)])
    finally:
        await database.close()


async def sum_up(url: str) -> None:
    database = Database(url)
    try:
        while await rollups.roll(database):
            pass
    finally:
        await database.close()


async def _add_partitions(database: Database) -> None:
    await partition.ensure_ahead(database)
    for table in partition.partitioned():
        async with database.write() as session:
            await partition.ensure(session, table, MONTHS)


async def _key(database: Database, codec: ApiKeyCodec, number: int) -> str:
    async with database.write() as session:
        user = await users.create(session, email=f"administrator{number}@example.org")
        user = await users.assign(session, user, Role.ADMIN, set())
        key = await writes.create(session, codec, user_id=user.id, service="versus")
    return str(key.text)
