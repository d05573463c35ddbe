"""Usage: size, load and health of the database."""

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
from graph.core.types.field import field, related, value
from graph.core.types.scalars import BigInt

READ = scope("usage:read")

# Loaders


class Figure(Loader[object]):
    """Figures by name, all selected ones in one statement."""

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, object]:
        return await db.usage.figures(session, keys)


class RowsByTable(Loader[int | None]):
    """Exact numbers of rows by table."""

    missing = None

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, int]:
        return await db.usage.exact_rows(session, keys)


def figure(name: str, description: str) -> Any:  # as `field`
    async def resolve(info: Info) -> object:
        return await Figure.of(info).load(name)

    return field(description, resolver=resolve)


# Types


@value
class TableUsage:
    """The size of one table, with all its partitions."""

    name: str = field("Name of the table.")
    rows: BigInt = field(
        "Estimated number of rows: that of the planner, which may differ by some percent. "
        "`exactRows` counts them."
    )
    total_bytes: BigInt = field("Bytes on disk, of rows and indexes.")
    table_bytes: BigInt = field("Bytes of the rows, including long values.")
    index_bytes: BigInt = field("Bytes of the indexes.")
    partitions: int = field("Number of monthly partitions. 0 if the table is not partitioned.")
    exact_rows: BigInt | None = related(
        RowsByTable,
        "name",
        description="Exact number of rows, counted only if selected. Null if there are more than "
        f"{db.usage.MOST_COUNTED:,}: then `rows` is all that is known.",
        cost=20,
    )


@value
class IndexUsage:
    """Use of one index with all its partitions, since the statistics were last reset."""

    table: str = field("Name of the table.")
    index: str = field("Name of the index.")
    scans: BigInt = field("Number of index scans.")
    rows_read: BigInt = field("Number of index entries returned by scans.")
    bytes: BigInt = field("Bytes on disk.")


@value
class Standby:
    """A replica of the database server."""

    application_name: str = field("Application name of the replica.")
    state: str | None = field(
        "State of replication, for example `streaming` or `catchup`. Null if the gateway lacks "
        "permission."
    )
    sync_state: str | None = field(
        "Synchronous state, for example `async`, or `sync` if commits wait for it. Null if the "
        "gateway lacks permission."
    )
    lag_bytes: BigInt | None = field(
        "Bytes of the write-ahead log that are not replayed yet. Null if it replays none or the "
        "gateway lacks permission."
    )
    lag_seconds: float | None = field(
        "Replay delay in seconds. Null if there was no recent activity."
    )


@value
class SlowStatement:
    """An SQL statement with its total execution time."""

    query: str = field("Text of the statement, with placeholders instead of values.")
    calls: BigInt = field("Number of executions.")
    total_ms: float = field("Total execution time in milliseconds.")
    mean_ms: float = field("Mean execution time in milliseconds.")
    rows: BigInt = field("Total number of rows returned or affected.")


@value
class DatabaseConnections:
    """Connections to the database server."""

    open: int = figure("connections", "Open connections to all databases of the server.")
    active: int = figure(
        "active_connections",
        "Connections that run a statement, as far as the gateway has permission to see.",
    )
    idle: int = figure(
        "idle_connections",
        "Connections that are idle, including idle in transaction, as far as the gateway has "
        "permission to see.",
    )
    max: int = figure("max_connections", "Maximum number of connections.")


@value
class ClientGroup:
    """Connections to this database with the same application and state."""

    application: str = field("Name that the application gave, or `unnamed`.")
    state: str = field(
        "State of the connections, for example `active`, `idle` or `idle in transaction`; "
        "`unknown` if the gateway lacks permission."
    )
    connections: int = field("Number of connections.")
    longest_seconds: float | None = field(
        "Seconds since the state of the one that has it longest began. Null if the gateway lacks "
        "permission."
    )


