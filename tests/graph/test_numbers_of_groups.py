"""An aggregate answers at most 10,000 groups, and refuses more."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from db import Database
from db.core.ids import uuid7
from db.core.query.time_range import MOST_POINTS
from db.metrics import Metric
from support.stored_rows import execute


async def store(database: Database, first: int, end: int) -> None:
    """One value of each of some series, of an hour ago."""
    at = await database.now() - timedelta(hours=1)
    series = ({"metric_name": f"series.{number}"} for number in range(first, end))
    rows = [{"id": uuid7(at), "timestamp": at, "value": 1, **each} for each in series]
    await execute(database, insert(Metric).values(rows))


@pytest.mark.parametrize("since", ["", '(from: "2020-01-01T00:00:00Z")'])
async def test_more_groups_than_an_answer_may_have(
    database: Database, run: Any, data: Any, since: str
) -> None:
    asked = f"{{ metricSummary{since} {{ rows {{ metricName count p95 }} }} }}"
    for first in range(0, MOST_POINTS, 2_500):
        await store(database, first, first + 2_500)
    answer = await data(asked)
    await store(database, MOST_POINTS, MOST_POINTS + 1)
    refused = await run(asked)

    assert len(answer["metricSummary"]["rows"]) == MOST_POINTS
    [error] = refused.errors
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"] == ("More than 10000 groups in this time range; use a shorter one.")
