"""PostgreSQL errors: errors of the driver as domain errors.

PostgreSQL reports the constraint that a row violates and its columns. Constraints are named by
convention after table and columns, so the error can name the field.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from asyncpg import DataError
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from db.core.errors import (
    Conflict,
    DomainError,
    Invalid,
    Locked,
    NotFound,
    ReadOnly,
    Unavailable,
)

# SQLSTATEs, or classes of them (two digits). Source: PostgreSQL manual, appendix A.
READ_ONLY = "25006"
DISK_FULL = "53100"
TOO_MANY_CONNECTIONS = "53300"
LOCK_NOT_AVAILABLE = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock timeout
# 28 and 3D: the password or the name of the database changed, or it is being restored.
UNAVAILABLE = ("08", "28", "3D000", "53", "57")
TOO_LARGE = "54"  # beyond a limit of PostgreSQL, such as the size of an index entry
NORMALIZED_SUFFIX = "_spelled"  # ends the name of a unique index on the spelling of a column


class Violation(Protocol):
    """An exception of asyncpg, which is untyped, about a constraint."""

    table_name: str
    column_name: str | None
    constraint_name: str | None
    detail: str | None


Translation = Callable[[Violation], DomainError | None]


@contextmanager
def domain_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, PoolTimeout, DBAPIError) as error:
        translated = domain_error_of(error)
        if translated is None:
            raise
        raise translated from error


def domain_error_of(error: Exception) -> DomainError | None:
    """The domain error for an error of the driver or the pool; None for a bug."""
    if isinstance(error, DomainError):
        return error
    if not isinstance(error, DBAPIError):
        return Unavailable() if isinstance(error, OSError | PoolTimeout) else None
    cause, state = error.orig.__cause__ if error.orig else None, sqlstate(error)
    if state == READ_ONLY:
        return ReadOnly()
    if state in LOCK_NOT_AVAILABLE:
        return Locked()
    if state == DISK_FULL:
        return Unavailable("The disk of the database is full; nothing was stored, try again later.")
    if error.connection_invalidated or state.startswith(UNAVAILABLE):
        return Unavailable()
    if state in _BROKEN:
        return _BROKEN[state](cast("Violation", cause))
    if state.startswith(TOO_LARGE):
        return Invalid("A value is too large for PostgreSQL to store, index or search.")
    if state.startswith("22") or isinstance(cause, DataError):
        return Invalid("A value is out of range, or contains characters that cannot be stored.")
    return None


def sqlstate(error: BaseException) -> str:
    reported = error.orig if isinstance(error, DBAPIError) else error
    return getattr(reported, "sqlstate", None) or ""


def is_rolled_back(error: BaseException) -> bool:
    """True if PostgreSQL reported that the statement failed, so that it stored nothing. After a
    broken connection or a terminated session the outcome is unknown."""
    state = sqlstate(error)
    return bool(state) and not state.startswith(("08", "57P"))


def _unique(cause: Violation) -> DomainError:
    return Conflict("There is already one with this {}.", *_columns(cause))


def _foreign(cause: Violation) -> DomainError:
    return NotFound("The object that {} refers to does not exist.", *_columns(cause))


def _check(cause: Violation) -> DomainError | None:
    """None for a missing partition, a bug that has the same SQLSTATE."""
    if cause.constraint_name is None:
        return None
    column = cause.constraint_name.removeprefix(f"ck_{cause.table_name}_")
    return Invalid("This value is not allowed.", column)


def _null(cause: Violation) -> DomainError:
    return Invalid("This value is required.", cause.column_name)


def _columns(cause: Violation) -> list[str]:
    """The columns of the violated key, without the values, which may be secret. An index on the
    spelling of a column is named after that column."""
    name = str(cause.constraint_name)
    if name.endswith(NORMALIZED_SUFFIX):
        return [name.removeprefix(f"uq_{cause.table_name}_").removesuffix(NORMALIZED_SUFFIX)]
    found = re.search(r"\((.+?)\)=", cause.detail or "")
    return found[1].split(", ") if found else [name]


_BROKEN: dict[str, Translation] = {
    "23502": _null,
    "23503": _foreign,
    "23505": _unique,
    "23514": _check,
}
