"""World: all parts of the cluster, started in the order in which they need each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import previous
from cluster.gateways import PEPPER, WORKERS, Gateway, all_ready
from cluster.haproxy import HaProxy
from cluster.pgbouncer import PgBouncer
from cluster.postgres import Postgres
from cluster.valkey import Valkey
from db import Database, users
from db.api_keys import writes
from db.core.api_key_format import ApiKeyCodec
from db.core.schema import migrate
from db.users import Role
from gateway.auth.pepper import ENVS

GATEWAYS = 3


@dataclass
class World:
    postgres: Postgres
    pgbouncer: PgBouncer
    valkey: Valkey
    gateways: list[Gateway]
    haproxy: HaProxy
    key: str
    previous: Path

    @property
    def address(self) -> str:
        return self.haproxy.address

    async def restart_one_after_the_other(self) -> None:
        for gateway in self.gateways:
            gateway.use(None)
            await gateway.restart()

    async def use_previous_version(self) -> None:
        """Restart the last gateway with the previous version, beside the others."""
        self.gateways[-1].use(self.previous)
        await self.gateways[-1].restart()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """A cluster, which is stopped at the end."""
    async with AsyncExitStack() as stack:
        postgres, pgbouncer, valkey = Postgres(folder), PgBouncer(folder), Valkey(folder)
        stack.push_async_callback(postgres.stop)
        await postgres.start()
        await migrate.upgrade(postgres.url)
        stack.push_async_callback(pgbouncer.program.stop)
        await pgbouncer.start(postgres.current.sockets)
        stack.callback(valkey.stop)
        await asyncio.to_thread(valkey.start)
        settings = {
            "DATABASE_URL": pgbouncer.url,
            "DREAMNET_DIRECT_URL": postgres.url,
            "DREAMNET_BUDGET_STORAGE": valkey.storage,
            "DREAMNET_GATEWAYS": f"{GATEWAYS}",
        }
        gateways = [Gateway(f"gateway-{n}", folder, settings) for n in range(1, GATEWAYS + 1)]
        key = await administrator_key(postgres.url)
        for gateway in gateways:
            stack.push_async_callback(gateway.program.stop)
            await gateway.start()
        await all_ready(gateways)
        haproxy = HaProxy(folder, [gateway.port for gateway in gateways])
        stack.push_async_callback(haproxy.program.stop)
        await haproxy.start()
        version = folder / "previous"
        version.mkdir()
        previous.write_previous(version)
        yield World(postgres, pgbouncer, valkey, gateways, haproxy, key, version)


async def administrator_key(url: str) -> str:
    database = Database(url)
    codec = ApiKeyCodec(ENVS["production"], PEPPER.encode())
    try:
        async with database.write() as session:
            user = await users.create(session, email="administrator@example.org")
            user = await users.assign(session, user, Role.ADMIN, set())
            key = await writes.create(session, codec, user_id=user.id, service="cluster")
    finally:
        await database.close()
    return str(key.text)


def described() -> str:
    return (
        f"HAProxy, {GATEWAYS} gateways of {WORKERS} workers, PgBouncer, Valkey, "
        "PostgreSQL with a synchronous standby"
    )
