"""KPIs: business figures over time."""

from datetime import datetime

import strawberry
from strawberry import UNSET

import db
from db.core.query.time_range import TimeRange
from db.kpis import COHORTS
from graph.core.context import Info, as_source
from graph.core.permission import scope
from graph.core.types.aggregate import TimeWindow
from graph.core.types.field import field, value
from graph.core.types.time_range import From, To, Width, reveals_time, window

READ = scope("kpis:read")

# Types


@value
class KpiFigures:
    """Business figures of a time range, or of one bucket of it. Deleted dreams do not count."""

    bucket: datetime | None = field("Start of the bucket, in UTC. Null for the whole time range.")
    dreams_written: int = field("Dreams that were created, remixes included.")
    dreams_published: int = field("Dreams that became public for the first time.")
    dreams_achieved: int = field("Dreams that became `ACHIEVED` for the first time.")
    dreams_remixed: int = field("Dreams that were created as remixes of others.")
    median_days_to_achieve: float | None = field(
        "Median of the days from the first time a dream was `ACTIVE` to the first time it was "
        "`ACHIEVED`, over the dreams of `dreamsAchieved` of which both are known. Null without any."
    )
    test_count: int = field("Tests in any status that were created.")
    model_count: int = field("Different models of these tests, by provider and name.")
    active_users: int = field(
        "Different users who tracked an action or started a test. Anonymous visitors do not count."
    )


@value
class KpiFunnel:
    """The dreams written in a time range, and how far they have come by now."""

    written: int = field("Dreams that were created in the time range.")
    tested: int = field("Those of `written` that have had a completed and scored test.")
    published: int = field("Those of `tested` that have been public.")


@value
class ActiveUsers:
    """Different users who tracked an action or started a test, up to the end of a window."""

    day: int = field("In the last 24 hours.")
    week: int = field("In the last 7 days.")
    month: int = field("In the last 30 days.")


@value
class RetentionCohort:
    """The users who joined in one week, and how many of them were active since."""

    week: datetime = field("The Monday on which the week starts, in UTC.")
    users: int = field("Users who joined in the week.")
    active_users: list[int] = field(
        "How many of them tracked an action or started a test in that week, in the next one, and "
        "so on, up to the last week of the window."
    )


async def _totals(root: TimeRange, info: Info) -> KpiFigures:
    async with info.context.db.unrestricted().read() as session:
        return as_source(await db.kpis.totals(session, root))


async def _series(root: TimeRange, info: Info, bucket: Width) -> list[KpiFigures]:
    async with info.context.db.unrestricted().read() as session:
        return as_source(await db.kpis.series(session, root, bucket))


async def _funnel(root: TimeRange, info: Info) -> KpiFunnel:
    async with info.context.db.unrestricted().read() as session:
        return as_source(await db.kpis.funnel(session, root))


async def _active_users(root: TimeRange, info: Info) -> ActiveUsers:
    async with info.context.db.unrestricted().read() as session:
        return ActiveUsers(**await db.kpis.active_users(session, root))


async def _retention(root: TimeRange, info: Info) -> list[RetentionCohort]:
    async with info.context.db.unrestricted().read() as session:
        return as_source(await db.kpis.retention(session, root))


@value
class Kpis:
    """Business figures within a window of time, over all dreams, tests and users."""

    window: TimeWindow = field(
        "The window: that of the arguments, or the last 30 days.",
        resolver=lambda root: root,
        cost=0,
    )
    totals: KpiFigures = field("The figures of the whole window.", resolver=_totals, cost=50)
    series: list[KpiFigures] = field(
        "The figures of each bucket with any, oldest first. At most 92 days of `DAY`, 731 of "
        "`WEEK`, and any time of `MONTH`.",
        resolver=_series,
        cost=100,
    )
    funnel: KpiFunnel = field(
        "How far the dreams written in the window have come.", resolver=_funnel, cost=50
    )
    active_users: ActiveUsers = field(
        "Active users at the end of the window, or now if that is earlier.",
        resolver=_active_users,
        cost=50,
    )
    retention: list[RetentionCohort] = field(
        f"Retention by week: the users who joined in each of the last {COHORTS} weeks of the "
        "window, oldest first.",
        resolver=_retention,
        cost=100,
    )


# Operations


@strawberry.type
class Queries:
    @field(
        "Business figures: dreams, tests and users over time. The last 30 days by default.",
        READ,
        reveals=reveals_time(db.dreams.Dream.created_at),
        stale_ok=True,
    )
    async def kpis(self, info: Info, from_: From = UNSET, to: To = UNSET) -> Kpis:
        return as_source(await window(info, from_, to, db.kpis.LATELY))
