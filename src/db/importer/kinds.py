"""Kinds: the fields of each kind of line, and the row for its table.

Field names in the file are those of GraphQL (`impossibilityScore`). Bounds are those of the
columns, so that PostgreSQL rejects few rows. Indexed texts are limited by the size of an index
entry.
"""

import json as inexact
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from db.agents import AgentStatus
from db.ai_models import MAX_TOKENS
from db.ai_tests import MAX_COST, MAX_DURATION, AiTestStatus
from db.core.ids import EPOCH, ceiling, floor, uuid7
from db.core.table import JsonObject, Row
from db.core.values import json
from db.core.values.email import is_address, normalised
from db.core.values.rfc3339 import read_time
from db.dreams import DreamCategory, DreamStatus
from db.events.severities import EventSeverity, severity_of
from db.metrics import MAX_VALUE

NOT_A_TIME = "must be a time with a zone, such as 2024-01-31T12:00:00.000000Z"

Key = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _bounded(value: Decimal) -> Decimal:
    if not json.is_bounded(value):
        raise PydanticCustomError("digits", f"must have at most {json.MAX_DIGITS} digits")
    return value


BOUNDED = AfterValidator(_bounded)
Tokens = Annotated[int, Field(ge=0, le=MAX_TOKENS)]
Percent = Annotated[Decimal, Field(ge=0, le=100), BOUNDED]
Money = Annotated[Decimal, Field(ge=0, le=MAX_COST), BOUNDED]
Price = Annotated[Decimal, Field(ge=0, lt=1_000_000_000), BOUNDED]
Measure = Annotated[Decimal, Field(ge=-MAX_VALUE, le=MAX_VALUE), BOUNDED]


def _time(value: object, info: ValidationInfo) -> datetime:
    try:
        at = read_time(value)
    except ValueError:
        raise PydanticCustomError("time", NOT_A_TIME) from None
    if at < EPOCH:
        raise PydanticCustomError("time", "must not be before 1970")
    latest = (info.context or {}).get("latest")
    if latest is not None and at > latest:
        raise PydanticCustomError("time", "must not be in the future")
    return at


# Pydantic itself would parse digits as Unix seconds and a date as its midnight.
At = Annotated[datetime, PlainValidator(_time)]


def _row_id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise PydanticCustomError("id", "must be the id of an exported row") from None


RowId = Annotated[UUID, PlainValidator(_row_id)]


def _address(text: str) -> str:
    if not is_address(address := normalised(text)):
        raise PydanticCustomError("address", "must be an e-mail address, such as name@example.org")
    return address


Address = Annotated[str, AfterValidator(_address)]

ENDED = (AiTestStatus.COMPLETED, AiTestStatus.FAILED)


class BadLine(Exception):
    """The line cannot be imported; the message says why."""


class Repeats:
    """Numbers equal metrics of the same time, from 0.

    It resets when the time changes, to use little memory, so a file with repeated values must be
    sorted by time.
    """

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._seen: Counter[str] = Counter()

    def number(self, at: datetime, content: str) -> int:
        if at != self._at:
            self._at, self._seen = at, Counter()
        self._seen[content] += 1
        return self._seen[content] - 1


