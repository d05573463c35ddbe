"""Sight: which rows somebody sees, as conditions that no statement can leave out.

A table that not everybody may read in whole has a rule, `visible`. A session opened for a sight
adds the rules to every statement it sends, wherever the table stands in it: in lists, joins,
subqueries, filters through relations, counts and aggregates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, True_, false
from sqlalchemy.orm import with_loader_criteria

from db.core.table import Table

SERVER = "about_server"

T = TypeVar("T", bound=Executable)


@dataclass(frozen=True, slots=True)
class Visibility:
    """The rows that a viewer sees. `everything` is for the gateway's own work and lifts every rule;
    `shared` adds all rows but personal ones, `keys` the API keys of other users."""

    everything: bool = False
    shared: bool = False
    keys: bool = False
    user_id: UUID | None = None

    def owns(self, column: Any) -> ColumnElement[bool]:
        """The condition that a row belongs to the viewer; false for a viewer without a user."""
        return owned_by(column, self.user_id)


UNRESTRICTED = Visibility(everything=True, shared=True, keys=True)


def owned_by(column: Any, user_id: UUID | None) -> ColumnElement[bool]:
    """The condition that a column names a user. It is false without a user: a comparison with None
    would be IS NULL, and find the rows without an owner."""
    return false() if user_id is None else column == user_id


@lru_cache(maxsize=1_000)
def row_rules(visibility: Visibility) -> tuple[Any, ...]:
    """The options that limit a statement to what is seen."""
    return () if visibility.everything else tuple(_criteria(visibility))


def with_row_rules(statement: Executable, row_rules: tuple[Any, ...]) -> Executable:
    """The statement with the rules on the rows it may meet.

    Raises RuntimeError for one that SQLAlchemy would not apply them to: it applies them only where
    the columns selected are attributes of tables, and says nothing where they are not.
    """
    if not row_rules or statement.get_execution_options().get(SERVER):
        return statement
    if getattr(statement, "_propagate_attrs", {}).get("compile_state_plugin") != "orm":
        raise RuntimeError(f"No rule on rows can be applied to: {statement}")
    return statement.options(*row_rules)


def without_row_rules(statement: T) -> T:
    """Marks a statement that reads only system views of PostgreSQL, so that no rule applies."""
    return statement.execution_options(**{SERVER: True})


def tables_with_rules() -> list[Any]:
    """The tables that have a rule, by name."""
    tables: list[Any] = [mapper.class_ for mapper in Table.registry.mappers]
    return sorted((t for t in tables if hasattr(t, "visible")), key=lambda t: t.__tablename__)


def _criteria(visibility: Visibility) -> Iterator[Any]:
    for table in tables_with_rules():
        condition = table.visible(visibility)
        if not isinstance(condition, True_):
            yield with_loader_criteria(table, condition, include_aliases=True)
