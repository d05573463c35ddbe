"""Parameters of a request, in its body or URL; anything else is refused in one sentence."""

from typing import Any

import httpx2
import pytest

from support.http_client import GRAPHQL_JSON, ID, JSON, extensions, post, refused

NUL = "PostgreSQL cannot store the character U+0000: remove it from the document."
SHAPE = "The body must be a JSON object with the key `query`."
QUERY = "`query` must be a string with a GraphQL document."
BODIES = [
    (
        b"",
        "The body is not JSON: Input is a zero-length, empty document: line 1 column 1 (char 0).",
    ),
    (b"3", SHAPE),
    (b'"x"', SHAPE),
    (b"null", SHAPE),
    (b"{}", QUERY),
    (b"[]", "Batching is not supported: send one operation as a JSON object."),
    (b"[1]", "Batching is not supported: send one operation as a JSON object."),
    (b'{"query": null}', QUERY),
    (b'{"query": 3}', QUERY),
    (b'{"query": ""}', QUERY),
    (b'{"query": "{ __typename }", "operationName": 3}', "`operationName` must be a string."),
    (b'{"query": "{ __typename }", "variables": [1]}', "`variables` must be an object."),
    (b'{"query": "{ __typename }", "variables": "{}"}', "`variables` must be an object."),
    (b'{"query": "{ __typename }", "extensions": 3}', "`extensions` must be an object."),
    (b'{"query": "{ __typename \\u0000 }"}', NUL),
    (
        b'{"query": "{ __typename }", "variables": {"a": [1e999]}}',
        "The number 1e999 has more than 400 digits, written out. Send it as a string.",
    ),
    (
        b'{"query": "{ __typename }", "variables": {"a": %b}}' % (b"[" * 40 + b"]" * 40),
        "The variables are nested more than 32 levels deep.",
    ),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
async def test_odd_bodies_are_refused(
    client: httpx2.AsyncClient, body: bytes, message: str
) -> None:
    response = await post(client, body)
    assert (response.status_code, response.json()) == (400, refused(message))


@pytest.mark.parametrize("escape", ["\\u0000", "\\u{0}", "\\u{0000}", "a\\\\\\u0000b"])
async def test_an_escaped_nul_in_a_string_is_refused_where_it_stands(
    client: httpx2.AsyncClient, escape: str
) -> None:
    response = await post(client, {"query": f'{{ dreams(search: "{escape}") {{ totalCount }} }}'})
    place = {"locations": [{"line": 1, "column": 18}]}
    assert response.json() == refused(NUL, **place)


@pytest.mark.parametrize(
    "query",
    [
        '{ dreams(search: """\\u0000""") { totalCount } }',
        '{ dreams(search: "\\\\u0000") { totalCount } }',
        "# \\u0000 \n{ dreams { totalCount } }",
        '{ dreams { totalCount } } # "\\u0000"',
    ],
)
async def test_only_an_escape_is_a_nul(client: httpx2.AsyncClient, query: str) -> None:
    response = await post(client, {"query": query})
    assert response.json() == {"data": {"dreams": {"totalCount": 0}}}


@pytest.mark.parametrize("name", [None, "", "A"])
async def test_an_empty_operation_name_in_an_address_is_none(
    client: httpx2.AsyncClient, name: str | None
) -> None:
    parameters = {"query": "query A { __typename }"}
    parameters |= {} if name is None else {"operationName": name}
    response = await client.get("/graphql", params=parameters)
    assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})

    parameters["query"] += " query B { __typename }"
    several = await client.get("/graphql", params=parameters, headers=ID)
    message = "The document has several operations; set operationName."
    expected = {"data": {"__typename": "Query"}} if name else refused(message)
    assert several.json() == expected


@pytest.mark.parametrize("name", ["", "null", "B"])
async def test_in_a_body_null_alone_is_no_operation_name(
    client: httpx2.AsyncClient, name: str
) -> None:
    query = "query A { __typename }"
    response = await post(client, {"query": query, "operationName": name})
    assert response.json() == refused("The document has no such operation; check operationName.")
    response = await post(client, {"query": query, "operationName": None})
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "variables",
    [
        '{"a": 1e300, "b": "1234567890123456789"}',
        '{"a": 123456789012345678901234567890}',
        '{"a": 1.7976931348623157e308, "b": 9223372036854775807}',
    ],
)
async def test_large_numbers_are_no_fault_of_a_request(
    client: httpx2.AsyncClient, variables: str
) -> None:
    body = f'{{"query": "{{ __typename }}", "variables": {variables}}}'.encode()
    assert (await post(client, body)).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b"[" * 2000,
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ __typename }"',
        b"query=1",
    ],
)
async def test_invalid_json_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await post(client, body)
    error = response.json()["errors"][0]
    assert response.status_code == 400
    assert error["message"].startswith("The body is not JSON: ")
    assert error["extensions"] == extensions("BAD_USER_INPUT")


