"""Rows: what an item becomes, an item of the input of a batch mutation."""

from dataclasses import dataclass
from typing import NamedTuple

from db.core.values.json import JsonObject

REFUSED = "refused { index errors { code message field } } errors { code message field }"


@dataclass(frozen=True, slots=True)
class Table:
    """A mutation that stores batches: its document, and its largest batch."""

    document: str
    most: int


class Row(NamedTuple):
    """One row to store."""

    table: Table
    values: JsonObject


def _table(operation: str, item: str, mutation: str, field: str, most: int) -> Table:
    call = f"answer: {mutation}(input: {{{field}: $items}}) {{ {REFUSED} }}"
    return Table(f"mutation {operation}($items: [{item}!]!) {{ {call} }}", most)


EVENTS = _table("OtlpEvents", "EventItem", "logEvents", "events", 500)
METRICS = _table("OtlpMetrics", "RecordMetricInput", "recordMetrics", "metrics", 500)
TESTS = _table("OtlpTests", "RecordAiTestInput", "recordAiTests", "tests", 100)
