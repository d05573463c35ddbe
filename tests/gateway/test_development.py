"""Development without a credential acts as a user that the database holds: admin@localhost."""

import asyncio
from typing import Any

import httpx2
import orjson
import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from structlog.testing import capture_logs

from db import Database
from gateway.auth import first_admin
from gateway.auth.authenticator import Auth
from gateway.exit_codes import CommandFailed
from gateway.process import serve as process
from gateway.settings import Settings
from support.factories import make_dream, make_notification, make_user
from support.gateways import Clock, ask, gateway, production, viewer
from support.payloads import ERRORS, outcome_of
from support.stream_client import listening
from support.wait import patience
from support.websocket_client import greeted, serving

WHO = "{ viewer { role user { email } } }"
ADMIN = {"role": "ADMIN", "user": {"email": "admin@localhost"}}
NOTIFICATIONS = "subscription { notifications { kind notifications { title } } }"


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, key_pepper="p" * 32)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(settings: Settings, database: Database, clock: Clock) -> Starlette:
    return gateway(settings, database, clock)


async def who(app: Starlette) -> Any:
    return (await ask(app, query=WHO)).json()["data"]["viewer"]


async def write(app: Starlette, field: str, input: str, selection: str) -> Any:
    """What a mutation shows, or its first error."""
    query = f"mutation {{ {field}(input: {input}) {{ {selection} {ERRORS} }} }}"
    answer = (await ask(app, query=query)).json()
    assert "errors" not in answer, answer
    return outcome_of(answer["data"][field])


async def rows(database: Database, query: str) -> list[Any]:
    async with database.read() as session:
        return list(await session.rows(text(query)))


