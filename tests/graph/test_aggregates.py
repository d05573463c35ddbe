"""Aggregates state their window and where there is data, and means have a confidence interval."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from statistics import fmean, stdev
from typing import Any

import pytest

from db import Database
from db.core.numeric import confidence_interval
from graph.core.principal import ANONYMOUS, Principal
from support.databases import execute
from support.factories import make_ai_test, make_dream, make_event, make_metric
from support.mutations import Run
from support.principals import OPERATORS
from support.rollups import roll

Data = Callable[..., Awaitable[Any]]

LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RANGES = "window { from to } dataRange { from to }"


# Source: quantiles of the t-distribution as tables print them
@pytest.mark.parametrize(
    ("count", "quantile"),
    [(2, 12.706), (3, 4.303), (11, 2.228), (31, 2.042), (32, 2.0395), (61, 2.0003), (1001, 1.9623)],
)
def test_an_interval_is_the_mean_and_errors_by_student_s_t(count: int, quantile: float) -> None:
    random = Random(count)  # noqa: S311  not for secrets
    sample = [round(random.uniform(0, 100), 2) for _ in range(count)]
    values = [Decimal(str(each)) for each in sample]
    found = confidence_interval(count, sum(values, Decimal(0)), sum(v * v for v in values))  # type: ignore[arg-type]  # it has values
    half = quantile * stdev(sample) / count**0.5
    assert found == pytest.approx((fmean(sample) - half, fmean(sample) + half), rel=2e-4, abs=0.02)


def test_no_interval_below_two_values_or_with_an_unknown_sum() -> None:
    assert confidence_interval(0, None, None) is None
    assert confidence_interval(1, Decimal(5), Decimal(25)) is None
    assert confidence_interval(2, Decimal(10), None) is None
    assert confidence_interval(3, Decimal(15), Decimal(75)) == (5, 5)


async def test_an_empty_default_window_says_where_data_lies(database: Database, data: Data) -> None:
    dream = await make_dream(database)
    for days in (0, 3):
        at = LONG_AGO + days * DAY
        await make_ai_test(database, dream_id=dream.id, created_at=at)
        await make_event(database, timestamp=at)
        await make_metric(database, timestamp=at)
    names = ("modelComparison", "eventCounts", "metricSummary")
    fields = [f"{name} {{ {RANGES} rows {{ __typename }} }}" for name in names]
    before = await database.now()
    answer = await data(f"{{ {' '.join(fields)} }}")
    expected = {"from": "2024-05-01T12:00:00.000000Z", "to": "2024-05-04T12:00:00.000000Z"}
    for name, length in zip(names, (7 * DAY, DAY, DAY), strict=True):
        found = answer[name]
        assert found["rows"] == []
        assert found["dataRange"] == expected
        assert found["window"]["to"] is None
        since = datetime.fromisoformat(found["window"]["from"])
        assert before - length <= since <= await database.now() - length


async def test_the_window_is_that_of_the_arguments_or_all_time(data: Data) -> None:
    answer = await data(
        """{
          given: modelComparison(from: "2024-01-01T00:00:00Z", to: "2024-02-01T00:00:00Z") {
            window { from to } dataRange { from }
          }
          ever: categoryPerformance { window { from to } dataRange { from } }
        }"""
    )
    given = {"from": "2024-01-01T00:00:00.000000Z", "to": "2024-02-01T00:00:00.000000Z"}
    assert answer == {
        "given": {"window": given, "dataRange": None},
        "ever": {"window": {"from": None, "to": None}, "dataRange": None},
    }


async def test_data_of_hidden_dreams_is_no_data(
    run: Run, database: Database, ada: Principal
) -> None:
    for is_public, at in ((False, LONG_AGO), (True, LONG_AGO + DAY)):
        dream = await make_dream(database, is_public=is_public, user_id=ada.user_id)
        await make_ai_test(database, dream_id=dream.id, created_at=at)
    await make_ai_test(database, status="RUNNING", impossibility_score=None)
    query = "{ modelComparison { dataRange { from to } } categoryPerformance { dataRange { to } } }"
    seen = (await run(query, who=ANONYMOUS)).data
    own = (await run(query, who=ada)).data
    last = "2024-05-02T12:00:00.000000Z"
    assert seen["modelComparison"] == {"dataRange": {"from": last, "to": last}}
    assert own["modelComparison"] == {
        "dataRange": {"from": "2024-05-01T12:00:00.000000Z", "to": last}
    }
    assert seen["categoryPerformance"] == own["categoryPerformance"] == {"dataRange": {"to": last}}


COMPARED = """query ($models: [String!], $bucket: Bucket, $categories: [DreamCategory!]) {
  modelComparison(from: "2024-01-01T00:00:00Z", models: $models, bucket: $bucket) {
    dataRange { to }
    rows { bucket provider model averageScore scoredTestCount confidenceInterval { low high } }
  }
  categoryPerformance(categories: $categories, bucket: $bucket) {
    rows { bucket category dreamCount averageScore confidenceInterval { low high } }
  }
}"""


@pytest.fixture
async def scores(database: Database) -> None:
    """Scores of two models on two dreams in two months."""
    for category, model, scored in (
        ("MATH", "a", ((0, 10), (1, 20), (40, 5))),
        ("CODING", "b/1", ((0, 90), (2, 95), (41, 80))),
    ):
        dream = await make_dream(database, category=category)
        for days, points in scored:
            at = LONG_AGO + days * DAY
            await make_ai_test(
                database,
                dream_id=dream.id,
                created_at=at,
                model=model,
                impossibility_score=points,
            )


@pytest.mark.parametrize("rolled", [False, True])
async def test_chosen_models_and_categories_by_month(
    database: Database, data: Data, scores: None, rolled: bool
) -> None:
    assert scores is None
    if rolled:
        await roll(database)
    chosen = {"models": ["b/1", "x"], "categories": ["MATH"], "bucket": "MONTH"}
    answer = await data(COMPARED, chosen)
    first, second = answer["modelComparison"]["rows"]
    assert answer["modelComparison"]["dataRange"] == {"to": "2024-06-11T12:00:00.000000Z"}
    assert (first["bucket"], first["model"], first["averageScore"]) == (
        "2024-05-01T00:00:00.000000Z",
        "b/1",
        92.5,
    )
    low, high = first["confidenceInterval"]["low"], first["confidenceInterval"]["high"]
    assert (low, high) == (pytest.approx(92.5 - 12.706205 * 2.5), 100)
    assert second["bucket"] == "2024-06-01T00:00:00.000000Z"
    assert (second["averageScore"], second["confidenceInterval"]) == (80, None)
    months = answer["categoryPerformance"]["rows"]
    shown = [(row["category"], row["dreamCount"], row["averageScore"]) for row in months]
    assert shown == [("MATH", None, 15.0), ("MATH", None, 5.0)]

    whole = await data(COMPARED)
    assert [row["model"] for row in whole["modelComparison"]["rows"]] == ["a", "b/1"]
    assert {row["bucket"] for row in whole["modelComparison"]["rows"]} == {None}
    assert [row["dreamCount"] for row in whole["categoryPerformance"]["rows"]] == [1, 1]
    none = await data(COMPARED, {"models": [], "categories": []})
    assert none["modelComparison"] == {"rows": [], "dataRange": None}
    assert none["categoryPerformance"] == {"rows": []}


async def test_anonymous_clients_choose_models_but_not_times(run: Run, scores: None) -> None:
    assert scores is None
    models = '{ modelComparison(providers: ["openai"], models: ["a"]) { rows { model } } }'
    assert (await run(models, who=ANONYMOUS)).errors == []
    times = '{ modelComparison(to: "2024-01-01T00:00:00Z") { rows { model } } }'
    [error] = (await run(times, who=ANONYMOUS)).errors
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_sums_of_an_older_version_have_no_interval_until_computed_again(
    run: Run, database: Database, database_url: str
) -> None:
    for value in (1, 2):
        await make_metric(database, metric_name="x", timestamp=LONG_AGO, value=value)
    query = """{ metricSeries(name: "x", from: "2024-01-01T00:00:00Z", bucket: MONTH) {
      rows { average confidenceInterval { low } }
    } }"""
    await roll(database)
    for has_interval in (True, False):
        if not has_interval:
            await execute(database_url, "update metric_sums set squares = null")
        [row] = (await run(query, who=OPERATORS)).data["metricSeries"]["rows"]
        assert row["average"] == 1.5
        assert (row["confidenceInterval"] is not None) == has_interval


async def test_models_can_be_compared_within_categories(
    run: Run, scores: None, ada: Principal
) -> None:
    assert scores is None
    crossed = """{
      modelComparison(from: "2024-01-01T00:00:00Z", categories: [MATH]) {
        dataRange { to } rows { model }
      }
      categoryPerformance(
        models: ["b/1"], from: "2024-05-01T00:00:00Z", to: "2024-06-01T00:00:00Z"
      ) { dataRange { from } rows { category dreamCount } }
      long: categoryPerformance(
        models: ["b/1"], from: "2024-05-01T00:00:00Z", to: "2024-06-01T00:00:00.001Z"
      ) { rows { category dreamCount } }
    }"""
    assert (await run(crossed, who=ada)).data == {
        "modelComparison": {
            "dataRange": {"to": "2024-06-10T12:00:00.000000Z"},
            "rows": [{"model": "a"}],
        },
        "categoryPerformance": {
            "dataRange": {"from": "2024-05-01T12:00:00.000000Z"},
            "rows": [{"category": "CODING", "dreamCount": 1}],
        },
        "long": {"rows": [{"category": "CODING", "dreamCount": None}]},
    }
    for name, arguments in (
        ("modelComparison", "categories: [MATH]"),
        ("categoryPerformance", 'providers: ["openai"]'),
    ):
        query = f"{{ {name}({arguments}) {{ rows {{ averageScore }} }} }}"
        [error] = (await run(query, who=ANONYMOUS)).errors
        assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_means_of_metrics_have_an_interval(run: Run, database: Database) -> None:
    for value in (1, 2, 6):
        await make_metric(database, metric_name="x", timestamp=LONG_AGO, value=value)
    since = 'from: "2024-05-01T00:00:00Z"'
    short = f'{since}, to: "2024-05-02T00:00:00Z"'
    fields = "rows { average confidenceInterval { low high } }"
    query = f"""{{
      long: metricSummary({since}) {{ {fields} }}
      short: metricSummary({short}) {{ {fields} }}
      series: metricSeries(name: "x", {since}) {{ {fields} }}
    }}"""
    half = 4.302653 * stdev([1, 2, 6]) / 3**0.5
    for _ in range(2):
        for found in (await run(query, who=OPERATORS)).data.values():
            [row] = found["rows"]
            assert row["average"] == 3
            assert row["confidenceInterval"] == {
                "low": pytest.approx(3 - half),
                "high": pytest.approx(3 + half),
            }
        await roll(database)


async def test_events_of_chosen_types_sources_and_severities(run: Run, database: Database) -> None:
    for event_type, source, severity in (
        ("a", "x", "INFO"),
        ("b", "x", "ERROR"),
        ("c", "y", "INFO"),
    ):
        await make_event(
            database, event_type=event_type, source=source, severity=severity, timestamp=LONG_AGO
        )
    for arguments, expected in (
        ('eventTypes: ["a", "b"]', ["a", "b"]),
        ('sources: ["x"], severities: [INFO]', ["a"]),
        ("severities: [CRITICAL]", []),
        ("sources: []", []),
    ):
        query = f"""{{ eventCounts(from: "2024-01-01T00:00:00Z", {arguments}) {{
          dataRange {{ from }} rows {{ eventType }}
        }} }}"""
        answer = (await run(query, who=OPERATORS)).data["eventCounts"]
        assert [row["eventType"] for row in answer["rows"]] == expected, arguments
        assert (answer["dataRange"] is None) == (not expected)
