"""Callers read closed fields bit by bit, by filters, orders and searches.

23 comparisons find a cost exactly; a filter on an owner confirms the author of a dream.
"""

from decimal import Decimal
from typing import Any

import httpx2
import pytest

from db import Database
from graph.core.types.node import global_id
from support.attack_target import RICH, Target, attacked
from support.factories import make_ai_test, make_dream, make_user
from support.gateways import production
from support.query_count import statements
from support.websocket_client import greeted, serving

NEEDED = "requires the role MEMBER. Send an API key or a token."
REFUSED = (f"AiTestFilter.cost {NEEDED}", f"DreamFilter.tests {NEEDED}")
FILTER = "{tests: {cost: {gt: 1}}}"

# Every way to hand over the same filter: a document, and its variables.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "literal": (f"{{ dreams(filter: {FILTER}) {{ totalCount }} }}", {}),
    "and": (f"{{ dreams(filter: {{and: [{{}}, {FILTER}]}}) {{ totalCount }} }}", {}),
    "and without a list": (f"{{ dreams(filter: {{and: {FILTER}}}) {{ totalCount }} }}", {}),
    "not within or": (f"{{ dreams(filter: {{or: [{{not: {FILTER}}}]}}) {{ totalCount }} }}", {}),
    "variable": (
        "query ($f: DreamFilter) { dreams(filter: $f) { totalCount } }",
        {"f": {"tests": {"cost": {"gt": "1"}}}},
    ),
    "variable, nested": (
        "query ($f: DreamFilter) { dreams(filter: $f) { totalCount } }",
        {"f": {"not": {"or": [{"tests": {"not": {"cost": {"gt": "1"}}}}]}}},
    ),
    "variable inside": (
        "query ($f: AiTestFilter) { dreams(filter: {tests: $f}) { totalCount } }",
        {"f": {"cost": {"gt": "1"}}},
    ),
    "variable in a list": (
        "query ($f: DreamFilter!) { dreams(filter: {and: [$f]}) { totalCount } }",
        {"f": {"tests": {"cost": {"gt": "1"}}}},
    ),
    "variable of a list": (
        "query ($f: [DreamFilter!]) { dreams(filter: {or: $f}) { totalCount } }",
        {"f": [{}, {"tests": {"cost": {"gt": "1"}}}]},
    ),
    "variable of the value": (
        "query ($f: DecimalFilter) { dreams(filter: {tests: {cost: $f}}) { totalCount } }",
        {"f": {"gt": "1"}},
    ),
    "default": (
        f"query ($f: DreamFilter = {FILTER}) {{ dreams(filter: $f) {{ totalCount }} }}",
        {},
    ),
    "skipped": (
        f"{{ dreams(filter: {FILTER}) @skip(if: true) {{ totalCount }} viewer {{ role }} }}",
        {},
    ),
    "fragment": (
        f"{{ ...All }} fragment All on Query {{ dreams(filter: {FILTER}) {{ totalCount }} }}",
        {},
    ),
    "relation": (
        f"{{ dreams {{ nodes {{ remixes(filter: {FILTER}) {{ totalCount }} }} }} }}",
        {},
    ),
    "progress": (
        f"{{ progressLogs(filter: {{dream: {FILTER}}}) {{ totalCount }} }}",
        {},
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_filter_needs_access_to_its_fields(target: Target, way: str) -> None:
    await make_ai_test(target.database, cost="3.141593")
    document, variables = WAYS[way]

    with statements(target.database, exactly=0):
        message, code = await target.refusal(document, **variables)

    assert code == "UNAUTHENTICATED"
    assert message in REFUSED
    member = await target.key()
    allowed = (await target.post(document, member, **variables)).json()
    assert "FORBIDDEN" not in str(allowed)


async def test_a_default_that_is_not_used_needs_nothing(target: Target) -> None:
    document, _ = WAYS["default"]
    assert await target.ask(document, f={}) == {"dreams": {"totalCount": 0}}


async def test_a_cost_is_found_by_members_alone(target: Target) -> None:
    """The control: the attack works for callers that may read the cost anyway."""
    await make_ai_test(target.database, cost="3.141593")
    document = """query ($c: Decimal) {
        dreams(filter: {tests: {cost: {gt: $c}}}) { totalCount }
    }"""
    member, low, high = await target.key(), Decimal(0), Decimal(8)
    while high - low > Decimal("0.000001"):
        middle = ((low + high) / 2).quantize(Decimal("0.000001"))
        answer = await target.ask(document, member, c=str(middle))
        low, high = (middle, high) if answer["dreams"]["totalCount"] else (low, middle)

    assert high == Decimal("3.141593")
    assert (await target.refusal(document, c="1"))[1] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ("{ dreams(filter: {userId: {eq: $id}}) { totalCount } }", "DreamFilter.userId"),
        ("{ dreams(filter: {tests: {userId: {eq: $id}}}) { totalCount } }", "DreamFilter.tests"),
        ("{ dreams(filter: {tests: {}}) { totalCount } }", "DreamFilter.tests"),
        (
            '{ modelComparison(from: "2026-01-15T12:00:00Z") { rows { totalCost } } }',
            "Query.modelComparison(from:)",
        ),
        (
            '{ categoryPerformance(to: "2026-01-15T12:00:00Z") { rows { testCount } } }',
            "Query.categoryPerformance(to:)",
        ),
        (
            '{ aiModels { nodes { statistics(from: "2026-01-15T12:00:00Z") { totalCost } } } }',
            "AiModel.statistics(from:)",
        ),
        (
            '{ dreams { nodes { decay(from: "2026-01-15T12:00:00Z") { testCount } } } }',
            "Dream.decay(from:)",
        ),
    ],
)
async def test_anonymous_clients_learn_nothing_of_private_rows(
    target: Target, document: str, place: str
) -> None:
    user = await make_user(target.database)
    document = document.replace("$id", f'"{global_id(user)}"')

    message, code = await target.refusal(document)

    assert message.startswith(f"{place} requires the role MEMBER")
    assert code == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("scopes", "document", "refused"),
    [
        (["events:read"], "{ events(filter: {userId: {isNull: true}}) { totalCount } }", True),
        (
            ["events:read", "users:read"],
            "{ events(filter: {userId: {isNull: true}}) { totalCount } }",
            False,
        ),
        (["config:read"], "{ configs(filter: {updatedBy: {isNull: true}}) { totalCount } }", True),
        (["agents:read"], "{ dreams(filter: {tests: {cost: {gt: 1}}}) { totalCount } }", True),
        (["tests:read"], "{ dreams(filter: {tests: {cost: {gt: 1}}}) { totalCount } }", False),
        (["tests:read"], "{ aiTests(orderBy: [{field: COST}]) { totalCount } }", False),
        (["users:read"], '{ users(filter: {email: {contains: "a"}}) { totalCount } }', False),
    ],
)
async def test_a_key_filters_by_columns_of_its_scopes(
    target: Target, scopes: list[str], document: str, refused: bool
) -> None:
    key = await target.key_of("OPERATOR", *scopes)
    answer = (await target.post(document, key)).json()
    codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
    assert codes == (["FORBIDDEN"] if refused else [])


