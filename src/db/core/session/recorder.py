"""Recorder: the statements that one operation sends, with their rows and times.

A text has placeholders in place of values. Statements beyond the first `MAX_STATEMENTS` are only
counted, and long texts are cut, because callers decide on both.

With `has_plans`, the session asks PostgreSQL for the plan of each of the first reads, with its
parameters, after it was executed. A plan shows values.
"""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

MAX_STATEMENTS = 100
MAX_CHARACTERS = 10_000  # of the text of one statement, or of its plan
MAX_PLANS = 20
EXPLAIN = "EXPLAIN (FORMAT TEXT) "  # without ANALYZE: nothing is executed
_READS = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)


@dataclass(slots=True)
class SentStatement:
    """A statement. `rows` is None if it failed, or if its number of rows is unknown; `plan` if it
    was not asked for. It `began` at a time of the performance counter."""

    sql: str
    rows: int | None = None
    began: float = 0.0
    seconds: float = 0.0
    failed: bool = False
    plan: str | None = None


@dataclass(slots=True)
class Recorder:
    """The statements of one operation, in the order in which they were sent."""

    has_plans: bool = False
    statements: list[SentStatement] = field(default_factory=list)
    count: int = 0
    plans: int = 0

    @contextmanager
    def sending(self, sql: str = "") -> Iterator[SentStatement]:
        """Record a statement from here to its result, whose text may be set meanwhile."""
        sent = SentStatement(sql)
        self.count += 1
        if self.count <= MAX_STATEMENTS:
            self.statements.append(sent)
        sent.began, sent.failed = time.perf_counter(), True
        try:
            yield sent
            sent.failed = False
        except DBAPIError as error:
            sent.sql = error.statement or sql
            raise
        finally:
            sent.seconds = time.perf_counter() - sent.began
            sent.sql = sent.sql[:MAX_CHARACTERS]

    def takes_plan(self, sent: SentStatement) -> bool:
        """True if the plan of this statement is to be recorded; it is counted."""
        is_wanted = self.has_plans and sent.rows is not None and self.count <= MAX_STATEMENTS
        if not is_wanted or self.plans >= MAX_PLANS or not _READS.match(sent.sql):
            return False
        self.plans += 1
        return True


def plan_text(lines: Iterable[Sequence[object]]) -> str:
    """The result of EXPLAIN, a line a row."""
    return "\n".join(str(line) for (line,) in lines)[:MAX_CHARACTERS]