class Record(BaseModel):
    """Base of all kinds: no undeclared fields, no type conversion."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)

    id: RowId | None = None  # of an exported row
    derived: list[str] = []  # where values come from; not stored

    def made_id(self, at: datetime, kind: str, key: str) -> UUID:
        """The id of an exported row if it is of that time, or the same each time for the same
        key."""
        if self.id is not None and floor(at) <= self.id <= ceiling(at):
            return self.id
        return uuid7(at, key=f"{kind}:{key}")


class AiModelLine(Record):
    """A model in the catalogue; prices are US dollars per 1,000 tokens."""

    kind: Literal["model"]
    provider: Name
    name: Name
    display_name: Key
    max_tokens: Tokens | None = None
    cost_per_1k_tokens: Money | None = Field(None, alias="costPer1kTokens")
    input_cost_per_1k_tokens: Price | None = Field(None, alias="inputCostPer1kTokens")
    output_cost_per_1k_tokens: Price | None = Field(None, alias="outputCostPer1kTokens")
    capabilities: list[Name]
    is_active: bool | None = None

    def row(self) -> Row:
        return self.model_dump(exclude={"kind", "derived"})


class DreamLine(Record):
    """A dream; `owner_email` becomes its user."""

    kind: Literal["dream"]
    key: Key
    title: Annotated[str, Field(min_length=1)]
    description: str | None = None
    original_prompt: str | None = None
    category: DreamCategory
    tags: list[Name]
    is_public: bool
    status: DreamStatus
    owner_email: Address | None = None
    created_at: At
    source: str | None = None  # not stored: tags can tell

    def row(self) -> Row:
        """With `owner_email` in the place of `user_id`."""
        return {
            "id": self.made_id(self.created_at, "dream", self.key),
            "import_key": self.key,
            "title": self.title,
            "description": self.description,
            "original_prompt": self.original_prompt,
            "category": self.category,
            "tags": self.tags,
            "is_public": self.is_public,
            "status": self.status,
            "owner_email": self.owner_email,
            "created_at": self.created_at,
            "updated_at": self.created_at,
        }


class AiTestLine(Record):
    """A try of a model at a dream that is in the database, or before it in the files."""

    kind: Literal["test"]
    key: Key
    dream_key: Key
    provider: Name
    model: Name
    impossibility_score: Percent | None = None
    confidence: Percent | None = None
    reasoning: str | None = None
    duration_ms: Annotated[int, Field(ge=0, le=MAX_DURATION)] | None = None
    tokens_used: Tokens | None = None
    cost: Money | None = None
    status: AiTestStatus
    test_parameters: JsonObject
    created_at: At
    source: str | None = None  # not stored: testParameters can tell

    def row(self) -> Row:
        """With `dream_key` in the place of `dream_id`."""
        if self.impossibility_score is not None and self.status != AiTestStatus.COMPLETED:
            raise BadLine(f"impossibilityScore must be null where status is {self.status}")
        return {
            "id": self.made_id(self.created_at, "test", self.key),
            "dream_key": self.dream_key,
            "provider": self.provider,
            "model": self.model,
            "impossibility_score": self.impossibility_score,
            "confidence": self.confidence,
            "reasoning": self.reasoning,
            "duration": self.duration_ms,
            "tokens_used": self.tokens_used,
            "cost": self.cost,
            "status": self.status,
            "test_parameters": self.test_parameters,
            "completed_at": self._completed_at(),
            "created_at": self.created_at,
        }

    def _completed_at(self) -> datetime | None:
        if self.duration_ms is None or self.status not in ENDED:
            return None
        return self.created_at + timedelta(milliseconds=self.duration_ms)


class EventLine(Record):
    """Something that happened."""

    kind: Literal["event"]
    key: Key
    event_type: Name
    source: Name
    severity: EventSeverity | None = None
    payload: JsonObject
    timestamp: At
    metadata: JsonObject

    def row(self) -> Row:
        return {
            "id": (id := self.made_id(self.timestamp, "event", self.key)),
            "is_exported": id == self.id,
            "event_type": self.event_type,
            "source": self.source,
            "severity": severity_of(self.event_type) if self.severity is None else self.severity,
            "payload": self.payload,
            "timestamp": self.timestamp,
            "metadata": self.metadata,
        }


class MetricLine(Record):
    """A measured value. It has no key: its content is its key, see `Repeats`."""

    kind: Literal["metric"]
    metric_name: Name
    value: Measure
    unit: str | None = None
    tags: JsonObject
    timestamp: At

    def row(self) -> Row:
        return {
            "metric_name": self.metric_name,
            "value": self.value,
            "unit": self.unit,
            "tags": self.tags,
            "timestamp": self.timestamp,
        }

    def id_among(self, repeats: Repeats) -> UUID:
        """The id, made of numbers as 64-bit floats print them, as it always was: the same file
        imported again must find its rows."""
        tags = inexact.dumps(self.tags, sort_keys=True)
        content = f"{self.metric_name}\0{self.value}\0{self.unit!r}\0{tags}"
        repeat = repeats.number(self.timestamp, content)
        return self.made_id(self.timestamp, "metric", f"{content}\0{repeat}")


class AgentReportLine(Record):
    """What an agent said it was doing."""

    kind: Literal["agentReport"]
    key: Key
    agent_key: Key
    status: AgentStatus
    at: At
    current_task: JsonObject | None = None
    performance_metrics: JsonObject
    error: str | None = None

    def row(self) -> Row:
        """As stored, but for `previous_status`, which only the database knows."""
        return {
            "id": (id := self.made_id(self.at, "agentReport", self.key)),
            "is_exported": id == self.id,
            "agent_key": self.agent_key,
            "status": self.status,
            "current_task": self.current_task,
            "performance_metrics": self.performance_metrics,
            "error": self.error,
            "reported_at": self.at,
        }


AnyLine = AiModelLine | DreamLine | AiTestLine | EventLine | MetricLine | AgentReportLine
