"""Scalars: how times, money, large counters and free JSON are written."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON

from db.core.ids import EPOCH
from db.core.rfc3339 import print_time, read_time

LARGEST = 2**63 - 1
END = datetime(9999, 1, 1, tzinfo=UTC)


def _read_time(value: Any) -> datetime:
    """An offset is required, because a time without one is a guess."""
    try:
        parsed = read_time(value)
    except ValueError:
        message = "DateTime is written like 2026-11-20T09:30:00Z, with an offset or Z."
        raise GraphQLError(message) from None
    if not EPOCH <= parsed < END:
        raise GraphQLError("DateTime must lie between the years 1970 and 9998.")
    return parsed.astimezone(UTC)


def _read_decimal(value: Any) -> Decimal:
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise GraphQLError('Decimal is written as a text of digits, like "0.002500".')
    return number


def _read_big_integer(value: Any) -> int:
    try:
        number = (
            int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        )
    except ValueError:
        number = None
    if number is None or not -LARGEST <= number <= LARGEST:
        raise GraphQLError("BigInt is a whole number of at most 63 bits, or a text of one.")
    return number


BigInt = NewType("BigInt", int)

scalars: dict[object, Any] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment, RFC 3339: printed in UTC with six decimals, as in "
        "2026-11-20T09:30:00.000000Z; read with any offset, never without one.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
        serialize=print_time,
        parse_value=_read_time,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, written as a text of digits; used for money.",
        serialize=lambda value: format(value, "f"),
        parse_value=_read_decimal,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 63 bits, for counters that may pass 2^31.",
        serialize=int,
        parse_value=_read_big_integer,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value, as its author stored it.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
