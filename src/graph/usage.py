"""Usage: how much the database holds, and how it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry

import db
from db import ReadSession
from db.core.query.batch import Key
from graph.core.context import Info, rows
from graph.core.loader import Loader
from graph.core.permission import scope
from graph.core.subscriptions.polled import PolledSource
from graph.core.subscriptions.source import stream
from graph.core.types.field import field, value
from graph.core.types.scalars import BigInt

READ = scope("usage:read")

# Loaders


class Figure(Loader):
    """Single figures by their name: one statement for all that are selected."""

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await db.usage.figures(session, keys)


def figure(name: str, description: str) -> Any:
    """A field that shows a figure."""

    async def resolve(info: Info) -> Any:
        return await Figure.of(info).load(name)

    return field(description, resolver=resolve)


# Types


@value
class TableUsage:
    """The size of one table, with all its partitions."""

    name: str = field("Name of the table.")
    rows: BigInt = field(
        "About how many rows it has: the planner's estimate, because counting takes a scan."
    )
    total_bytes: BigInt = field("Bytes on disk: of the rows and of the indexes.")
    table_bytes: BigInt = field("Bytes of the rows, those of long values included.")
    index_bytes: BigInt = field("Bytes of the indexes.")
    partitions: int = field("Number of monthly partitions; 0 when it is not partitioned.")


@value
class IndexUsage:
    """How much one index is used, with all its partitions, since the statistics were last reset."""

    table: str = field("Name of the table.")
    index: str = field("Name of the index.")
    scans: BigInt = field("How often it was searched.")
    rows_read: BigInt = field("Number of entries that those searches returned.")
    bytes: BigInt = field("Bytes on disk.")


@value
class Standby:
    """A server that follows this one."""

    application_name: str = field("The name that it gives itself.")
    state: str | None = field(
        "For example `streaming`, or `catchup`; null when the gateway may not see it."
    )
    sync_state: str | None = field(
        "For example `async`, or `sync` when commits wait for it; null when the gateway may not "
        "see it."
    )
    lag_bytes: BigInt | None = field(
        "Bytes of the log that it has not replayed yet; null when it replays none, or the gateway "
        "may not see it."
    )
    lag_seconds: float | None = field(
        "Seconds until it last had replayed what was committed here; null when nothing was lately."
    )


@value
class SlowStatement:
    """An SQL statement that took much time, over all its calls."""

    query: str = field("Its text, with placeholders instead of values.")
    calls: BigInt = field("How often it ran.")
    total_ms: float = field("Milliseconds of all calls together.")
    mean_ms: float = field("Milliseconds of one call, on average.")
    rows: BigInt = field("Number of rows that it returned or touched, over all calls.")


@value
class DatabaseConnections:
    """Connections to the database server."""

    open: int = figure("connections", "Open connections to all its databases.")
    active: int = figure(
        "active_connections", "Those of them that run a statement, as far as the gateway may see."
    )
    idle: int = figure(
        "idle_connections",
        "Those of them that wait, also inside a transaction, as far as the gateway may see.",
    )
    max: int = figure("max_connections", "How many there may be at once.")


@value
class DatabaseHealth:
    """How the database is, as PostgreSQL reports it."""

    version: str = figure("version", "Version of PostgreSQL.")
    started_at: datetime = figure("started_at", "When the server started.")
    cache_hit_ratio: float | None = figure(
        "cache_hit_ratio",
        "Share of this database's blocks that were found in memory, 0 to 1; null before the first.",
    )
    database_bytes: BigInt = figure("database_bytes", "Bytes of this database on disk.")

    @field("Connections to the server.")
    def connections(self) -> DatabaseConnections:
        return DatabaseConnections()

    @field("The servers that follow this one; empty when there are none.", cost=10)
    async def replication(self, info: Info) -> list[Standby]:
        return await rows(info, db.usage.replication())

    @field("How much each index is used, most used first.", cost=10)
    async def index_usage(self, info: Info) -> list[IndexUsage]:
        return await rows(info, db.usage.indexes())

    @field(
        f"The {db.usage.MOST_STATEMENTS} statements that took longest in total, as far as the "
        "gateway may see; null when PostgreSQL does not record them.",
        cost=10,
    )
    async def slow_statements(self, info: Info) -> list[SlowStatement] | None:
        names = ("why_no_statements", "statements_schema")
        reason, schema = await Figure.of(info).load_many(names)
        return None if reason else await rows(info, db.usage.slowest(schema))

    slow_statements_unavailable: str | None = figure(
        "why_no_statements", "Why there are no `slowStatements`; null when there are."
    )


@value
class LiveUsage:
    """How busy the database is, at one moment."""

    at: datetime = field("The moment.")
    connections: int = field("Open connections to all databases of the server.")
    active_connections: int = field(
        "Those of them that run a statement, as far as the gateway may see."
    )
    idle_connections: int = field(
        "Those of them that wait, also inside a transaction, as far as the gateway may see."
    )
    max_connections: int = field("How many connections there may be at once.")
    cache_hit_ratio: float | None = field(
        "Share of this database's blocks that were found in memory, 0 to 1; null before the first."
    )
    database_bytes: BigInt = field("Bytes of this database on disk.")


# Operations


@strawberry.type
class Queries:
    @field("The size of each table, largest first.", READ, cost=10)
    async def usage(self, info: Info) -> list[TableUsage]:
        return await rows(info, db.usage.tables())

    @field("How the database is.", READ, cost=10)
    def database_health(self) -> DatabaseHealth:
        return DatabaseHealth()


# Streams

LIVE = (
    *("connections", "active_connections", "idle_connections", "max_connections"),
    *("cache_hit_ratio", "database_bytes"),
)


@dataclass(frozen=True, slots=True)
class Load(PolledSource):
    """The figures that change from one moment to the next."""

    seconds = 5.0

    async def read(self, session: ReadSession) -> LiveUsage:
        return LiveUsage(at=session.now(), **await db.usage.figures(session, LIVE))


@strawberry.type
class Subscriptions:
    @stream(LiveUsage, "How busy the database is, every 5 seconds.", READ, 10, resumes=False)
    async def usage(self, _info: Info) -> PolledSource:
        return Load()
