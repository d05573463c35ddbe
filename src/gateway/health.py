"""Health: the endpoints for load balancers, orchestrators and people."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from db.core.feed import Reader
from db.core.schema import revisions
from db.core.schema.health import ANSWER_SECONDS, DatabaseState, Probe
from db.core.session.replicas import Replica, Replicas
from db.core.values.json import JsonObject
from db.feeds import Feeds
from gateway.errors import respond
from gateway.transport.connections import OpenStreams

SERVICE = "dreamnet-gateway"


@dataclass(slots=True)
class Health:
    """The state of this process; `stopping` is set when it stops, and `is_replaced` if another
    process serves the same port."""

    probe: Probe
    feeds: Feeds
    streams: OpenStreams
    replicas: Replicas | None = None
    started: float = field(default_factory=time.monotonic)
    stopping: bool = False
    was_ready: bool = False  # when last asked
    is_replaced: bool = False

    async def whole(self, _: Request) -> Response:
        """GET /health: the process, its database and its streams; 503 when the database does not
        answer in time, or takes no writes."""
        state = await self.probe.state()
        report = {
            "ok": state is not None and not state.read_only,
            "service": SERVICE,
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "uptime": round(time.monotonic() - self.started, 3),
            "database": _database(state),
            "streams": len(self.streams.open),
            "feeds": {name: _feed(reader) for name, reader in self.feeds.readers.items()},
        }
        if self.replicas:
            report["replicas"] = [_replica(each) for each in self.replicas.members]
        return _report(report)

    async def ready(self, _: Request) -> Response:
        """GET /api/health/ready: whether to send requests here. Reads are served
        from a read-only database, so it is ready in a state of its own."""
        return _report(await self.readiness())

    async def readiness(self) -> JsonObject:
        state = await self.probe.state()
        needed = {
            "database": state is not None,
            "migrations": state is not None and revisions.survived(state.revision),
            "statements": state is not None and state.keeps_statements,
            "serving": self.is_replaced or not self.stopping,
        }
        ok, writable = all(needed.values()), state is not None and not state.read_only
        named = ("ready" if writable else "read-only") if ok else "not-ready"
        self.was_ready = ok
        return {"ok": ok, "state": named, "checks": needed | {"writable": writable}}

    async def live(self, _: Request) -> Response:
        """GET /livez: whether the process runs its event loop; the database is not checked."""
        return _report({"ok": True})


def _database(state: DatabaseState | None) -> JsonObject:
    if state is None:
        return {"ok": False, "error": f"no answer within {ANSWER_SECONDS:g} s"}
    latency = round(state.latency * 1000, 2)
    return {"ok": True, "latencyMs": latency, "readOnly": state.read_only}


def _feed(reader: Reader) -> JsonObject:
    """The lag of a feed while it has subscribers, and counts that should stay 0: rows stored behind
    its readers, and resets by reason."""
    return {
        "lagMs": round(reader.lag * 1000) if reader.is_followed else None,
        "lateRows": reader.late_rows,
        "resets": dict(reader.resets),
    }


def _replica(replica: Replica) -> JsonObject:
    return {"ok": replica.is_in_rotation and replica.problem is None}


def _report(content: JsonObject) -> Response:
    return respond(content, 200 if content["ok"] else 503)
