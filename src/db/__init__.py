"""PostgreSQL: tables, statements and writes. Knows no GraphQL and no HTTP."""

from db import (
    accounts as accounts,
    agents as agents,
    ai_models as ai_models,
    ai_tests as ai_tests,
    alerts as alerts,
    analytics as analytics,
    api_keys as api_keys,
    attachments as attachments,
    audit as audit,
    budgets as budgets,
    config as config,
    dreams as dreams,
    events as events,
    feeds as feeds,
    journeys as journeys,
    kpis as kpis,
    metrics as metrics,
    notifications as notifications,
    progress as progress,
    rollups as rollups,
    scopes as scopes,
    search as search,
    timeline as timeline,
    usage as usage,
    users as users,
    webhooks as webhooks,
)
from db.agents import offline as offline, reports as reports
from db.ai_tests import claims as claims, queue as queue, schedules as schedules
from db.budgets import notices as notices
from db.core import idempotency as idempotency
from db.core.session.database import (
    Database as Database,
    ReadSession as ReadSession,
    WriteSession as WriteSession,
)
