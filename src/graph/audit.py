"""Audit: who changed what, when and with which request."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

import db
from db.core.table import JsonObject
from db.users import Role
from graph.api_keys import ApiKey, ApiKeyById
from graph.core.permission import ALL_ENTRIES, scope
from graph.core.types.connection import Connection, listed
from graph.core.types.field import field, related
from graph.core.types.filter import filters, orders
from graph.core.types.menu import menu
from graph.core.types.node import Node, id_of, identified, is_node, node, with_ids
from graph.users import User, UserById

READ = scope("audit:read", role=Role.MEMBER)
DOCUMENT = "Columns by name, with global IDs; `(secret)` in place of a secret, which is not stored."


# Types


def _entity_id(root: db.audit.AuditEntry) -> strawberry.ID | None:
    table = db.audit.tables_in(root.entity).get("id")
    is_shown = table is not None and is_node(table)
    return strawberry.ID(id_of(table.Record, root.entity_id)) if table and is_shown else None


def _shown(root: db.audit.AuditEntry, document: JsonObject | None) -> JsonObject | None:
    if document is None:
        return None
    tables = db.audit.tables_in(root.entity)
    return with_ids(document, **{name: of for name, of in tables.items() if is_node(of)})


@node(db.audit.AuditEntry, access=READ)
class AuditEntry(Node):
    """One change of one row, stored in the transaction that made it. Entries are never changed."""

    operation: str = field(
        "Name of the mutation, for example `publishDream`, or of the gateway's own work."
    )
    entity: str = field("Table of the row, for example `dreams`.")
    entity_id: strawberry.ID | None = field(
        "ID of the row, also after it was deleted. Null for rows that are no nodes.",
        resolver=_entity_id,
        columns=("entity_id",),
        reads=("entity", "entity_id"),
    )
    before: JSON | None = field(
        f"The columns that changed, before the change; null if the row was created. {DOCUMENT}",
        resolver=lambda root: _shown(root, root.before),
        reads=("entity", "before"),
    )
    after: JSON | None = field(
        f"The columns that changed, after the change; null if the row was deleted. {DOCUMENT}",
        resolver=lambda root: _shown(root, root.after),
        reads=("entity", "after"),
    )
    request_id: str | None = field(
        "ID of the request, as in its response, its log line and its `api_request` event. Null for "
        "the gateway's own work."
    )
    created_at: datetime = field("When the row was changed.")
    actor: User | None = related(
        UserById,
        "actor",
        description="The user who made the change. Null for the gateway's own work, and after the "
        "user was deleted.",
    )
    api_key: ApiKey | None = related(
        ApiKeyById,
        "key_id",
        description="The API key that was used. Null for tokens, and if the viewer cannot see it.",
    )


# Inputs


@filters(db.audit.LISTING)
class AuditEntryFilter:
    """Filter conditions on audit entries. All given conditions must hold."""


@orders(db.audit.LISTING)
class AuditEntryOrder:
    """Sort order for audit entries."""


# Operations


@strawberry.type
class Queries:
    audit_log: Connection[AuditEntry] = listed(
        db.audit.LISTING,
        "Changes of rows, newest first: all of them for administrators, and the viewer's own for "
        "other users.",
        READ,
        stale_ok=True,
    )

    audit_entry: AuditEntry | None = identified(
        db.audit.AuditEntry,
        "The audit entry with this ID; null if there is none, or the viewer may not see it.",
        READ,
    )
    audit_operations: list[str] = menu(
        db.audit.AuditEntry.operation, "Operations in the audit log.", ALL_ENTRIES
    )
    audit_entities: list[str] = menu(
        db.audit.AuditEntry.entity, "Tables in the audit log.", ALL_ENTRIES
    )
