"""Responses to persisted documents: which of them caches may keep."""

from hashlib import sha256

from db import Database
from db.core.session.row_rules import tables_with_rules
from graph.schema import schema
from support.factories import make_ai_model, make_dream
from support.gateways import gateway, production
from support.http_client import GRAPHQL_JSON, client_of
from support.persisted_documents import BY_HASH, BY_ID, MODELS, by_hash


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


async def test_responses_that_depend_on_the_caller_are_not_kept(
    database: Database, key: str
) -> None:
    await make_dream(database, is_public=True)
    async with client_of(gateway(production(public_read=True), database)) as client:
        for text in PRIVATE_QUERIES:
            id = {"documentId": sha256(text.encode()).hexdigest()}
            for more in ({}, {"authorization": key}):
                headers = {"accept": GRAPHQL_JSON, **more}
                content = {"query": text, **by_hash(text)}
                await client.post("/graphql", json=content, headers=headers)
                response = await client.get("/graphql", params=id, headers=headers)
                assert response.headers["cache-control"] in ("private, no-store", "no-store"), text
                assert "etag" not in response.headers, text


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
