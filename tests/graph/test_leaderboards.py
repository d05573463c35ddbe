"""Dreams are ordered and filtered by their progress, and found by their slugs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from db import Database
from db.core.ids import uuid7
from db.dreams import Dream, slug_of
from db.progress import ProgressLog, of_dreams
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from support.ai_tests import recorded, score
from support.databases import execute
from support.factories import make_dream, make_progress_log
from support.mutations import Run, outcome, stored

BOARD = """query ($orderBy: [DreamOrder!], $filter: DreamFilter, $first: Int, $after: String) {
  dreams(orderBy: $orderBy, filter: $filter, first: $first, after: $after) {
    nodes { title } pageInfo { hasNextPage endCursor }
  }
}"""
PROGRESS = "averageImpossibility bestScore improvementTrend testCount"
BESIDE = f"""{{ dreams {{ nodes {{
  {PROGRESS} lastTestedAt latestProgress {{ {PROGRESS} createdAt }}
}} }} }}"""
NOW = datetime(2026, 3, 1, tzinfo=UTC)

Titles = Callable[..., Any]


@pytest.fixture
async def board(run: Run, database: Database) -> Titles:
    """`await board(order, who)`: the titles of all pages of two dreams. Dreams by average
    impossibility: easy, hidden, hard, untested."""
    for title, average, best, days, trend in (
        ("easy", 10, 5, 3, 70),
        ("hidden", 20, 1, 2, None),
        ("hard", 90, 80, 1, -3),
    ):
        dream = await make_dream(database, title=title, is_public=title != "hidden")
        values = {"average_impossibility": average, "best_score": best, "improvement_trend": trend}
        at = NOW - timedelta(days=days)
        await make_progress_log(
            database, dream_id=dream.id, created_at=at, test_count=days, **values
        )
    await make_dream(database, title="untested")

    async def titles(
        order: str, who: Principal, direction: str = "ASC", **filter: Any
    ) -> list[str]:
        found: list[str] = []
        after, more = None, True
        while more:
            variables = {
                "orderBy": [{"field": order, "direction": direction}],
                "filter": filter,
                "first": 2,
                "after": after,
            }
            answer = await run(BOARD, variables, who)
            assert answer.errors == []
            page = answer.data["dreams"]
            found += [node["title"] for node in page["nodes"]]
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        return found

    return titles


ORDERS = {
    "AVERAGE_IMPOSSIBILITY": ["easy", "hidden", "hard", "untested"],
    "BEST_SCORE": ["hidden", "easy", "hard", "untested"],
    "IMPROVEMENT_TREND": ["hard", "easy", "hidden", "untested"],
    "TEST_COUNT": ["untested", "hard", "hidden", "easy"],
    "LAST_TESTED_AT": ["easy", "hidden", "hard", "untested"],
}


@pytest.mark.parametrize("order", ORDERS)
async def test_each_order_has_all_visible_dreams_and_nulls_last(board: Titles, order: str) -> None:
    ascending = ORDERS[order]
    known = [title for title in ascending if order == "TEST_COUNT" or title != "untested"]
    if order == "IMPROVEMENT_TREND":
        known.remove("hidden")
    unknown = [title for title in ascending if title not in known]
    descending = [*reversed(known), *reversed(unknown)]

    assert await board(order, DEVELOPER) == ascending
    assert await board(order, DEVELOPER, "DESC") == descending
    assert await board(order, ANONYMOUS) == [t for t in ascending if t != "hidden"]
    assert await board(order, ANONYMOUS, "DESC") == [t for t in descending if t != "hidden"]


async def test_each_column_can_be_filtered_and_hidden_dreams_match_nothing(board: Titles) -> None:
    for filter, expected in (
        ({"averageImpossibility": {"lte": 20}}, ["easy"]),
        ({"bestScore": {"lt": 80}}, ["easy"]),
        ({"improvementTrend": {"lt": 0}}, ["hard"]),
        ({"testCount": {"eq": 0}}, ["untested"]),
        ({"lastTestedAt": {"gte": "2026-02-28T00:00:00Z"}}, ["hard"]),
        ({"lastTestedAt": {"isNull": True}}, ["untested"]),
    ):
        assert await board("TITLE", ANONYMOUS, **filter) == expected, filter


async def test_dreams_show_their_latest_progress(run: Run, dream: Any, ada: Principal) -> None:
    for days, points in ((40, 90), (20, 80), (1, 30)):
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        test = recorded(dream, at=at) | score(points)
        await outcome(run, "recordAiTest", test, ada, "aiTest { status }")
    [shown] = (await run(BESIDE)).data["dreams"]["nodes"]
    latest = shown.pop("latestProgress")
    last = latest.pop("createdAt")
    assert shown == latest | {"lastTestedAt": last}
    assert latest["testCount"] == 3
    assert latest["improvementTrend"] is not None


async def test_progress_falls_back_to_earlier_logs_and_to_none(database: Database) -> None:
    dream = await make_dream(database)
    first = await make_progress_log(database, dream_id=dream.id, best_score=70)
    last = await make_progress_log(database, dream_id=dream.id, best_score=60, test_count=2)
    assert await _best(database) == [60]
    async with database.write() as session:
        await session.execute(delete(ProgressLog).where(ProgressLog.id == last.id))
    assert await _best(database) == [70]
    async with database.write() as session:
        await session.execute(delete(ProgressLog).where(ProgressLog.id == first.id))
    assert await _best(database) == [None]
    assert [row.test_count for row in await stored(database, Dream)] == [0]


async def test_differing_dreams_are_found_and_kept(database: Database, database_url: str) -> None:
    dream = await make_dream(database)
    await make_progress_log(database, dream_id=dream.id, best_score=70)
    await make_dream(database)
    assert await of_dreams.differing(database) == 0
    await execute(database_url, "update dreams set best_score = 1, test_count = 9")
    assert await of_dreams.differing(database) == 2
    await of_dreams.keep(database)
    assert await of_dreams.differing(database) == 0
    assert await _best(database) == [70, None]


async def _best(database: Database) -> list[Any]:
    return [dream.best_score for dream in await stored(database, Dream)]


ALPHABET = "aZ09 -_.,'\"ÄöüßéÇñİ\u0131\u212aﬁ夢夢🙂\u0301\n\u200b"


async def test_postgresql_and_the_gateway_name_dreams_alike(database: Database) -> None:
    random, at = Random(1), datetime.now(UTC)  # noqa: S311  not for secrets
    titles = ["".join(random.choices(ALPHABET, k=random.randint(1, 90))) for _ in range(500)]
    async with database.read() as session:
        for title in titles:
            id = uuid7(at)
            named = await session.scalar(select(func.slug_of_dream(title, id)))
            assert named == slug_of(title, id), title


def test_a_slug_has_the_words_of_the_title() -> None:
    id = uuid7(NOW, "key")
    end = id.hex[-12:]
    assert slug_of("  Fold a Shirt! ", id) == f"fold-a-shirt-{end}"
    assert slug_of("Écrire “Ω” 2", id) == f"ecrire-2-{end}"
    assert slug_of("夢", id) == end
    assert slug_of("a" * 200, id) == f"{'a' * 60}-{end}"


BY_SLUG = "query ($slug: String) { dream(slug: $slug) { title slug } }"


async def test_a_dream_is_found_by_its_first_slug(run: Run, ada: Principal) -> None:
    made = await outcome(run, "createDream", {"title": "Fly"}, ada, "dream { id slug }")
    assert made["slug"].startswith("fly-")
    renamed = {"id": made["id"], "title": "Walk"}
    edited = await outcome(run, "editDream", renamed, ada, "dream { slug }")
    assert edited == {"slug": made["slug"]}
    variables = {"slug": made["slug"]}
    assert (await run(BY_SLUG, variables, ada)).data["dream"] == variables | {"title": "Walk"}
    assert (await run(BY_SLUG, variables, ANONYMOUS)).data == {"dream": None}
    assert (await run(BY_SLUG, {"slug": "fly"}, ada)).data == {"dream": None}
