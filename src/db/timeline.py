"""Timeline: the stages of dreams, from the audit log.

A stage is an entry about the dream that created it, or that changed its status or whether it is
public. A viewer of the dream sees its stages, so they are read without the rule of the audit log.
"""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, func, literal, or_

from db import audit
from db.audit import AuditEntry, Change
from db.core.query.listing import ListSpec
from db.core.session.database import ReadSession
from db.dreams import Dream, DreamStatus


class DreamStageKind(StrEnum):
    """A stage of a dream, in the terms of DreamNet."""

    COCOON = "COCOON"
    EMERGING = "EMERGING"
    HIDDEN = "HIDDEN"
    ACTIVE = "ACTIVE"
    ACHIEVED = "ACHIEVED"
    ARCHIVED = "ARCHIVED"


STAGES = {
    DreamStatus.DRAFT: DreamStageKind.COCOON,
    DreamStatus.ACTIVE: DreamStageKind.ACTIVE,
    DreamStatus.ACHIEVED: DreamStageKind.ACHIEVED,
    DreamStatus.ARCHIVED: DreamStageKind.ARCHIVED,
}

MOST = 100  # stages of a snapshot

LISTING = ListSpec(
    AuditEntry,
    where=(
        AuditEntry.entity == Dream.__tablename__,
        func.jsonb_typeof(AuditEntry.after) == "object",
        or_(AuditEntry.after.has_key("status"), AuditEntry.after.has_key("is_public")),
    ),
)


async def stages(session: ReadSession, ids: Collection[UUID]) -> dict[UUID, AuditEntry]:
    """Those of some audit entries that are stages. The session has no row rules."""
    among = AuditEntry.id == any_(literal(list(ids), ARRAY(Uuid)))
    found = AuditEntry.select().where(among, *LISTING.where)
    return {entry.id: entry for entry in await session.records(AuditEntry, found)}


async def latest(session: ReadSession, dream_id: UUID) -> list[AuditEntry]:
    """The latest stages of a dream, oldest first. The session has no row rules."""
    found = AuditEntry.select().where(AuditEntry.entity_id == dream_id, *LISTING.where)
    newest = found.order_by(AuditEntry.id.desc()).limit(MOST)
    return (await session.records(AuditEntry, newest))[::-1]


def changes_of(dream_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return *audit.changes_of(Dream), Change.entity_id == dream_id


def stage_of(entry: AuditEntry) -> DreamStageKind:
    """A change of both is a stage of the status."""
    after = entry.after or {}
    status = after.get("status")
    if isinstance(status, str) and status in STAGES:
        return STAGES[DreamStatus(status)]
    return DreamStageKind.EMERGING if after.get("is_public") else DreamStageKind.HIDDEN
