"""JSON: no digit of a number is lost, and PostgreSQL keeps documents as they are read here."""

import json as standard
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import text

from db import Database
from db.core.values import json

NUMBERS = {
    "0": "0",
    "-0": "0",
    "-0.0": "0.0",
    "-0.00": "0.00",
    "1": "1",
    "1.0": "1.0",
    "1.00": "1.00",
    "0.10": "0.10",
    "-2.50": "-2.50",
    "1e2": "100",
    "1E+2": "100",
    "1.5e1": "15",
    "1.50e1": "15.0",
    "1e-7": "0.0000001",
    "0.000001": "0.000001",
    "1e22": "1" + "0" * 22,
    "1e308": "1" + "0" * 308,
    "5e-324": "0." + "0" * 323 + "5",
    "9007199254740993": "9007199254740993",
    "9223372036854775808": "9223372036854775808",
    "18446744073709551616": "18446744073709551616",
    "-9223372036854775809": "-9223372036854775809",
    "3.14159265358979323846": "3.14159265358979323846",
    "0.1234567890123456789": "0.1234567890123456789",
    "1" * json.MAX_DIGITS: "1" * json.MAX_DIGITS,
}
TOO_LONG = [
    *("1e400", "1e999", "-1E+999", "1e-400", "1e99999999999999999999", "1e-99999999999999999999"),
    *("1" * (json.MAX_DIGITS + 1), "0." + "1" * json.MAX_DIGITS, "0" + ".0" + "0" * 3_000 + "1"),
]


@pytest.mark.parametrize(("sent", "kept"), NUMBERS.items())
async def test_a_number_keeps_value_and_decimals_as_in_postgresql(
    database: Database, sent: str, kept: str
) -> None:
    document = f'{{"n": [{sent}, {{"m": {sent}}}], "text": "{sent}"}}'
    expected = f'{{"n": [{kept}, {{"m": {kept}}}], "text": "{sent}"}}'
    value = json.received(document)
    assert json.dumps(value) == expected.replace(" ", "").encode()

    async with database.read() as session:
        (row,) = await session.rows(
            text("select cast(:d as jsonb), cast(cast(:d as jsonb) as text)").bindparams(
                d=json.dumps(value).decode()
            )
        )
    assert row[1] == expected
    assert json.same(json.loads(row[1]), value)
    assert json.dumps(json.loads(row[1])) == json.dumps(value)


@pytest.mark.parametrize("number", TOO_LONG)
@pytest.mark.parametrize("document", ["%s", "[1, %s]", '{"a": {"b": %s}}'])
def test_a_number_with_too_many_digits_is_refused(document: str, number: str) -> None:
    with pytest.raises(json.TooManyDigits):
        json.received(document % number)
    with pytest.raises(json.TooManyDigits):
        json.number(number)


def test_numbers_of_any_stored_length_are_read() -> None:
    for number in ("1" * 5_000, "0." + "1" * 5_000, "-" + "9" * 131_072):
        assert json.dumps(json.loads(f'{{"a": {number}}}')) == b'{"a":%b}' % number.encode()


@pytest.mark.parametrize(
    "text",
    [
        *("", "NaN", "[1e350, NaN]", "[1.50, Infinity]", "[1.50", "[1e350", "01", "+1", ".5", "1."),
        *('["\\ud800", 1.50]', '["\\ud800", 1e350]', '["\x01", 1.50]', "[" * 2_000 + "1.50"),
        "[" * 900 + "1.50" + "]" * 900,
    ],
)
def test_invalid_json_is_refused_by_both_readers(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.received(text)


def test_bytes_that_are_no_utf8_are_refused_by_either_reader() -> None:
    for sent in (b"\xff", b"[1e350, \xff]", b'["\xff", 1.50]'):
        with pytest.raises(json.JSONDecodeError):
            json.received(sent)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0, False, False),
        (1, True, False),
        (None, False, False),
        ("1", 1, False),
        (1, 1.0, False),
        (1.0, Decimal("1.0"), True),
        (1.5, Decimal("1.50"), False),
        (1e-7, Decimal("0.0000001"), True),
        (2**70, Decimal(2**70), True),
        ({"a": 1}, {"a": True}, False),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ([], {}, False),
        ("", None, False),
        ([[]], [[]], True),
    ],
)
def test_documents_are_compared_as_json(one: Any, other: Any, same: bool) -> None:
    assert json.same(one, other) is same
    assert json.same(other, one) is same
    assert json.same({"a": [one]}, {"a": [other]}) is same


numbers = st.one_of(
    st.integers(),
    st.integers(-(10**60), 10**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=20),
).map(lambda number: format(number, "f") if isinstance(number, Decimal) else repr(number))
documents = st.recursive(
    st.one_of(numbers, st.sampled_from(["true", "false", "null"]), st.text().map(standard.dumps)),
    lambda parts: st.one_of(
        st.lists(parts, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.text(max_size=3).map(standard.dumps), parts, max_size=4).map(
            lambda items: "{" + ",".join(f"{k}: {v}" for k, v in items.items()) + "}"
        ),
    ),
    max_leaves=8,
)


def digits(text: str | bytes) -> Any:
    """The value of a text, whose numbers are exact, and differ in their decimals."""

    def read(number: str) -> tuple[str, int]:
        exact = Decimal(number)
        return (format(exact if exact else abs(exact), "f"), 0)

    return standard.loads(text, parse_float=read, parse_int=read)


@given(documents)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_document_is_printed_with_the_digits_that_were_read(document: str) -> None:
    value = json.received(document)
    printed = json.dumps(value)
    assert digits(printed) == digits(document)
    assert json.same(json.received(printed), value)
    assert json.dumps(json.loads(printed)) == printed
