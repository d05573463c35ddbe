"""Row rules: the rows that a viewer may see, as conditions that no statement can omit.

A table that is not readable in whole by all declares one rule, `visible`. A session adds the rules
of its visibility to every statement, wherever the table occurs: in lists, joins, subqueries,
filters through relations, counts and aggregates.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    SQLColumnExpression,
    True_,
    Uuid,
    bindparam,
    false,
)
from sqlalchemy.orm import with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption

from db.core.table import Table

SERVER = "about_server"
VIEWER = "viewer"  # the parameter of statements that are compiled once for all users
_viewer: Any = bindparam(VIEWER, type_=Uuid())  # takes the place of a user's id in conditions

T = TypeVar("T", bound=Executable)
RowRules = tuple[ExecutableOption, ...]


@dataclass(frozen=True, slots=True)
class Visibility:
    """The rows that a viewer sees: their own and public ones; with `shared` all rows but personal
    ones, with `tests` what belongs to tests of visible dreams, with `keys` the API keys of all
    users, with `audit` the whole audit log. `everything` disables the rules, for the gateway's own
    work."""

    everything: bool = False
    shared: bool = False
    tests: bool = False
    keys: bool = False
    audit: bool = False
    user_id: UUID | None = None

    @property
    def kind(self) -> tuple[bool, ...]:
        """Visibilities of one kind differ only in the user."""
        parts = self.everything, self.shared, self.tests, self.keys, self.audit
        return (*parts, self.user_id is None)

    @property
    def parametrized(self) -> "Visibility":
        """This kind of visibility, with the user as the parameter VIEWER of statements."""
        return self if self.user_id is None else replace(self, user_id=_viewer)

    def owns(self, column: SQLColumnExpression[UUID | None]) -> ColumnElement[bool]:
        """The condition that a row belongs to the viewer. False for a viewer without a user: a
        comparison with None would be IS NULL, and match rows without an owner."""
        return false() if self.user_id is None else column == self.user_id


UNRESTRICTED = Visibility(everything=True, shared=True, tests=True, keys=True, audit=True)


@lru_cache(maxsize=1_000)
def row_rules(visibility: Visibility) -> RowRules:
    return () if visibility.everything else tuple(_criteria(visibility))


def with_row_rules(statement: Executable, row_rules: RowRules) -> Executable:
    """The statement with the row rules.

    Raises RuntimeError for a statement that SQLAlchemy would not apply them to: it does so only if
    the selected columns are ORM attributes, and ignores the rules silently otherwise.
    """
    if not row_rules or statement.get_execution_options().get(SERVER):
        return statement
    if getattr(statement, "_propagate_attrs", {}).get("compile_state_plugin") != "orm":
        raise RuntimeError(f"No rule on rows can be applied to: {statement}")
    limited: Executable = statement.options(*row_rules)
    return limited


def without_row_rules(statement: T) -> T:
    """Mark a statement that reads only system views of PostgreSQL, so that no rule applies."""
    return statement.execution_options(**{SERVER: True})


def tables_with_rules() -> list[type[Any]]:  # with `visible`, unlike other tables
    tables = [mapper.class_ for mapper in Table.registry.mappers]
    return sorted((t for t in tables if hasattr(t, "visible")), key=lambda t: str(t.__tablename__))


def _criteria(visibility: Visibility) -> Iterator[ExecutableOption]:
    for table in tables_with_rules():
        condition = table.visible(visibility)
        if not isinstance(condition, True_):
            yield with_loader_criteria(table, condition, include_aliases=True)
