"""Distinct: the different values of a column, for menus.

PostgreSQL would read every row for them. Here each value is looked up in an index that begins with
the column, as the least one above the value before: as many steps as there are values.
"""

from sqlalchemy import Integer, literal, select

from db.core.table import AnySelect, Column, Expression
from db.core.timeouts import Kind, of_kind


def distinct_values(column: Column, after: str | None, most: int) -> AnySelect:
    """Select the first values of a column of texts above another one, in their order."""
    least = None if after is None else literal(after)
    first = select(literal(1, Integer).label("number"), _following(column, least).label("value"))
    values = first.cte("value", recursive=True)
    is_known = values.c.value.is_not(None)
    following = select(values.c.number + 1, _following(column, values.c.value))
    found = values.union_all(following.where(is_known, values.c.number < most))
    known = select(found.c.value).where(found.c.value.is_not(None))
    return of_kind(Kind.AGGREGATE, known.order_by(found.c.number).limit(most))


def _following(column: Column, value: Expression | None) -> Expression:
    above = () if value is None else (column > value,)
    return select(column).where(*above).order_by(column).limit(1).scalar_subquery()
