"""Rate limit: callers spend points, read the rest, and are refused without any."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from db import Database
from db.users import Role
from gateway.app import create_app
from gateway.auth.clients import ClientAccounts
from gateway.networks import client_network
from gateway.request_record import RequestRecord
from gateway.settings import Settings
from graph.core.budget import Budget
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.core.quota import Account

SPENDING = "{ modelComparison { rows { model } } }"  # 100 points
RATE_LIMIT = "{ rateLimit { cost limit remaining resetAt } }"
USER, KEY = UUID(int=1), UUID(int=2)


@asynccontextmanager
async def strangers(database: Database, address: str, **settings: Any) -> AsyncIterator[Any]:
    """A client without a credential, at that address, of a gateway in production."""
    app = create_app(production(**settings), database)
    transport = httpx2.ASGITransport(app, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api.example") as client:
        yield client


def production(**settings: Any) -> Settings:
    return Settings(
        _env_file=None,
        env="production",
        database_url="postgresql://somewhere/else",
        key_pepper="p" * 32,
        public_read=True,
        **{"budget_points_per_minute_anonymous": 250, **settings},
    )


async def ask(client: Any, text: str, **headers: str) -> httpx2.Response:
    response: httpx2.Response = await client.post("/graphql", json={"query": text}, headers=headers)
    return response


async def test_points_are_spent_until_there_are_none(database: Database) -> None:
    async with strangers(database, "192.0.2.1") as client:
        first, second, third = [await ask(client, SPENDING) for _ in range(3)]

    assert [first.status_code, second.status_code] == [200, 200]
    assert first.json() == second.json() == {"data": {"modelComparison": {"rows": []}}}
    (error,) = third.json()["errors"]
    wait = error["extensions"]["retryAfterMs"]
    assert third.status_code == 429
    assert third.json().keys() == {"errors"}
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 0 < wait <= 120_000
    assert int(third.headers["retry-after"]) == -(-wait // 1000)
    assert error["message"] == (
        f"You have too few points left: this costs 100. Retry in {-(-wait // 1000)} seconds."
    )


async def test_an_operation_within_the_remaining_points_runs(database: Database) -> None:
    async with strangers(database, "192.0.2.1") as client:
        statuses = [(await ask(client, SPENDING)).status_code for _ in range(3)]
        answer = await ask(client, "{ viewer { role } }")

    assert statuses == [200, 200, 429]
    assert answer.json() == {"data": {"viewer": {"role": None}}}


async def test_a_budget_is_shared_in_a_network_and_not_beyond(database: Database) -> None:
    app = create_app(production(), database)
    remaining = []
    for address in ("192.0.2.1", "192.0.2.250", "192.0.3.1", "2001:db8::1", "2001:db8::2"):
        transport = httpx2.ASGITransport(app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
            answer = await ask(client, RATE_LIMIT)
            remaining.append(answer.json()["data"]["rateLimit"]["remaining"])

    assert remaining == [249, 248, 249, 249, 248]


async def test_the_rate_limit_shows_the_remaining_points(database: Database) -> None:
    async with strangers(database, "192.0.2.1") as client:
        await ask(client, SPENDING)
        answer = await ask(client, f"{SPENDING[:-1]} {RATE_LIMIT[1:]}")

    received = answer.json()["data"]["rateLimit"]
    until = datetime.fromisoformat(received.pop("resetAt")) - datetime.now(UTC)
    assert received == {"cost": 100, "limit": 250, "remaining": 50}
    assert timedelta(0) < until <= timedelta(minutes=2)
    assert answer.json()["extensions"] == {
        "cost": {"requested": 100, "maximum": 5_000, "remaining": 50}
    }


async def test_the_cost_is_shown_on_request(database: Database) -> None:
    async with strangers(database, "192.0.2.1") as client:
        shown = await ask(client, SPENDING, **{"x-graphql-cost": "1"})
        silent = await ask(client, SPENDING)
        refused = await ask(client, SPENDING, **{"x-graphql-cost": "1"})

    assert shown.json()["extensions"] == {
        "cost": {"requested": 100, "maximum": 5_000, "remaining": 150}
    }
    assert "extensions" not in silent.json()
    assert refused.json()["extensions"] == {
        "cost": {"requested": 100, "maximum": 5_000, "remaining": 50}
    }


async def test_an_operation_over_the_whole_budget_is_refused(database: Database) -> None:
    async with strangers(database, "192.0.2.1", budget_points_per_minute_anonymous=99) as client:
        answer = await ask(client, SPENDING)

    (error,) = answer.json()["errors"]
    assert error["message"] == (
        "The operation costs 100 points; at most 99 are allowed. Ask for smaller pages."
    )
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"


@pytest.mark.parametrize("faulty", ["{", "{ viewer { rol } }", "{ a" * 20 + "}" * 20])
async def test_faulty_documents_are_paid_for(database: Database, faulty: str) -> None:
    async with strangers(database, "192.0.2.1", budget_points_per_minute_anonymous=60) as client:
        answers = [await ask(client, faulty) for _ in range(3)]
        good = await ask(client, "{ viewer { role } }")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert good.status_code == 429
    assert good.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_small_budget_is_served_too(database: Database) -> None:
    async with strangers(database, "192.0.2.1", budget_points_per_minute_anonymous=1) as client:
        statuses = [(await ask(client, "{ viewer { role } }")).status_code for _ in range(2)]

    assert statuses == [200, 429]


async def test_the_development_administrator_is_not_limited(client: httpx2.AsyncClient) -> None:
    received = (await ask(client, RATE_LIMIT)).json()

    assert received["data"]["rateLimit"] == {
        "cost": 1, "limit": None, "remaining": None, "resetAt": None
    }  # fmt: skip
    assert received["extensions"]["cost"] == {"requested": 1, "maximum": 5_000, "remaining": None}


async def test_public_introspection(database: Database) -> None:
    text = '{ __type(name: "Dream") { name } }'
    wrong = "{ viewer { rol } }"

    async with strangers(database, "192.0.2.1") as client:
        closed, silent = await ask(client, text), await ask(client, wrong)
        sdl = await client.get("/schema.graphql")
    async with strangers(database, "192.0.2.1", public_introspection=True) as client:
        open_, helpful = await ask(client, text), await ask(client, wrong)
        secret = await ask(client, "{ users { totalCount } }")

    assert closed.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert silent.json()["errors"][0]["message"] == "Cannot query field 'rol' on type 'Viewer'."
    assert sdl.status_code == 401
    assert open_.json() == {"data": {"__type": {"name": "Dream"}}}
    assert "Did you mean 'role'?" in helpful.json()["errors"][0]["message"]
    assert secret.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("principal", "account"),
    [
        (DEVELOPER, None),
        (Principal(USER, Role.ADMIN), (str(USER), 9)),
        (Principal(USER, scopes=frozenset({"admin"}), key_id=KEY), (str(USER), 9)),
        (Principal(scopes=frozenset({"agents:write"}), key_id=KEY), (str(KEY), 9)),
        (ANONYMOUS, ("198.51.100.0/24", 5)),
    ],
)
def test_an_account_is_of_a_user_a_key_or_a_network(
    principal: Principal, account: tuple[str, int] | None
) -> None:
    client = RequestRecord("1", "198.51.100.7", principal=principal).client
    found = ClientAccounts(Budget(), 9, 5).account(client)

    assert account == (found and (found.caller, found.limit))
    assert ClientAccounts(Budget(), 0, 0).account(client) is None


@pytest.mark.parametrize(
    ("host", "whole"),
    [
        ("192.0.2.130", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        ("", "local"),
    ],
)
def test_addresses_belong_to_networks(host: str, whole: str) -> None:
    assert client_network(host) == whole


async def test_an_account_waits_no_longer_than_it_must() -> None:
    account = Account(Budget(), "somebody", 100)

    assert await account.wait(100) == 0
    assert (await account.balance()).remaining == 100
    assert await account.take(60)
    assert not await account.take(60)
    assert await account.take(40)
    whole, part = await account.wait(100), await account.wait(10)

    assert 0 < part < whole <= 120
    assert whole - part == pytest.approx(54, abs=1)  # 90 of 100 points fade in 54 of 60 seconds
    assert (await account.balance()).remaining == 0
