"""Random requests to /graphql get a readable response, and never an internal error."""

import json
from typing import Any

import httpx2
import orjson
from hypothesis import HealthCheck, given, settings, strategies as st

from support.stream_client import HISTORY

many_examples = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# Any JSON, among it what is too large for numbers of 64 bits.
numbers = st.integers() | st.integers(min_value=2**63) | st.floats()
values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20) | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)

# Requests, each of them almost right; a subscription that could be opened is not among them.
CUT = HISTORY.removesuffix("}")
queries = st.sampled_from(["{ __typename }", "{", "query A { a } query B { b }", "\0", CUT])
requests = st.fixed_dictionaries(
    {"query": queries | values},
    optional={"operationName": values, "variables": values, "extensions": values},
)
bodies = (
    (values | requests).map(lambda value: json.dumps(value).encode())
    | requests.flatmap(lambda value: _damaged(json.dumps(value).encode()))
    | st.integers(1, 100_000).map(lambda depth: b"[" * depth + b"]" * depth)
    | st.integers(1, 4_000).map(lambda digits: b'{"query":%b}' % (b"9" * digits))
    | st.binary(max_size=50)
)
ACCEPTED = ["application/json", "application/graphql-response+json", "text/event-stream"]


def _damaged(body: bytes) -> st.SearchStrategy[bytes]:
    """With one byte that is another one."""
    places = st.integers(0, len(body) - 1)
    return st.builds(lambda at, byte: body[:at] + byte + body[at + 1 :], places, st.binary())


def received(answer: httpx2.Response) -> Any:
    """What an answer says, in whatever form."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        line = next(line for line in answer.content.split(b"\n") if line.startswith(b"data: "))
        return orjson.loads(line[6:])
    return orjson.loads(answer.content)


@many_examples
@given(body=bodies, accept=st.sampled_from([*ACCEPTED, "multipart/mixed, application/json"]))
async def test_any_body_has_an_answer(
    client: httpx2.AsyncClient, log: list[Any], body: bytes, accept: str
) -> None:
    headers = {"accept": accept, "content-type": "application/json"}
    answer = await client.post("/graphql", content=body, headers=headers)
    content = received(answer)
    assert answer.status_code == 200 or 400 <= answer.status_code < 500
    assert set(content) <= {"data", "errors"}
    for error in content.get("errors", []):
        assert error["extensions"]["code"] not in ("INTERNAL_SERVER_ERROR", "TIMEOUT"), content


@many_examples
@given(query=queries | st.text(), variables=st.text() | values.map(json.dumps))
async def test_any_address_has_an_answer(
    client: httpx2.AsyncClient, log: list[Any], query: Any, variables: str
) -> None:
    parameters = {"query": query, "variables": variables}
    answer = await client.get("/graphql", params=parameters)
    assert answer.status_code == 200 or 400 <= answer.status_code < 500
    assert set(orjson.loads(answer.content)) <= {"data", "errors"}


@many_examples
@given(after=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
async def test_any_last_event_has_an_answer(
    client: httpx2.AsyncClient, log: list[Any], after: str
) -> None:
    headers = {"accept": "text/event-stream", "last-event-id": after}
    answer = await client.get("/graphql", params={"query": HISTORY}, headers=headers)
    (error,) = received(answer)["errors"]
    assert (error["message"], error["extensions"]["code"]) == (
        "This is not a cursor.",
        "BAD_USER_INPUT",
    )
