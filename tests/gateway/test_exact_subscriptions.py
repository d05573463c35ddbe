"""JSON is sent to subscribers digit for digit."""

import json

from db import Database
from db.core.values.json import MAX_DIGITS
from support.exact_numbers import KEPT, SENT, data, read
from support.gateways import make_key, production
from support.graphql_client import Endpoint
from support.running_gateway import serving
from support.websocket_client import greeted

TOO_LONG = ["1e999", "-1e400", "1e-400", "1" * (MAX_DIGITS + 1)]

CHANGES = "subscription { configChanges { kind entries { value } } }"

SET = 'mutation ($v: JSON) { setConfig(input: {key: "k", value: $v}) { __typename } }'


async def test_subscribers_get_every_digit_over_a_websocket(
    database: Database,
) -> None:
    settings = production()
    key = await make_key(database, settings, scopes=["config:read", "config:write"])
    async with (
        serving(settings, database) as served,
        greeted(served.address, authorization=f"Bearer {key.text}") as client,
    ):
        await client.ask("1", CHANGES)
        await client.hear()
        payload = f'{{"query": {json.dumps(SET)}, "variables": {{"v": {SENT}}}}}'
        await client.say(f'{{"type": "subscribe", "id": "2", "payload": {payload}}}')

        heard = [read(await client.connection.recv()) for _ in range(3)]

    [update] = [message for message in heard if message["id"] == "1"]
    assert update["payload"]["data"]["configChanges"]["entries"] == [{"value": read(KEPT)}]


async def test_too_many_digits_over_a_websocket_end_the_operation_alone(
    database: Database,
) -> None:
    settings = production()
    key = await make_key(database, settings, scopes=["config:write"])
    async with (
        serving(settings, database) as served,
        greeted(served.address, authorization=f"Bearer {key.text}") as client,
    ):
        payload = f'{{"query": {json.dumps(SET)}, "variables": {{"v": 1e999}}}}'
        await client.say(f'{{"type": "subscribe", "id": "1", "payload": {payload}}}')
        refused = await client.hear()
        assert (refused["type"], refused["id"]) == ("error", "1")
        assert refused["payload"][0]["message"].startswith("The number 1e999 has more than")
        assert await client.is_alive()


async def test_subscribers_get_every_digit_over_server_sent_events(
    endpoint: Endpoint,
) -> None:
    await data(endpoint, SET, f'{{"v": {SENT}}}')

    headers = {"accept": "text/event-stream"}
    once = await endpoint.client.post(
        "/graphql", json={"query": '{ config(key: "k") { value } }'}, headers=headers
    )

    [line] = [line for line in once.text.splitlines() if line.startswith("data: {")]
    assert read(line.removeprefix("data: "))["data"]["config"]["value"] == read(KEPT)
    parts = await endpoint.client.post(
        "/graphql",
        json={"query": '{ config(key: "k") { value } }'},
        headers={"accept": "multipart/mixed"},
    )
    [line] = [line for line in parts.text.splitlines() if line.startswith("{")]
    assert read(line)["payload"]["data"]["config"]["value"] == read(KEPT)
