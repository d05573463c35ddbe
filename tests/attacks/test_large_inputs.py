"""Callers send inputs that are small to write and long work to coerce, for each use of them.

Every value of every input is counted before any is coerced: in literals and variables, for each
field that uses it, and in part for each row, over every transport.
"""

import time
from typing import Any

import httpx2
import orjson
import pytest

from db import Database
from db.core.values import json
from graph.core.types.input_values import BATCH
from support.attack_target import RICH, Target
from support.gateways import production
from support.hostile_documents import times
from support.hostile_inputs import INPUTS
from support.query_count import statements
from support.websocket_client import greeted, serving

ANONYMOUS, KNOWN = 1_000, 2_000  # values
MOST_CPU = 250  # times that of a plain query; the attacks took some thousand times as much
PLAIN = "{ dreams(first: 1) { nodes { id } } }"

FILTER = "query ($f: DreamFilter) { dreams(first: 1, filter: $f) { totalCount } }"
REMIXES = "remixes(first: 1, filter: $f) { totalCount }"
FIELD = "dreams(first: 1, filter: $f) { totalCount }"
EMPTY = {"or": [{}] * 100}  # 102 values
LIST = {"or": [{"or": [{}] * 30}] * 40}  # 1,282 values

# Every way to have a filter of 102 values used more often than it is sent.
USES: dict[str, tuple[str, dict[str, Any]]] = {
    "aliases": (f"query ($f: DreamFilter) {{ {times(20, f'a#: {FIELD}')} }}", {"f": EMPTY}),
    "fragment": (
        f"query ($f: DreamFilter) {{ {times(5, 'a#: viewer { user { ...F } }')} }} "
        f"fragment F on User {{ {times(5, f'b#: {FIELD}')} }}",
        {"f": EMPTY},
    ),
    "list in a literal": (
        f"query ($f: DreamFilter!) {{ dreams(filter: {{or: [{'$f ' * 30}]}}) {{ totalCount }} }}",
        {"f": EMPTY},
    ),
    "rows": (
        f"query ($f: DreamFilter) {{ dreams(first: 100) {{ nodes {{ {REMIXES} }} }} }}",
        {"f": EMPTY},
    ),
    "default": (
        f"query ($f: DreamFilter = {{or: [{'{} ' * 100}]}}) {{ {times(20, f'a#: {FIELD}')} }}",
        {},
    ),
    "literal in rows": (
        f"{{ dreams(first: 100) {{ nodes {{ remixes(filter: {{or: [{'{} ' * 100}]}}) "
        "{ totalCount } } } }",
        {},
    ),
}


@pytest.mark.parametrize("use", USES)
async def test_inputs_are_counted_for_each_use(target: Target, use: str) -> None:
    document, variables = USES[use]
    member = await target.key()
    for credential, most in ((None, ANONYMOUS), (member, KNOWN)):
        if credential is None and use == "fragment":
            continue  # users are closed to them
        with statements(target.database, at_most=2):  # who sends it
            refused = await target.refusal(document, credential, **variables)
        message = (
            f"The inputs have more than {most:,} values, counting each use; send fewer at once."
        )
        assert refused == (message, "QUERY_TOO_COMPLEX")


@pytest.mark.parametrize(
    "wrong", [{"or": [{}] * 101}, {"title": {"in": ["a"] * 600, "notIn": ["a"] * 401}}]
)
async def test_lists_hold_no_more_than_they_declare(target: Target, wrong: Any) -> None:
    with statements(target.database, exactly=0):
        _, code = await target.refusal(FILTER, f=wrong)
    assert code in ("BAD_USER_INPUT", "QUERY_TOO_COMPLEX")


async def test_every_transport_counts_values(database: Database) -> None:
    settings = production(public_read=True, **RICH)
    subscription = "subscription ($f: DreamFilter) { dreams(filter: $f) { kind } }"
    variables, found = {"f": LIST}, []
    async with serving(settings, database) as address:
        async with httpx2.AsyncClient() as http:
            url = f"{address}/graphql"
            asked = {"query": FILTER, "variables": orjson.dumps(variables).decode()}
            found.append((await http.get(url, params=asked)).json()["errors"])
            for accept in ("application/json", "text/event-stream", "multipart/mixed"):
                body = {"query": FILTER, "variables": variables}
                answer = await http.post(url, json=body, headers={"accept": accept})
                assert "QUERY_TOO_COMPLEX" in answer.text, accept
                body = {"query": subscription, "variables": variables}
                answer = await http.post(url, json=body, headers={"accept": accept})
                assert accept == "application/json" or "QUERY_TOO_COMPLEX" in answer.text, accept
        async with greeted(address) as client:
            for number, query in enumerate((FILTER, subscription)):
                found.append(await client.refusal(str(number), query, variables=variables))
    assert [error["extensions"]["code"] for (error,) in found] == ["QUERY_TOO_COMPLEX"] * 3


async def test_wrong_values_are_paid_for(target: Target) -> None:
    """A value that is refused is looked at as well."""
    aliases, variables = USES["aliases"]
    await target.refusal(aliases, **variables)  # reading a document costs points, once
    before = (await target.ask("{ rateLimit { remaining } }"))["rateLimit"]["remaining"]
    await target.refusal(FILTER, f={"title": 3})
    await target.refusal(aliases, **variables)
    after = (await target.ask("{ rateLimit { remaining } }"))["rateLimit"]["remaining"]
    assert before - after == 25 + 25 + 1


async def test_batches_hold_what_they_declare(target: Target) -> None:
    member = await target.key()
    document = """mutation ($a: [TrackUserActionInput!]!) {
        trackUserActions(input: {actions: $a}) { storedCount }
    }"""
    action = {"action": "a", "metadata": {f"k{n}": n for n in range(16)}}  # 19 values
    assert await target.ask(document, member, a=[action] * 900) == {
        "trackUserActions": {"storedCount": 900}
    }
    message, code = await target.refusal(document, member, a=[action] * 1_053)
    assert (message.startswith("The body holds more"), code) == (True, "QUERY_TOO_COMPLEX")
    twice = document.replace("trackUserActions", "a: trackUserActions").replace(
        "{ storedCount }",
        "{ storedCount } b: trackUserActions(input: {actions: $a}) { storedCount }",
    )
    message, code = await target.refusal(twice, member, a=[action] * 600)
    assert (f"{BATCH:,}" in message, code) == (True, "QUERY_TOO_COMPLEX")


async def test_no_input_is_much_work(target: Target) -> None:
    """CPU of the process for each hostile input, compared with that of a plain query."""
    member = await target.key()
    headers = {"authorization": f"Bearer {member}", "content-type": "application/json"}

    async def cpu(document: str, variables: Any) -> float:
        body = json.dumps({"query": document, "variables": variables})
        began = time.process_time()
        await target.client.post("/graphql", content=body, headers=headers)
        return time.process_time() - began

    await cpu(PLAIN, None)
    plain = min([await cpu(f"{PLAIN}#{number}", None) for number in range(3)])
    most = MOST_CPU * plain
    costly: dict[str, int] = {}
    for name, hostile in INPUTS.items():
        spent = await cpu(hostile.text, hostile.variables)
        if spent > most:  # or a garbage collection fell into it
            spent = await cpu(hostile.text, hostile.variables)
        if spent > most:
            costly[name] = round(spent / plain)
    assert costly == {}
