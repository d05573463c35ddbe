"""Engine: the pool of a database, and what it does after errors."""

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from db.core.connections.connect import engine
from db.core.connections.pool import Pool
from db.core.connections.url import ConnectionInfo
from db.core.session.pg_errors import READ_ONLY, sqlstate
from db.core.timeouts import Timeouts
from db.core.values import json

RECYCLED_SECONDS = 1800  # the age at which a connection is replaced


def pooled_engine(
    url: ConnectionInfo,
    pool_size: int,
    lock_seconds: float | None,
    timeouts: Timeouts,
    one_plan: bool,
) -> AsyncEngine:
    """The arguments are those of `Database`. Raises InvalidParameter."""
    pooled = engine(
        url,
        command_timeout=timeouts.other,
        lock_timeout=lock_seconds,
        one_plan=one_plan,
        poolclass=Pool,
        pool_size=pool_size,
        max_overflow=0,
        pool_recycle=RECYCLED_SECONDS,
        pool_use_lifo=True,
        json_serializer=lambda value: json.dumps(value).decode(),
        json_deserializer=json.loads,
    )
    event.listen(pooled.sync_engine, "handle_error", _drop_read_only)
    return pooled


def _drop_read_only(context: ExceptionContext) -> None:
    if sqlstate(context.original_exception) == READ_ONLY:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
