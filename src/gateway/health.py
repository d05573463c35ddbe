"""Health: what load balancers, orchestrators and people ask to know whether all is well."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from db import Database
from db.core import health, migrate
from db.core.errors import Unavailable
from db.core.feed import Reader
from db.feeds import Feeds
from gateway.errors import respond
from gateway.streams import Streams

log = structlog.get_logger()

SERVICE = "dreamnet-gateway"
TIMEOUT_SECONDS = 1.0


@dataclass(slots=True)
class Health:
    """The state of this process; `stopping` is set once it takes no further requests."""

    database: Database
    feeds: Feeds
    streams: Streams
    started: float = field(default_factory=time.monotonic)
    stopping: bool = False

    async def whole(self, _: Request) -> Response:
        """GET /health: the process, its database and its streams; 503 when the database does not
        answer in time."""
        database = await self._database()
        report = {
            "ok": database["ok"],
            "service": SERVICE,
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "uptime": round(time.monotonic() - self.started, 3),
            "database": database,
            "streams": len(self.streams.open),
            "feeds": {name: _feed(reader) for name, reader in self.feeds.readers.items()},
        }
        return _report(report)

    async def ready(self, _: Request) -> Response:
        """GET /api/health/ready: whether to send requests here."""
        checks = {
            "database": (await self._database())["ok"],
            "migrations": await _in_time(self._migrated()),
            "serving": not self.stopping,
        }
        return _report({"ok": all(checks.values()), "checks": checks})

    async def live(self, _: Request) -> Response:
        """GET /livez: whether the process runs its event loop; says nothing of the database."""
        return _report({"ok": True})

    async def _database(self) -> dict[str, Any]:
        began = time.perf_counter()
        if not await _in_time(self._answers()):
            return {"ok": False, "error": f"no answer within {TIMEOUT_SECONDS:g} s"}
        return {"ok": True, "latencyMs": round((time.perf_counter() - began) * 1000, 2)}

    async def _answers(self) -> bool:
        await health.ping(self.database)
        return True

    async def _migrated(self) -> bool:
        return migrate.survived(await health.revision(self.database))


def _feed(reader: Reader) -> dict[str, Any]:
    """How far a feed is behind, while somebody follows it; and what must not happen: rows that came
    in behind its readers, and histories that turned out to be others."""
    return {
        "lagMs": round(reader.lag * 1000) if reader.is_followed else None,
        "lateRows": reader.late_rows,
        "resets": dict(reader.resets),
    }


async def _in_time(check: Awaitable[bool]) -> bool:
    """What a check finds, False when it takes too long. It is cancelled then, but not awaited:
    to give up a connection to a server that hangs takes seconds more."""
    task = asyncio.create_task(_succeeds(check))
    done, _ = await asyncio.wait({task}, timeout=TIMEOUT_SECONDS)
    task.cancel()
    return bool(done) and task.result()


async def _succeeds(check: Awaitable[bool]) -> bool:
    try:
        return await check
    except Unavailable:
        return False
    except Exception:
        log.exception("health check failed")
        return False


def _report(content: dict[str, Any]) -> Response:
    return respond(content, 200 if content["ok"] else 503)
