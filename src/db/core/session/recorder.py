"""Recorder: the statements that one operation sends, with their rows and times.

A text has placeholders in place of values. Statements beyond the first `MAX_STATEMENTS` are only
counted, and long texts are cut, because callers decide on both.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

MAX_STATEMENTS = 100
MAX_CHARACTERS = 10_000  # of the text of one statement


@dataclass(slots=True)
class SentStatement:
    """A statement. `rows` is None if it failed, or if its number of rows is unknown."""

    sql: str
    rows: int | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class Recorder:
    """The statements of one operation, in the order in which they were sent."""

    statements: list[SentStatement] = field(default_factory=list)
    count: int = 0

    @contextmanager
    def sending(self, sql: str = "") -> Iterator[SentStatement]:
        """Record a statement from here to its result, whose text may be set meanwhile."""
        sent = SentStatement(sql)
        self.count += 1
        if self.count <= MAX_STATEMENTS:
            self.statements.append(sent)
        began = time.perf_counter()
        try:
            yield sent
        except DBAPIError as error:
            sent.sql = error.statement or sql
            raise
        finally:
            sent.seconds = time.perf_counter() - began
            sent.sql = sent.sql[:MAX_CHARACTERS]
