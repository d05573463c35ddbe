"""Completed tests without a score are counted wherever completed tests are."""

from typing import Any

from db import Database
from support.factories import make_ai_model, make_ai_test, make_dream, make_user
from support.gateways import ask, gateway, make_key, production

UNSCORED = {"impossibility_score": None, "confidence": None}
QUERY = """{
  modelComparison(from: "2026-01-01T00:00:00Z") { rows {
    model averageScore averageConfidence averageDurationMs testCount scoredTestCount
    totalCost
  } }
  categoryPerformance { rows {
    category dreamCount averageScore testCount scoredTestCount
  } }
  aiModels(orderBy: [{field: NAME}]) { nodes { name statistics {
    averageScore averageConfidence averageDurationMs testCount scoredTestCount totalCost
  } } }
  dreams(orderBy: [{field: TITLE}]) { nodes { title
    decay(from: "2026-01-01T00:00:00Z", bucket: MONTH) {
      averageScore bestScore testCount scoredTestCount
    }
  } }
}"""


def figures(score: float | None, duration: float | None, count: int, scored: int, cost: Any) -> Any:
    return {
        "averageScore": score,
        "averageConfidence": None if score is None else 80.0,
        "averageDurationMs": duration,
        "testCount": count,
        "scoredTestCount": scored,
        "totalCost": cost,
    }


async def test_unscored_tests_count_but_have_no_average(database: Database) -> None:
    owner = await make_user(database)
    both = await make_dream(database, user_id=owner.id, title="both", category="MATH")
    none = await make_dream(database, user_id=owner.id, title="none", category="VISION")
    for name in ("a", "b", "c"):
        await make_ai_model(database, name=name)
    of_both = {"dream_id": both.id, "user_id": owner.id, "cost": "0.5"}
    scored = {"impossibility_score": 40, "confidence": 80}
    await make_ai_test(database, **of_both, model="a", duration=1000, **scored)
    await make_ai_test(database, **of_both, model="a", duration=3000, **UNSCORED)
    await make_ai_test(database, **of_both, model="a", duration=9000, **UNSCORED, status="FAILED")
    await make_ai_test(
        database, **{**of_both, "dream_id": none.id}, model="b", duration=7000, **UNSCORED
    )
    key = await make_key(database, production(), user_id=owner.id)

    answer = (await ask(gateway(production(), database), key.text, QUERY)).json()["data"]

    a, b = figures(40.0, 2000.0, 2, 1, "1.000000"), figures(None, 7000.0, 1, 0, "0.500000")
    of_a = {"averageScore": 40.0, "testCount": 2, "scoredTestCount": 1}
    of_b = {"averageScore": None, "testCount": 1, "scoredTestCount": 0}
    assert answer == {
        "modelComparison": {"rows": [{"model": "a", **a}, {"model": "b", **b}]},
        "categoryPerformance": {
            "rows": [
                {"category": "MATH", "dreamCount": 1, **of_a},
                {"category": "VISION", "dreamCount": 1, **of_b},
            ]
        },
        "aiModels": {
            "nodes": [
                {"name": "a", "statistics": a},
                {"name": "b", "statistics": b},
                {"name": "c", "statistics": figures(None, None, 0, 0, None)},
            ]
        },
        "dreams": {
            "nodes": [
                {"title": "both", "decay": [{"bestScore": 40.0, **of_a}]},
                {"title": "none", "decay": [{"bestScore": None, **of_b}]},
            ]
        },
    }
