"""Nouns: what can be exported, in the fields of the import format."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, null, select

from db import agents, ai_models, ai_tests, audit, dreams, events, metrics
from db.agents import AgentReport
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.audit import AuditEntry
from db.core import ids
from db.core.errors import Invalid
from db.core.query.filter import Condition
from db.core.query.listing import ListSpec
from db.core.session.database import ReadSession
from db.core.table import AnySelect, Column, Expression, Table
from db.dreams import Dream
from db.events import Event
from db.exporter.columns import ColumnType, ExportColumn, column
from db.metrics import Metric
from db.users import User

TEXT, INTEGER, DECIMAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.DECIMAL
TIME, BOOLEAN = ColumnType.TIME, ColumnType.BOOLEAN
TEXTS, OBJECT = ColumnType.TEXTS, ColumnType.OBJECT


Printer = Callable[[str, Sequence[ExportColumn]], Expression]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a noun that is exported: the rows that meet conditions, until a time, after the
    row with a cursor."""

    where: Condition | None
    until: datetime
    after: str | None = None

    def conditions(self, listing: ListSpec) -> list[ColumnElement[bool]]:
        filtered = [] if self.where is None else [listing.filterable.compile(self.where)]
        return [*listing.where, *filtered]


class Exportable(Protocol):
    """What can be exported. `kind` is that of the import format, if it can be imported."""

    @property
    def kind(self) -> str: ...

    @property
    def columns(self) -> Sequence[ExportColumn]: ...

    @property
    def listing(self) -> ListSpec: ...

    def statements(
        self, session: ReadSession, part: Part, print: Printer
    ) -> AsyncIterator[AnySelect]:
        """Select the cursor and the line of each row, in the order of cursors. Raises Invalid for
        another cursor."""


@dataclass(frozen=True, eq=False)
class ExportNoun:
    """Rows of a table, in the order of their ids, which are the cursors."""

    kind: str
    table: type[Table]
    listing: ListSpec
    columns: Sequence[ExportColumn]

    async def statements(
        self, _session: ReadSession, part: Part, print: Printer
    ) -> AsyncIterator[AnySelect]:
        id, line = self.table.id, print(self.kind, self.columns).label("line")
        above = [] if part.after is None else [id > _parsed(part.after)]
        within = [id <= ids.ceiling(part.until), *above, *part.conditions(self.listing)]
        yield select(cast(id, Text).label("cursor"), line).where(*within).order_by(id)

    def without(self, name: str) -> "ExportNoun":
        """With null in the place of a column."""
        hidden = [
            replace(each, value=cast(null(), Text)) if each.name == name else each
            for each in self.columns
        ]
        return replace(self, columns=hidden)