async def test_an_order_in_a_variable_needs_the_access_of_its_column(target: Target) -> None:
    document = """query ($o: [AiTestOrder!]) {
        aiModels { nodes { tests(orderBy: $o) { totalCount } } }
    }"""
    order = [{"field": "COST", "direction": "DESC"}]
    writer = await target.key_of("MEMBER", "tests:write")
    reader = await target.key_of("MEMBER", "tests:read")

    refused = await target.refusal(document, writer, o=order)

    assert refused[1] == "FORBIDDEN"
    assert await target.ask(document, reader, o=order) == {"aiModels": {"nodes": []}}


async def test_a_filter_of_a_subscription_needs_the_access_too(database: Database) -> None:
    settings = production(public_read=True, **RICH)
    text = f"subscription {{ dreams(filter: {FILTER}) {{ kind }} }}"
    variable = "subscription ($f: DreamFilter) { dreams(filter: $f) { kind } }"
    filter = {"tests": {"cost": {"gt": "1"}}}
    async with serving(settings, database) as address:
        async with httpx2.AsyncClient(headers={"accept": "text/event-stream"}) as http:
            answer = await http.post(f"{address}/graphql", json={"query": text})
            assert "UNAUTHENTICATED" in answer.text
        async with greeted(address) as client:
            for query, variables in ((text, {}), (variable, {"f": filter})):
                (error,) = await client.refusal("1", query, variables=variables)
                assert error["extensions"]["code"] == "UNAUTHENTICATED"
                assert error["message"] in REFUSED


async def test_public_columns_are_filtered_ordered_and_searched_by_all(target: Target) -> None:
    await make_dream(target.database, title="Fly", category="MATH")
    document = """query ($f: DreamFilter!) {
        dreams(
            filter: {and: [$f, {category: {eq: MATH}}]}, orderBy: [{field: TITLE}], search: "fly"
        ) { totalCount }
        progressLogs(filter: {dream: $f}, orderBy: [{field: AVERAGE_IMPOSSIBILITY}]) { totalCount }
        modelComparison { rows { model } }
    }"""
    answer = await target.ask(document, f={"title": {"startsWith": "F"}})
    assert answer == {
        "dreams": {"totalCount": 1},
        "progressLogs": {"totalCount": 0},
        "modelComparison": {"rows": []},
    }


async def test_introspection_shows_inputs_to_those_who_may_not_use_them(
    database: Database,
) -> None:
    document = '{ __type(name: "AiTestFilter") { inputFields { name } } }'
    async with attacked(database, public_introspection=True) as target:
        fields = (await target.ask(document))["__type"]["inputFields"]
    assert {"name": "cost"} in fields
