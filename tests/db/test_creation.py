"""Creation in one statement stores what several statements would."""

from typing import Any

import pytest
from sqlalchemy import text

import db
from db import Database, audit
from db.audit import AuditEntry, Change, PendingChange, creation
from db.audit.creation import Default
from db.core.errors import NotFound
from db.core.ids import uuid7
from db.core.session.audit_context import AuditContext
from db.core.session.direct_writes import lone_write
from db.core.table import Table
from db.dreams import Dream, DreamCategory, DreamStatus
from support.factories import make_user
from support.feeds import number_changes
from support.query_count import statements
from support.stored_rows import rows

ACT = AuditContext("createDream", "test-request")
TABLES = sorted(
    (mapper.class_ for mapper in Table.registry.mappers), key=lambda table: table.__tablename__
)
DREAMS: list[dict[str, Any]] = [
    {"title": "Fly"},
    {"title": "“Fly” \N{ROCKET}", "tags": ["a", "b"], "category": DreamCategory.MATH},
    {"title": "T", "description": "", "original_prompt": "p", "status": DreamStatus.DRAFT},
    {"title": "T", "is_public": True, "tags": [], "user_id": None},
]


@pytest.mark.parametrize("values", DREAMS)
async def test_one_statement_stores_what_two_do(
    database: Database, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    with statements(database, exactly=1):
        async with lone_write(database, ACT) as session:
            alone = await audit.create(session, Dream, **values)
    with statements(database, exactly=1):
        async with database.write(ACT) as session:
            together = await audit.create(session, Dream, **values)
    monkeypatch.setattr(audit, "creation_parameters", lambda *_: None)
    with statements(database, exactly=2):
        async with database.write(ACT) as session:
            apart = await audit.create(session, Dream, **values)

    assert facts(alone) == facts(together) == facts(apart)
    entries = await rows(database, AuditEntry.select())
    await number_changes(database)
    changes = await rows(database, Change.select())
    assert {str(facts(AuditEntry.Record(*row))) for row in entries} == {
        str(facts(AuditEntry.Record(*entries[0])))
    }
    assert {str(facts(Change.Record(*row))) for row in changes} == {
        str(facts(Change.Record(*changes[0])))
    }
    assert (len(entries), len(changes)) == (3, 3)
    for row in entries:
        entry = AuditEntry.Record(*row)
        [dream] = await rows(database, Dream.select().where(Dream.id == entry.entity_id))
        stored = Dream.Record(*dream)
        assert entry.after["id"] == str(stored.id)
        assert entry.after["title"] == stored.title
        assert entry.after["created_at"] == stored.created_at.isoformat()
        assert entry.after["updated_at"] == stored.updated_at.isoformat()


def facts(record: Any) -> dict[str, Any]:
    """A record without its ids and times, which differ each time, and the slug made of the id."""
    own = {
        "id",
        "seq",
        "pending_number",
        "at",
        "entity_id",
        "audit_id",
        "created_at",
        "updated_at",
        "slug",
    }
    shown = {name: value for name, value in record._asdict().items() if name not in own}
    after = {name: value for name, value in (shown.get("after") or {}).items() if name not in own}
    return shown | {"after": after}


async def test_a_refused_row_leaves_no_trace(database: Database) -> None:
    owner = uuid7(await database.now())

    async def create() -> None:
        async with lone_write(database, ACT) as session:
            await audit.create(session, Dream, title="Fly", user_id=owner)

    with pytest.raises(NotFound):
        await create()
    assert await rows(database, AuditEntry.select()) == []
    assert await rows(database, PendingChange.select()) == []


async def test_a_lone_write_has_one_statement(database: Database) -> None:
    async with lone_write(database, ACT) as session:
        await audit.create(session, Dream, title="Fly")
        with pytest.raises(RuntimeError):
            await audit.create(session, Dream, title="Fly")
        with pytest.raises(RuntimeError):
            await session.execute(Dream.select())
    assert len(await rows(database, Dream.select())) == 1


async def test_values_that_postgresql_rewrites_take_two_statements(database: Database) -> None:
    user = await make_user(database)
    document = {"b": 1.0, "a": 2, "bb": 0}
    with statements(database, exactly=2):
        async with database.write(ACT) as session:
            made = await audit.create(
                session,
                db.notifications.Notification,
                user_id=user.id,
                kind="K",
                title="t",
                body="b",
                payload=document,
            )
    [entry] = [
        AuditEntry.Record(*row)
        for row in await rows(database, AuditEntry.select())
        if row[AuditEntry.Record._fields.index("entity")] == "notifications"
    ]
    assert list(entry.after["payload"]) == list(made.payload) == ["a", "b", "bb"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__tablename__)
async def test_known_defaults_are_those_of_the_database(
    database: Database, table: type[Table]
) -> None:
    made = text(
        "select column_name, column_default from information_schema.columns"
        " where table_name = :table and column_default is not null"
    ).bindparams(table=table.__tablename__)
    found = dict(await rows(database, made))
    for name, default in creation._defaults(table).items():
        if default is Default.NOW:
            assert found[name] == "now()"
        elif default is not Default.UNKNOWN and name in found:
            assert await rows(database, text(f"select {found[name]}")) == [(default,)]
        elif default is None:
            assert name not in found
