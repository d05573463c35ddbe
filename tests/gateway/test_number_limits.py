"""Numbers that are too large are refused by name, and those that are stored are always shown."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from graph.core.types.node import global_id
from support.factories import make_ai_model, make_ai_test, make_dream, make_metric, make_user
from support.gateways import make_key, production
from support.graphql_client import Endpoint
from support.running_gateway import serving
from support.websocket_client import greeted

LARGEST = 2**63 - 1
MASKED = "Something went wrong on our side. Quote the request id when you report it."
SPEND = """{
  spend(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") {
    rows { totalTokens totalCost }
  }
}"""


async def three_large_tests(database: Database) -> Any:
    """The dream of three tests, each with as many tokens as the column holds."""
    dream = await make_dream(database, is_public=True)
    for _ in range(3):
        await make_ai_test(
            database, dream_id=dream.id, tokens_used=LARGEST, duration=LARGEST, model="m"
        )
    return dream


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"tokensUsed": LARGEST}, "tokensUsed"),
        ({"tokensUsed": 10**12 + 1}, "tokensUsed"),
        ({"tokensUsed": -1}, "tokensUsed"),
        ({"durationMs": LARGEST}, "durationMs"),
        ({"durationMs": -1}, "durationMs"),
        ({"cost": "10000"}, "cost"),
        ({"cost": "9999.9999996"}, "cost"),
        ({"cost": "-0.1"}, "cost"),
        ({"impossibilityScore": 100.004}, "impossibilityScore"),
        ({"impossibilityScore": 1e300}, "impossibilityScore"),
        ({"confidence": -0.001}, "confidence"),
        ({"tokensUsed": 10**12, "provider": "dear", "model": "dear"}, "tokensUsed"),
    ],
)
async def test_numbers_of_tests_are_bounded(
    endpoint: Endpoint, database: Database, input: Any, field: str
) -> None:
    await make_ai_model(database, provider="dear", name="dear", cost_per_1k_tokens=9_999)
    dream = await make_dream(database, user_id=endpoint.user.id)
    test = {"dreamId": global_id(dream), "provider": "p", "model": "m"} | input

    recorded = await endpoint.mutate("recordAiTest", test)
    assert (recorded["code"], recorded["field"]) == ("INVALID", field)

    if "provider" not in input:
        running = await make_ai_test(database, dream_id=dream.id, status="RUNNING")
        completed = await endpoint.mutate("completeAiTest", {"id": global_id(running)} | input)
        assert (completed["code"], completed["field"]) == ("INVALID", field)


@pytest.mark.parametrize(
    ("verb", "input", "field"),
    [
        ("recordMetric", {"metricName": "m", "value": 1e9}, "value"),
        ("recordMetric", {"metricName": "m", "value": -1e300}, "value"),
        ("createAiModel", {"provider": "p", "name": "m", "maxTokens": LARGEST}, "maxTokens"),
        (
            "createAiModel",
            {"provider": "p", "name": "m", "costPer1kTokens": "1e300"},
            "costPer1kTokens",
        ),
        (
            "createAiModel",
            {"provider": "p", "name": "m", "outputCostPer1kTokens": "9999.1"},
            "outputCostPer1kTokens",
        ),
        ("setFeatureFlag", {"key": "f", "enabled": True, "rolloutPercent": 101}, "rolloutPercent"),
        ("setConfig", {"key": "dreams.achieved_at", "value": 1e30}, "value"),
        ("setConfig", {"key": "agents.stale_after_seconds", "value": True}, "value"),
    ],
)
async def test_other_numbers_are_bounded(
    endpoint: Endpoint, verb: str, input: Any, field: str
) -> None:
    refused = await endpoint.mutate(verb, input)
    assert (refused["code"], refused["field"]) == ("INVALID", field)


async def test_performance_of_agents_is_bounded(endpoint: Endpoint) -> None:
    report = {"agentKey": "a", "status": "RUNNING", "responseTime": 1, "successRate": 1}
    for more, field in [
        ({"responseTime": 1e9}, "responseTime"),
        ({"successRate": -1e9}, "successRate"),
        ({"taskCount": -1}, "taskCount"),
    ]:
        refused = await endpoint.mutate("reportAgentPerformance", report | more)
        assert (refused["code"], refused["field"]) == ("INVALID", field)


async def test_sums_of_large_numbers_are_exact_on_every_way_out(
    endpoint: Endpoint, database: Database
) -> None:
    dream = await three_large_tests(database)
    total = {"totalTokens": str(3 * LARGEST), "totalCost": "0.090000"}
    dream_query = f"""{{ dream(id: "{global_id(dream)}") {{
        totals {{ totalTokens }} tests {{ nodes {{ tokensUsed durationMs }} }} }} }}"""
    one = {"tokensUsed": str(LARGEST), "durationMs": str(LARGEST)}

    assert (await endpoint.data(SPEND))["spend"]["rows"] == [total]
    shown = (await endpoint.data(dream_query))["dream"]
    assert shown["totals"] == {"totalTokens": str(3 * LARGEST)}
    assert shown["tests"]["nodes"] == [one] * 3
    comparison = "{ modelComparison { rows { averageDurationMs testCount } } }"
    assert (await endpoint.answer(comparison)).get("errors") is None

    for accept in ("text/event-stream", "multipart/mixed", "application/graphql-response+json"):
        response = await endpoint.client.post(
            "/graphql", json={"query": SPEND}, headers={"accept": accept}
        )
        assert response.status_code == 200
        assert f'"totalTokens":"{3 * LARGEST}"' in response.text


async def test_sums_of_large_numbers_are_exact_over_a_websocket(database: Database) -> None:
    await three_large_tests(database)
    settings = production()
    user = await make_user(database, role="ADMIN")
    key = await make_key(database, settings, user_id=user.id)
    async with (
        serving(settings, database) as served,
        greeted(served.address, authorization=f"Bearer {key.text}") as client,
    ):
        answer = await client.answer("1", SPEND)
    assert answer["data"]["spend"]["rows"][0]["totalTokens"] == str(3 * LARGEST)


async def test_a_value_that_is_no_number_is_an_error_of_its_field(
    endpoint: Endpoint, database: Database
) -> None:
    metric = await make_metric(database, metric_name="bad", value=1)
    async with database.write() as session:
        await session.execute(text("update performance_metrics set value = 'NaN'"))

    for query, path in [
        (f'{{ metric(id: "{global_id(metric)}") {{ value }} viewer {{ role }} }}', ["metric"]),
        ("{ metrics { nodes { value } } viewer { role } }", ["metrics", "nodes", 0]),
    ]:
        for accept in ("application/json", "text/event-stream"):
            response = await endpoint.client.post(
                "/graphql", json={"query": query}, headers={"accept": accept}
            )
            assert response.status_code == 200
            assert MASKED in response.text
            assert json.dumps([*path, "value"], separators=(",", ":")) in response.text