async def test_escaped_backslashes_are_no_nul(client: httpx2.AsyncClient) -> None:
    body = b'{"query": "{ __typename }", "variables": {"a": "\\\\u0000"}}'
    assert (await post(client, body)).json() == {"data": {"__typename": "Query"}}


async def test_a_nul_in_variables_is_the_callers_fault(client: httpx2.AsyncClient) -> None:
    query = "query ($text: String!) { dreams(filter: {title: {eq: $text}}) { totalCount } }"
    response = await post(client, {"query": query, "variables": {"text": "a\0b"}})
    message = "This text contains a character that cannot be stored."
    place = {"locations": [{"line": 1, "column": 26}], "path": ["dreams"]}
    expected = refused(message, **place) | {"data": None}
    errors = [{"message": message, "field": ["filter", "title", "eq"]}]
    expected["errors"][0]["extensions"] |= {"errors": errors}
    assert (response.status_code, response.json()) == (200, expected)


async def test_a_nul_in_an_unused_variable_is_ignored(
    client: httpx2.AsyncClient,
) -> None:
    body = {"query": "{ __typename }", "variables": {"a": "\0", "\0": 1}}
    assert (await post(client, body)).json() == {"data": {"__typename": "Query"}}


async def test_body_too_large(client: httpx2.AsyncClient) -> None:
    response = await post(client, b" " * 5000)
    expected = refused("The body is larger than 4096 bytes.")
    assert (response.status_code, response.json()) == (413, expected)


async def test_body_too_large_without_saying_so(client: httpx2.AsyncClient) -> None:
    async def pieces() -> Any:
        for _ in range(10):
            yield b" " * 1000

    headers = ID | {"content-type": JSON}
    response = await client.post("/graphql", content=pieces(), headers=headers)
    expected = refused("The body is larger than 4096 bytes.")
    assert (response.status_code, response.json()) == (413, expected)


async def test_document_too_large(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ __typename }" + " " * 1024})
    expected = refused("The document is larger than 1024 bytes.", "QUERY_TOO_COMPLEX")
    assert (response.status_code, response.json()) == (400, expected)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/jsonp",
        "",
    ],
)
async def test_other_content_types_are_refused(
    client: httpx2.AsyncClient, content_type: str
) -> None:
    response = await post(client, {"query": "{ __typename }"}, content_type=content_type)
    expected = refused("Send application/json, encoded in UTF-8.")
    assert (response.status_code, response.json()) == (415, expected)


@pytest.mark.parametrize("content_type", ["Application/JSON", 'application/json; charset="UTF-8"'])
async def test_json_by_any_spelling(client: httpx2.AsyncClient, content_type: str) -> None:
    response = await post(client, {"query": "{ __typename }"}, content_type=content_type)
    assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})


async def test_answers_an_operation_with_variables(client: httpx2.AsyncClient) -> None:
    text = "query A($n: Int) { dreams(first: $n) { nodes { title } } } query B { __typename }"
    body = {"query": text, "operationName": "A", "variables": {"n": 1}, "extensions": {"a": 1}}
    response = await post(client, body, GRAPHQL_JSON)
    assert (response.status_code, response.json()) == (200, {"data": {"dreams": {"nodes": []}}})


async def test_get_answers_queries(client: httpx2.AsyncClient) -> None:
    text = "query A($n: Int) { dreams(first: $n) { nodes { title } } }"
    parameters = {"query": text, "variables": '{"n": 1}', "extensions": "{}", "operationName": "A"}
    response = await client.get("/graphql", params=parameters)
    assert (response.status_code, response.json()) == (200, {"data": {"dreams": {"nodes": []}}})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, QUERY),
        ({"query": "{ __typename }", "variables": "[1]"}, "`variables` must be an object."),
        ({"query": "{ __typename }", "extensions": "3"}, "`extensions` must be an object."),
        ({"query": "{ __typename \0 }"}, NUL),
        (
            {"query": "{ __typename }", "variables": "{"},
            "`variables` is not JSON: unexpected end of data: line 1 column 2 (char 1).",
        ),
    ],
)
async def test_get_is_refused(
    client: httpx2.AsyncClient, parameters: dict[str, str], message: str
) -> None:
    response = await client.get("/graphql", params=parameters, headers=ID)
    assert (response.status_code, response.json()) == (400, refused(message))
