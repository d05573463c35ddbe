"""Unnamed statements: parsed for each execution, so that PostgreSQL plans them for their values.

It plans a named statement for its values five times, and then may keep one plan for any values.
That is wrong for filters and searches: what one value finds in a page, others find nowhere. An
execution is one round trip, as that of a named statement.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from asyncpg.prepared_stmt import PreparedStatement

from db.core.cache import Cache
from db.core.connections.pooler import DriverConnection

UNNAMED = "unnamed"  # key of the info of connections
PREPARED_BYTES = 512 * 1024  # of the texts of statements, per connection

Prepared: TypeAlias = tuple[PreparedStatement, ...]  # of asyncpg, with its attributes

_is_unnamed: ContextVar[bool] = ContextVar("is_unnamed", default=False)


@contextmanager
def planning_for_values(wanted: bool) -> Iterator[None]:
    """Within the context, SQLAlchemy prepares new statements without a name, if wanted."""
    token = _is_unnamed.set(wanted)
    try:
        yield
    finally:
        _is_unnamed.reset(token)


def statement_name() -> str | None:
    """The name of the next statement that SQLAlchemy prepares; None is any."""
    return "" if _is_unnamed.get() else None


class PreparedStatements(Cache[str, Prepared]):
    """The statements that SQLAlchemy has prepared on one connection, by text."""

    def __init__(self) -> None:
        super().__init__(PREPARED_BYTES, lambda kept: len(kept[0].get_query()))

    def __getitem__(self, text: str) -> Prepared:
        kept: Prepared = super().__getitem__(text)
        _parse_again(kept[0])
        return kept


class UnnamedStatements:
    """Executes statements on one connection without a name, and keeps their types."""

    def __init__(self, driver: DriverConnection) -> None:
        self.driver = driver
        self._kept: Cache[str, PreparedStatement] = Cache(
            PREPARED_BYTES, lambda statement: len(statement.get_query())
        )

    async def fetch(
        self,
        text: str,
        *arguments: object,
        timeout: float | None,  # noqa: ASYNC109  of the driver
    ) -> Sequence[object]:
        """Raises as the driver does."""
        statement = self._kept.pop(text, None)
        if statement is None:
            statement = await self.driver.prepare(text, name="", timeout=timeout)
        _parse_again(statement)
        rows: Sequence[object] = await statement.fetch(*arguments, timeout=timeout)
        self._kept[text] = statement  # unless it failed
        return rows


def _parse_again(statement: PreparedStatement) -> None:
    """Another statement may have taken the place of an unnamed one; the driver does not know."""
    if not statement._state.name:  # there is no public way
        statement._state.mark_unprepared()
