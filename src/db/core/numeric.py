"""Numeric: numbers of columns that keep a fixed number of decimals, rounded half up."""

from collections.abc import Collection
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce

from sqlalchemy import Numeric
from sqlalchemy.types import TypeEngine

from db.core.table import Row, Table, Values

_WIDE = Context(prec=1_000)  # digits: more than any number that is read has


def rounded(value: Decimal, places: int) -> Decimal:
    """`value` with so many decimals; a half is rounded away from zero, as PostgreSQL does."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _WIDE)


def mean(values: Collection[Decimal]) -> Decimal:
    return quotient(reduce(_WIDE.add, values), len(values))


def quotient(total: Decimal, count: int) -> Decimal:
    return _WIDE.divide(total, count)


def fitted(table: type[Table], values: Values) -> Row:
    return {name: _stored(table.__table__.columns[name].type, values[name]) for name in values}


def _stored(type_: TypeEngine[object], value: object) -> object:
    if isinstance(value, Decimal) and isinstance(type_, Numeric) and type_.scale is not None:
        return rounded(value, type_.scale)
    return value
