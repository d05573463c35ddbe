"""Lines of an import file, without a database: how they are read, and why they are refused."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from db.importer.kinds import BadLine, Repeats
from db.importer.lines import LONGEST, Line, Source
from db.importer.parse import parse

METRIC: dict[str, Any] = {
    "kind": "metric",
    "metricName": "cpu",
    "value": "1.5",
    "unit": None,
    "tags": {},
    "timestamp": "2024-01-05T11:00:00.000000Z",
}
AI_TEST: dict[str, Any] = {
    "kind": "test",
    "key": "a",
    "dreamKey": "b",
    "provider": "openai",
    "model": "gpt-4",
    "impossibilityScore": "50.00",
    "status": "COMPLETED",
    "testParameters": {},
    "createdAt": "2024-01-05T11:00:00.000000Z",
}
TIME = "must be a time with a zone, such as 2024-01-31T12:00:00.000000Z"
DECIMAL = 'must be a decimal number as a text, such as "12.50"'
DREAM: dict[str, Any] = {
    "kind": "dream",
    "key": "a",
    "title": "Fly",
    "category": "OTHER",
    "tags": [],
    "isPublic": True,
    "status": "ACTIVE",
    "createdAt": "2024-01-05T11:00:00Z",
}
EVENT: dict[str, Any] = {
    "kind": "event",
    "key": "a",
    "eventType": "deployed",
    "source": "ci",
    "severity": "INFO",
    "payload": {},
    "metadata": {},
    "timestamp": "2024-01-05T11:00:00Z",
}
REPORT: dict[str, Any] = {
    "kind": "agentReport",
    "key": "a",
    "agentKey": "scout",
    "status": "IDLE",
    "performanceMetrics": {},
    "at": "2024-01-05T11:00:00Z",
}
TIMED = [
    (AI_TEST, "createdAt"),
    (DREAM, "createdAt"),
    (EVENT, "timestamp"),
    (METRIC, "timestamp"),
    (REPORT, "at"),
]
NOT_TIMES: list[Any] = [
    *("20240131", "1704452400", 1704452400, 1704452400.5, True, None, {}, "", "yesterday"),
    *("2024-01-05", "2024-01-05T11:00:00", "2024-01-05 11:00:00Z", "2024-01-05T11:00Z"),
    *("20240105T110000Z", "2024-W01-5T11:00:00Z", "2024-005T11:00:00Z", "11:00:00Z"),
    *("2024-01-05T24:00:00Z", "2024-01-05T23:59:60Z", "2024-02-30T11:00:00Z"),
    *("2024-01-05T11:00:00,5Z", "2024-01-05T11:00:00.Z", "2024-01-05T11:00:00+0530"),
    *("2024-01-05T11:00:00+05", "2024-01-05T11:00:00+24:00", "2024-01-05T11:00:00+01:60"),
    *(" 2024-01-05T11:00:00Z", "2024-01-05T11:00:00Z\n", "+2024-01-05T11:00:00Z", "PT1H"),
    "\u0662\u0660\u0662\u0664-01-05T11:00:00Z",
]
KINDS = "'model', 'dream', 'test', 'event', 'metric', 'agentReport'"


def refusal(text: bytes) -> str:
    with pytest.raises(BadLine) as refused:
        parse(text, Repeats())
    return str(refused.value)


def text_of(line: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(line | changes).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the line is not JSON: EOF while parsing a value at column 0"),
        (b'{"kind":"metric"', "the line is not JSON: EOF while parsing an object at column 16"),
        (b"[1]", "the line must be a JSON object"),
        (b'{"kind":"metric \xff"}', "the line is not UTF-8 at byte 17"),
        (b"{}", "kind is missing"),
        (b'{"kind":"dreams"}', f"kind must be one of {KINDS}"),
    ],
)
def test_a_line_that_is_no_record(text: bytes, reason: str) -> None:
    assert refusal(text) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": None}, f"value {DECIMAL}"),
        ({"value": "much"}, f"value {DECIMAL}"),
        ({"value": "NaN"}, "value must be a finite number"),
        ({"value": "1000000000"}, "value must be at most 999999999.999999"),
        ({"value": "-1000000000"}, "value must be at least -999999999.999999"),
        ({"value": "1e-999999999"}, "value must have at most 400 digits"),
        ({"metricName": ""}, "metricName must not be empty"),
        ({"metricName": "x" * 201}, "metricName must have at most 200 characters"),
        ({"metricName": 7}, "metricName must be a text"),
        ({"tags": []}, "tags must be an object"),
        ({"tags": {"a": 1e400}}, "The number 1e400 has more than 400 digits, written out."),
        ({"derived": "value"}, "derived must be a list"),
        ({"colour": "red"}, "colour is not a field of this kind"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "timestamp must not be before 1970"),
        (
            {"unit": "\0"},
            "a text contains the character U+0000, which PostgreSQL cannot store",
        ),
        ({"value": "x", "unit": 1}, f"value {DECIMAL}; unit must be a text"),
    ],
)  # fmt: skip
def test_a_metric_that_is_refused(changes: dict[str, Any], reason: str) -> None:
    assert refusal(text_of(METRIC, **changes).replace(b"Infinity", b"1e400")) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"impossibilityScore": "100.01"}, "impossibilityScore must be at most 100"),
        ({"confidence": "-1"}, "confidence must be at least 0"),
        ({"durationMs": 1.5}, "durationMs must be a whole number"),
        ({"durationMs": "1"}, "durationMs must be a whole number"),
        ({"tokensUsed": 10**12 + 1}, "tokensUsed must be at most 1000000000000"),
        ({"tokensUsed": 2**64}, "tokensUsed must be at most 1000000000000"),
        ({"durationMs": 10**13 + 1}, "durationMs must be at most 10000000000000"),
        ({"tokensUsed": True}, "tokensUsed must be a whole number"),
        ({"cost": "9999.9999991"}, "cost must be at most 9999.999999"),
        ({"status": "FAILED"}, "impossibilityScore must be null where status is FAILED"),
        (
            {"status": "DONE"},
            "status must be 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED' or 'CANCELLED'",
        ),
    ],
)
def test_a_test_that_is_refused(changes: dict[str, Any], reason: str) -> None:
    assert refusal(text_of(AI_TEST, **changes)) == reason


def test_every_required_field_is_missed_by_name() -> None:
    assert refusal(b'{"kind":"event"}') == "; ".join(
        f"{field} is missing"
        for field in ("key", "eventType", "source", "payload", "timestamp", "metadata")
    )


@pytest.mark.parametrize("value", NOT_TIMES)
@pytest.mark.parametrize(("line", "field"), TIMED)
def test_only_rfc_3339_with_an_offset_is_a_time(
    line: dict[str, Any], field: str, value: Any
) -> None:
    assert refusal(text_of(line, **{field: value})) == f"{field} {TIME}"


@pytest.mark.parametrize(("line", "field"), TIMED)
def test_a_time_in_the_future_is_refused(line: dict[str, Any], field: str) -> None:
    latest = datetime(2024, 1, 5, 11, tzinfo=UTC)
    assert parse(text_of(line), Repeats(), latest)
    later = text_of(line, **{field: "2024-01-05T11:00:00.000001Z"})
    with pytest.raises(BadLine, match=f"^{field} must not be in the future$"):
        parse(later, Repeats(), latest)


def test_a_test_that_ends_in_the_future_is_refused() -> None:
    latest = datetime(2024, 1, 5, 12, tzinfo=UTC)
    assert parse(text_of(AI_TEST, durationMs=3_600_000), Repeats(), latest)
    with pytest.raises(BadLine, match=r"^durationMs must not end in the future$"):
        parse(text_of(AI_TEST, durationMs=3_600_001), Repeats(), latest)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-05T11:00:00Z", datetime(2024, 1, 5, 11, tzinfo=UTC)),
        ("2024-01-05t11:00:00.5z", datetime(2024, 1, 5, 11, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-01-05T16:30:00+05:30", datetime(2024, 1, 5, 11, tzinfo=UTC)),
        ("2024-01-05T11:00:00.1234567Z", datetime(2024, 1, 5, 11, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_time_is_kept_to_the_microsecond(text: str, time: datetime) -> None:
    assert parse(text_of(METRIC, timestamp=text), Repeats())[1]["timestamp"] == time


def test_an_escaped_backslash_is_not_the_character_zero() -> None:
    _, row = parse(text_of(METRIC, unit=r"\u0000"), Repeats())
    assert row["unit"] == r"\u0000"


def test_equal_lines_have_equal_ids_and_other_lines_others() -> None:
    lines = [METRIC, METRIC | {"tags": {"a": 1}}, METRIC | {"unit": "None"}, AI_TEST]
    ids = [parse(text_of(line), Repeats())[1]["id"] for line in lines]
    assert ids == [parse(text_of(line, derived=["x"]), Repeats())[1]["id"] for line in lines]
    assert len(set(ids)) == len(lines)


def test_repeated_metrics_of_one_time_are_distinct() -> None:
    repeats = Repeats()
    first, second = (parse(text_of(METRIC), repeats)[1]["id"] for _ in range(2))
    assert first != second
    assert first == parse(text_of(METRIC), Repeats())[1]["id"]


def read(path: Path) -> list[Line]:
    return list(Source(path))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n \n", []),
        (b"a\nb\n", [Line(1, b"a"), Line(2, b"b")]),
        (b"a\n\nb", [Line(1, b"a"), Line(3, b"b")]),
        (b"\xef\xbb\xbfa\r\nb\r\n", [Line(1, b"a"), Line(2, b"b")]),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_lines_are_numbered_and_blank_ones_left_out(
    tmp_path: Path, content: bytes, lines: list[Line], compress: Any
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(compress(content))
    assert read(path) == lines


def test_a_line_that_is_too_long_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"x" * (2 * LONGEST + 1) + b"\nb\n", 1))
    reason = "the line is longer than 16,777,216 bytes"
    assert read(path) == [Line(1, b"a"), Line(2, b"x" * 200, reason), Line(3, b"b")]


def test_a_compressed_file_that_is_cut_off_gives_its_whole_lines(tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % number for number in range(100_000))
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(content)[:-1000])
    *whole, last = read(path)
    assert [line.text for line in whole] == content.splitlines()[: len(whole)]
    assert 90_000 < len(whole) == last.number - 1
    assert last.problem == (
        "the compressed file is truncated here; the lines before this one were read"
    )


def test_a_damaged_compressed_file_is_reported(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(b"a\n" * 100))
    damaged[12] ^= 0xFF
    path = tmp_path / "damaged.gz"
    path.write_bytes(damaged)
    assert str(read(path)[-1].problem).startswith("the rest of the file cannot be read (")
