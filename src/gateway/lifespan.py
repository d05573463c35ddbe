"""Lifespan: what runs while the app serves, and the order in which its parts are closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress

from db.core.errors import Unavailable
from gateway import log_format
from gateway.components import Components
from gateway.maintenance import run_maintenance


@asynccontextmanager
async def lifespan(parts: Components) -> AsyncIterator[None]:
    """Everything acknowledged is stored at the end, and the database closed."""
    database = parts.database.borrowed_by("maintenance")
    if parts.replicas:
        with suppress(Unavailable):  # a gateway starts without its database, too
            await parts.replicas.begin()
    async with (
        run_maintenance(database, parts.settings, parts.media.delete, parts.outboxes),
        parts.auth.running(),
        parts.broker.running(),
        _publishing(parts),
    ):
        yield
        parts.health.stopping = True
        parts.recorder.flush()
        await parts.ingestion.close()
        parts.recorder.close()
    await _close(parts)


async def _close(parts: Components) -> None:
    if parts.tracing is not None:
        await asyncio.to_thread(parts.tracing.close)
    await parts.auth.budget.close()
    await parts.health.probe.close()
    if parts.replicas:
        await parts.replicas.close()
    await parts.database.close()
    log_format.flush()


def _publishing(parts: Components) -> AbstractAsyncContextManager[None]:
    if parts.settings.metrics_port is None:
        return nullcontext()
    from gateway.monitoring.publishing import Publisher

    return Publisher(parts.sources).running()
