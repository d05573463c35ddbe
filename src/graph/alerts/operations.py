"""Operations: queries of alerts and their rules, and mutations that change them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db import WriteSession
from db.alerts import previews, writes
from db.alerts.previews import LAST
from db.core.table import Row
from graph.alerts.inputs import (
    AcknowledgeAlertInput,
    CreateAlertRuleInput,
    DeleteAlertRuleInput,
    PreviewAlertRuleInput,
    UpdateAlertRuleInput,
    rule_columns,
    watch_columns,
)
from graph.alerts.types import READ, READ_OWN, WRITE, Alert, AlertRule
from graph.core.context import Info, as_source
from graph.core.permission import VALUE
from graph.core.types.aggregate import TimeWindow
from graph.core.types.connection import Connection, listed
from graph.core.types.field import argument, field, related, value
from graph.core.types.mutation import (
    Input,
    create_idempotently,
    locked_row,
    mutation,
)
from graph.core.types.node import IdOf, load
from graph.core.types.time_range import From, To, window
from graph.core.types.unset import or_none
from graph.users import User, UserById

# Results


@value
class AlertRuleDeleted:
    """An alert rule was deleted. Its alerts are closed, and kept."""

    deleted_alert_rule_id: strawberry.ID | None = field("ID of the deleted rule.", default=None)


@value
class PastAlert:
    """An alert that a rule would have opened."""

    title: str = field("Name of the rule, the value and the threshold.")
    subject: str | None = field(
        "What the value is of, if the rule watches each provider: the name of one. Null otherwise."
    )
    value: Decimal = field("The value that would have opened the alert.")
    threshold: Decimal = field("The threshold.")
    opened_at: datetime = field("When the alert would have been opened.")
    closed_at: datetime | None = field(
        "When the alert would have been closed. Null if it would still be open."
    )
    user: User | None = related(
        UserById, "user_id", description="The user whose spend is watched. Null for other alerts."
    )


@value
class AlertPreview:
    """The alerts that a rule would have opened within a window of time."""

    window: TimeWindow = field("The window: that of the arguments, or the last day.", cost=0)
    alerts: list[PastAlert] = field(
        f"The alerts, oldest first, at most {previews.MOST_ALERTS:,}.", cost=50
    )


# Operations


def _columns(input: CreateAlertRuleInput | PreviewAlertRuleInput) -> Row:
    """The columns of a new rule; null is as omitted, but for the window and the threshold.
    Raises Invalid."""
    columns = rule_columns(input)
    return watch_columns(input.watch) | {n: v for n, v in columns.items() if v is not None}


@strawberry.type
class Queries:
    alerts: Connection[Alert] = listed(
        db.alerts.LISTING,
        "Alerts, newest first: for operators all, for members those about themselves.",
        READ_OWN,
    )
    alert_rules: Connection[AlertRule] = listed(db.alerts.RULES, "Alert rules, newest first.", READ)

    @field("The alert with this ID, or null if it does not exist or is not visible.", READ_OWN)
    async def alert(self, info: Info, id: IdOf) -> Alert | None:
        return await load(info, id, db.alerts.Alert)

    @field("The alert rule with this ID, or null if it does not exist.", READ)
    async def alert_rule(self, info: Info, id: IdOf) -> AlertRule | None:
        return await load(info, id, db.alerts.AlertRule)

    @field(
        "The alerts that a rule would have opened in the past, evaluated each minute: of the last "
        "day by default, of 31 days at most. The rule is not stored. Budgets are those of today.",
        WRITE,
        cost=500,
        reveals={"rule": VALUE, "from": VALUE, "to": VALUE},
    )
    async def preview_alert_rule(
        self,
        info: Info,
        rule: Annotated[PreviewAlertRuleInput, argument("The rule.")],
        from_: From = UNSET,
        to: To = UNSET,
    ) -> AlertPreview:
        span = await window(info, from_, to, LAST)
        made = previews.draft(name="Preview", **_columns(rule))
        async with info.context.db.unrestricted().read() as session:
            return as_source(await previews.preview(session, made, span))


@strawberry.type
class Mutations:
    @mutation("Create an alert rule. It is evaluated once a minute.", WRITE, AlertRule)
    async def create_alert_rule(
        self, info: Info, input: Input[CreateAlertRuleInput]
    ) -> db.alerts.AlertRule:
        columns = _columns(input)

        async def create(session: WriteSession) -> db.alerts.AlertRule:
            return await writes.create(session, **columns)

        return await create_idempotently(info, db.alerts.AlertRule, input, create)

    @mutation("Change an alert rule.", WRITE, AlertRule)
    async def update_alert_rule(
        self, info: Info, input: Input[UpdateAlertRuleInput]
    ) -> db.alerts.AlertRule:
        watch = or_none(input.watch)
        columns = rule_columns(input) | (watch_columns(watch) if watch else {})
        version = or_none(input.expected_version)
        async with locked_row(info, db.alerts.AlertRule, input.id, version) as (session, rule):
            return await writes.change(session, rule, **columns)

    @mutation("Delete an alert rule. Its open alerts are closed.", WRITE, AlertRuleDeleted)
    async def delete_alert_rule(
        self, info: Info, input: Input[DeleteAlertRuleInput]
    ) -> AlertRuleDeleted:
        version = or_none(input.expected_version)
        async with locked_row(info, db.alerts.AlertRule, input.id, version) as (session, rule):
            await writes.remove(session, rule)
        return AlertRuleDeleted(deleted_alert_rule_id=input.id)

    @mutation(
        "Acknowledge an alert, to show that you take care of it. Only the first one counts.",
        WRITE,
        Alert,
    )
    async def acknowledge_alert(
        self, info: Info, input: Input[AcknowledgeAlertInput]
    ) -> db.alerts.Alert:
        async with locked_row(info, db.alerts.Alert, input.id) as (session, alert):
            return await writes.acknowledge(session, alert)
