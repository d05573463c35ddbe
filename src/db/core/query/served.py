"""Served: the filters that an index serves, known from the declarations of tables. Decision 53."""

from collections.abc import Collection
from functools import cache

from sqlalchemy import Index

from db.core.query.filter import And, Compare, Condition, Exists, Filterable, Or
from db.core.table import Table

RANGES = frozenset({"eq", "in", "lt", "lte", "gt", "gte", "has", "has_any", "has_all"})


def is_served(condition: Condition, filterable: Filterable) -> bool:
    """True if an index finds the rows that meet a condition."""
    match condition:
        case Compare(name, "is_null", True):
            return name in _served(filterable) or name in _served_nulls(filterable)
        case Compare(name, operator, _):
            return operator in RANGES and name in _served(filterable)
        case And(conditions) | Or(conditions):
            return all(is_served(part, filterable) for part in conditions)
        case Exists(relation, inner):
            return is_served(inner, filterable.relations[relation].target())
    return False


@cache
def _served(filterable: Filterable) -> Collection[str]:
    """The filters on columns of an index, and on those whose rows alone an index has."""
    return {
        name
        for name, column in filterable.columns.items()
        if column is filterable.time or column.name in _columns_of_indexes(column.table.name)
    }


@cache
def _served_nulls(filterable: Filterable) -> Collection[str]:
    """The filters on columns whose nulls an index has."""
    return {
        name
        for name, column in filterable.columns.items()
        if f"{column.name} is null" in _conditions_of_indexes(column.table.name)
    }


def _columns_of_indexes(name: str) -> Collection[str]:
    table = Table.metadata.tables[name]
    keys = {column.name for index in table.indexes if _is_open(index) for column in index.columns}
    return {
        column.name
        for column in table.columns
        if column.primary_key or column.unique or column.name in keys | _conditions_of_indexes(name)
    }


def _is_open(index: Index) -> bool:
    """True if conditions on the columns of an index suffice to use it: a partial index of other
    columns needs conditions on those."""
    where = index.dialect_options["postgresql"]["where"]
    words = str(where).split()
    return where is None or any(column.name in words for column in index.columns)


def _conditions_of_indexes(name: str) -> set[str]:
    indexes = Table.metadata.tables[name].indexes
    return {str(index.dialect_options["postgresql"]["where"]) for index in indexes}
