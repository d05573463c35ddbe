"""The latest score of a model among tests of one instant: the one with the highest id, always."""

from typing import Any

import pytest
from starlette.applications import Starlette

from db import Database
from db.progress.replay import recompute
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import ask, gateway, make_key, production

AT = "2026-01-15T12:00:00.000001Z"
RECORD = """mutation {{ recordAiTest(input: {{
  dreamId: "{dream}", provider: "openai", model: "{model}", at: "{at}", impossibilityScore: {score}
}}) {{ aiTest {{ id impossibilityScore }} }} }}"""
DREAM = """{{ dream(id: "{dream}") {{
  latestTest {{ id }}
  latestProgress {{ id averageImpossibility testCount improvementTrend }}
  tests {{ nodes {{ id impossibilityScore }} }}
  progress {{ nodes {{ averageImpossibility snapshotData }} }}
}} }}"""


@pytest.fixture
async def owner(database: Database) -> Any:
    return await make_user(database)


@pytest.fixture
async def app(database: Database) -> Starlette:
    return gateway(production(), database)


@pytest.fixture
async def key(database: Database, owner: Any) -> str:
    return (await make_key(database, production(), user_id=owner.id)).text


async def asked(app: Starlette, key: str, query: str) -> Any:
    answer = (await ask(app, key, query)).json()
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.parametrize("scores", [(90, 10, 50), (10, 90, 50), (50, 10, 90), (10, 50, 90)])
async def test_of_tests_of_one_instant_the_highest_id_is_the_latest(
    database: Database, app: Starlette, key: str, owner: Any, scores: tuple[int, ...]
) -> None:
    row = await make_dream(database, user_id=owner.id)
    dream = global_id(row)
    made = {}
    for score in scores:
        text = RECORD.format(dream=dream, model="gpt-4", at=AT, score=score)
        test = (await asked(app, key, text))["recordAiTest"]["aiTest"]
        made[test["id"]] = test["impossibilityScore"]

    answer = (await asked(app, key, DREAM.format(dream=dream)))["dream"]

    highest = max(made)
    assert answer["latestTest"] == {"id": highest}
    assert answer["latestProgress"] == {
        "id": "progress_log_" + highest.rpartition("_")[2],
        "averageImpossibility": made[highest],
        "testCount": 3,
        "improvementTrend": None,
    }
    assert answer["tests"]["nodes"] == [
        {"id": id, "impossibilityScore": made[id]} for id in sorted(made, reverse=True)
    ]
    assert [
        (log["averageImpossibility"], log["snapshotData"]["score"])
        for log in answer["progress"]["nodes"]
    ] == [(made[id], made[id]) for id in sorted(made, reverse=True)]
    async with database.write() as session:
        replayed = await recompute(session, [row.id])
    assert (replayed.inserted, replayed.updated, replayed.unchanged) == (0, 0, 3)


async def test_a_trend_is_since_the_highest_id_of_an_instant_thirty_days_before(
    database: Database, app: Starlette, key: str, owner: Any
) -> None:
    row = await make_dream(database, user_id=owner.id)
    dream = global_id(row)
    for score in (80, 40):
        await asked(app, key, RECORD.format(dream=dream, model="gpt-4", at=AT, score=score))
    before = (await asked(app, key, DREAM.format(dream=dream)))["dream"]["latestProgress"]
    later = AT.replace("01-15", "02-14")
    await asked(app, key, RECORD.format(dream=dream, model="gpt-4", at=later, score=20))

    now = (await asked(app, key, DREAM.format(dream=dream)))["dream"]["latestProgress"]

    fallen = (before["averageImpossibility"] - 20) / before["averageImpossibility"] * 100
    assert now["improvementTrend"] == fallen
    async with database.write() as session:
        assert (await recompute(session, [row.id])).unchanged == 3
