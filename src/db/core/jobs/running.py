"""Running: the workers of procrastinate, over our pool of connections."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job

from db.core.session.database import Database, ResultRow
from db.core.values.json import JsonObject

SECOND = timedelta(seconds=1)
STOP_SECONDS = 2  # for jobs in progress when a worker is cancelled
_PARAMETER = re.compile(r"%\((\w+)\)s")


async def run_due(app: App, queue: str, concurrency: int) -> None:
    """Run the jobs of a queue that are due."""
    await app.run_worker_async(
        queues=[queue],
        concurrency=concurrency,
        wait=False,
        listen_notify=False,
        install_signal_handlers=False,
        delete_jobs="successful",
        shutdown_graceful_timeout=STOP_SECONDS,
    )


class Retry(BaseRetryStrategy):
    """Attempts after each of some delays."""

    def __init__(self, delays: Sequence[timedelta]) -> None:
        self.delays = delays

    def get_retry_decision(
        self,
        *,
        exception: BaseException,  # noqa: ARG002  named by the library
        job: Job,
    ) -> RetryDecision | None:
        if job.attempts >= len(self.delays):
            return None
        return RetryDecision(retry_in={"seconds": self.delays[job.attempts] // SECOND})


class Connector(BaseAsyncConnector):
    """Sends the statements of procrastinate on connections of our pool, in autocommit."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get_sync_connector(self) -> "Connector":
        return self

    async def open_async(self, pool: object = None) -> None:
        """The pool is open."""

    async def close_async(self) -> None:
        """The pool stays open."""

    async def execute_query_async(self, query: str, **arguments: object) -> None:
        await self.execute_query_all_async(query, **arguments)

    async def execute_query_one_async(self, query: str, **arguments: object) -> JsonObject:
        return (await self.execute_query_all_async(query, **arguments))[0]

    async def execute_query_all_async(self, query: str, **arguments: object) -> list[JsonObject]:
        statement, names = _numbered(query)
        values = tuple(arguments[name] for name in names)
        async with self.database.autocommit() as connection:
            rows = await connection.exec_driver_sql(statement, values)
            return [_decoded(row) for row in rows] if rows.returns_rows else []


@cache
def _numbered(query: str) -> tuple[str, tuple[str, ...]]:
    """A statement with numbers in place of the names of parameters, and these names."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(query)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", query), names


def _decoded(row: ResultRow) -> JsonObject:
    """A row whose JSON is read: the driver returns its text."""
    shown: JsonObject = dict(row._mapping)
    arguments = shown.get("args")
    return shown | {"args": json.loads(arguments)} if isinstance(arguments, str) else shown
