"""Documents are filtered by the values at their paths, which an index finds."""

from typing import Any

import pytest

from db import Database
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types.node import global_id
from support.factories import make_ai_test, make_dream, make_metric, make_progress_log
from support.mutations import Run
from support.principals import OPERATORS

METRICS = "query ($has: JSON) { metrics(filter: {tags: {has: $has}}) { nodes { metricName } } }"
TESTS = """query ($has: JSON) {
  aiTests(filter: {testParameters: {has: $has}}) { nodes { model } }
}"""
THROUGH = """query ($has: JSON) {
  dreams(filter: {tests: {testParameters: {has: $has}}}) { nodes { id } }
}"""
LOGS = """query ($has: JSON) {
  progressLogs(filter: {snapshotData: {has: $has}}) { nodes { snapshotData } }
}"""

TAGS = {
    "a": {"host": "db1", "port": 5432, "up": True},
    "b": {"host": "db2", "zone": {"name": "eu", "racks": [1, 2, {"id": "x"}]}},
    "c": {"host": None, "port": "5432"},
    "d": {},
}


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({"host": "db1"}, "a"),
        ({"host": "db1", "port": 5432}, "a"),
        ({"port": 5432.0}, "a"),
        ({"port": "5432"}, "c"),
        ({"host": None}, "c"),
        ({"up": True}, "a"),
        ({"up": 1}, ""),
        ({"zone": {"name": "eu"}}, "b"),
        ({"zone": {"racks": [2, 1]}}, "b"),
        ({"zone": {"racks": [{"id": "x"}]}}, "b"),
        ({"name": "eu"}, ""),
        ({"host": 'it\'s % \\ "quoted"'}, ""),
    ],
)
async def test_tags(run: Run, database: Database, has: Any, expected: str) -> None:
    for name, tags in TAGS.items():
        await make_metric(database, metric_name=name, tags=tags)
    answer = await run(METRICS, {"has": has}, OPERATORS)
    assert answer.errors == []
    assert [each["metricName"] for each in answer.data["metrics"]["nodes"]] == list(expected)


@pytest.mark.parametrize(
    ("has", "message"),
    [
        ({}, "must have a value"),
        ({"a": {}}, "must have a value"),
        ({"a": [1, []]}, "must have a value"),
        ([1], "must be a JSON object"),
        ("a", "must be a JSON object"),
        ({"a": "x" * 1_000}, "at most 1,000 bytes"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}, "more than 6 levels"),
        ({"a": "\0"}, "U+0000"),
        (None, "Null"),
    ],
)
async def test_what_an_index_would_not_find_is_refused(run: Run, has: Any, message: str) -> None:
    answer = await run(METRICS, {"has": has}, OPERATORS)
    [error] = answer.errors
    assert message in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_parameters_of_visible_tests_for_those_who_see_tests(
    run: Run, database: Database, ada: Principal
) -> None:
    hidden = await make_dream(database, is_public=False)
    for model, of in (("shown", {}), ("hidden", {"dream_id": hidden.id})):
        await make_ai_test(database, model=model, test_parameters={"seed": 7}, **of)
    await make_ai_test(database, model="other", test_parameters={"seed": 8})
    seven = {"has": {"seed": 7}}
    assert (await run(TESTS, seven, ada)).data["aiTests"]["nodes"] == [{"model": "shown"}]
    assert len((await run(THROUGH, seven, ada)).data["dreams"]["nodes"]) == 1
    for query in (TESTS, THROUGH):
        [error] = (await run(query, seven, ANONYMOUS)).errors
        assert error["extensions"]["code"] in ("FORBIDDEN", "UNAUTHENTICATED")


async def test_snapshots_are_found_by_the_ids_that_they_show(run: Run, database: Database) -> None:
    test = await make_ai_test(database)
    snapshot = {"testId": str(test.id), "model": "gpt-4", "score": 80.0}
    await make_progress_log(database, dream_id=test.dream_id, snapshot_data=snapshot)
    shown = [{"snapshotData": snapshot | {"testId": global_id(test)}}]
    for has, expected in (
        ({"testId": global_id(test)}, shown),
        ({"testId": global_id(test), "model": "gpt-4"}, shown),
        ({"score": 80}, shown),
        ({"testId": global_id(test)[:-1] + "x"}, []),
        ({"testId": 1}, []),
    ):
        answer = await run(LOGS, {"has": has}, ANONYMOUS)
        assert answer.errors == []
        assert answer.data["progressLogs"]["nodes"] == expected, has
