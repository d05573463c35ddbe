"""Persisted documents: by hash or identifier, on every transport, within bounds."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx2
import orjson
import pytest

from db import Database
from gateway.transport import documents
from gateway.transport.documents import RegisteredDocuments
from gateway.transport.params import GraphQLParams
from graph.core.principal import Client
from support.gateways import gateway, production
from support.http_client import GRAPHQL_JSON, client_of
from support.nodejs import TESTS, installed, run
from support.persisted_documents import BY_HASH, BY_ID, DATA, HASH, MODELS, by_hash, code
from support.running_gateway import serving
from support.websocket_client import greeted

SUBSCRIPTION = "subscription { agentStatus { kind } }"
FRONT_ENDS = TESTS / "front_ends"
MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"query": MODELS + " ", **BY_HASH}, "is not the SHA-256 of `query`"),
    ({"query": MODELS, **BY_ID}, "Send either `query` or `documentId`"),
    ({"documentId": 7}, "`documentId` must be a string of at most 256"),
    ({"documentId": ""}, "`documentId` must be a string of at most 256"),
    ({"documentId": 257 * "a"}, "`documentId` must be a string of at most 256"),
    ({"documentId": "a/b"}, "`documentId` must be a string of at most 256"),
    ({"extensions": {"persistedQuery": {}}}, "must be an object with the version 1"),
    ({"extensions": {"persistedQuery": 1}}, "must be an object with the version 1"),
    ({"extensions": {"persistedQuery": {"version": 1}}}, "sha256Hash` must be a string"),
    ({"query": "", **BY_HASH}, "`query` must be a string with a GraphQL document"),
    ({"extensions": {}}, "`query` must be a string with a GraphQL document"),
    ({"documentId": None}, "`query` must be a string with a GraphQL document"),
]


@pytest.fixture
async def api(database: Database, key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A gateway that anonymous clients can read, too, for a client with a key."""
    async with client_of(gateway(production(public_read=True), database)) as client:
        client.headers["authorization"] = key
        yield client


async def test_a_document_is_registered_by_its_hash(api: httpx2.AsyncClient) -> None:
    unknown = await api.post("/graphql", json=BY_HASH)
    assert unknown.status_code == 200
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert code(unknown) == "PERSISTED_QUERY_NOT_FOUND"
    by_spec = await api.post("/graphql", json=BY_ID, headers={"accept": GRAPHQL_JSON})
    assert (by_spec.status_code, code(by_spec)) == (400, "PERSISTED_QUERY_NOT_FOUND")

    assert (await api.post("/graphql", json={"query": MODELS, **BY_HASH})).json() == DATA
    variables = {"variables": {"first": 2}}
    for content in (BY_HASH, BY_ID, {"documentId": HASH}):
        assert (await api.post("/graphql", json=content | variables)).json() == DATA
    for content in (BY_ID, {"extensions": json.dumps(BY_HASH["extensions"])}):
        response = await api.get("/graphql", params=content, headers={"accept": GRAPHQL_JSON})
        assert response.json() == DATA


async def test_a_document_without_a_hash_is_not_registered(api: httpx2.AsyncClient) -> None:
    assert (await api.post("/graphql", json={"query": MODELS})).json() == DATA
    assert code(await api.post("/graphql", json=BY_ID)) == "PERSISTED_QUERY_NOT_FOUND"


async def test_malformed_references_are_refused(api: httpx2.AsyncClient) -> None:
    for content, message in MALFORMED:
        response = await api.post("/graphql", json=content)
        assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT"), content
        assert message in response.json()["errors"][0]["message"], content


async def test_an_invalid_document_is_not_registered(api: httpx2.AsyncClient) -> None:
    for text in ("{ nothing }", "{", 20_001 * " " + "{ __typename }"):
        content = by_hash(text)
        assert "errors" in (await api.post("/graphql", json={"query": text, **content})).json()
        assert code(await api.post("/graphql", json=content)) == "PERSISTED_QUERY_NOT_FOUND"


def test_anonymous_clients_replace_no_documents_of_others() -> None:
    found = RegisteredDocuments()

    def keep(text: str, client: Client) -> GraphQLParams:
        found.keep(GraphQLParams(text, None, None, documents.digest(text)), client)
        return GraphQLParams("", None, None, documents.digest(text))

    mine = keep("{ mine }", Client("user", known=True))
    for number in range(3_000):
        last = keep(f"{{ a{number} }}" + 1_000 * " ", Client("network", known=False))
    assert found.resolve(mine).query == "{ mine }"
    assert found.resolve(last).query.startswith("{ a2999 }")
    assert found.anonymous.currsize <= documents.KEPT_BYTES_ANONYMOUS
    assert found.known.currsize < 1_000


async def test_mutations_by_hash_are_sent_by_post(api: httpx2.AsyncClient) -> None:
    text = 'mutation { reportAgentStatus(input: {agentKey: "a", status: IDLE}) { __typename } }'
    sent = {"query": text, **by_hash(text)}
    assert (await api.post("/graphql", json=sent)).status_code == 200
    id = {"documentId": sha256(text.encode()).hexdigest()}
    refused = await api.get("/graphql", params=id, headers={"accept": GRAPHQL_JSON})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_every_transport_accepts_a_hash(database: Database, key: str) -> None:
    settings = production(spread_seconds=0, drain_seconds=0)
    follow, id = by_hash(SUBSCRIPTION), sha256(SUBSCRIPTION.encode()).hexdigest()
    async with serving(settings, database) as served:
        async with greeted(served.address, authorization=key) as socket:

            async def ask(id: str, payload: dict[str, Any]) -> Any:
                await socket.say({"type": "subscribe", "id": id, "payload": payload})
                return await socket.hear()

            unknown = await ask("1", follow)
            assert unknown["payload"][0]["message"] == "PersistedQueryNotFound"
            registered = await ask("2", {"query": SUBSCRIPTION, **follow})
            assert "data" in registered["payload"], registered
            assert registered["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
            again = await ask("3", follow)
            assert again["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
            malformed = await ask("5", {"documentId": 7})
            assert "`documentId` must be a string" in malformed["payload"][0]["message"]
            by_id = await ask("4", {"documentId": id})
            assert by_id["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
        async with httpx2.AsyncClient(timeout=20) as client:
            for accept in ("text/event-stream", "multipart/mixed"):
                headers = {"authorization": key, "accept": accept}
                for more in (
                    {"method": "POST", "json": follow},
                    {"method": "GET", "params": {"documentId": id}},
                ):
                    address = f"{served.address}/graphql"
                    async with client.stream(url=address, headers=headers, **more) as response:
                        assert response.status_code == 200
                        chunks = response.aiter_text()
                        text = ""
                        while "SNAPSHOT" not in text:
                            text += await anext(chunks)


async def test_the_link_of_apollo_client(
    database: Database, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMNET_KEY", key.removeprefix("Bearer "))
    await installed(FRONT_ENDS)
    async with serving(production(spread_seconds=0, drain_seconds=0), database) as served:
        out = await run("node", "apollo-persisted.ts", served.address, folder=FRONT_ENDS)
    first, second, by_get = orjson.loads(out)
    assert [each["data"] for each in (first, second, by_get)] == 3 * [
        {"aiModels": {"__typename": "AiModelConnection", "nodes": []}}
    ]
    assert first["sent"] == [["POST", False, 400], ["POST", True, 200]]
    assert second["sent"] == [["POST", False, 200]]
    assert by_get["sent"] == [["GET", False, 200]]
