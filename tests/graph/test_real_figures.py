"""The figures of the API against figures computed from the files in plain Python.

Needs the real evaluation data beside the project; without it the tests are skipped, and say so.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from statistics import fmean, quantiles
from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import DEVELOPER
from graph.schema import schema
from support.databases import REAL_FILES

FROM, TO = "2024-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z"
GUIDE = """
select provider, model, avg(impossibility_score), avg(confidence), avg(duration), count(*)
from ai_tests where status = 'COMPLETED' group by provider, model
"""
Line = dict[str, Any]
Ask = Callable[..., Awaitable[Any]]


def lines(kind: str) -> Iterator[Line]:
    for path in REAL_FILES:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from (line for line in map(json.loads, file) if line["kind"] == kind)


@pytest.fixture(scope="module")
def dreams() -> dict[str, Line]:
    return {line["key"]: line for line in lines("dream")}


@pytest.fixture(scope="module")
def completed() -> list[Line]:
    """The tests that are counted; not all of them have a score."""
    return [test for test in lines("test") if test["status"] == "COMPLETED"]


@pytest.fixture
def ask(imported: Database) -> Ask:
    async def ask(text: str, **variables: Any) -> Any:
        answer = await execute(
            prepare(schema, text), variables, Context(imported, DEVELOPER, "test-request")
        )
        assert answer.errors == []
        return answer.data

    return ask


def mean(values: list[Any]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None


def scores(tests: list[Line]) -> list[float]:
    return [float(t["impossibilityScore"]) for t in tests if t["impossibilityScore"] is not None]


def near(value: Any, share: float = 1e-9) -> Any:
    return None if value is None else pytest.approx(float(value), rel=share, abs=1e-9)


def figures(tests: list[Line]) -> dict[str, Any]:
    """What is said of the completed tests of one model."""
    costs = [Decimal(test["cost"]) for test in tests if test["cost"] is not None]
    return {
        "averageScore": near(mean([t["impossibilityScore"] for t in tests])),
        "averageConfidence": near(mean([t["confidence"] for t in tests])),
        "averageDurationMs": near(mean([t["durationMs"] for t in tests])),
        "testCount": len(tests),
        "scoredTestCount": len(scores(tests)),
        "totalCost": str(sum(costs)) if costs else None,
    }


def within(line: Line, since: str | None, until: str | None) -> bool:
    at = line["createdAt"]
    return (since is None or at >= since) and (until is None or at < until)


@pytest.mark.parametrize(("since", "until"), [("1970-01-01T00:00:00.000000Z", None), (FROM, TO)])
async def test_model_comparison(
    ask: Ask, completed: list[Line], since: str, until: str | None
) -> None:
    models = defaultdict(list)
    for test in completed:
        if within(test, since, until):
            models[test["provider"], test["model"]].append(test)

    data = await ask(
        """query ($from: DateTime, $to: DateTime) {
          modelComparison(from: $from, to: $to) { rows {
            provider model averageScore averageConfidence averageDurationMs testCount
            scoredTestCount totalCost
          } }
        }""",
        **{"from": since, "to": until},
    )

    answered = {(row["provider"], row["model"]): row for row in data["modelComparison"]["rows"]}
    averages = [row["averageScore"] for row in data["modelComparison"]["rows"]]
    assert averages == sorted(averages, key=lambda score: (score is None, score))
    assert set(answered) == set(models)
    for key, tests in models.items():
        assert answered[key] == {"provider": key[0], "model": key[1], **figures(tests)}


async def test_models_are_compared_as_in_the_query_of_the_guide(
    ask: Ask, imported: Database
) -> None:
    """With the models whose completed tests nobody scored."""
    data = await ask(
        """{ modelComparison(from: "1970-01-01T00:00:00Z") { rows {
          provider model averageScore averageConfidence averageDurationMs testCount
        } } }"""
    )
    async with imported.read() as session:
        rows = await session.rows(text(GUIDE))

    answered = {(row["provider"], row["model"]): row for row in data["modelComparison"]["rows"]}
    assert answered == {
        (provider, model): {
            "provider": provider,
            "model": model,
            "averageScore": near(impossibility),
            "averageConfidence": near(confidence),
            "averageDurationMs": near(duration),
            "testCount": count,
        }
        for provider, model, impossibility, confidence, duration, count in rows
    }
    assert [row["averageScore"] for row in data["modelComparison"]["rows"]].count(None) == 6


async def test_a_model_has_the_statistics_of_its_completed_tests(
    ask: Ask, completed: list[Line]
) -> None:
    models = defaultdict(list)
    for test in completed:
        models[test["provider"], test["model"]].append(test)

    unscored = [key for key, tests in models.items() if not scores(tests)]

    data = await ask(
        """query ($names: [String!]) { aiModels(first: 100, filter: {name: {in: $names}}) { nodes {
          provider name statistics {
            averageScore averageConfidence averageDurationMs testCount scoredTestCount
            totalCost
          }
        } } }""",
        names=[name for _, name in unscored + list(models)[:40]],
    )

    answered = {(m["provider"], m["name"]): m["statistics"] for m in data["aiModels"]["nodes"]}
    assert set(unscored) <= set(answered)
    assert len(answered) >= 40
    assert answered == {key: figures(models[key]) for key in answered}


@pytest.mark.parametrize(("since", "until"), [(None, None), (FROM, TO)])
async def test_category_performance(
    ask: Ask, completed: list[Line], dreams: dict[str, Line], since: str | None, until: str | None
) -> None:
    categories = defaultdict(list)
    for test in completed:
        dream = dreams[test["dreamKey"]]
        if dream["status"] == "ACTIVE" and within(test, since, until):
            categories[dream["category"]].append(test)

    data = await ask(
        """query ($from: DateTime, $to: DateTime) {
          categoryPerformance(from: $from, to: $to) { rows {
            category dreamCount averageScore testCount scoredTestCount
          } }
        }""",
        **{"from": since, "to": until},
    )

    expected = [
        {
            "category": category,
            "dreamCount": None if until else len({test["dreamKey"] for test in tests}),
            "averageScore": near(mean([t["impossibilityScore"] for t in tests])),
            "testCount": len(tests),
            "scoredTestCount": len(scores(tests)),
        }
        for category, tests in categories.items()
    ]
    expected.sort(key=lambda row: row["averageScore"].expected)
    assert data["categoryPerformance"]["rows"] == expected


@pytest.mark.parametrize(("bucket", "start"), [("DAY", "%Y-%m-%d"), ("MONTH", "%Y-%m-01")])
async def test_decay(
    ask: Ask, completed: list[Line], dreams: dict[str, Line], bucket: str, start: str
) -> None:
    expected: dict[Any, dict[str, list[Line]]] = {name(dream): {} for dream in dreams.values()}
    for test in completed:
        day = datetime.fromisoformat(test["createdAt"]).strftime(f"{start}T00:00:00.000000Z")
        expected[name(dreams[test["dreamKey"]])].setdefault(day, []).append(test)

    answered = {name(dream): dream["decay"] async for dream in decayed(ask, bucket)}

    assert len(expected) == len(dreams)
    assert answered == {
        dream: [
            {
                "bucket": day,
                "averageScore": near(mean(scores(tests))),
                "bestScore": near(min(scores(tests), default=None)),
                "testCount": len(tests),
                "scoredTestCount": len(scores(tests)),
            }
            for day, tests in sorted(days.items())
        ]
        for dream, days in expected.items()
    }


def name(dream: Line) -> tuple[Any, ...]:
    """What tells a dream from the others, in the file and in the API."""
    return dream["title"], dream["createdAt"], dream["originalPrompt"], tuple(dream["tags"])


async def decayed(ask: Ask, bucket: str) -> AsyncIterator[Any]:
    """Every dream with its decay, page by page."""
    after, more = None, True
    while more:
        data = await ask(
            """query ($after: String, $bucket: Bucket!) {
              dreams(first: 100, after: $after) {
                nodes {
                  title createdAt originalPrompt tags
                  decay(from: "1970-01-01T00:00:00.000000Z", bucket: $bucket) {
                    bucket averageScore bestScore testCount scoredTestCount
                  }
                }
                pageInfo { hasNextPage endCursor }
              }
            }""",
            after=after,
            bucket=bucket,
        )
        for dream in data["dreams"]["nodes"]:
            yield dream
        page = data["dreams"]["pageInfo"]
        after, more = page["endCursor"], page["hasNextPage"]


@pytest.mark.parametrize(
    ("since", "until", "of_p95"),
    [
        ("1970-01-01T00:00:00.000000Z", None, 0.01),  # of more than 100,000 values
        ("2014-04-01T00:00:00.000000Z", "2014-04-10T00:00:00.000000Z", 1e-9),
    ],
)
async def test_metric_summary(ask: Ask, since: str, until: str | None, of_p95: float) -> None:
    series: dict[str, list[Decimal]] = defaultdict(list)
    for metric in lines("metric"):
        if metric["timestamp"] >= since and (until is None or metric["timestamp"] < until):
            stored = Decimal(metric["value"]).quantize(Decimal("0.000001"), ROUND_HALF_UP)
            series[metric["metricName"]].append(stored)

    data = await ask(
        """query ($from: DateTime, $to: DateTime) {
          metricSummary(from: $from, to: $to) { rows {
            metricName average minimum maximum count p95
          } }
        }""",
        **{"from": since, "to": until},
    )

    assert data["metricSummary"]["rows"] == [
        {
            "metricName": metric,
            "average": near(sum(values) / len(values)),
            "minimum": near(min(values)),
            "maximum": near(max(values)),
            "count": str(len(values)),
            "p95": near(quantiles(map(float, values), n=20, method="inclusive")[-1], of_p95),
        }
        for metric, values in sorted(series.items())
    ]


async def test_kpis(ask: Ask, dreams: dict[str, Line]) -> None:
    """The files have no users, and all dreams are public from the start."""
    tests, months = list(lines("test")), defaultdict(lambda: defaultdict(int))
    models: dict[str | None, set[tuple[str, str]]] = defaultdict(set)
    for dream in dreams.values():
        months[month(dream)]["dreamsWritten"] += 1
    for test in tests:
        months[month(test)]["testCount"] += 1
        for bucket in (month(test), None):
            models[bucket].add((test["provider"], test["model"]))
    scored = {test["dreamKey"] for test in tests if test["impossibilityScore"] is not None}

    data = await ask(
        """fragment Figures on KpiFigures {
          dreamsWritten dreamsPublished dreamsAchieved dreamsRemixed medianDaysToAchieve
          testCount modelCount activeUsers
        }
        { kpis(from: "1970-01-01T00:00:00Z") {
          totals { ...Figures } series(bucket: MONTH) { bucket ...Figures }
          funnel { written tested published }
        } }"""
    )

    def figures(written: int, count: int, bucket: str | None) -> dict[str, Any]:
        none = dict.fromkeys(("dreamsAchieved", "dreamsRemixed", "activeUsers"), 0)
        new = {"dreamsWritten": written, "dreamsPublished": written, "testCount": count}
        return none | new | {"medianDaysToAchieve": None, "modelCount": len(models[bucket])}

    assert data["kpis"] == {
        "totals": figures(len(dreams), len(tests), None),
        "series": [
            {"bucket": start, **figures(of["dreamsWritten"], of["testCount"], start)}
            for start, of in sorted(months.items())
        ],
        "funnel": {
            "written": len(dreams),
            "tested": len(scored),
            "published": len(scored),
        },
    }


def month(line: Line) -> str:
    return f"{line['createdAt'][:7]}-01T00:00:00.000000Z"
