"""Alerts: rules that watch figures of the system, and the alerts that they open."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Numeric, text, true
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import ReadSession
from db.core.session.row_rules import Visibility
from db.core.table import CreatedAt, Id, Table, UpdatedAt, checked, choice
from db.core.values import validation
from db.events import EventSeverity

MOST = 100  # open alerts of a snapshot
MAX_WINDOW = 31 * 24 * 60  # minutes
MAX_COOLDOWN = 7 * 24 * 60  # minutes
MAX_THRESHOLD = Decimal(1_000_000_000)
MAX_TITLE = 300  # characters


class AlertKind(StrEnum):
    """What an alert rule watches."""

    SPEND = "SPEND"
    METRIC = "METRIC"
    EVENTS = "EVENTS"
    AGENTS = "AGENTS"
    FEED_LAG = "FEED_LAG"


class SpendOf(StrEnum):
    """Whose spend on tests an alert rule watches."""

    ALL = "ALL"
    USER = "USER"
    PROVIDER = "PROVIDER"


class MetricAggregate(StrEnum):
    """How the values of a metric are summarized."""

    AVERAGE = "AVERAGE"
    MINIMUM = "MINIMUM"
    MAXIMUM = "MAXIMUM"
    TOTAL = "TOTAL"
    COUNT = "COUNT"


class AgentCondition(StrEnum):
    """The agents that an alert rule counts."""

    STALE = "STALE"
    ERROR = "ERROR"


class WatchedFeed(StrEnum):
    """The feeds that subscriptions read."""

    AGENTS = "AGENTS"
    EVENTS = "EVENTS"
    METRICS = "METRICS"
    CHANGES = "CHANGES"


class AlertComparison(StrEnum):
    """How a value is compared with the threshold of an alert rule."""

    GT = "GT"
    GTE = "GTE"
    LT = "LT"
    LTE = "LTE"


class AlertRule(Table):
    """A figure, and when it opens an alert. Columns that the kind does not use are null.

    `window_minutes` is null for the calendar month of spend, and for figures of the present.
    `threshold` is null for the budget of the user, or of all. `builtin` names a rule that the
    gateway came with. The rule is due at `next_evaluation_at`.
    """

    __tablename__ = "alert_rules"
    __table_args__ = (
        CheckConstraint("threshold is not null or kind = 'SPEND'", name="budget"),
        Index("ix_alert_rules_due", "next_evaluation_at", "id", postgresql_where=text("is_active")),
    )

    id: Mapped[Id]
    name: Mapped[str] = checked(validation.string(100, blank=False))
    kind: Mapped[str] = choice(AlertKind, "kind")
    spend_of: Mapped[str | None] = choice(SpendOf, "spend_of")
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str | None] = checked(validation.PROVIDER)
    metric_name: Mapped[str | None] = checked(validation.string(300))
    aggregate: Mapped[str | None] = choice(MetricAggregate, "aggregate")
    event_type: Mapped[str | None] = checked(validation.string())
    severity: Mapped[str | None] = choice(EventSeverity, "severity")
    agents: Mapped[str | None] = choice(AgentCondition, "agents")
    feed: Mapped[str | None] = choice(WatchedFeed, "feed")
    window_minutes: Mapped[int | None] = checked(validation.within(1, MAX_WINDOW))
    comparison: Mapped[str] = choice(AlertComparison, "comparison")
    threshold: Mapped[Decimal | None] = checked(
        validation.within(-1_000_000_000, MAX_THRESHOLD), type_=Numeric(16, 6)
    )
    cooldown_minutes: Mapped[int] = checked(
        validation.within(0, MAX_COOLDOWN), server_default=text("0")
    )
    notifies: Mapped[bool] = mapped_column(server_default=text("true"))
    webhook_id: Mapped[UUID | None] = mapped_column(ForeignKey("webhooks.id", ondelete="SET NULL"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    builtin: Mapped[str | None] = checked(validation.string(), unique=True)
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    next_evaluation_at: Mapped[datetime]
    evaluated_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Alert(Table):
    """One opening of a rule. `subject` is what the figure is of, if the rule watches each of
    several: a provider, or the ID of a user; else it is empty. `title` outlives the rule."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_open",
            *("rule_id", "subject"),
            unique=True,
            postgresql_where=text("closed_at is null"),
        ),
        Index("ix_alerts_still_open", "id", postgresql_where=text("closed_at is null")),
        Index(None, "rule_id", "id"),
        Index(None, "user_id", "id"),
    )

    id: Mapped[Id]
    rule_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_rules.id", ondelete="SET NULL"))
    kind: Mapped[str] = choice(AlertKind, "kind")
    subject: Mapped[str] = checked(validation.string(least=0), server_default="")
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = checked(validation.string(MAX_TITLE))
    value: Mapped[Decimal] = mapped_column(Numeric)
    threshold: Mapped[Decimal] = mapped_column(Numeric(16, 6))
    created_at: Mapped[CreatedAt]
    closed_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        """Operators see all, others those about themselves."""
        return true() if visibility.shared else visibility.owns(cls.user_id)


RULES = ListSpec(
    AlertRule,
    grows=False,
    filters=columns_by_name(
        AlertRule.name,
        AlertRule.kind,
        AlertRule.is_active,
        AlertRule.created_at,
    ),
    orders={"CREATED_AT": AlertRule.id, "NAME": AlertRule.name},
    most=200,
)

LISTING = ListSpec(
    Alert,
    filters=columns_by_name(
        Alert.rule_id,
        Alert.user_id,
        Alert.kind,
        Alert.closed_at,
        Alert.acknowledged_at,
        opened_at=Alert.created_at,
    ),
    orders={"OPENED_AT": Alert.id},
)


async def newest_open(session: ReadSession) -> list[Alert]:
    still_open = Alert.select().where(Alert.closed_at.is_(None))
    return await session.records(Alert, still_open.order_by(Alert.id.desc()).limit(MOST))
