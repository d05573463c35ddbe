"""RFC 3339: the one way in which times are read and printed, in the API and in imported files."""

import re
from datetime import UTC, datetime

# Source: RFC 3339 §5.6, without the leap second, which neither Python nor PostgreSQL can hold.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def read_time(text: object) -> datetime:
    """A date, a time and an offset, as an aware time cut to the microsecond. Raises ValueError."""
    if not isinstance(text, str) or not _DATE_TIME.fullmatch(text := text.upper()):
        raise ValueError("not an RFC 3339 time with an offset")
    return datetime.fromisoformat(text)


def print_time(at: datetime) -> str:
    """UTC with six decimals: 2026-11-20T09:30:00.000000Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
