"""Scalars: how values are printed and read, and which are refused."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import strawberry
from graphql import GraphQLScalarType
from hypothesis import given, strategies as st

from db import Database
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import InvalidOperation, prepare
from graph.core.execution.result import OperationResult
from graph.core.permission import PUBLIC
from graph.core.principal import ANONYMOUS
from graph.core.types.field import field
from graph.core.types.scalars import LARGEST, BigInt
from graph.schema import schema

MOMENT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
NOT_A_TIME = "DateTime must be written like 2026-11-20T09:30:00Z, with an offset or Z."
OUT_OF_TIME = "DateTime must be between the years 1970 and 9998."
NOT_A_DECIMAL = 'Decimal must be a string of digits, like "0.002500".'
NOT_A_BIG_INT = "BigInt must be a whole number of at most 63 bits, or a string of one."


def scalar(name: str) -> GraphQLScalarType:
    found = schema._schema.type_map[name]
    assert isinstance(found, GraphQLScalarType)
    return found


@pytest.mark.parametrize(
    ("name", "value", "printed"),
    [
        ("DateTime", MOMENT, "2026-11-20T09:30:00.000000Z"),
        ("DateTime", MOMENT.replace(microsecond=1), "2026-11-20T09:30:00.000001Z"),
        (
            "DateTime",
            MOMENT.astimezone(timezone(timedelta(hours=5.5))),
            "2026-11-20T09:30:00.000000Z",
        ),
        ("Decimal", Decimal("0.002500"), "0.002500"),
        ("Decimal", Decimal("1E-6"), "0.000001"),
        ("Decimal", Decimal("1E+3"), "1000"),
        ("Decimal", Decimal("-12"), "-12"),
        ("BigInt", 2**62, str(2**62)),
        ("BigInt", 3 * LARGEST, str(3 * LARGEST)),
        ("BigInt", Decimal(12), "12"),
        ("BigInt", Decimal("1E+3"), "1000"),
        ("JSON", {"a": [1, None, "ü"]}, {"a": [1, None, "ü"]}),
    ],
)
def test_a_value_is_printed(name: str, value: Any, printed: Any) -> None:
    assert scalar(name).serialize(value) == printed


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DateTime", "2026-11-20T09:30:00Z", MOMENT),
        ("DateTime", "2026-11-20t09:30:00z", MOMENT),
        ("DateTime", "2026-11-20T09:30:00.000000+00:00", MOMENT),
        ("DateTime", "2026-11-20T15:00:00+05:30", MOMENT),
        ("DateTime", "2026-11-19T21:30:00.5-12:00", MOMENT + timedelta(seconds=0.5)),
        ("DateTime", "2026-11-20T09:30:00.123456789Z", MOMENT.replace(microsecond=123456)),
        ("DateTime", "1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("DateTime", "9998-12-31T23:59:59Z", datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Decimal", "0.002500", Decimal("0.002500")),
        ("Decimal", "-1e-3", Decimal("-0.001")),
        ("Decimal", 0.1, Decimal("0.1")),
        ("Decimal", 7, Decimal(7)),
        ("BigInt", LARGEST, LARGEST),
        ("BigInt", str(-LARGEST), -LARGEST),
        ("JSON", [1, {"a": None}], [1, {"a": None}]),
    ],
)
def test_a_value_is_read(name: str, text: Any, value: Any) -> None:
    assert scalar(name).parse_value(text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        *(
            ("DateTime", text, NOT_A_TIME)
            for text in (
                "2026-11-20T09:30:00",
                "2026-11-20 09:30:00Z",
                "2026-11-20",
                "20261120",
                "20261120T093000Z",
                "2026-W47-5T09:30:00Z",
                "2026-13-20T09:30:00Z",
                "2026-11-20T09:30Z",
                "2026-11-20T24:00:00Z",
                "2026-12-31T23:59:60Z",
                "2026-11-20T09:30:00,5Z",
                "2026-11-20T09:30:00+0530",
                "2026-11-20T09:30:00+05:30:15",
                "2026-11-20T09:30:00Z\n",
                "yesterday",
                "",
                0,
                1790000000.5,
                None,
                True,
                ["2026-11-20T09:30:00Z"],
            )
        ),
        *(
            ("DateTime", text, OUT_OF_TIME)
            for text in (
                "0001-01-01T00:00:00+05:00",
                "1969-12-31T23:59:59.999999Z",
                "1970-01-01T00:00:00+05:00",
                "9998-12-31T23:59:59-05:00",
                "9999-12-31T23:59:59-05:00",
            )
        ),
        *(
            ("Decimal", text, NOT_A_DECIMAL)
            for text in ("", "one", "NaN", "Infinity", "1e", True, None, [1], float("inf"))
        ),
        *(
            ("BigInt", text, NOT_A_BIG_INT)
            for text in (LARGEST + 1, -LARGEST - 1, "", "1.5", 1.5, True, None, [1], "9" * 5000)
        ),
    ],
)
def test_an_invalid_value_is_refused(name: str, text: Any, message: str) -> None:
    with pytest.raises(Exception, match="^" + message[:12]) as refused:
        scalar(name).parse_value(text)

    assert str(refused.value) == message


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=st.timezones()))  # noqa: DTZ001  naive bounds
def test_a_time_survives_being_printed_and_read(at: datetime) -> None:
    printed = scalar("DateTime").serialize(at)

    assert (len(printed), printed[-1]) == (27, "Z")
    assert scalar("DateTime").parse_value(printed) == at.astimezone(UTC)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_money_survives_being_printed_and_read(amount: Decimal) -> None:
    assert scalar("Decimal").parse_value(scalar("Decimal").serialize(amount)) == amount


@strawberry.type
class Query:
    @field(
        "What was said, said again.",
        PUBLIC,
        reveals=dict.fromkeys(("time", "money", "number", "json"), PUBLIC),
    )
    def echo(
        self, time: datetime, money: Decimal, number: BigInt, json: strawberry.scalars.JSON
    ) -> strawberry.scalars.JSON:
        return [str(time), str(money), number, json]


echo = strawberry.Schema(query=Query, config=schema.config)


async def test_values_in_the_text_and_in_variables_are_read_alike(database: Database) -> None:
    context = Context(database, ANONYMOUS, "request")
    inline = """{ echo(time: "2026-11-20T10:30:00+01:00", money: 0.5, number: "4294967296",
        json: {a: [1, null, "b"]}) }"""
    document = """query ($time: DateTime!, $money: Decimal!, $number: BigInt!, $json: JSON!) {
        echo(time: $time, money: $money, number: $number, json: $json) }"""
    variables = {
        "time": "2026-11-20T09:30:00Z",
        "money": "0.5",
        "number": 2**32,
        "json": {"a": [1, None, "b"]},
    }

    said = OperationResult(
        {"echo": ["2026-11-20 09:30:00+00:00", "0.5", 2**32, {"a": [1, None, "b"]}]}, []
    )
    assert await execute(prepare(echo, inline), None, context) == said
    assert await execute(prepare(echo, document), variables, context) == said


def test_a_wrong_value_in_the_text_is_a_fault_of_the_document() -> None:
    document = '{ echo(time: "noon", money: "1", number: 1, json: 1) }'

    with pytest.raises(InvalidOperation) as failed:
        prepare(echo, document)

    (error,) = failed.value.errors
    assert NOT_A_TIME in error.message
    assert error.extensions == {"code": "GRAPHQL_VALIDATION_FAILED"}