def _parsed(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError:
        raise Invalid("This is not the `id` of an exported row.", "after") from None


def _text_of(id: Column) -> Expression:
    return cast(id, Text)


def _id(table: type[Table]) -> ExportColumn:
    return column("id", TEXT, _text_of(table.id))


def _key(table: type[Table]) -> ExportColumn:
    return column("key", TEXT, _text_of(table.id))


KEY_OF_DREAM = func.coalesce(Dream.import_key, _text_of(Dream.id))
_owner = select(User.email).where(User.id == Dream.user_id).scalar_subquery()
_dream = select(KEY_OF_DREAM).where(Dream.id == AiTest.dream_id).scalar_subquery()

MODELS = ExportNoun(
    "model",
    AiModel,
    ai_models.LISTING,
    [
        _id(AiModel),
        column("provider", TEXT, AiModel.provider),
        column("name", TEXT, AiModel.name),
        column("displayName", TEXT, AiModel.display_name),
        column("maxTokens", INTEGER, AiModel.max_tokens),
        column("costPer1kTokens", DECIMAL, AiModel.cost_per_1k_tokens),
        column("inputCostPer1kTokens", TEXT, _text_of(AiModel.input_cost_per_1k_tokens)),
        column("outputCostPer1kTokens", TEXT, _text_of(AiModel.output_cost_per_1k_tokens)),
        column("capabilities", TEXTS, AiModel.capabilities),
        column("isActive", BOOLEAN, AiModel.is_active),
    ],
)
DREAMS = ExportNoun(
    "dream",
    Dream,
    dreams.LISTING,
    [
        _id(Dream),
        column("key", TEXT, KEY_OF_DREAM),
        column("title", TEXT, Dream.title),
        column("description", TEXT, Dream.description),
        column("originalPrompt", TEXT, Dream.original_prompt),
        column("category", TEXT, Dream.category),
        column("tags", TEXTS, Dream.tags),
        column("isPublic", BOOLEAN, Dream.is_public),
        column("status", TEXT, Dream.status),
        column("ownerEmail", TEXT, _owner),
        column("createdAt", TIME, Dream.created_at),
    ],
)
TESTS = ExportNoun(
    "test",
    AiTest,
    ai_tests.LISTING,
    [
        _id(AiTest),
        _key(AiTest),
        column("dreamKey", TEXT, _dream),
        column("provider", TEXT, AiTest.provider),
        column("model", TEXT, AiTest.model),
        column("impossibilityScore", DECIMAL, AiTest.impossibility_score, 2),
        column("confidence", DECIMAL, AiTest.confidence, 2),
        column("reasoning", TEXT, AiTest.reasoning),
        column("durationMs", INTEGER, AiTest.duration),
        column("tokensUsed", INTEGER, AiTest.tokens_used),
        column("cost", DECIMAL, AiTest.cost),
        column("status", TEXT, AiTest.status),
        column("testParameters", OBJECT, AiTest.test_parameters),
        column("createdAt", TIME, AiTest.created_at),
    ],
)
EVENTS = ExportNoun(
    "event",
    Event,
    events.LISTING,
    [
        _id(Event),
        _key(Event),
        column("eventType", TEXT, Event.event_type),
        column("source", TEXT, Event.source),
        column("severity", TEXT, Event.severity),
        column("payload", OBJECT, Event.payload),
        column("timestamp", TIME, Event.timestamp),
        column("metadata", OBJECT, Event.metadata_),
    ],
)
METRICS = ExportNoun(
    "metric",
    Metric,
    metrics.LISTING,
    [
        _id(Metric),
        column("metricName", TEXT, Metric.metric_name),
        column("value", DECIMAL, Metric.value),
        column("unit", TEXT, Metric.unit),
        column("tags", OBJECT, Metric.tags),
        column("timestamp", TIME, Metric.timestamp),
    ],
)
AGENT_REPORTS = ExportNoun(
    "agentReport",
    AgentReport,
    agents.HISTORY,
    [
        _id(AgentReport),
        _key(AgentReport),
        column("agentKey", TEXT, AgentReport.agent_key),
        column("status", TEXT, AgentReport.status),
        column("at", TIME, AgentReport.reported_at),
        column("currentTask", OBJECT, AgentReport.current_task),
        column("performanceMetrics", OBJECT, AgentReport.performance_metrics),
        column("error", TEXT, AgentReport.error),
    ],
)
AUDIT_ENTRIES = ExportNoun(
    "auditEntry",
    AuditEntry,
    audit.LISTING,
    [
        _id(AuditEntry),
        column("operation", TEXT, AuditEntry.operation),
        column("entity", TEXT, AuditEntry.entity),
        column("entityId", TEXT, _text_of(AuditEntry.entity_id)),
        column("before", OBJECT, AuditEntry.before),
        column("after", OBJECT, AuditEntry.after),
        column("actorId", TEXT, _text_of(AuditEntry.actor)),
        column("keyId", TEXT, _text_of(AuditEntry.key_id)),
        column("requestId", TEXT, AuditEntry.request_id),
        column("createdAt", TIME, AuditEntry.created_at),
    ],
)
