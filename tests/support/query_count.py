"""Counting: how many SQL statements a piece of code sends."""

from collections.abc import Iterator
from contextlib import contextmanager

from db import Database
from support.sent_statements import noting


@contextmanager
def statements(
    database: Database, *, at_most: int | None = None, exactly: int | None = None
) -> Iterator[list[str]]:
    """Collect the statements sent through the engines of a database, aside from BEGIN, COMMIT, and
    the numbering of changes, which is done for many commits at once.

    Raises AssertionError, which shows them, when there are more or others than allowed.
    """
    seen: list[str] = []

    def note(statement: str, _: object) -> None:
        if not statement.startswith("WITH turn"):
            seen.append(statement)

    with noting(database, note):
        yield seen
    _judge(seen, at_most, exactly)


def _judge(seen: list[str], at_most: int | None, exactly: int | None) -> None:
    listing = "\n\n".join(f"{number}. {text}" for number, text in enumerate(seen, 1))
    if exactly is not None:
        assert len(seen) == exactly, f"{len(seen)} statements, not {exactly}:\n{listing}"
    if at_most is not None:
        assert len(seen) <= at_most, f"{len(seen)} statements, more than {at_most}:\n{listing}"
