"""Jobs: work that is done after a transaction, and again until it succeeds, by procrastinate.

A job is a row that is stored in the transaction that causes it. Its tables and functions are those
of migration 0034; the library does not manage them.
"""

import json

from sqlalchemy import Text, cast, func, literal, literal_column, null, text
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.types import UserDefinedType

from db.core.session.database import Database, WriteSession
from db.core.session.row_rules import without_row_rules
from db.core.table import AnySelect

STALLED_SECONDS = 30  # without a heartbeat of its worker, a job is given back
_DEFER = text(
    "select procrastinate_defer_jobs_v1(array[cast(row(:queue, :task, 0, null, null, "
    "cast(:arguments as jsonb), null) as procrastinate_job_to_defer_v1)])"
)
_IS_DUE = text(
    "select exists (select from procrastinate_jobs where status = 'todo' "
    "and queue_name = :queue and coalesce(scheduled_at, now()) <= now())"
)
# Jobs of processes that died.
_GIVE_BACK = text(
    "select procrastinate_retry_job_v2(job.id, now(), null, null, null) "
    "from (select job.id from procrastinate_jobs as job "
    "left join procrastinate_workers as worker on worker.id = job.worker_id "
    "where job.status = 'doing' and (worker.id is null "
    "or worker.last_heartbeat < now() - make_interval(secs => :seconds)) "
    "for update of job skip locked) as job"
)


async def defer(session: WriteSession, queue: str, task: str, **arguments: str) -> None:
    """Store a job, for the workers of its queue."""
    values = {"queue": queue, "task": task, "arguments": json.dumps(arguments)}
    await session.execute(without_row_rules(_DEFER), values)


class _Job(UserDefinedType[object]):
    """The composite type of the library."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "procrastinate_job_to_defer_v1"


async def defer_each(
    session: WriteSession, queue: str, task: str, argument: str, values: AnySelect
) -> None:
    """Store a job for each row of one text, which is its argument."""
    (value,) = values.selected_columns
    arguments = func.jsonb_build_object(literal(argument, Text), value)
    names = literal(queue, Text), literal(task, Text)
    job = func.row(*names, literal_column("0"), null(), null(), arguments, null())
    statement = values.with_only_columns(func.procrastinate_defer_jobs_v1(array([cast(job, _Job)])))
    await session.execute(without_row_rules(statement))


async def is_due(database: Database, queue: str) -> bool:
    """True if a job of a queue is to be run now."""
    async with database.unrestricted().read() as session:
        [(due,)] = await session.rows(without_row_rules(_IS_DUE), {"queue": queue})
        return bool(due)


async def give_back_stalled(database: Database) -> int:
    """Give jobs back that a process took and died with. Returns their number."""
    async with database.unrestricted().write() as session:
        rows = await session.rows(without_row_rules(_GIVE_BACK), {"seconds": STALLED_SECONDS})
        return len(rows)