@value
class FeedUsage:
    """Rows that subscribers of one feed can resume from."""

    name: str = field("Name of the feed.")
    first: BigInt = field("Number of the oldest row that is kept.")
    last: BigInt | None = field("Number of the newest row. Null before the first.")


@value
class DatabaseHealth:
    """Health of the database, as PostgreSQL reports it."""

    version: str = figure("version", "Version of PostgreSQL.")
    started_at: datetime = figure("started_at", "When the server started.")
    cache_hit_ratio: float | None = figure(
        "cache_hit_ratio",
        "Share of blocks of this database that were found in memory, 0 to 1. Null before the "
        "first read.",
    )
    database_bytes: BigInt = figure("database_bytes", "Bytes of this database on disk.")

    @field("Connections to the database server.")
    def connections(self) -> DatabaseConnections:
        return DatabaseConnections()

    @field(
        f"Connections to this database by application and state, at most {db.usage.MOST_GROUPS} "
        "groups, largest first.",
        cost=10,
    )
    async def client_groups(self, info: Info) -> list[ClientGroup]:
        return await rows(info, db.usage.client_groups())

    @field("Feeds of subscriptions, sorted by name.", cost=10)
    async def feeds(self, info: Info) -> list[FeedUsage]:
        return await rows(info, db.usage.feeds())

    @field("Replicas of the database server. Empty if there are none.", cost=10)
    async def replication(self, info: Info) -> list[Standby]:
        return await rows(info, db.usage.replication())

    @field("Use of each index, most used first.", cost=10)
    async def index_usage(self, info: Info) -> list[IndexUsage]:
        return await rows(info, db.usage.indexes())

    @field(
        f"The {db.usage.MOST_STATEMENTS} statements with the highest total execution time, as far "
        "as the gateway has permission to see. Null if PostgreSQL does not record them.",
        cost=10,
    )
    async def slow_statements(self, info: Info) -> list[SlowStatement] | None:
        names = ("why_no_statements", "statements_schema")
        reason, schema = await Figure.of(info).load_many(names)
        return None if reason else await rows(info, db.usage.slowest(str(schema)))

    slow_statements_unavailable: str | None = figure(
        "why_no_statements", "Why `slowStatements` is null. Null if they are available."
    )


@value
class LiveUsage:
    """Load of the database at one moment."""

    at: datetime = field("When the figures were read.")
    connections: int = field("Open connections to all databases of the server.")
    active_connections: int = field(
        "Connections that run a statement, as far as the gateway has permission to see."
    )
    idle_connections: int = field(
        "Connections that are idle, including idle in transaction, as far as the gateway has "
        "permission to see."
    )
    max_connections: int = field("Maximum number of connections.")
    cache_hit_ratio: float | None = field(
        "Share of blocks of this database that were found in memory, 0 to 1. Null before the "
        "first read."
    )
    database_bytes: BigInt = field("Bytes of this database on disk.")


# Operations


@strawberry.type
class Queries:
    @field("Size of each table, largest first.", READ, cost=10)
    async def usage(self, info: Info) -> list[TableUsage]:
        return await rows(info, db.usage.tables())

    @field("Health of the database.", READ, cost=10)
    def database_health(self) -> DatabaseHealth:
        return DatabaseHealth()


# Streams

LIVE = (
    *("connections", "active_connections", "idle_connections", "max_connections"),
    *("cache_hit_ratio", "database_bytes"),
)


@dataclass(frozen=True, slots=True)
class Load(PolledSource):
    """The figures that change frequently."""

    seconds = 5.0

    async def read(self, session: ReadSession) -> LiveUsage:
        return LiveUsage(at=session.now(), **await db.usage.figures(session, LIVE))


@strawberry.type
class Subscriptions:
    @stream(LiveUsage, "Load of the database, every 5 seconds.", READ, 10, resumes=False)
    async def usage(self, _info: Info) -> PolledSource:
        return Load()
