"""Attacks on the log: whatever a client names is cut there, and in the events that record it."""

import io
import logging
from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
from sqlalchemy import text
from websockets.exceptions import InvalidStatus

from db import Database
from gateway.middleware import request_log
from gateway.middleware.request_events import LONGEST_AGENT
from graph.core.execution.operation import MAX_NAME
from support.attack_target import RICH
from support.gateways import make_key, production
from support.http_client import JSON
from support.running_gateway import Served, serving
from support.wait import until
from support.websocket_client import dialled

LONG = "x" * 19_000
NAMED = f"query {LONG} {{ __typename }}"
LINE = 2_000  # bytes, of which what a client names is a part


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    settings = production(drain_seconds=0, spread_seconds=0, public_read=True, **RICH)
    settings = settings.model_copy(update={"request_log": "on"})
    async with serving(settings, database) as served:
        yield served


@pytest.fixture
def log() -> io.StringIO:
    request_log.configure(production())
    written = io.StringIO()
    (handler,) = logging.root.handlers
    handler.setStream(written)  # type: ignore[attr-defined]  # it is a StreamHandler
    return written


async def test_no_line_is_as_long_as_a_client_likes(
    database: Database, served: Served, log: io.StringIO
) -> None:
    key = (await make_key(database, served.server.settings)).text
    url = f"{served.address}/graphql"
    fields = ("user-agent", "x-request-id", "content-type", "origin", "x-forwarded-for", "accept")
    long = dict.fromkeys(fields, LONG)
    async with httpx2.AsyncClient() as client:
        await client.post(url, json={"query": NAMED})
        await client.post(url, json={"query": NAMED}, headers=long)
        await client.post(url, json={"query": NAMED}, headers={"user-agent": LONG})
        await client.post(url, json={"query": NAMED}, headers={"authorization": f"Bearer {LONG}"})
        await client.post(url, json={"query": f"{{ {LONG}: dreams(search: 5) {{ nothing }} }}"})
        missing = await client.get(f"{served.address}/{LONG}")
        await client.request("PURGE", f"{served.address}/{LONG}")
    async with dialled(served.address) as socket:
        await socket.greet(authorization=f"Bearer {key}")
        await socket.answer("i" * 256, NAMED)
        await socket.say({"type": LONG})
        code, reason = await socket.close_code()
    with pytest.raises(InvalidStatus):
        async with dialled(served.address, [LONG]):
            pass

    lines = log.getvalue().splitlines()
    names = {orjson.loads(line).get("operation") for line in lines}
    assert code == 4400
    assert len(reason) < 130
    assert "x" * MAX_NAME in names
    assert len(missing.content) < 1_000
    assert max(map(len, lines)) < LINE


async def test_events_hold_no_more_of_it(database: Database, served: Served) -> None:
    headers = {"user-agent": LONG, "content-type": JSON}
    async with httpx2.AsyncClient() as client:
        url = f"{served.address}/graphql"
        await client.post(url, json={"query": NAMED}, headers=headers)

    async def recorded() -> list[dict[str, object]]:
        async with database.read() as session:
            statement = text("select payload from system_events where event_type = 'api_request'")
            return [payload for (payload,) in await session.rows(statement)]

    await until(recorded)
    (payload,) = await recorded()
    assert payload["operation"] == "x" * MAX_NAME
    assert payload["user_agent"] == "x" * LONGEST_AGENT
    assert len(orjson.dumps(payload)) < 1_000