async def run(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


async def test_the_viewer_is_a_user(app: Starlette) -> None:
    assert await who(app) == ADMIN


async def test_the_user_is_created_once(app: Starlette, database: Database) -> None:
    assert await asyncio.gather(*(who(app) for _ in range(8))) == [ADMIN] * 8
    assert len(await rows(database, "select * from users")) == 1


async def test_other_administrators_do_not_take_its_place(
    app: Starlette, database: Database
) -> None:
    await make_user(database, role="ADMIN", email="grace@example.org")
    assert await who(app) == ADMIN


async def test_a_removed_user_is_created_again(
    app: Starlette, database: Database, clock: Clock
) -> None:
    await who(app)
    await run(database, "delete from users")
    clock.now += 5
    assert await who(app) == ADMIN


async def test_developers_do_not_lock_themselves_out(
    app: Starlette, database: Database, clock: Clock
) -> None:
    await make_user(database, role="ADMIN")
    me = (await ask(app, query="{ viewer { user { id } } }")).json()["data"]["viewer"]["user"]
    for field, more in (("setRole", ", role: MEMBER"), ("disableUser", ""), ("deleteUser", "")):
        answer = await write(app, field, f'{{id: "{me["id"]}"{more}}}', "")
        assert answer == {}
        clock.now += 5
        assert await who(app) == ADMIN


async def test_users_edit_themselves(app: Starlette) -> None:
    assert await write(
        app, "setPreferences", '{preferences: {theme: "dark"}}', "user { preferences }"
    ) == {"preferences": {"theme": "dark"}}
    made = await write(
        app,
        "createApiKey",
        '{service: "mine"}',
        "secret apiKey { user { email } }",
    )
    assert made["apiKey"]["user"] == ADMIN["user"]
    assert (await viewer(app, made["secret"]))["role"] == "ADMIN"
    own = await ask(app, query="{ apiKeys { nodes { service } } }")
    assert own.json() == {"data": {"apiKeys": {"nodes": [{"service": "mine"}]}}}


async def test_dreams_belong_to_the_developer(app: Starlette, database: Database) -> None:
    source = await make_dream(database, is_public=True, status="ACTIVE")
    selection = "dream { id isPublic owner { email } }"
    made = await write(app, "createDream", '{title: "Fly", category: OTHER}', selection)
    remix = await write(app, "remixDream", f'{{id: "dream_{source.id.hex}"}}', selection)
    published = await write(app, "publishDream", f'{{id: "{made["id"]}"}}', selection)

    assert [each["owner"] for each in (made, remix, published)] == [ADMIN["user"]] * 3
    assert published["isPublic"] is True


async def test_traces_name_the_developer(app: Starlette, database: Database) -> None:
    await write(app, "createDream", '{title: "Fly", category: OTHER, idempotencyKey: "fly"}', "")
    query = "select actor from audit_log where entity = 'dreams'"
    [(developer,)] = await rows(database, "select id from users")
    assert await rows(database, query) == [(developer,)]


async def test_an_idempotency_key_is_the_developers_own(
    app: Starlette, database: Database, clock: Clock
) -> None:
    input = '{title: "Fly", category: OTHER, idempotencyKey: "fly"}'
    once, again = [await write(app, "createDream", input, "dream { id }") for _ in range(2)]
    await run(database, "delete from users")
    clock.now += 5
    another = await write(app, "createDream", input, "dream { id }")

    assert once == again
    assert another != once


async def test_streams_are_the_developers(settings: Settings, database: Database) -> None:
    async with serving(settings, database) as address:
        async with httpx2.AsyncClient(base_url=address) as client:
            answer = await client.post("/graphql", json={"query": "{ viewer { user { id } } }"})
        id = answer.json()["data"]["viewer"]["user"]["id"].removeprefix("user_")
        await make_notification(database, user_id=id, title="Tested")
        snapshot = {"kind": "SNAPSHOT", "notifications": [{"title": "Tested"}]}

        async with listening(address, NOTIFICATIONS) as stream:
            assert (await stream.chunk()).startswith(b"retry:")
            data = (await stream.chunk()).partition(b"data: ")[2]
            assert orjson.loads(data) == {"data": {"notifications": snapshot}}
        async with greeted(address) as socket:
            assert (await socket.answer("1", WHO))["data"]["viewer"] == ADMIN
            await socket.ask("2", NOTIFICATIONS)
            assert (await socket.hear())["payload"] == {"data": {"notifications": snapshot}}


async def test_streams_of_a_removed_user_end(settings: Settings, database: Database) -> None:
    auth = Auth(settings, database)
    async with serving(settings, database, auth) as address, greeted(address) as socket:
        await socket.follow("1")
        await run(database, "delete from users")
        closed = asyncio.create_task(socket.close_code())
        async with patience():
            while not closed.done():
                await auth.watch.round(0.1)
    assert closed.result()[0] == 4403


async def test_budgets_and_quotas_do_not_apply(database: Database) -> None:
    settings = Settings(_env_file=None, budget_points_per_minute=1, max_streams_per_caller=1)
    async with serving(settings, database) as address:
        async with httpx2.AsyncClient(base_url=address) as client:
            query = {"query": "{ dreams { totalCount } }"}
            answers = [await client.post("/graphql", json=query) for _ in range(3)]
        async with listening(address) as one, listening(address) as another:
            assert [one.status, another.status] == [200, 200]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_the_first_start_makes_it_beside_other_administrators(
    settings: Settings, database: Database, database_url: str
) -> None:
    await make_user(database, role="ADMIN", email="grace@example.org")
    assert await first_admin.admin_key(database_url, settings) is None
    assert await rows(database, "select role from users where email = 'admin@localhost'") == [
        ("ADMIN",)
    ]


async def test_production_makes_no_second_administrator(
    database: Database, database_url: str
) -> None:
    await make_user(database, role="ADMIN", email="grace@example.org")
    assert await first_admin.admin_key(database_url, production()) is None
    assert await rows(database, "select email from users") == [("grace@example.org",)]


def test_development_starts_without_an_administrator(settings: Settings, database_url: str) -> None:
    asyncio.run(_make_member(database_url))
    with capture_logs() as logs:
        process.create_first_admin(settings, database_url)
    assert [line["event"] for line in logs] == ["no user has the role ADMIN"]
    with pytest.raises(CommandFailed, match="The first administrator cannot be created"):
        process.create_first_admin(production(), database_url)


async def _make_member(url: str) -> None:
    database = Database(url)
    await make_user(database, email="admin@localhost")
    await database.close()
