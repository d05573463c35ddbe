"""Anonymous callers look for private rows that have no owner.

Compared with an absent owner, an absent viewer is IS NULL in SQL: deleting a user, or importing
dreams without one, would publish them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from graphql import GraphQLField, GraphQLNonNull, get_named_type
from sqlalchemy import delete, func, select

from db import Database, audit
from db.core.query.batch import grouped, rows_by_key
from db.core.session.row_rules import UNRESTRICTED, Visibility
from db.dreams import Dream
from db.importer import import_files
from db.users import User
from graph.core.types.node import global_id
from graph.schema import schema
from support.attack_target import Target
from support.factories import make_ai_test, make_dream, make_progress_log, make_user
from support.gateways import production
from support.hidden_rows import TABLES, WITH_RULES, may_have_no_owner, rows
from support.running_gateway import serving
from support.stream_client import listening

SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"
OWNABLE = [name for name, table in TABLES.items() if may_have_no_owner(table)]
VIEWERS = {
    "nobody": Visibility(),
    "a user": Visibility(user_id=uuid4()),
    "an operator": Visibility(shared=True, user_id=uuid4()),
    "an operator without a user": Visibility(shared=True),
}


async def seen(
    database: Database, table: Any, visibility: Visibility, ids: Sequence[Any]
) -> list[set[Any]]:
    """Which of some rows are seen, by every kind of statement that there is for rows."""
    among = table.id.in_(ids)
    async with database.scoped_to(visibility).read() as session:
        whole = await session.records(table, table.select().where(among))
        inner = select(table.id).where(table.id.in_(select(table.id).where(among)))
        counts = select(table.id, func.count()).where(among).group_by(table.id)
        return [
            {record.id for record in whole},
            {id for (id,) in await session.rows(inner)},
            {id for id, _ in await session.rows(counts)},
            set(await rows_by_key(session, table, (table.id,), ids)),
            set(await grouped(session, (table.id,), ids, func.count())),
        ]


async def agreed(
    database: Database, table: Any, visibility: Visibility, ids: Sequence[Any]
) -> list[bool]:
    """Whether each row is seen, by all kinds of statements alike."""
    first, *others = await seen(database, table, visibility, ids)
    assert all(other == first for other in others)
    return [id in first for id in ids]


@pytest.mark.parametrize("name", OWNABLE)
@pytest.mark.parametrize("viewer", VIEWERS)
async def test_a_row_without_owner_is_seen_like_one_of_another_user(
    database: Database, name: str, viewer: str
) -> None:
    table, stranger = TABLES[name], (await make_user(database)).id
    nobodys = [row.id async for row in rows(database, table, None)]
    strangers = [row.id async for row in rows(database, table, stranger)]

    of_nobody = await agreed(database, table, VIEWERS[viewer], nobodys)
    of_stranger = await agreed(database, table, VIEWERS[viewer], strangers)

    assert of_nobody == of_stranger
    assert await agreed(database, table, UNRESTRICTED, nobodys) == [True] * len(nobodys)


@pytest.mark.parametrize("name", TABLES)
async def test_a_viewer_without_user_sees_less_than_any_owner(
    database: Database, name: str
) -> None:
    table, owner = TABLES[name], (await make_user(database)).id
    ids = [row.id async for row in rows(database, table, owner)]

    nobody = await agreed(database, table, Visibility(), ids)
    own = await agreed(database, table, Visibility(user_id=owner), ids)

    assert not all(nobody)
    assert all(own)


# Through the endpoint


def node_types() -> Iterator[tuple[str, str]]:
    """The table of each type of nodes, and the name of the type."""
    for type_ in schema._schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        table = getattr(getattr(definition, "origin", None), "table", None)
        if table is not None:
            yield table.__name__, type_.name


TYPES = dict(node_types())


def connections(name: str) -> Iterator[tuple[str, GraphQLField]]:
    """The root fields that list a type of nodes."""
    for field_name, field in schema._schema.query_type.fields.items():
        nodes = getattr(get_named_type(field.type), "fields", {}).get("nodes")
        required = [a for a in field.args.values() if isinstance(a.type, GraphQLNonNull)]
        if nodes and get_named_type(nodes.type).name == name and not required:
            yield field_name, field


def singles(name: str) -> Iterator[str]:
    """The root fields that find one node of a type by its id."""
    for field_name, field in schema._schema.query_type.fields.items():
        of_type = getattr(field.type, "name", "") in (name, "Node")
        if of_type and "id" in field.args:
            yield field_name


def looking_for(row: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Operations that would show a row."""
    name = TYPES[type(row).__name__]
    for single in singles(name):
        yield f"query ($id: ID!) {{ {single}(id: $id) {{ id }} }}", {"id": global_id(row)}
    yield "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [global_id(row)]}
    for field_name, field in connections(name):
        yield f"{{ {field_name}(first: 100) {{ nodes {{ id }} edges {{ node {{ id }} }} }} }}", {}
        if "search" in field.args:
            yield (
                f'{{ {field_name}(first: 100, search: "dream or done") {{ nodes {{ id }} }} }}',
                {},
            )


