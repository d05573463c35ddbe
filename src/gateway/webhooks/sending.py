"""Sending: messages to webhooks are delivered while the gateway runs."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress

import structlog

from db.core import jobs
from db.core.errors import Unavailable
from gateway.webhooks.delivery import Deliverer

LOOK_SECONDS = 5  # between two looks for messages that are due
STOP_SECONDS = 3  # for attempts in progress

log = structlog.get_logger()


@asynccontextmanager
async def delivering(deliverer: Deliverer) -> AsyncIterator[None]:
    """Within the context, deliver messages that are due, and those of processes that died."""
    stopping = asyncio.Event()
    sending = asyncio.create_task(_send(deliverer, stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait([sending], timeout=STOP_SECONDS)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def _send(deliverer: Deliverer, stopping: asyncio.Event) -> None:
    while not await _is_set_within(stopping, LOOK_SECONDS):
        await _logging_failure(_send_due(deliverer))


async def _send_due(deliverer: Deliverer) -> None:
    if count := await jobs.give_back_stalled(deliverer.database):
        log.info("messages of other processes given back", count=count)
    await deliverer.run_due()


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
