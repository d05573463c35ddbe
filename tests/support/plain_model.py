"""The plain model: what a filter and an order mean, in plain Python.

It follows `db.core.query.filter` and `db.core.query.keyset` literally: a comparison with null is
false, `ne` and `notIn` hold for null, `not` is two-valued, nulls come last forward. Only the order
of texts is PostgreSQL's own, because it depends on the collation of the database.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import text

from db import Database
from support.random_rows import CATEGORIES, STATUSES, TEST_STATUSES, TEXTS, USERS, Row

# The fields of orders, and which part of a row each of them means.
DREAM_ORDERS = {
    "CREATED_AT": "id",
    "UPDATED_AT": "updatedAt",
    "TITLE": "title",
    "CATEGORY": "category",
    "STATUS": "status",
}
TEST_ORDERS = {
    "CREATED_AT": "id",
    "IMPOSSIBILITY_SCORE": "impossibilityScore",
    "DURATION_MS": "durationMs",
    "COST": "cost",
}
FIELDS = DREAM_ORDERS | TEST_ORDERS


class Model:
    """The meaning of filters and orders."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.places = {text: place for place, text in enumerate(texts)}

    def ordinal(self, value: Any) -> Any:
        """Something that sorts as PostgreSQL sorts the value."""
        return self.places[value] if isinstance(value, str) else value

    def holds(self, condition: Row, row: Row) -> bool:
        return all(self._part(name, sent, row) for name, sent in condition.items())

    def _part(self, name: str, sent: Any, row: Row) -> bool:
        if name == "and":
            return all(self.holds(part, row) for part in sent)
        if name == "or":
            return any(self.holds(part, row) for part in sent)
        if name == "not":
            return not self.holds(sent, row)
        if name == "tests":
            return any(self.holds(sent, test) for test in row["tests"])
        if name == "dream":
            return row[name] is not None and self.holds(sent, row[name])
        return all(self._compare(operator, row[name], value) for operator, value in sent.items())

    def _compare(self, operator: str, held: Any, value: Any) -> bool:
        if operator in ("ne", "notIn"):
            return held != value if operator == "ne" else held not in value
        if operator == "isNull":
            return (held is None) is value
        return held is not None and self._of_something(operator, held, value)

    def _of_something(self, operator: str, held: Any, value: Any) -> bool:
        match operator:
            case "eq":
                return held == value
            case "in":
                return held in value
            case "lt":
                return self.ordinal(held) < self.ordinal(value)
            case "lte":
                return self.ordinal(held) <= self.ordinal(value)
            case "gt":
                return self.ordinal(held) > self.ordinal(value)
            case "gte":
                return self.ordinal(held) >= self.ordinal(value)
            case "contains":
                return value.lower() in held.lower()
            case "startsWith":
                return held.lower().startswith(value.lower())
            case "hasAny":
                return bool(set(held) & set(value))
            case "hasAll":
                return set(held) >= set(value)
        raise AssertionError(operator)

    def sorted(self, rows: Iterable[Row], order: Sequence[Row]) -> list[Row]:
        """Nulls last whatever the direction; rows that tie in the direction of the last field."""
        newest = {"field": "CREATED_AT", "direction": "DESC"}
        last = {**newest, "direction": order[-1]["direction"]} if order else newest
        made = list(rows)
        for term in reversed([*order, last]):
            made = self._by(FIELDS[term["field"]], term["direction"] == "DESC", made)
        return made

    def _by(self, name: str, descending: bool, rows: list[Row]) -> list[Row]:
        some = [row for row in rows if row[name] is not None]
        some.sort(key=lambda row: self.ordinal(row[name]), reverse=descending)
        return some + [row for row in rows if row[name] is None]


async def model(database: Database) -> Model:
    """A model that knows the order of the texts."""
    statement = text("select s from unnest(cast(:texts as text[])) s order by s")
    texts = [
        *TEXTS,
        *CATEGORIES,
        *STATUSES,
        *TEST_STATUSES,
        *filter(None, map(itemgetter("email"), USERS)),
    ]
    async with database.read() as session:
        return Model([row[0] for row in await session.rows(statement, {"texts": texts})])
