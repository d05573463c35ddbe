"""Streams: the subscription to alerts."""

from collections.abc import Sequence
from dataclasses import dataclass

import strawberry

import db
from db import Database
from graph.alerts.types import READ_OWN, Alert
from graph.core.context import Info
from graph.core.subscriptions.source import Update, message, rows, stream
from graph.core.subscriptions.table_source import TableSource


@message()
class AlertsUpdate(Update):
    """Alerts that opened, closed or were acknowledged."""

    alerts: list[Alert] = rows(
        "The alerts that changed, as they are now. In a SNAPSHOT, the open alerts, newest first, "
        f"at most {db.alerts.MOST}."
    )


@dataclass(frozen=True, slots=True)
class Alerts(TableSource[db.alerts.Alert]):
    """All visible alerts."""

    table = db.alerts.Alert

    async def snapshot(self, database: Database) -> Sequence[db.alerts.Alert]:
        async with database.read() as session:
            return await db.alerts.newest_open(session)


@strawberry.type
class Subscriptions:
    @stream(
        AlertsUpdate,
        "Alerts when they open, close or are acknowledged: for operators all, for members those "
        "about themselves.",
        READ_OWN,
    )
    async def alerts(self, _info: Info) -> Alerts:
        return Alerts()
