"""Sending: messages to webhooks are delivered while the gateway runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import structlog

from db import Database
from db.core import jobs
from db.core.errors import Unavailable
from db.webhooks import outbox

if TYPE_CHECKING:
    from gateway.webhooks.delivery import Deliverer

LOOK_SECONDS = 5  # between two looks for messages that are due
STOP_SECONDS = 3  # for attempts in progress

log = structlog.get_logger()


@asynccontextmanager
async def delivering(database: Database, made: "Callable[[], Deliverer]") -> AsyncIterator[None]:
    """Within the context, deliver messages that are due, and those of processes that died. What
    delivers them is made when there are some, because its libraries take memory."""
    stopping = asyncio.Event()
    sending = asyncio.create_task(_send(database, made, stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait([sending], timeout=STOP_SECONDS)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def _send(
    database: Database, made: "Callable[[], Deliverer]", stopping: asyncio.Event
) -> None:
    while not await _is_set_within(stopping, LOOK_SECONDS):
        await _logging_failure(_send_due(database, made))


async def _send_due(database: Database, made: "Callable[[], Deliverer]") -> None:
    if count := await jobs.give_back_stalled(database):
        log.info("messages of other processes given back", count=count)
    if await jobs.is_due(database, outbox.QUEUE):
        await made().run_due()


async def _logging_failure(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except Unavailable as error:
        log.warning("messages to webhooks could not be delivered", error=str(error))
    except Exception:
        log.exception("messages to webhooks could not be delivered")


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
