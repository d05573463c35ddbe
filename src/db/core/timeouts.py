"""Timeouts: how long a statement may take, by its kind, and whether it has one plan.

Statements shaped by callers have kinds of their own: a filter or a search may be slow because of
the query, any other statement only because of the database.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Executable

from db.core.errors import TookTooLong

KIND = "kind"
FOR_VALUES = "for_values"

T = TypeVar("T", bound=Executable)


class Kind(StrEnum):
    """Kinds of statements that are shaped by callers."""

    LIST = "list"
    SEARCH = "search"
    AGGREGATE = "aggregate"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds by kind; `other` is for writes and reads by key."""

    list: float = 5.0
    search: float = 5.0
    aggregate: float = 8.0
    other: float = 10.0

    @asynccontextmanager
    async def limiting(self, statement: Executable) -> AsyncIterator[None]:
        """Cancel the statement after the seconds of its kind. Raises TookTooLong."""
        kind = statement.get_execution_options().get(KIND)
        if kind is None:  # the driver ends it
            yield
            return
        seconds = getattr(self, kind)
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise TookTooLong from error


def for_values(statement: T) -> T:
    """Mark a statement to be planned for its values each time: what it finds depends on them."""
    return statement.execution_options(**{FOR_VALUES: True})


def is_for_values(statement: Executable) -> bool:
    options = statement.get_execution_options()
    return bool(options.get(FOR_VALUES)) or options.get(KIND) in (Kind.SEARCH, Kind.AGGREGATE)


def of_kind(kind: Kind, statement: T) -> T:
    return statement.execution_options(**{KIND: kind})
