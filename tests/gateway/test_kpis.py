"""KPIs: business figures against the same computed in Python, and who may read them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from db import Database
from db.users import Role
from support.business import DAY, Business, Figures, midnight, monday, printed
from support.factories import make_user
from support.gateways import ask, gateway, make_key, production, signed_in
from support.graphql_client import Endpoint
from support.rollups import roll

FIGURES = """dreamsWritten dreamsPublished dreamsAchieved dreamsRemixed medianDaysToAchieve
testCount modelCount activeUsers"""
ALL = f"""query ($from: DateTime, $to: DateTime, $bucket: Bucket!) {{ kpis(from: $from, to: $to) {{
  window {{ from to }}
  totals {{ bucket {FIGURES} }}
  series(bucket: $bucket) {{ bucket {FIGURES} }}
  funnel {{ written tested published }}
  activeUsers {{ day week month }}
  retention {{ week users activeUsers }}
}} }}"""
NONE = {
    **dict.fromkeys(("dreamsWritten", "dreamsPublished", "dreamsAchieved", "dreamsRemixed"), 0),
    "medianDaysToAchieve": None,
    **dict.fromkeys(("testCount", "modelCount", "activeUsers"), 0),
}
STARTS = {"DAY": midnight, "WEEK": monday, "MONTH": lambda at: midnight(at).replace(day=1)}


@pytest.mark.parametrize("seed", range(3))
async def test_figures_equal_those_computed_from_a_random_history(
    database: Database, seed: int
) -> None:
    business = Business(database, seed)
    await business.begin()
    settings = production()
    user = await make_user(database, role=Role.OPERATOR, created_at=business.now - 400 * DAY)
    key = await make_key(database, settings, user_id=user.id, scopes=["kpis:read"])
    since = business.now - 60 * DAY * business.random.random() - DAY
    until = business.random.choice([business.now, midnight(business.now) - 5 * DAY])
    asked = {"from": printed(since), "to": printed(until)}

    for are_summed in (False, True):
        if are_summed:
            await roll(database)
        async with signed_in(gateway(settings, database), key.text) as send:
            for bucket, start in STARTS.items():
                kpis = (await send(ALL, **asked, bucket=bucket))["kpis"]
                assert kpis["window"] == asked
                assert kpis["totals"] == {"bucket": None, **near(business.figures(since, until))}
                assert kpis["series"] == series(business, since, until, start)
                assert kpis["funnel"] == business.funnel(since, until)
                assert kpis["activeUsers"] == {
                    name: business.figures(until - days * DAY, until)["activeUsers"]
                    for name, days in {"day": 1, "week": 7, "month": 30}.items()
                }
                assert kpis["retention"] == cohorts(business, until)


def near(figures: Figures) -> Figures:
    days = figures["medianDaysToAchieve"]
    return {**figures, "medianDaysToAchieve": days and pytest.approx(days, abs=1e-6)}


def series(business: Business, since: datetime, until: datetime, start: Any) -> list[Figures]:
    starts = sorted({start(since + days * DAY) for days in range((until - since).days + 1)})
    found, ends = [], [*starts[1:], max(until, starts[-1])]
    if start(until) not in starts:
        starts, ends = [*starts, start(until)], [*ends[:-1], start(until), until]
    for each, end in zip(starts, ends, strict=True):
        figures = business.figures(max(each, since), min(end, until))
        if figures != NONE:
            found.append({"bucket": printed(each), **near(figures)})
    return found


def cohorts(business: Business, until: datetime) -> list[Figures]:
    last = monday(until - timedelta(microseconds=1))
    return business.retention([last - timedelta(weeks=ago) for ago in reversed(range(12))], until)


REFUSED = [("DAY", 93), ("WEEK", 732), ("HOUR", 1), ("MINUTE", 1)]


@pytest.mark.parametrize(("bucket", "days"), REFUSED)
async def test_series_of_too_many_buckets_are_refused(
    endpoint: Endpoint, database: Database, bucket: str, days: int
) -> None:
    since = printed(await database.now() - days * DAY)
    asked = "query ($from: DateTime!, $bucket: Bucket!) { kpis(from: $from) { %s } }"
    series = asked % "series(bucket: $bucket) { testCount }"

    answer = await endpoint.answer(series, {"from": since, "bucket": bucket})

    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert ("wider bucket" if days > 1 else "DAY, WEEK or MONTH") in error["message"]


@pytest.mark.parametrize("who", ["nobody", "a member", "another scope"])
async def test_figures_are_for_operators(database: Database, who: str) -> None:
    settings = production()
    keys = {
        "nobody": None,
        "a member": (await make_key(database, settings)).text,
        "another scope": (await make_key(database, settings, scopes=["usage:read"])).text,
    }

    answer = await ask(gateway(settings, database), keys[who], "{ kpis { funnel { written } } }")

    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == ("UNAUTHENTICATED" if who == "nobody" else "FORBIDDEN")


async def test_milestones_follow_mutations(endpoint: Endpoint) -> None:
    create = {"title": "Fold a shirt", "status": "DRAFT"}
    made = await endpoint.mutate("createDream", create, "dream { id }")
    dream = {"id": made["id"]}
    for verb in ("reviveDream", "publishDream", "achieveDream"):
        await endpoint.mutate(verb, dream, "dream { id }", "DreamInput")
    await endpoint.mutate("remixDream", dream, "dream { id }")

    totals = (await endpoint.data(f"{{ kpis {{ totals {{ {FIGURES} }} }} }}"))["kpis"]["totals"]

    assert 0 <= totals.pop("medianDaysToAchieve") < 1
    assert totals == {
        **{name: value for name, value in NONE.items() if name in totals},
        "dreamsWritten": 2,
        "dreamsPublished": 1,
        "dreamsAchieved": 1,
        "dreamsRemixed": 1,
    }
