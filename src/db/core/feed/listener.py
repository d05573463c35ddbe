"""Listener: wakeups between processes, by LISTEN and NOTIFY.

Wakeups of this process are sent a few times a second, in one message and outside of transactions
that write: commits that notify queue for one lock of the whole server. LISTEN is not possible
behind a pooler in transaction mode; there it takes the direct URL. Without one, wakeups are only
sent, and readers poll every 50 ms.

The listener hears its own messages, too. It sends an empty one from time to time: while they
arrive, so do those of others, and readers poll less often.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog
from sqlalchemy import func, select

from db.core.connections.pooler import DriverConnection, Pooler
from db.core.connections.url import ConnectionInfo
from db.core.error_facts import summary
from db.core.session.database import Database, ReadSession

CHANNEL = "dreamnet_feeds"
NOTIFY_SECONDS = 0.05  # between two messages
PROOF_SECONDS = 5.0  # between two messages of a process without wakeups
DEAF_SECONDS = 2 * PROOF_SECONDS  # without an own message, wakeups do not arrive
RETRY_SECONDS = 5.0

log = structlog.get_logger()


class Listener:
    """Sends wakeups to other processes, and calls `on_wakeup` with theirs. Calls `on_deaf` when
    they may not arrive any more."""

    def __init__(
        self,
        database: Database,
        on_wakeup: Callable[[Collection[str]], None],
        on_deaf: Callable[[], None] = lambda: None,
    ) -> None:
        self.database = database
        self.on_wakeup = on_wakeup
        self.on_deaf = on_deaf
        self._pending: set[str] = set()
        self._wakened = asyncio.Event()
        self._connected = False
        self._backend = 0
        self._heard_at: float | None = None

    @property
    def hears(self) -> bool:
        """True while wakeups arrive."""
        heard_at = self._heard_at
        return heard_at is not None and time.monotonic() - heard_at < DEAF_SECONDS

    def notify(self, feeds: Collection[str]) -> None:
        self._pending.update(feeds)
        self._wakened.set()

    async def run(self) -> None:
        """Run until cancelled. Failures are only logged at debug level: readers poll anyway."""
        while True:
            try:
                place = self.database.url.for_sessions
                await (self._send_only() if place is None else self._exchange_at(place))
            except Exception as error:
                log.debug("wakeups not received", error=summary(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _send_only(self) -> None:
        while True:
            await self._wakened.wait()
            async with self.database.read() as session:
                await self._send(session)

    async def _exchange_at(self, place: ConnectionInfo) -> None:
        own = Database(place, pool_size=1)
        try:
            async with own.read() as session:
                await self._exchange(session, place)
        finally:
            self._connected = False
            self._heard_at = None
            self.on_deaf()
            await own.close()
        await self._send_only()  # a pooler: another client may get the connection that listens

    async def _exchange(self, session: ReadSession, place: ConnectionInfo) -> None:
        """Returns if the sessions of a place are not kept."""
        connection = session.connection
        driver: DriverConnection = (await connection.get_raw_connection()).driver_connection
        self._backend = await session.scalar(select(func.pg_backend_pid()))
        if self._backend != driver.get_server_pid() and place.pooler != Pooler.SESSION:
            return
        driver.add_termination_listener(self._wake)
        await driver.add_listener(CHANNEL, self._receive)
        self._connected = True
        while not driver.is_closed():
            await self._send(session)
            with suppress(TimeoutError):
                async with asyncio.timeout(PROOF_SECONDS):
                    await self._wakened.wait()
        raise ConnectionError("the connection that listens was closed")

    async def _send(self, session: ReadSession) -> None:
        """Send all wakeups, or an empty message, and rest."""
        self._wakened.clear()
        payload, self._pending = " ".join(sorted(self._pending)), set()
        await session.scalar(select(func.pg_notify(CHANNEL, payload)))
        await asyncio.sleep(NOTIFY_SECONDS)

    def _wake(self, *_: object) -> None:
        self._wakened.set()

    def _receive(self, _driver: object, sender: int, _channel: str, payload: str) -> None:
        if sender == self._backend:
            self._heard_at = time.monotonic()
        else:
            self.on_wakeup(payload.split())
