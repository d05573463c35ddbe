"""Error facts: exceptions as text without their messages, which may quote what a caller sent.

The message of a driver, PostgreSQL's DETAIL and the message of any exception may hold a value. The
text has instead: the types of the exception and its causes, SQLSTATE and the names that PostgreSQL
reports, the number of a system error, the statement with its placeholders, and the traceback.
"""

import errno
import traceback

from asyncpg.exceptions import PostgresError
from sqlalchemy.exc import StatementError

NAMES = ("schema_name", "table_name", "column_name", "data_type_name", "constraint_name")
MAX_CHAIN = 10  # causes of causes that are shown
MAX_FRAMES = 100  # of each traceback, innermost first
MAX_STATEMENT = 500  # characters


def summary(error: BaseException) -> str:
    return ", caused by ".join(_described(each) for each in _chain(error))


def rendered(error: BaseException) -> str:
    return "\n\nthen:\n\n".join(_traced(each) for each in reversed(_chain(error)))


def _traced(error: BaseException) -> str:
    frames = traceback.format_tb(error.__traceback__, limit=-MAX_FRAMES)
    lines = ["Traceback (most recent call last):\n", *frames, _described(error)]
    if isinstance(error, StatementError) and error.statement:
        lines.append(f"\nStatement: {' '.join(error.statement.split())[:MAX_STATEMENT]}")
    if isinstance(error, BaseExceptionGroup):
        parts = "\n\n".join(map(rendered, error.exceptions[:MAX_CHAIN]))
        lines.append("\nIts parts:\n" + parts)
    return "".join(lines)


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    cause = _cause(error)
    while cause is not None and len(chain) < MAX_CHAIN and not any(cause is e for e in chain):
        chain.append(cause)
        cause = _cause(cause)
    return chain


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ if error.__suppress_context__ else error.__context__


def _described(error: BaseException) -> str:
    name = type(error).__qualname__
    module = type(error).__module__
    facts = ", ".join(_facts(error))
    return f"{'' if module == 'builtins' else module + '.'}{name}{f' ({facts})' if facts else ''}"


def _facts(error: BaseException) -> list[str]:
    if isinstance(error, PostgresError):
        named = {name.removesuffix("_name"): getattr(error, name, None) for name in NAMES}
        return [f"SQLSTATE {error.sqlstate}", *(f"{k} {v}" for k, v in named.items() if v)]
    if isinstance(error, OSError) and error.errno:
        return [errno.errorcode.get(error.errno, str(error.errno))]
    return []
