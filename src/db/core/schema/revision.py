"""Revision: which one the tables of a database are at, and in which schema they are.

It is kept in a table of our own, so that other applications with migrations may share the schema.
Earlier releases kept it in `alembic_version`, which stays for the gateways of theirs that run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    MetaData,
    Select,
    Table,
    Text,
    any_,
    cast,
    column,
    delete,
    func,
    insert,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY, OID
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import SetTableComment

from db.core.session.database import ReadSession

VERSIONS = "dreamnet_version"
EARLIER = "alembic_version"
LAST_EARLIER = "0005"  # the newest revision of the releases that keep it there
MARK = "Kept for gateways of earlier releases; the revision is in dreamnet_version."

# The tables of the first release. Where they all are, `alembic_version` was written for them.
FIRST_TABLES = frozenset(
    {
        *("agent_history", "agent_states", "ai_models", "ai_tests", "api_keys", "audit_log"),
        *("changes", "dreams", "feature_flags", "notifications", "performance_metrics"),
        *("progress_logs", "system_config", "system_events", "user_analytics", "users"),
    }
)

_classes = table("pg_class", column("oid", OID), column("relname"), column("relnamespace", OID))
_schemas = table("pg_namespace", column("oid", OID), column("nspname"))


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A revision, None where no migration ever ran; the table that says so, if there is one, and
    its schema, or the one where tables would be made, None where the search path names none."""

    revision: str | None
    table: str | None
    schema: str | None


async def stored_revision(session: ReadSession) -> StoredRevision:
    """The revision of a database. Raises what sessions raise."""
    found = [(schema, tables) for schema, tables in await session.rows(_tables())]
    kept, schema = _place(found)
    if kept is None:
        return StoredRevision(None, None, schema)
    versions = table(kept, column("version_num"), schema=schema)
    return StoredRevision(await session.scalar(select(versions.c.version_num)), kept, schema)


def named(schema: str, names: Iterable[str]) -> Select[Any]:
    """The first relation of a schema that has one of these names."""
    return (
        select(_classes.c.relname)
        .join(_schemas, _classes.c.relnamespace == _schemas.c.oid)
        .where(_schemas.c.nspname == schema, _classes.c.relname == any_(_texts(names)))
        .order_by(_classes.c.relname)
        .limit(1)
    )


async def mark_earlier(connection: AsyncConnection) -> None:
    """Notes in `alembic_version` that it is ours; the search path begins with its schema."""
    await connection.execute(SetTableComment(Table(EARLIER, MetaData(), comment=MARK)))
    await connection.commit()


async def update_earlier(connection: AsyncConnection) -> None:
    """Lets `alembic_version` name no later revision than there is, nor one that releases which read
    it do not know. One that another application keeps is left alone."""
    at = await stored_revision(ReadSession(connection))
    comment = named(str(at.schema), [EARLIER]).with_only_columns(
        func.obj_description(_classes.c.oid, "pg_class")
    )
    if await connection.scalar(comment) == MARK:
        earlier = table(EARLIER, column("version_num"), schema=at.schema)
        await connection.execute(delete(earlier))
        if at.revision is not None:
            revision = min(at.revision, LAST_EARLIER)
            await connection.execute(insert(earlier).values(version_num=revision))
    await connection.commit()


def _texts(names: Iterable[str]) -> ColumnElement[Any]:
    return cast(sorted(names), ARRAY(Text))


def _place(found: Sequence[tuple[str, list[str]]]) -> tuple[str | None, str | None]:
    for schema, tables in found:
        if VERSIONS in tables:
            return VERSIONS, schema
        if EARLIER in tables and FIRST_TABLES.issubset(tables):
            return EARLIER, schema
    return None, found[0][0] if found else None


def _tables() -> Select[Any]:
    """The schemas of the search path in order, each with those of its tables that matter here."""
    path = func.current_schemas(False)
    rows = func.unnest(path).table_valued("name", with_ordinality="place", name="searched")
    searched = rows.render_derived()
    names = _texts({VERSIONS, EARLIER, *FIRST_TABLES})
    matter = (_classes.c.relnamespace == _schemas.c.oid) & (_classes.c.relname == any_(names))
    return (
        select(
            cast(_schemas.c.nspname, Text),
            func.array_remove(func.array_agg(cast(_classes.c.relname, Text)), None),
        )
        .select_from(searched)
        .join(_schemas, _schemas.c.nspname == searched.c.name)
        .outerjoin(_classes, matter)
        .group_by(_schemas.c.nspname, searched.c.place)
        .order_by(searched.c.place)
    )
