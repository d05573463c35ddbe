"""Types: alert rules, what they watch, and alerts."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

import db
from db.alerts import (
    AgentCondition as AgentCondition,
    AlertComparison as AlertComparison,
    AlertKind as AlertKind,
    MetricAggregate as MetricAggregate,
    SpendOf as SpendOf,
    WatchedFeed as WatchedFeed,
)
from db.users import Role
from graph.core.loader import by_id
from graph.core.permission import scope
from graph.core.types.field import column, enum, field, related, value
from graph.core.types.node import Node, node
from graph.events.types import EventSeverity as EventSeverity
from graph.users import User, UserById

if TYPE_CHECKING:
    from graph.webhooks import Webhook

READ, WRITE = scope("alerts:read"), scope("alerts:write")
READ_OWN = scope("alerts:read", role=Role.MEMBER)
# The result of a mutation is readable with the scope for the mutation.
READ_OR_WRITE = scope("alerts:read", "alerts:write")
READ_OWN_OR_WRITE = scope("alerts:read", "alerts:write", role=Role.MEMBER)

enum(
    AlertKind,
    SPEND="The cost of tests.",
    METRIC="The values of a metric.",
    EVENTS="The number of events.",
    AGENTS="The number of agents that are stale or in ERROR.",
    FEED_LAG="How long rows wait until subscribers can see them.",
)
enum(
    SpendOf,
    ALL="All tests.",
    USER="The tests of one user, or of each user.",
    PROVIDER="The tests with the models of one provider, or of each provider.",
)
enum(
    MetricAggregate,
    AVERAGE="Mean value.",
    MINIMUM="Lowest value.",
    MAXIMUM="Highest value.",
    TOTAL="Sum of the values; 0 without any.",
    COUNT="Number of values.",
)
enum(
    AgentCondition,
    STALE="Agents whose last report is longer ago than the setting `agents.stale_after_seconds`, "
    "60 seconds by default. Agents that are OFFLINE count, until they are deleted.",
    ERROR="Agents whose status is ERROR.",
)
enum(
    WatchedFeed,
    AGENTS="Reports of agents.",
    EVENTS="System events.",
    METRICS="Values of metrics.",
    CHANGES="Changes of all other rows.",
)
enum(
    AlertComparison,
    GT="Greater than the threshold.",
    GTE="Greater than the threshold, or equal.",
    LT="Less than the threshold.",
    LTE="Less than the threshold, or equal.",
)

# Values


@value
class SpendWatch:
    """Watches the cost of tests in US dollars, within the window or the calendar month of UTC."""

    of: SpendOf = column("spend_of", "Whose tests.")
    user: User | None = related(
        UserById, "user_id", description="The user; null if each user is watched apart, or all."
    )
    provider: str | None = field("The provider; null if each is watched apart, or all.")


@value
class MetricWatch:
    """Watches the values of one metric within the window. Without a value, an average, a minimum or
    a maximum neither opens nor closes an alert."""

    metric_name: str = field("Name of the metric.")
    aggregate: MetricAggregate = field("How the values are summarized.")


@value
class EventWatch:
    """Watches the number of events within the window."""

    event_type: str | None = field("Type of the events; null for any.")
    severity: EventSeverity | None = field("Severity of the events; null for any.")


@value
class AgentWatch:
    """Watches the number of agents in a condition."""

    condition: AgentCondition = column("agents", "The agents that are counted.")


@value
class FeedWatch:
    """Watches the seconds for which rows of a feed have waited until subscribers can see them:
    the longest wait of a transaction for its turn."""

    feed: WatchedFeed = field("The feed.")


def _of_kind(kind: AlertKind) -> Callable[[db.alerts.AlertRule], db.alerts.AlertRule | None]:
    return lambda root: root if root.kind == kind else None


@value
class AlertWatch:
    """What an alert rule watches. One of the fields is not null."""

    spend: SpendWatch | None = field("The cost of tests.", resolver=_of_kind(AlertKind.SPEND))
    metric: MetricWatch | None = field("A metric.", resolver=_of_kind(AlertKind.METRIC))
    events: EventWatch | None = field("Events.", resolver=_of_kind(AlertKind.EVENTS))
    agents: AgentWatch | None = field("Agents.", resolver=_of_kind(AlertKind.AGENTS))
    feed_lag: FeedWatch | None = field("A feed.", resolver=_of_kind(AlertKind.FEED_LAG))


# Loaders

AlertRuleById = by_id(db.alerts.AlertRule)
WebhookById = by_id(db.webhooks.Webhook)

# Types


@node(db.alerts.AlertRule, access=READ_OR_WRITE)
class AlertRule(Node):
    """A figure that is read once a minute, and opens an alert while it is beyond the threshold."""

    name: str = field("Name of the rule.")
    kind: AlertKind = field("What the rule watches; see `watch`.")
    watch: AlertWatch = field(
        "What the rule watches.",
        resolver=lambda root: root,
        reads=(
            *("kind", "spend_of", "user_id", "provider", "metric_name", "aggregate"),
            *("event_type", "severity", "agents", "feed"),
        ),
        cost=0,
    )
    window_minutes: int | None = field(
        "Minutes to look back. Null for the calendar month of UTC in which spend is watched, and "
        "for agents and feeds, which are read as they are now."
    )
    comparison: AlertComparison = field("How the value is compared with the threshold.")
    threshold: Decimal | None = field(
        "The threshold. Null for the budget of the user, or for the setting `budgets.monthly_usd`."
    )
    cooldown_minutes: int = field(
        "Minutes after an alert was closed within which the rule opens none for the same subject."
    )
    notifies: bool = field(
        "Whether notifications are sent when alerts open, close or are acknowledged: to the user "
        "that the alert is about and the creator of the rule, or else to all administrators."
    )
    is_active: bool = field("Whether the rule is evaluated.")
    is_builtin: bool = field(
        "Whether the rule came with the gateway. It cannot be deleted, nor watch something else.",
        resolver=lambda root: root.builtin is not None,
        columns=("builtin",),
        reads=("builtin",),
    )
    webhook: Annotated["Webhook", strawberry.lazy("graph.webhooks")] | None = related(
        WebhookById,
        "webhook_id",
        description="The webhook that messages are sent to when alerts open, close or are "
        "acknowledged. Null for none.",
    )
    version: int = field("Version of the rule, for `expectedVersion`. Incremented by each change.")
    evaluated_at: datetime | None = field("When the rule was last evaluated. Null if never.")
    failed_at: datetime | None = field(
        "When the last evaluation failed. Null if it did not. The log of the gateway has the error."
    )
    created_at: datetime = field("When the rule was created.")
    updated_at: datetime = field("When the rule was last changed.")
    created_by: User | None = related(
        UserById,
        "created_by",
        description="The user who created the rule. Null for a built-in rule, and for a user who "
        "was deleted.",
    )


@node(db.alerts.Alert, access=READ_OWN_OR_WRITE)
class Alert(Node):
    """A figure that was beyond the threshold of a rule, from its opening until its closing. A rule
    has at most one open alert for each subject. Members see alerts about themselves."""

    title: str = field("Name of the rule, the value and the threshold.")
    kind: AlertKind = field("What the rule watches.")
    subject: str | None = field(
        "What the value is of, if the rule watches each provider: the name of one. Null otherwise.",
        resolver=lambda root: root.subject if root.subject != "" and root.user_id is None else None,
        columns=("subject",),
        reads=("subject", "user_id"),
    )
    value: Decimal = field("The value that opened the alert.")
    threshold: Decimal = field("The threshold at that time.")
    opened_at: datetime = column("created_at", "When the alert was opened.")
    closed_at: datetime | None = field("When the alert was closed. Null while it is open.")
    acknowledged_at: datetime | None = field("When the alert was acknowledged. Null if it was not.")
    acknowledged_by: User | None = related(
        UserById, "acknowledged_by", description="The user who acknowledged the alert."
    )
    user: User | None = related(
        UserById, "user_id", description="The user whose spend is watched. Null for other alerts."
    )
    rule: Annotated["AlertRule", strawberry.lazy("graph.alerts")] | None = related(
        AlertRuleById,
        "rule_id",
        description="The rule. Null if it was deleted.",
        access=READ_OR_WRITE,
    )
