"""Listener: hints between processes, by LISTEN and NOTIFY.

What was said here is told to others a few times a second, in one message and outside of any
transaction that writes: commits that notify queue up for one lock of the whole server. Where nobody
can listen, as behind a pooler that lends a connection for a transaction, there are no such hints,
and readers look every 50 ms all the same.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

import structlog
from sqlalchemy import func, select

from db.core.connections.pooler import Pooler
from db.core.error_facts import summary
from db.core.session.database import Database

CHANNEL = "dreamnet_feeds"
TELL_SECONDS = 0.05  # between two messages
RETRY_SECONDS = 5.0

log = structlog.get_logger()


class Listener:
    """Passes hints on: from here to other processes, and to `hear` what others say."""

    def __init__(self, database: Database, hear: Callable[[Collection[str]], None]) -> None:
        self.database = database
        self.hear = hear
        self._said: set[str] = set()
        self._stirred = asyncio.Event()
        self._connected = False
        self._backend = 0

    def tell(self, feeds: Collection[str]) -> None:
        """To others, soon; what is said while nobody can be told is forgotten."""
        if self._connected:
            self._said.update(feeds)
            self._stirred.set()

    async def run(self) -> None:
        """Never returns where sessions are kept; quiet about failures, since nothing depends on
        it."""
        while self.database.url.pooler.keeps_sessions:
            own = Database(self.database.url, pool_size=1)
            try:
                await self._converse(own)
            except Exception as error:
                log.debug("hints are not heard", error=summary(error))
            finally:
                self._connected = False
                self._said.clear()
                await own.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def _converse(self, own: Database) -> None:
        """Listens and tells until the connection is lost."""
        async with own.reading.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            backend: Any = await connection.scalar(select(func.pg_backend_pid()))
            if backend != driver.get_server_pid() and self.database.url.pooler != Pooler.SESSION:
                return  # a pooler, which would give the connection that listens to somebody else
            self._backend = backend
            driver.add_termination_listener(self._stir)
            await driver.add_listener(CHANNEL, self._hear)
            self._connected = True
            while not driver.is_closed():
                await self._stirred.wait()
                self._stirred.clear()
                if self._said:
                    said, self._said = " ".join(sorted(self._said)), set()
                    await connection.execute(select(func.pg_notify(CHANNEL, said)))
                    await asyncio.sleep(TELL_SECONDS)

    def _stir(self, *_: Any) -> None:
        self._stirred.set()

    def _hear(self, _driver: Any, sender: int, _channel: str, payload: str) -> None:
        if sender != self._backend:  # own words come back as well
            self.hear(payload.split())
