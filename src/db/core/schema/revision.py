"""Revision: the revision of a database, and the schema of its tables.

It is stored in a table of its own, so that other applications with alembic can share the schema.
Earlier releases stored it in `alembic_version`, which is kept for running gateways of theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    MetaData,
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
from db.core.table import AnySelect, Expression

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
    """A revision (None if no migration has run), the table that stores it, and its schema, or the
    one for new tables (None if the search path has none)."""

    revision: str | None
    table: str | None
    schema: str | None


async def stored_revision(session: ReadSession) -> StoredRevision:
    """The revision of a database. Raises as sessions do."""
    found = [(schema, tables) for schema, tables in await session.rows(_tables())]
    kept, schema = _place(found)
    if kept is None:
        return StoredRevision(None, None, schema)
    versions = table(kept, column("version_num"), schema=schema)
    return StoredRevision(await session.scalar(select(versions.c.version_num)), kept, schema)


def named(schema: str, names: Iterable[str]) -> AnySelect:
    return (
        select(_classes.c.relname)
        .join(_schemas, _classes.c.relnamespace == _schemas.c.oid)
        .where(_schemas.c.nspname == schema, _classes.c.relname == any_(_texts(names)))
        .order_by(_classes.c.relname)
        .limit(1)
    )


async def mark_earlier(connection: AsyncConnection) -> None:
    """Mark `alembic_version` as the gateway's; the search path begins with its schema."""
    await connection.execute(SetTableComment(Table(EARLIER, MetaData(), comment=MARK)))
    await connection.commit()


async def update_earlier(connection: AsyncConnection) -> None:
    """Update `alembic_version` to the present revision, but at most to the newest known to releases
    that read it. The table of another application is not changed."""
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


def _texts(names: Iterable[str]) -> Expression:
    return cast(sorted(names), ARRAY(Text))


def _place(found: Sequence[tuple[str, list[str]]]) -> tuple[str | None, str | None]:
    for schema, tables in found:
        if VERSIONS in tables:
            return VERSIONS, schema
        if EARLIER in tables and FIRST_TABLES.issubset(tables):
            return EARLIER, schema
    return None, found[0][0] if found else None


def _tables() -> AnySelect:
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
