"""Negotiation: the media type and the status of a response, by the header Accept."""

from typing import Any

import httpx2
import pytest

from support.http_client import GRAPHQL_JSON, JSON, extensions, post, refused


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON}", GRAPHQL_JSON),
        (f"{JSON}, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL_JSON}, {JSON}, text/event-stream, multipart/mixed", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0, */*", JSON),
        (f"{JSON}, */*", JSON),
    ],
)
async def test_accept_decides_the_form(
    client: httpx2.AsyncClient, accept: str, answered: str
) -> None:
    response = await post(client, {"query": "{ __typename }"}, accept)
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/json;q=0", ";;;q=x"])
async def test_nothing_acceptable(client: httpx2.AsyncClient, accept: str) -> None:
    response = await post(client, {"query": "{ __typename }"}, accept)
    message = f"Accept {GRAPHQL_JSON} or {JSON}, or text/event-stream or multipart/mixed."
    assert (response.status_code, response.json()) == (406, refused(message))
    assert response.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("body", "message", "code", "more"),
    [
        (
            {"query": "{"},
            "Syntax Error: Expected Name, found <EOF>.",
            "GRAPHQL_PARSE_FAILED",
            {"locations": [{"line": 1, "column": 2}]},
        ),
        (
            {"query": "{ nothing }"},
            "Cannot query field 'nothing' on type 'Query'.",
            "GRAPHQL_VALIDATION_FAILED",
            {"locations": [{"line": 1, "column": 3}]},
        ),
        (
            {"query": "query A { __typename } query B { __typename }"},
            "The document has several operations; set operationName.",
            "BAD_USER_INPUT",
            {},
        ),
        (
            {"query": "query A { __typename }", "operationName": "B"},
            "The document has no such operation; check operationName.",
            "BAD_USER_INPUT",
            {},
        ),
    ],
)
async def test_status_of_invalid_operations(
    client: httpx2.AsyncClient, body: dict[str, Any], message: str, code: str, more: dict[str, Any]
) -> None:
    expected = refused(message, code, **more)
    modern, legacy = await post(client, body, GRAPHQL_JSON), await post(client, body, JSON)
    assert (modern.status_code, modern.json()) == (400, expected)
    assert (legacy.status_code, legacy.json()) == (200, expected)


async def test_variables_that_do_not_fit(client: httpx2.AsyncClient) -> None:
    body = {"query": "query ($n: Int!) { dreams(first: $n) { totalCount } }", "variables": {}}
    response = await post(client, body, GRAPHQL_JSON)
    assert response.status_code == 400
    assert list(response.json()) == ["errors"]
    assert response.json()["errors"][0]["extensions"] == extensions("BAD_USER_INPUT")


async def test_a_browser_is_sent_to_the_console(client: httpx2.AsyncClient) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for path, target in (("/graphql?query={a}", "graphiql?query={a}"), ("/graphql", "graphiql")):
        response = await client.get(path, headers={"accept": accept})
        assert response.status_code == 303
        assert response.headers["location"].replace("%7B", "{").replace("%7D", "}") == target
