"""Retention: the tables whose old rows can be deleted, by the name of their setting."""

from collections.abc import Mapping
from datetime import timedelta

from db import feeds, rollups
from db.ai_tests import AiTest, queue
from db.alerts import Alert
from db.analytics import UserAction
from db.audit import AuditEntry
from db.core.schema import expiry
from db.core.session.database import Database
from db.core.table import Column, Table
from db.notifications import Notification
from db.progress import ProgressLog
from db.webhooks import WebhookDelivery

TABLES: Mapping[str, type[Table]] = {
    "actions": UserAction,
    "tests": AiTest,
    "progress": ProgressLog,
    "notifications": Notification,
    "alerts": Alert,
    "deliveries": WebhookDelivery,
    "audit": AuditEntry,
}
# The columns with the time at which rows ended. Those that have not ended are kept.
ENDS: Mapping[str, Column] = {"alerts": Alert.closed_at}


async def expire(database: Database, keep: Mapping[str, timedelta]) -> dict[str, int]:
    """Delete rows older than they are kept, by the names of feeds and of TABLES; others are not
    touched. Subscribers are not notified.

    Returns the number of months or rows deleted, by name, without those that another process is
    working on. Raises as sessions do.
    """
    gone = await feeds.expire(database, keep)
    for name, table in TABLES.items():
        if name not in keep:
            continue
        count = await expiry.expire(database, table, keep[name], ENDS.get(name))
        if count is not None:
            gone[name] = count
    if "tests" in keep:
        await queue.remove_orphans(database)
    await rollups.expire(database, keep)
    return gone
