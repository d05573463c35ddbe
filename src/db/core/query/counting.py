"""Counting: the number of rows of a list, exact up to a bound.

A list is counted no further than MAX_COUNT + 1 rows, so a count takes no longer than a few pages.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, literal_column, select

from db.core.table import AnySelect, Table

MAX_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of rows of a list, up to MAX_COUNT + 1; or, if not `is_whole`, of a part of it."""

    rows: int
    is_whole: bool = True


def counted_rows(table: type[Table], *conditions: ColumnElement[bool]) -> AnySelect:
    """Select a constant for each row, MAX_COUNT + 1 times at most."""
    rows: AnySelect = select(literal_column("1").label("row")).select_from(table)
    return rows.where(*conditions).limit(MAX_COUNT + 1)


def total_count(counted: Counted) -> int:
    return min(counted.rows, MAX_COUNT)


def is_exact(counted: Counted) -> bool:
    return counted.is_whole and counted.rows <= MAX_COUNT
