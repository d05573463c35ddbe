"""Persisted documents: by hash or identifier, on every transport, within bounds."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from db import Database
from db.core.session.row_rules import tables_with_rules
from gateway.document_manifest import read_manifest
from gateway.settings import SettingsRefused, load
from gateway.transport import documents
from gateway.transport.documents import RegisteredDocuments
from gateway.transport.params import GraphQLParams
from graph.core.principal import Client
from graph.schema import schema
from support.factories import make_ai_model, make_dream, make_user
from support.gateways import gateway, make_key, production
from support.http_client import GRAPHQL_JSON, client_of
from support.nodejs import TESTS, installed, run
from support.running_gateway import serving
from support.websocket_client import greeted

MODELS = "query Models($first: Int) { aiModels(first: $first) { nodes { provider name } } }"
HASH = sha256(MODELS.encode()).hexdigest()
BY_HASH = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}}
BY_ID = {"documentId": f"sha256:{HASH}"}
DATA = {"data": {"aiModels": {"nodes": []}}}
SUBSCRIPTION = "subscription { agentStatus { kind } }"
NEVER = f"sha256:{64 * '0'}"
FRONT_ENDS = TESTS / "front_ends"


def code(response: httpx2.Response) -> Any:
    (error,) = response.json()["errors"]
    return error["extensions"]["code"]


@pytest.fixture
async def key(database: Database) -> str:
    user = await make_user(database, role="OPERATOR")
    return f"Bearer {(await make_key(database, production(), user_id=user.id)).text}"


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
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
    ],
)
async def test_malformed_references_are_refused(
    api: httpx2.AsyncClient, content: dict[str, Any], message: str
) -> None:
    response = await api.post("/graphql", json=content)
    assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT")
    assert message in response.json()["errors"][0]["message"]


async def test_an_invalid_document_is_not_registered(api: httpx2.AsyncClient) -> None:
    for text in ("{ nothing }", "{", 20_001 * " " + "{ __typename }"):
        extension = {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}
        content = {"extensions": {"persistedQuery": extension}}
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
    extension = {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}
    content = {"extensions": {"persistedQuery": extension}}
    assert (await api.post("/graphql", json={"query": text, **content})).status_code == 200
    id = {"documentId": extension["sha256Hash"]}
    refused = await api.get("/graphql", params=id, headers={"accept": GRAPHQL_JSON})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_every_transport_accepts_a_hash(database: Database, key: str) -> None:
    settings = production(spread_seconds=0, drain_seconds=0)
    follow = {"version": 1, "sha256Hash": sha256(SUBSCRIPTION.encode()).hexdigest()}
    by_hash = {"extensions": {"persistedQuery": follow}}
    async with serving(settings, database) as served:
        async with greeted(served.address, authorization=key) as socket:

            async def ask(id: str, payload: dict[str, Any]) -> Any:
                await socket.say({"type": "subscribe", "id": id, "payload": payload})
                return await socket.hear()

            unknown = await ask("1", by_hash)
            assert unknown["payload"][0]["message"] == "PersistedQueryNotFound"
            registered = await ask("2", {"query": SUBSCRIPTION, **by_hash})
            assert "data" in registered["payload"], registered
            assert registered["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
            again = await ask("3", by_hash)
            assert again["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
            malformed = await ask("5", {"documentId": 7})
            assert "`documentId` must be a string" in malformed["payload"][0]["message"]
            by_id = await ask("4", {"documentId": follow["sha256Hash"]})
            assert by_id["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
        async with httpx2.AsyncClient(timeout=20) as client:
            for accept in ("text/event-stream", "multipart/mixed"):
                headers = {"authorization": key, "accept": accept}
                for more in (
                    {"method": "POST", "json": by_hash},
                    {"method": "GET", "params": {"documentId": follow["sha256Hash"]}},
                ):
                    address = f"{served.address}/graphql"
                    async with client.stream(url=address, headers=headers, **more) as response:
                        assert response.status_code == 200
                        chunks = response.aiter_text()
                        text = ""
                        while "SNAPSHOT" not in text:
                            text += await anext(chunks)


# Responses that caches may keep


async def test_a_public_response_may_be_kept(database: Database, key: str) -> None:
    await make_ai_model(database, name="first")
    async with client_of(gateway(production(public_read=True), database)) as client:
        await client.post("/graphql", json={"query": MODELS, **BY_HASH})
        accept = {"accept": GRAPHQL_JSON}
        first = await client.get("/graphql", params=BY_ID, headers=accept)
        signed = await client.get("/graphql", params=BY_ID, headers=accept | {"authorization": key})
        assert first.headers["cache-control"] == "public, max-age=60"
        assert first.headers["vary"] == "Accept, Accept-Encoding"
        assert signed.headers["cache-control"] == first.headers["cache-control"]
        assert (signed.content, signed.headers["etag"]) == (first.content, first.headers["etag"])

        etag = first.headers["etag"]
        for known in (etag, f'"x", {etag}', "*", etag.removeprefix("W/")):
            headers = accept | {"if-none-match": known}
            for method in ("GET", "HEAD"):
                same = await client.request(method, "/graphql", params=BY_ID, headers=headers)
                assert (same.status_code, same.content) == (304, b"")
                assert same.headers["etag"] == etag
                assert same.headers["cache-control"] == "public, max-age=60"
                assert same.headers["vary"] == "Accept, Accept-Encoding"
        await make_ai_model(database, name="second")
        changed = await client.get(
            "/graphql", params=BY_ID, headers=accept | {"if-none-match": etag}
        )
        assert (changed.status_code, changed.headers["etag"] != etag) == (200, True)


PRIVATE_QUERIES = [
    "{ dreams { nodes { id } } }",  # of the viewer
    "{ dreams { totalCount } }",
    "{ aiModels { nodes { name } } viewer { role } }",
    "{ aiModels { nodes { statistics { testCount } } } }",
    "{ aiModels { nodes { tests { totalCount } } } }",
    "{ agents { nodes { key } } }",  # not public
    "{ rateLimit { remaining } }",
    "{ modelComparison { rows { model } } }",  # of the tests of the viewer
    '{ node(id: "agent_00000000000000000000000000000000") { id } }',
    "{ __typename aiModels { nodes { id } } __schema { queryType { name } } }",
]


@pytest.mark.parametrize("text", PRIVATE_QUERIES)
async def test_responses_that_depend_on_the_caller_are_not_kept(
    database: Database, key: str, text: str
) -> None:
    await make_dream(database, is_public=True)
    async with client_of(gateway(production(public_read=True), database)) as client:
        extension = {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}
        for headers in ({"accept": GRAPHQL_JSON}, {"accept": GRAPHQL_JSON, "authorization": key}):
            content = {"query": text, "extensions": {"persistedQuery": extension}}
            await client.post("/graphql", json=content, headers=headers)
            id = {"documentId": extension["sha256Hash"]}
            response = await client.get("/graphql", params=id, headers=headers)
            assert response.headers["cache-control"] in ("private, no-store", "no-store")
            assert "etag" not in response.headers


async def test_what_is_not_kept(database: Database, key: str) -> None:
    async with client_of(gateway(production(), database)) as client:
        client.headers.update({"authorization": key, "accept": GRAPHQL_JSON})
        await client.post("/graphql", json={"query": MODELS, **BY_HASH})
        closed = await client.get("/graphql", params=BY_ID)
        assert closed.headers["cache-control"] == "private, no-store"
    async with client_of(gateway(production(public_read=True), database)) as client:
        client.headers.update({"accept": GRAPHQL_JSON})
        await client.post("/graphql", json={"query": MODELS, **BY_HASH})
        cost = await client.get("/graphql", params=BY_ID, headers={"x-graphql-cost": "1"})
        failed = {**BY_ID, "variables": '{"first": 1000}'}
        errors = await client.get("/graphql", params=failed)
        by_text = await client.get("/graphql", params={"query": MODELS})
        posted = await client.post("/graphql", json=BY_ID)
    assert "errors" in errors.json()
    for response in (cost, errors, by_text, posted):
        assert "no-store" in response.headers["cache-control"]
        assert "etag" not in response.headers


def test_cacheable_rows_are_visible_to_all() -> None:
    types = schema._schema.type_map.values()
    definitions = [each.extensions.get("strawberry-definition") for each in types]
    origins = [getattr(each, "origin", None) for each in definitions]
    tables = {each.table for each in origins if getattr(each, "cacheable", False)}
    assert {table.__name__ for table in tables} == {"AiModel"}
    assert tables.isdisjoint(tables_with_rules())


# Trusted documents


def manifest(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "manifest.json"
    file.write_bytes(orjson.dumps(content))
    return file


OPERATION = {"id": "models-1", "name": "Models", "type": "query", "body": MODELS}
FORMATS = {
    "apollo": {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [OPERATION],
    },
    "relay": {"models-1": MODELS},
    "codegen": {"models-1": MODELS, HASH: MODELS},
    "prefixed": {"sha256:models-1": MODELS},
}


@pytest.mark.parametrize("format", FORMATS)
async def test_only_trusted_documents_are_executed(
    database: Database, key: str, tmp_path: Path, format: str
) -> None:
    trusted = production(trusted_documents=manifest(tmp_path, FORMATS[format]))
    async with serving(trusted, database) as served:
        async with httpx2.AsyncClient(base_url=served.address, timeout=20) as client:
            client.headers["authorization"] = key
            by_name = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "models-1"}}}
            listed = ({"documentId": "models-1"}, BY_ID, BY_HASH, by_name, {"query": MODELS})
            for _ in range(2):  # the second time by the short path
                for content in listed:
                    assert (await client.post("/graphql", json=content)).json() == DATA
                text = await client.post("/graphql", json={"query": "{ viewer { role } }"})
                assert (text.status_code, code(text)) == (403, "FORBIDDEN")
                assert "documentId" in text.json()["errors"][0]["message"]
                id = await client.post("/graphql", json={"documentId": NEVER})
                assert code(id) == "PERSISTED_QUERY_NOT_FOUND"
            other = "{ viewer { role } }"
            extension = {"version": 1, "sha256Hash": sha256(other.encode()).hexdigest()}
            content = {"query": other, "extensions": {"persistedQuery": extension}}
            assert (await client.post("/graphql", json=content)).status_code == 403
        async with greeted(served.address, authorization=key) as socket:
            (refused,) = await socket.refusal("1", "{ viewer { role } }")
            assert refused["extensions"]["code"] == "FORBIDDEN"


INVALID: list[tuple[object, str]] = [
    ([], "must be a manifest of Apollo, Relay or GraphQL Code Generator"),
    ({"a": 7}, "has no document for a"),
    ({"a": " "}, "has no document for a"),
    ({"format": "apollo-persisted-query-manifest", "version": 2}, "must be of version 1"),
    (
        {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{}]},
        "has an operation without an id",
    ),
]


@pytest.mark.parametrize(("content", "message"), INVALID)
def test_an_invalid_manifest_is_refused_at_start(
    tmp_path: Path, content: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMNET_TRUSTED_DOCUMENTS", str(manifest(tmp_path, content)))
    with pytest.raises(SettingsRefused, match=message):
        load()


def test_a_file_that_is_no_manifest_is_refused_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("{")
    for name, message in (("missing", "cannot be read"), ("text", "must be a manifest")):
        monkeypatch.setenv("DREAMNET_TRUSTED_DOCUMENTS", str(tmp_path / name))
        with pytest.raises(SettingsRefused, match=f"DREAMNET_TRUSTED_DOCUMENTS .*{message}"):
            load()


# Clients


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


async def test_the_manifest_of_relays_compiler(
    database: Database, key: str, tmp_path: Path
) -> None:
    await installed(FRONT_ENDS)
    project = tmp_path / "project"
    shutil.copytree(FRONT_ENDS / "relay", project / "relay")
    shutil.copy(FRONT_ENDS / "relay.config.json", project)
    shutil.copy(TESTS.parent / "schema.graphql", project)
    os.symlink(FRONT_ENDS / "node_modules", project / "node_modules")
    file = project / "persisted_queries.json"
    file.write_text("{}")
    await run("node", "node_modules/relay-compiler/cli.js", folder=project)

    (id,) = orjson.loads(file.read_bytes())
    assert f'"id": "{id}"' in (project / "relay/__generated__/modelsQuery.graphql.js").read_text()
    assert read_manifest(file).keys() >= {id}
    async with client_of(gateway(production(trusted_documents=file), database)) as client:
        client.headers["authorization"] = key
        answered = await client.post("/graphql", json={"documentId": id, "variables": {"first": 1}})
        refused = await client.post("/graphql", json={"query": MODELS})
    assert answered.json() == DATA
    assert refused.status_code == 403