async def found_by(target: Target, credential: str | None, row: Any) -> int:
    """How many operations show a row; those that are refused show nothing."""
    answers = [await target.post(text, credential, **more) for text, more in looking_for(row)]
    shown = [
        f'"{global_id(row)}"' in orjson.dumps(answer.json().get("data")).decode()
        for answer in answers
    ]
    return sum(shown)


@pytest.mark.parametrize("name", TABLES)
async def test_the_endpoint_hides_rows_from_other_users(target: Target, name: str) -> None:
    database, table = target.database, TABLES[name]
    owner = await make_user(database)
    callers = [
        None,
        await target.key(),
        await target.key(scopes=["tests:write"]),
        await target.key_of("OPERATOR", "agents:read"),
    ]
    made = [row async for row in rows(database, table, owner.id)]
    if may_have_no_owner(table):
        made += [row async for row in rows(database, table, None)]
    visible = await agreed(database, table, Visibility(user_id=uuid4()), [row.id for row in made])
    hidden = [row for row, is_visible in zip(made, visible, strict=True) if not is_visible]
    own = await target.key(user_id=owner.id)

    shown = [await found_by(target, caller, row) for caller in callers for row in hidden]

    assert hidden
    assert shown == [0] * len(callers) * len(hidden)
    assert await found_by(target, own, hidden[0]) >= 2


DREAMS = "{ dreams { totalCount nodes { title originalPrompt } } }"
FOUND = '{ dreams(search: "diary") { nodes { title } } }'


async def test_dreams_of_a_deleted_user_stay_private(target: Target) -> None:
    database = target.database
    user = await make_user(database)
    dream = await make_dream(
        database, user_id=user.id, is_public=False, title="diary", original_prompt="secret"
    )
    await make_ai_test(database, dream_id=dream.id)
    await make_progress_log(database, dream_id=dream.id)
    async with database.write() as session:
        await session.execute(delete(User).where(User.id == user.id))
    counted = "{ progressLogs { totalCount } categoryPerformance { rows { testCount } } }"

    answers = [await target.ask(text) for text in (DREAMS, FOUND, counted)]

    assert answers == [
        {"dreams": {"totalCount": 0, "nodes": []}},
        {"dreams": {"nodes": []}},
        {"progressLogs": {"totalCount": 0}, "categoryPerformance": {"rows": []}},
    ]


async def test_dreams_imported_without_owner_stay_private(target: Target, tmp_path: Path) -> None:
    whole = next(
        line
        for line in map(orjson.loads, SAMPLE.read_text().splitlines())
        if line["kind"] == "dream"
    )
    del whole["ownerEmail"]
    lines = [
        {**whole, "key": key, "title": f"diary {key}", "isPublic": is_public}
        for key, is_public in (("secret", False), ("open", True))
    ]
    file = tmp_path / "dreams.jsonl"
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    report = await import_files(target.database, [file], rejects_dir=tmp_path)
    assert report.failed == 0

    nobody, operator = None, await target.key_of("OPERATOR")
    found = [await target.ask(FOUND, caller) for caller in (nobody, operator)]

    titles = [{node["title"] for node in answer["dreams"]["nodes"]} for answer in found]
    assert titles == [{"diary open"}, {"diary open", "diary secret"}]


async def test_subscribers_get_no_private_dreams_without_owner(database: Database) -> None:
    hidden = await make_dream(database, user_id=None, is_public=False)
    settings = production(public_read=True)
    text = "subscription { dreams { kind dreams { id title } removedIds } }"
    async with serving(settings, database) as served, listening(served.address, text) as stream:
        while b"SNAPSHOT" not in await stream.chunk():
            pass
        async with database.write() as session:
            hidden = await audit.change(session, Dream, hidden, title="edited")
            await audit.remove(session, Dream, hidden)
            await audit.create(session, Dream, title="last", is_public=True)
        received = b""
        while b"last" not in received:
            received += await stream.chunk()

    assert global_id(hidden).encode() not in received
    assert b'"removedIds":[]' in received


async def test_every_table_with_a_rule_is_a_node() -> None:
    """Or nothing looks for its rows through the endpoint."""
    assert {table.__name__ for table in TABLES.values()} <= TYPES.keys()
    sums = {"test_sums", "user_sums"}  # tests/db/test_rollups.py asks for them
    of_budgets = {"budget_notices", "user_model_sums"}  # as tests/gateway/test_budgets.py does
    of_kpis = {"user_action_sums", "user_test_sums"}  # as tests/gateway/test_kpis.py does
    assert WITH_RULES.keys() - TABLES.keys() == sums | of_budgets | of_kpis
    assert Dream.__tablename__ in OWNABLE
