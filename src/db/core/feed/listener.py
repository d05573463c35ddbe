"""Listener: wakeups between processes, by LISTEN and NOTIFY.

Wakeups of this process are sent a few times a second, in one message and outside of transactions
that write: commits that notify queue for one lock of the whole server. Behind a pooler in
transaction mode LISTEN is not possible; readers then rely on polling every 50 ms.
"""

import asyncio
from collections.abc import Callable, Collection

import structlog
from sqlalchemy import func, select

from db.core.connections.pooler import DriverConnection, Pooler
from db.core.error_facts import summary
from db.core.session.database import Database

CHANNEL = "dreamnet_feeds"
NOTIFY_SECONDS = 0.05  # between two messages
RETRY_SECONDS = 5.0

log = structlog.get_logger()


class Listener:
    """Sends wakeups to other processes, and calls `on_wakeup` with theirs."""

    def __init__(self, database: Database, on_wakeup: Callable[[Collection[str]], None]) -> None:
        self.database = database
        self.on_wakeup = on_wakeup
        self._pending: set[str] = set()
        self._wakened = asyncio.Event()
        self._connected = False
        self._backend = 0

    def notify(self, feeds: Collection[str]) -> None:
        if self._connected:
            self._pending.update(feeds)
            self._wakened.set()

    async def run(self) -> None:
        """Run until cancelled; return at once behind a pooler without sessions. Failures are only
        logged at debug level: readers poll anyway."""
        while self.database.url.pooler.keeps_sessions:
            own = Database(self.database.url, pool_size=1)
            try:
                await self._exchange(own)
            except Exception as error:
                log.debug("wakeups not received", error=summary(error))
            finally:
                self._connected = False
                self._pending.clear()
                await own.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def _exchange(self, own: Database) -> None:
        async with own.reading.connect() as connection:
            driver: DriverConnection = (await connection.get_raw_connection()).driver_connection
            backend = (await connection.execute(select(func.pg_backend_pid()))).scalar_one()
            if backend != driver.get_server_pid() and self.database.url.pooler != Pooler.SESSION:
                return  # a pooler: another client may get the connection that listens
            self._backend = backend
            driver.add_termination_listener(self._wake)
            await driver.add_listener(CHANNEL, self._receive)
            self._connected = True
            while not driver.is_closed():
                await self._wakened.wait()
                self._wakened.clear()
                if self._pending:
                    payload, self._pending = " ".join(sorted(self._pending)), set()
                    await connection.execute(select(func.pg_notify(CHANNEL, payload)))
                    await asyncio.sleep(NOTIFY_SECONDS)

    def _wake(self, *_: object) -> None:
        self._wakened.set()

    def _receive(self, _driver: object, sender: int, _channel: str, payload: str) -> None:
        if sender != self._backend:  # own messages are received as well
            self.on_wakeup(payload.split())
