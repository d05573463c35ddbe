"""Rows: what an item becomes, an item of the input of a batch mutation."""

from dataclasses import dataclass
from typing import NamedTuple

from db.core.values.json import JsonObject

REFUSED = "refused { index errors { code message field } } errors { code message field }"


@dataclass(frozen=True, slots=True)
class Table:
    """The document of a mutation that stores batches."""

    document: str


class Row(NamedTuple):
    """One row to store."""

    table: Table
    values: JsonObject


def _table(operation: str, item: str, mutation: str, field: str) -> Table:
    call = f"answer: {mutation}(input: {{{field}: $items}}) {{ {REFUSED} }}"
    return Table(f"mutation {operation}($items: [{item}!]!) {{ {call} }}")


EVENTS = _table("OtlpEvents", "EventItem", "logEvents", "events")
METRICS = _table("OtlpMetrics", "RecordMetricInput", "recordMetrics", "metrics")
TESTS = _table("OtlpTests", "RecordAiTestInput", "recordAiTests", "tests")
