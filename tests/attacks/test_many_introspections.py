"""Attacks with introspection: large answers about the schema are made once, beside the event loop.

What counts is the work: how often the schema is walked, and in which thread.
"""

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest
from graphql import execute_sync, get_introspection_query, parse

from db import Database
from graph.core.execution import introspection
from graph.core.execution.execution_context import Counting
from graph.schema import schema
from support.attack_target import RICH, Target
from support.gateways import make_key, production
from support.running_gateway import serving
from support.websocket_client import dialled

WHOLE = get_introspection_query()
EXPECTED = execute_sync(schema._schema, parse(WHOLE)).data
ALIASES = "{" + " ".join(f"a{n}: __schema {{ queryType {{ name }} }}" for n in range(5)) + "}"


class Walks:
    """The threads in which the schema was walked, one for each time."""

    def __init__(self) -> None:
        self.threads: list[str] = []


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Walks]:
    walks = Walks()
    inner: Any = Counting.execute_fields

    def noting(self: Any, parent: Any, source: Any, path: Any, fields: Any, more: Any) -> Any:
        if path is None and any(n[0].node.name.value.startswith("__s") for n in fields.values()):
            walks.threads.append(threading.current_thread().name)
        return inner(self, parent, source, path, fields, more)

    monkeypatch.setattr(Counting, "execute_fields", noting)
    introspection._cached.clear()
    yield walks
    introspection._cached.clear()


async def test_twenty_over_one_socket_walk_the_schema_once(
    database: Database, walks: Walks
) -> None:
    settings = production(drain_seconds=0, spread_seconds=0, **RICH)
    key = (await make_key(database, settings)).text
    async with serving(settings, database) as served, dialled(served.address) as client:
        await client.greet(authorization=f"Bearer {key}")
        for number in range(20):
            await client.ask(str(number), WHOLE)
        received = [await client.hear() for _ in range(40)]
        url, headers = f"{served.address}/graphql", {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient() as http:
            posted = await http.post(url, json={"query": WHOLE}, headers=headers)

    answers = [message["payload"] for message in received if message["type"] == "next"]
    assert answers == [{"data": EXPECTED}] * 20
    assert posted.json() == {"data": EXPECTED}
    assert len(walks.threads) == 1
    assert walks.threads[0].startswith("introspection")


async def test_variables_fragments_and_aliases_are_distinguished(
    target: Target, walks: Walks
) -> None:
    key = await target.key()
    text = """query ($more: Boolean!, $name: String!) {
      dreams { totalCount }
      ...Names
      kind: __type(name: $name) { name kind @include(if: $more) }
      named: __type(name: "Dream") { name }
    }
    fragment Names on Query { __schema { queryType { name kind @include(if: $more) } } }
    """
    for _ in range(2):
        for more in (True, False):
            for name, kind in (("Dream", "OBJECT"), ("Role", "ENUM"), ("Nothing", None)):
                answer = await target.ask(text, key, more=more, name=name)
                shown = {"kind": "OBJECT"} if more else {}
                of_name = {"name": name, **({"kind": kind} if more else {})} if kind else None
                assert answer == {
                    "dreams": {"totalCount": 0},
                    "__schema": {"queryType": {"name": "Query", **shown}},
                    "kind": of_name,
                    "named": {"name": "Dream"},
                }
    order = ["dreams", "__schema", "kind", "named"]
    assert list(answer) == order
    assert set(walks.threads) == {walks.threads[0]}
    skipped = "query ($no: Boolean!) { __typename __schema @include(if: $no) { description } }"
    assert await target.ask(skipped, key, no=False) == {"__typename": "Query"}
    assert (await target.ask(ALIASES, key))["a4"] == {"queryType": {"name": "Query"}}


async def test_cached_introspection_needs_permission(target: Target, walks: Walks) -> None:
    narrow = await target.key(scopes=["dreams:read"])
    await target.ask(WHOLE, await target.key())
    assert len(walks.threads) == 1
    assert (await target.refusal(WHOLE))[1] == "UNAUTHENTICATED"
    assert (await target.refusal(WHOLE, narrow))[1] == "FORBIDDEN"


async def test_answers_are_kept_up_to_a_number_of_bytes(
    target: Target, walks: Walks, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, size = await target.key(), len(orjson.dumps(EXPECTED))
    kept: Any = type(introspection._cached)(2 * size + 1000, len)
    monkeypatch.setattr(introspection, "_cached", kept)
    for number in range(4):
        await target.ask(WHOLE.replace("query Introspection", f"query Q{number}"), key)
    assert len(kept) == 2
    assert len(walks.threads) == 4
    assert not introspection._running


async def test_the_schema_is_printed_once(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"authorization": f"Bearer {await target.key()}"}
    first = await target.client.get("/schema.graphql", headers=headers)
    monkeypatch.setattr(type(schema), "as_str", None)
    again = await target.client.get("/schema.graphql", headers=headers)
    assert first.text == again.text
    assert "\ntype Query {" in first.text
