"""Items: invalid ones are refused before the database sees them."""

from typing import Any

import pytest

import db
from db.core.errors import Invalid
from db.core.ingest.rows import MAX_BYTES, row_validator
from db.events import LOGGED
from support.ingest_rows import NOW, event


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"payload": {"a": "\0"}}, "payload"),
        ({"payload": {"\0": "a"}}, "payload"),
        ({"payload": ["\\", "a\0"]}, "payload"),
        ({"payload": "x" * MAX_BYTES}, None),
        ({"payload": "\ud800"}, None),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "x" * 201}, "event_type"),
        ({"severity": "BAD"}, "severity"),
    ],
)
def test_invalid_input_is_refused_before_the_database(
    row: dict[str, Any], field: str | None
) -> None:
    with pytest.raises(Invalid) as refused:
        event(1, **row)
    assert refused.value.field == field


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert b"u0000" in event(1, payload={"a": "\\u0000"}).text


def test_deep_json_is_refused() -> None:
    payload: Any = 1
    for _ in range(40):
        payload = [payload]
    with pytest.raises(Invalid, match="nested"):
        event(1, payload=payload)


@pytest.mark.parametrize("value", [1e9, -1e9, 1e300])
def test_numbers_out_of_range_are_refused(value: float) -> None:
    row = {"metric_name": "m", "value": value, "unit": None, "tags": {}, "timestamp": NOW}
    with pytest.raises(Invalid) as refused:
        db.metrics.RECORDED.validator.ingest_row(row, NOW)
    assert refused.value.field == "value"


def test_rules_come_from_the_table() -> None:
    made = row_validator(db.metrics.Metric)
    assert (list(made.checks), dict(made.limits)) == (
        ["metric_name", "unit"],
        {"value": db.metrics.MAX_VALUE},
    )
    assert list(LOGGED.validator.checks) == ["event_type", "source", "severity"]


def test_all_that_is_wrong_with_an_item_is_found() -> None:
    with pytest.raises(Invalid) as refused:
        event(1, event_type="", source="x" * 201, severity="BAD")
    fields = [error.field for error in refused.value.errors]
    assert fields == ["event_type", "source", "severity"]
