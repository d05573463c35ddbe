"""Served: the filters that an index serves, known from the declarations of tables. Decision 53."""

from collections.abc import Callable, Collection
from functools import cache

from sqlalchemy import Index

from db.core.query.filter import And, Compare, Condition, Exists, Filterable, Or, is_constant
from db.core.table import Table

RANGES = frozenset({"eq", "in", "lt", "lte", "gt", "gte", "has", "has_any", "has_all"})


def is_served(condition: Condition, filterable: Filterable) -> bool:
    """True if an index finds the rows that meet a condition."""
    match condition:
        case Compare(name, "is_null", True):
            return name in _whole(filterable) or name in _nulls(filterable)
        case Compare(name, "eq", False):  # a partial index of a flag has those that are set
            return name in _whole(filterable)
        case Compare(name, operator, _):
            return operator in RANGES and name in _served(filterable)
        case And(conditions) | Or(conditions):
            return all(is_served(part, filterable) for part in conditions)
        case Exists(relation, inner):
            return is_served(inner, filterable.relations[relation].target())
    return False


def is_served_below(condition: Condition, filterable: Filterable) -> bool:
    """True for a comparison of the id, or of the time that it is made from, within the rows of a
    parent; and of few choices, which have many rows or an index."""
    match condition:
        case Compare(name, operator, value):
            column = filterable.columns.get(name)
            if column is None:
                return False
            is_id = column is filterable.time or column.primary_key
            return is_constant(column, operator, value) or (is_id and operator in RANGES)
        case And(conditions):
            return all(is_served_below(part, filterable) for part in conditions)
    return False


@cache
def _served(filterable: Filterable) -> Collection[str]:
    """The filters on columns of an index, and on those whose rows alone an index has."""
    return _names(filterable, lambda table: _keys(table, _is_open) | _conditions(table))


@cache
def _whole(filterable: Filterable) -> Collection[str]:
    """The filters on columns of an index of all rows."""
    return _names(filterable, lambda table: _keys(table, lambda index: _where(index) is None))


@cache
def _nulls(filterable: Filterable) -> Collection[str]:
    """The filters on columns whose nulls an index has."""
    return {
        name
        for name, column in filterable.columns.items()
        if f"{column.name} is null" in _conditions(column.table.name)
    }


def _names(filterable: Filterable, keys: Callable[[str], Collection[str]]) -> set[str]:
    return {
        name
        for name, column in filterable.columns.items()
        if column is filterable.time
        or column.primary_key
        or column.unique
        or column.name in keys(column.table.name)
    }


def _keys(table: str, chosen: Callable[[Index], bool]) -> set[str]:
    return {column.name for index in _indexes(table) if chosen(index) for column in index.columns}


def _conditions(table: str) -> set[str]:
    return {str(_where(index)) for index in _indexes(table)}


def _indexes(table: str) -> Collection[Index]:
    return Table.metadata.tables[table].indexes


def _where(index: Index) -> object:
    return index.dialect_options["postgresql"]["where"]


def _is_open(index: Index) -> bool:
    """True if conditions on the columns of an index suffice to use it: a partial index of other
    columns needs conditions on those."""
    where = _where(index)
    words = str(where).split()
    return where is None or any(column.name in words for column in index.columns)
