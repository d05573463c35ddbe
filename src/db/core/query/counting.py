"""Counting: the number of rows of a list, exact up to a bound.

A list is counted no further than MAX_COUNT + 1 rows, so a count takes no longer than a few pages.
"""

from sqlalchemy import ColumnElement, literal_column, select

from db.core.table import AnySelect, Table

MAX_COUNT = 10_000


def counted_rows(table: type[Table], *conditions: ColumnElement[bool]) -> AnySelect:
    """Select a constant for each row, MAX_COUNT + 1 times at most."""
    rows: AnySelect = select(literal_column("1").label("row")).select_from(table)
    return rows.where(*conditions).limit(MAX_COUNT + 1)


def total_count(counted: int) -> int:
    return min(counted, MAX_COUNT)


def is_exact(counted: int) -> bool:
    return counted <= MAX_COUNT
