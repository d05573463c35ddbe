"""An aggregate answers a bounded number of groups: it is refused beyond, or has pages."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from db import Database
from db.ai_tests import AiTest, AiTestStatus
from db.core.ids import uuid7
from db.core.query.time_range import MOST_POINTS
from db.metrics import Metric
from graph.core.types.groups import MAX_GROUPS
from support.factories import make_dream
from support.stored_rows import execute


async def store_tests(database: Database, dream: Any, first: int, end: int) -> None:
    """One test of each of some models, of an hour ago."""
    at = await database.now() - timedelta(hours=1)
    of_dream = {"dream_id": dream.id, "provider": "p", "status": AiTestStatus.COMPLETED}
    models = ({"model": f"model-{number}"} for number in range(first, end))
    rows = [{"id": uuid7(at), "created_at": at, **of_dream, **each} for each in models]
    await execute(database, insert(AiTest).values(rows))


async def test_more_groups_than_an_answer_may_have(database: Database, run: Any, data: Any) -> None:
    asked = "{ modelComparison { rows { model testCount } } }"
    dream = await make_dream(database)
    for first in range(0, MOST_POINTS, 2_500):
        await store_tests(database, dream, first, first + 2_500)
    answer = await data(asked)
    await store_tests(database, dream, MOST_POINTS, MOST_POINTS + 1)
    refused = await run(asked)

    assert len(answer["modelComparison"]["rows"]) == MOST_POINTS
    [error] = refused.errors
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"] == ("More than 10000 groups in this time range; use a shorter one.")


@pytest.mark.parametrize("since", ["", 'from: "2020-01-01T00:00:00Z",'])
async def test_pages_of_series(database: Database, data: Any, since: str) -> None:
    names = sorted(f"series.{number}" for number in range(MAX_GROUPS + 2))
    at = await database.now() - timedelta(hours=1)
    rows = [
        {"id": uuid7(at), "timestamp": at, "metric_name": name, "value": number}
        for number, name in enumerate(names)
    ]
    await execute(database, insert(Metric).values(rows))

    pages = await data(
        f"""{{
          whole: metricSummary({since} skip: 0) {{ rows {{ metricName p95 }} }}
          rest: metricSummary({since} skip: {MAX_GROUPS}) {{ rows {{ metricName p95 }} }}
          two: metricSummary({since} first: 2, skip: 3) {{ rows {{ metricName p95 }} }}
          none: metricSummary({since} first: 0) {{ rows {{ metricName p95 }} }}
        }}"""
    )

    shown = [{"metricName": name, "p95": float(n)} for n, name in enumerate(names)]
    assert pages == {
        "whole": {"rows": shown[:MAX_GROUPS]},
        "rest": {"rows": shown[MAX_GROUPS:]},
        "two": {"rows": shown[3:5]},
        "none": {"rows": []},
    }
