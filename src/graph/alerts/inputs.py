"""Inputs: filters and orders of alerts and their rules, and the arguments of mutations on them."""

from decimal import Decimal
from typing import TYPE_CHECKING

import strawberry
from strawberry import UNSET, Maybe

import db
from db.alerts import AlertRule, writes
from db.core.table import Row
from graph.alerts.types import (
    AgentCondition,
    AlertComparison,
    AlertKind,
    EventSeverity,
    MetricAggregate,
    SpendOf,
    WatchedFeed,
)
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    id_of_table,
    idempotency_key,
    input_type,
    one_of_input,
    provided_fields,
)
from graph.core.types.node import key_of
from graph.users import USER

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ALERT, RULE = key_of(db.alerts.Alert), key_of(AlertRule)
WEBHOOK = key_of(db.webhooks.Webhook)


@filters(db.alerts.LISTING)
class AlertFilter:
    """Filter conditions on alerts. All given conditions must hold."""


@orders(db.alerts.LISTING)
class AlertOrder:
    """Sort order for alerts."""


@filters(db.alerts.RULES)
class AlertRuleFilter:
    """Filter conditions on alert rules. All given conditions must hold."""


@orders(db.alerts.RULES)
class AlertRuleOrder:
    """Sort order for alert rules."""


# What a rule watches


@checked(AlertRule)
@input_type
class SpendWatchInput:
    """Watch the cost of tests in US dollars."""

    of: SpendOf = field("Whose tests.", column="spend_of")
    user_id: strawberry.ID | None = field(
        "ID of the user. Each user is watched apart if omitted.", check=USER, default=UNSET
    )
    provider: str | None = field(
        "The provider. Each provider is watched apart if omitted.", default=UNSET
    )


@checked(AlertRule)
@input_type
class MetricWatchInput:
    """Watch the values of a metric."""

    metric_name: str = field("Name of the metric.")
    aggregate: MetricAggregate = field("How the values are summarized.")


@checked(AlertRule)
@input_type
class EventWatchInput:
    """Watch the number of events."""

    event_type: str | None = field("Type of the events; any if omitted.", default=UNSET)
    severity: EventSeverity | None = field("Severity of the events; any if omitted.", default=UNSET)


@checked(AlertRule)
@input_type
class AgentWatchInput:
    """Watch the number of agents in a condition."""

    condition: AgentCondition = field("The agents that are counted.", column="agents")


@checked(AlertRule)
@input_type
class FeedWatchInput:
    """Watch the seconds for which rows of a feed wait until subscribers can see them."""

    feed: WatchedFeed = field("The feed.")


@one_of_input
class AlertWatchInput:
    """What a rule watches. Exactly one field must be given."""

    spend: SpendWatchInput | None = field("The cost of tests.", default=UNSET)
    metric: MetricWatchInput | None = field("A metric.", default=UNSET)
    events: EventWatchInput | None = field("The number of events.", default=UNSET)
    agents: AgentWatchInput | None = field("The number of agents.", default=UNSET)
    feed_lag: FeedWatchInput | None = field("The lag of a feed.", default=UNSET)


KINDS = {
    "spend": AlertKind.SPEND,
    "metric": AlertKind.METRIC,
    "events": AlertKind.EVENTS,
    "agents": AlertKind.AGENTS,
    "feed_lag": AlertKind.FEED_LAG,
}


def watch_columns(input: AlertWatchInput) -> Row:
    """The columns of what is watched. Raises Invalid."""
    [(name, kind)] = [each for each in KINDS.items() if getattr(input, each[0])]
    columns = provided_fields(getattr(input, name))
    if isinstance(columns.get("user_id"), str):
        columns["user_id"] = id_of_table(columns["user_id"], db.users.User)
    return writes.watched(kind=kind, **columns)


def rule_columns(input: "DataclassInstance") -> Row:
    """The columns of an input, but for what is watched. Raises Invalid."""
    columns = provided_fields(input, "watch")
    if columns.get("webhook_id") is not None:
        columns["webhook_id"] = id_of_table(columns["webhook_id"], db.webhooks.Webhook)
    return columns


# Rules


@checked(AlertRule)
@input_type
class CreateAlertRuleInput:
    """The input fields to create an alert rule."""

    name: str = field("Name of the rule.")
    watch: AlertWatchInput = field("What the rule watches.")
    window_minutes: int | None = field(
        "Minutes to look back. Required for metrics and events. Spend is of the calendar month of "
        "UTC if omitted. Omit it for agents and feeds, which are read as they are now.",
        default=UNSET,
    )
    comparison: AlertComparison = field("How the value is compared with the threshold.")
    threshold: Decimal | None = field(
        "The threshold. May be omitted for the spend of users, or of all, in the calendar month: "
        "their budget.",
        default=UNSET,
    )
    cooldown_minutes: int | None = field(
        "Minutes after an alert was closed within which the rule opens none for the same subject; "
        "0 if omitted.",
        default=UNSET,
    )
    notifies: bool | None = field("Whether notifications are sent; true if omitted.", default=UNSET)
    webhook_id: strawberry.ID | None = field(
        "ID of the webhook that messages are sent to; none if omitted.",
        check=WEBHOOK,
        default=UNSET,
    )
    is_active: bool | None = field("Whether the rule is evaluated; true if omitted.", default=UNSET)
    idempotency_key: str | None = idempotency_key()


@checked(AlertRule)
@input_type
class PreviewAlertRuleInput:
    """An alert rule to preview, which is not stored. Its fields are those of
    `CreateAlertRuleInput`."""

    watch: AlertWatchInput = field("What the rule watches, but for the lag of feeds.")
    window_minutes: int | None = field("Minutes to look back.", default=UNSET)
    comparison: AlertComparison = field("How the value is compared with the threshold.")
    threshold: Decimal | None = field("The threshold. May be omitted for a budget.", default=UNSET)
    cooldown_minutes: int | None = field(
        "Minutes after an alert was closed within which the rule opens none for the same subject.",
        default=UNSET,
    )


@checked(AlertRule)
@input_type
class UpdateAlertRuleInput:
    """The input fields to change an alert rule. Omitted fields keep their values."""

    id: strawberry.ID = field("ID of the rule.", check=RULE)
    name: Maybe[str] = field("Name of the rule.")
    watch: AlertWatchInput | None = field(
        "What the rule watches. Open alerts are closed if that changes.", default=UNSET
    )
    window_minutes: Maybe[int | None] = field(
        "Minutes to look back; null for the calendar month of UTC, and for agents and feeds."
    )
    comparison: Maybe[AlertComparison] = field("How the value is compared with the threshold.")
    threshold: Maybe[Decimal | None] = field(
        "The threshold; null for the budget of users, or of all."
    )
    cooldown_minutes: Maybe[int] = field(
        "Minutes after an alert was closed within which the rule opens none for the same subject."
    )
    notifies: Maybe[bool] = field("Whether notifications are sent.")
    webhook_id: Maybe[strawberry.ID | None] = field(
        "ID of the webhook that messages are sent to; null for none.", check=WEBHOOK
    )
    is_active: Maybe[bool] = field("Whether the rule is evaluated. Open alerts of others close.")
    expected_version: int | None = field("Version that the rule must have.", default=UNSET)


@input_type
class DeleteAlertRuleInput:
    """The input fields to delete an alert rule."""

    id: strawberry.ID = field("ID of the rule.", check=RULE)
    expected_version: int | None = field("Version that the rule must have.", default=UNSET)


@input_type
class AcknowledgeAlertInput:
    """The input fields to acknowledge an alert."""

    id: strawberry.ID = field("ID of the alert.", check=ALERT)
