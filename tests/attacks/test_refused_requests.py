"""Attack: requests that are refused cost the gateway more than their client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from db import Database, api_keys
from db.core.api_key_format import ApiKeyText
from db.events import Event
from gateway.auth.pepper import api_key_codec
from support.attack_target import Target, attacked
from support.factories import make_user
from support.gateways import gateway, make_key, production
from support.oidc_issuer import AUDIENCE, FOREIGN, Issuer
from support.query_count import statements
from support.stream_client import listening
from support.websocket_client import dialled, serving

MANY = 114
MOST = 50  # failed sign-ins a minute
WHO = "{ viewer { role } }"


def bogus(number: int) -> str:
    """A key that nobody has, without a typo."""
    return ApiKeyText("prod", f"{number:08}", "0" * 43).text


@pytest.fixture
async def trusting(database: Database, issuer: Issuer) -> AsyncIterator[Target]:
    """A gateway that accepts keys and the tokens of the issuer."""
    async with attacked(database, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as target:
        yield target


async def statuses(target: Target, *credentials: str) -> list[int]:
    return [(await target.post(WHO, credential)).status_code for credential in credentials]


async def events(database: Database) -> list[Any]:
    async with database.read() as session:
        return await session.records(Event, Event.select().order_by(Event.seq))


async def test_invalid_keys_use_up_the_failures_of_a_network(target: Target) -> None:
    with statements(target.database, at_most=MOST):
        answers = await statuses(target, *map(bogus, range(MANY)))
    assert answers == [401] * MOST + [429] * (MANY - MOST)
    with statements(target.database, exactly=0):
        response = await target.post(WHO, bogus(MANY))
    [error] = response.json()["errors"]
    assert 0 < int(response.headers["retry-after"]) <= 120
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfterMs"] > 0


async def test_bogus_keys_at_once_are_looked_up_together(target: Target) -> None:
    requests = (target.post(WHO, bogus(number)) for number in range(MANY))
    with statements(target.database, at_most=3):
        answers = [answer.status_code for answer in await asyncio.gather(*requests)]
    assert (answers.count(401), answers.count(429)) == (MOST, MANY - MOST)


async def test_a_network_without_tries_is_not_locked_out(trusting: Target, issuer: Issuer) -> None:
    """Credentials that were valid before and tokens of the issuer are; so is another network."""
    known, other = await trusting.key(), await trusting.key()
    assert await statuses(trusting, known) == [200]
    forged = [issuer.token(FOREIGN, sub=f"{number}") for number in range(MANY)]
    assert (await statuses(trusting, *forged))[MOST:] == [429] * (MANY - MOST)

    trusting.forget()
    assert await statuses(trusting, known, issuer.token(), other) == [200, 200, 429]
    headers = {"authorization": f"Bearer {other}", "x-forwarded-for": "203.0.113.9"}
    answer = await trusting.client.post("/graphql", json={"query": WHO}, headers=headers)
    assert answer.status_code == 200


async def test_one_outdated_key_is_charged_once_a_minute(target: Target) -> None:
    """A client that repeats it is refused, and uses up no sign-ins of its network."""
    with statements(target.database, at_most=3):
        answers = []
        for number in range(MANY):
            answers += await statuses(target, bogus(1))
            target.clock.now += 0.1 if number < MOST else 0
    assert answers == [401] * MOST + [429] * (MANY - MOST)
    assert await statuses(target, bogus(2), await target.key()) == [401, 200]
    target.clock.now += 60
    assert await statuses(target, bogus(1)) == [401]


async def test_a_key_is_valid_as_soon_as_it_is_stored(target: Target) -> None:
    """Even if somebody has tried it before, which takes knowing a random number beforehand."""
    database, settings = target.database, target.settings
    user, credential = await make_user(database), api_key_codec(settings).new()
    assert await statuses(target, credential.text, credential.text) == [401, 401]

    class Known:
        """A mint whose next key is known."""

        hashed = api_key_codec(settings).hashed

        def new(self) -> ApiKeyText:
            return credential

    made: Any = Known()
    async with database.write() as session:
        await api_keys.writes.create(session, made, user_id=user.id, service="test")
    assert await statuses(target, credential.text) == [200]


async def test_sockets_and_streams_have_the_same_tries(database: Database) -> None:
    settings = production(failed_sign_ins_per_minute=3)
    known = (await make_key(database, settings)).text
    async with serving(settings, database) as address:
        codes = []
        for number in range(3):
            async with dialled(address) as client:
                payload = {"authorization": f"Bearer {bogus(number)}"}
                await client.say({"type": "connection_init", "payload": payload})
                codes.append((await client.close_code())[0])
        async with listening(address, authorization=f"Bearer {known}") as stream:
            assert stream.status == 429
        with statements(database, exactly=0):
            async with dialled(address) as client:
                payload = {"authorization": f"Bearer {bogus(4)}"}
                await client.say({"type": "connection_init", "payload": payload})
                codes.append((await client.close_code())[0])
        assert codes == [4403, 4403, 4403, 1013]


async def test_operations_without_the_right_cost_points_and_are_recorded_together(
    database: Database, database_url: str
) -> None:
    """In the media type whose failed operations have the status 200, too."""
    points = {"budget_points_per_minute_anonymous": 25 * MOST}
    settings = production(request_log="on", public_read=True, **points)
    app = gateway(settings, Database(database_url))
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        body = {"query": "{ users { totalCount } }"}
        answers = [await client.post("/graphql", json=body) for _ in range(MANY)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200] * MOST + [429] * (MANY - MOST)
    counted = {event.payload["status"]: event.payload["count"] for event in await events(database)}
    assert counted == {200: MOST, 429: MANY - MOST}


async def test_refusals_are_recorded_together(database: Database, database_url: str) -> None:
    settings = production(request_log="on", budget_points_per_minute=25)
    key = await make_key(database, settings)
    app = gateway(settings, Database(database_url))
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        for _ in range(40):
            headers = {"authorization": f"Bearer {key.text}"}
            await client.post("/graphql", json={"query": WHO}, headers=headers)
        for number in range(MANY):
            body, headers = {"query": WHO}, {"authorization": f"Bearer {bogus(number)}"}
            await client.post("/graphql", json=body, headers=headers)
            await client.post("/graphql", json=body)
            await client.put("/graphql", json=body)
    found = await events(database)
    refused = {
        (event.payload["status"], event.user_id): event.payload["count"]
        for event in found
        if event.event_type == "api_requests_refused"
    }
    answered = [event for event in found if event.event_type == "api_request"]
    limited = refused.pop((429, key.record.user_id), 0)
    assert (len(answered), limited) == (1, 39)
    assert refused == {(401, None): MOST + MANY, (429, None): MANY - MOST, (405, None): MANY}
    assert {event.payload.get("ip") for event in found} == {"127.0.0.0/24"}
    assert len(found) == 5
