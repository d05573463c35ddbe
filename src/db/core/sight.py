"""Sight: which rows somebody sees, as conditions that no statement can leave out.

A table that not everybody may read in whole has a rule, `visible`. A session opened for a sight
adds the rules to every statement it sends, wherever the table stands in it: in lists, joins,
subqueries, filters through relations, counts and aggregates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable
from sqlalchemy.orm import with_loader_criteria

from db.core.table import Table


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees: everything, or what is public and what belongs to one user."""

    everything: bool = False
    user_id: UUID | None = None


EVERYTHING = Sight(everything=True)


@lru_cache(maxsize=1_000)
def rules(sight: Sight) -> tuple[Any, ...]:
    """The options that limit a statement to what is seen."""
    return () if sight.everything else tuple(_criteria(sight))


def limited(statement: Executable, rules: tuple[Any, ...]) -> Executable:
    """The statement with the rules on the rows it may meet.

    Raises RuntimeError for one that SQLAlchemy would not apply them to: it applies them only where
    the columns selected are attributes of tables, and says nothing where they are not.
    """
    if not rules:
        return statement
    if getattr(statement, "_propagate_attrs", {}).get("compile_state_plugin") != "orm":
        raise RuntimeError(f"No rule on rows can be applied to: {statement}")
    return statement.options(*rules)


def _criteria(sight: Sight) -> Iterator[Any]:
    for mapper in Table.registry.mappers:
        visible = getattr(mapper.class_, "visible", None)
        if visible is not None:
            yield with_loader_criteria(mapper.class_, visible(sight), include_aliases=True)
