"""Numbers of a fixed scale are rounded half up from the digits that were sent, on every way in."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db import Database
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.dreams import Dream
from db.importer import import_files
from db.metrics import Metric
from graph.core.types.node import global_id
from support.exact_numbers import data
from support.factories import make_ai_test, make_dream
from support.graphql_client import Endpoint

SCORES = {
    "2.675": "2.68",
    "2.665": "2.67",
    "1.005": "1.01",
    "5.005": "5.01",
    "5.00499999999999999999": "5.00",
    "33.33499999999999999999": "33.33",
    "33.335": "33.34",
    "99.995": "100.00",
    "2675e-3": "2.68",
    "7": "7.00",
    "0.0049": "0.00",
}
COSTS = {
    "0.0000005": "0.000001",
    "0.1234567890123456789": "0.123457",
    "0.12345649999999999999": "0.123456",
    "1.0000005": "1.000001",
    "5e-7": "0.000001",
}
VALUES = COSTS | {
    "-0.0000005": "-0.000001",
    "-2.5000005": "-2.500001",
    "123456789.1234565": "123456789.123457",
    "999999999.999999": "999999999.999999",
}
RECORD = """recordAiTest(input: {dreamId: "$DREAM", provider: "p", model: "m", status: COMPLETED,
    impossibilityScore: %s, confidence: %s}) { errors { code } }"""
RECORD_MANY = """recordAiTests(input: {tests: [{dreamId: "$DREAM", provider: "p", model: "m",
    impossibilityScore: %s, confidence: %s}]}) { errors { code } refused { errors { code } } }"""
COMPLETE = """completeAiTest(input: {id: "$TEST", impossibilityScore: %s, confidence: %s})
    { errors { code } }"""


async def newest(database: Database, table: Any) -> Any:
    async with database.read() as session:
        return (await session.records(table, table.select().order_by(table.id)))[-1]


async def send(endpoint: Endpoint, field: str, type_: str, number: str, literal: bool) -> Any:
    """The data of a mutation whose numbers, all the same, are at `%s`."""
    given = field.replace("%s", number if literal else "$n")
    declared = "" if literal else f"($n: {type_})"
    answer = await data(endpoint, f"mutation {declared} {{ {given} }}", f'{{"n": {number}}}')
    assert "INVALID" not in str(answer)
    return answer


@pytest.mark.parametrize("field", [RECORD, RECORD_MANY, COMPLETE])
async def test_scores_and_confidence(endpoint: Endpoint, database: Database, field: str) -> None:
    for literal in (True, False):
        for number, kept in SCORES.items():
            dream = await make_dream(database, user_id=endpoint.user.id)
            test = await make_ai_test(
                database, dream_id=dream.id, status="RUNNING", impossibility_score=None
            )
            asked = field.replace("$DREAM", global_id(dream)).replace("$TEST", global_id(test))
            await send(endpoint, asked, "Float", number, literal)

            stored = await newest(database, AiTest)
            assert (stored.impossibility_score, stored.confidence) == (Decimal(kept),) * 2


async def test_imported_scores_costs_and_values(database: Database, tmp_path: Path) -> None:
    at = "2024-01-05T11:00:00Z"
    dream = {
        "kind": "dream",
        "key": "d",
        "title": "D",
        "category": "OTHER",
        "tags": [],
        "isPublic": True,
        "status": "DRAFT",
        "createdAt": at,
    }
    test = {
        "kind": "test",
        "dreamKey": "d",
        "provider": "p",
        "model": "m",
        "status": "COMPLETED",
        "testParameters": {},
        "createdAt": at,
    }
    metric = {"kind": "metric", "metricName": "m", "tags": {}, "timestamp": at}

    lines, scores, costs, values = [json.dumps(dream)], [], [], []
    for form in ("%s", '"%s"'):
        for number, kept in SCORES.items():
            facts = json.dumps(test | {"key": f"{form}{number}"})[1:]
            sent = form % number
            lines.append(f'{{"impossibilityScore": {sent}, "confidence": {sent}, {facts}')
            scores.append(Decimal(kept))
        for number, kept in COSTS.items():
            facts = json.dumps(test | {"key": f"cost {form}{number}"})[1:]
            lines.append(f'{{"cost": {form % number}, {facts}')
            costs.append(Decimal(kept))
        for number, kept in VALUES.items():
            lines.append(f'{{"value": {form % number}, {json.dumps(metric)[1:]}')
            values.append(Decimal(kept))
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))

    for _ in range(2):  # the second time nothing changes
        report = await import_files(database, [path], rejects_dir=tmp_path)
        assert report.failed == 0, report.files[0].rejects

    async with database.read() as session:
        tests = await session.records(AiTest, AiTest.select())
        metrics = await session.records(Metric, Metric.select())
    scored = [each for each in tests if each.impossibility_score is not None]
    assert sorted(each.impossibility_score for each in scored) == sorted(scores)
    assert sorted(each.confidence for each in scored) == sorted(scores)
    assert sorted(each.cost for each in tests if each.cost is not None) == sorted(costs)
    assert sorted(each.value for each in metrics) == sorted(values)


@pytest.mark.parametrize("literal", [True, False])
async def test_costs_and_prices(endpoint: Endpoint, database: Database, literal: bool) -> None:
    dream = await make_dream(database, user_id=endpoint.user.id)
    record = f"""recordAiTest(input: {{dreamId: "{global_id(dream)}", provider: "p", model: "m",
        cost: %s}}) {{ errors {{ code }} }}"""
    for number, kept in COSTS.items():
        for form in (number, f'"{number}"'):
            await send(endpoint, record, "Decimal", form, literal)
            assert (await newest(database, AiTest)).cost == Decimal(kept)

            register = f"""createAiModel(input: {{provider: "p", name: {json.dumps(form)},
                costPer1kTokens: %s, inputCostPer1kTokens: %s}}) {{ errors {{ code }} }}"""
            await send(endpoint, register, "Decimal", form, literal)
            model = await newest(database, AiModel)
            assert model.cost_per_1k_tokens == Decimal(kept)
            assert model.input_cost_per_1k_tokens == Decimal(number)


@pytest.mark.parametrize("literal", [True, False])
async def test_measured_values(endpoint: Endpoint, database: Database, literal: bool) -> None:
    record = 'recordMetric(input: {metricName: "m", value: %s}) { errors { code } }'
    many = """recordMetrics(input: {metrics: [{metricName: "m", value: %s}]})
        { refused { errors { code } } }"""
    performance = """reportAgentPerformance(input: {agentKey: "a", status: RUNNING,
        responseTime: %s, successRate: %s}) { errors { code } }"""
    for number, kept in VALUES.items():
        is_percent = 0 <= float(number) <= 100
        for field in (record, many, *([performance] if is_percent else [])):
            await send(endpoint, field, "Float!", number, literal)
            assert (await newest(database, Metric)).value == Decimal(kept)


async def test_the_mean_price_is_rounded_once(endpoint: Endpoint, database: Database) -> None:
    """Of 0.00000049999999999999999999999999999995, where 28 digits would make a half of it."""
    low, high = "0.0000004" + "9" * 30, "0.0000005" + "0" * 30
    register = f"""mutation {{ createAiModel(input: {{provider: "p", name: "m",
        inputCostPer1kTokens: "{low}", outputCostPer1kTokens: "{high}"}}) {{
            errors {{ code }} }} }}"""
    await data(endpoint, register)
    model = await newest(database, AiModel)
    assert model.cost_per_1k_tokens == 0
    assert (model.input_cost_per_1k_tokens, model.output_cost_per_1k_tokens) == (
        Decimal(low),
        Decimal(high),
    )


async def test_repricing_to_the_same_stored_price_changes_nothing(
    endpoint: Endpoint, database: Database
) -> None:
    register = """mutation { createAiModel(input: {provider: "p", name: "m",
        costPer1kTokens: "0.1234567"}) { aiModel { id updatedAt } } }"""
    model = (await data(endpoint, register))["createAiModel"]["aiModel"]
    reprice = f"""mutation {{ repriceAiModel(input: {{id: "{model["id"]}",
        costPer1kTokens: "0.12345674"}}) {{ aiModel {{ id updatedAt }} }} }}"""
    assert (await data(endpoint, reprice))["repriceAiModel"]["aiModel"] == model


@pytest.mark.parametrize(
    ("setting", "score", "status"),
    [
        (None, "5.005", "ACTIVE"),
        (None, "5.00499999999999999999", "ACHIEVED"),
        (None, "5", "ACHIEVED"),
        ("2.68", "2.675", "ACHIEVED"),
        ("2.68", "2.685", "ACTIVE"),
        ("5.01", "5.005", "ACHIEVED"),
        ("5.009", "5.005", "ACTIVE"),
        ("5.0099999999999999999999", "5.005", "ACTIVE"),
    ],
)
async def test_a_dream_is_achieved_by_the_score_that_is_stored(
    endpoint: Endpoint, database: Database, setting: str | None, score: str, status: str
) -> None:
    if setting:
        key = "dreams.achieved_at"
        await data(
            endpoint,
            f'mutation {{ setConfig(input: {{key: "{key}", value: {setting}}})'
            " { errors { code } } }",
        )
    dream = await make_dream(database, user_id=endpoint.user.id, status="ACTIVE")
    field = RECORD.replace("$DREAM", global_id(dream))

    await send(endpoint, field, "Float", score, literal=False)

    async with database.read() as session:
        [stored] = await session.records(Dream, Dream.select().where(Dream.id == dream.id))
    assert stored.status == status
