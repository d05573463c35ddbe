"""Questions: what front ends and dashboards ask, and how long its statements may take."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Executable, func, select

from db import (
    agents,
    ai_tests,
    analytics,
    dreams,
    events,
    feeds,
    kpis,
    metrics,
    notifications,
    progress,
    users,
)
from db.agents import sums as of_agents
from db.ai_tests import sums
from db.ai_tests.spending import SpendGroup, Spending, spent
from db.core.feed.pages import FeedQueries
from db.core.query import looking
from db.core.query.filter import And, Compare, Condition, Exists
from db.core.query.keyset import PageArgs, encode
from db.core.query.listing import ListArgs, ListSpec
from db.core.query.time_range import Bucket, TimeRange
from db.core.session.database import ReadSession
from db.core.session.row_rules import UNRESTRICTED, Visibility
from db.core.table import AnySelect
from db.kpis import activity, milestones
from db.metrics import sums as values
from growth.filling import Size

Ask = Callable[[ReadSession], Awaitable[object]]

# Milliseconds of statement time, by group.
TARGETS = {
    "order": 20.0,
    "filter": 20.0,
    "search": 20.0,
    "walk": 20.0,
    "count": 100.0,
    "30 days": 100.0,
    "all time": 500.0,
    "feed": 1_000.0,
    "write": 50.0,
}
BY_TYPE = [events.EventGroup.EVENT_TYPE]
LISTS: dict[str, ListSpec] = {
    "dreams": dreams.LISTING,
    "aiTests": ai_tests.LISTING,
    "progressLogs": progress.LISTING,
    "agentHistory": agents.HISTORY,
    "events": events.LISTING,
    "metrics": metrics.LISTING,
    "userActions": analytics.LISTING,
    "notifications": notifications.LISTING,
    "users": users.LISTING,
}
DEPTHS = (0.0, 0.5, 0.9)
SAMPLED = 1_000  # rows
PAGE = 1_000  # groups
LOOK_ROWS = 50_000  # as db.core.feed.reader


@dataclass(frozen=True, slots=True)
class Question:
    """A read, its group in TARGETS, and who asks."""

    group: str
    name: str
    ask: Ask
    visibility: Visibility = UNRESTRICTED


@dataclass(frozen=True, slots=True)
class Facts:
    """What questions refer to."""

    size: Size
    big_dream: UUID
    dream: UUID
    user: UUID


def questions(facts: Facts) -> Iterator[Question]:
    member = Visibility(user_id=facts.user)
    yield from _orders()
    yield from _filters(facts)
    yield from _searches()
    yield from _walks()
    yield from _counts(facts, member)
    yield from _aggregates(facts, member)
    yield from _feeds()
    for field in ("UPDATED_AT", "TITLE"):
        args = ListArgs(order=((field, True),))
        yield Question("order", f"dreams {field}, of a member", _page(dreams.LISTING, args), member)


def _page(listing: ListSpec, args: ListArgs) -> Ask:
    async def ask(session: ReadSession) -> object:
        return await listing.page(session, await looking.within_look(session, listing, args))

    return ask


def _orders() -> Iterator[Question]:
    for name, listing in LISTS.items():
        for field in listing.orders:
            for descending in (False, True):
                for depth in DEPTHS:
                    yield Question(
                        "order",
                        f"{name} {field}{' DESC' if descending else ''}, at {depth:.0%}",
                        _page_at(listing, field, descending, depth),
                    )


def _page_at(listing: ListSpec, field: str, descending: bool, depth: float) -> Ask:
    order = ((field, descending),)

    async def ask(session: ReadSession) -> object:
        cursor = await _cursor(session, listing, order, depth) if depth else None
        return await listing.page(session, ListArgs(order=order, window=PageArgs(after=cursor)))

    return ask


async def _cursor(
    session: ReadSession, listing: ListSpec, order: tuple[tuple[str, bool], ...], depth: float
) -> str | None:
    """The cursor of a row at about that share of the list: that of a sample of its rows. None if
    all of them are null."""
    terms = listing.order(order)
    columns = [by.column for by in terms]
    count = await session.scalar(select(func.count()).select_from(listing.table))
    sample = select(*columns).where(columns[0].is_not(None), func.random() * count < SAMPLED)
    rows = sorted(await session.rows(sample), reverse=terms[0].descending)
    return encode(terms, rows[int(len(rows) * depth)]) if rows else None


def _filters(facts: Facts) -> Iterator[Question]:
    middle = facts.size.until - (facts.size.until - facts.size.since) / 2
    window = _between("created_at", middle, timedelta(days=30))
    found: list[tuple[str, Condition]] = [
        ("dreams", Compare("title", "eq", "no such title")),
        ("dreams", Compare("status", "eq", "DRAFT")),
        ("dreams", Compare("category", "eq", "MATH")),
        ("dreams", Compare("tags", "has_any", ("raretag",))),
        ("dreams", Compare("user_id", "eq", facts.user)),
        ("dreams", window),
        ("dreams", Compare("updated_at", "gte", facts.size.until - timedelta(days=1))),
        ("aiTests", Compare("dream_id", "eq", facts.dream)),
        ("aiTests", Compare("user_id", "eq", facts.user)),
        ("aiTests", Compare("status", "eq", "PENDING")),
        ("aiTests", Compare("status", "eq", "RUNNING")),
        ("aiTests", Compare("status", "eq", "CANCELLED")),
        ("aiTests", Compare("impossibility_score", "lte", Decimal("0.01"))),
        ("aiTests", Compare("cost", "gt", Decimal("0.0502"))),
        ("aiTests", Compare("duration_ms", "gt", 20_499)),
        ("aiTests", Compare("confidence", "gt", Decimal("99.99"))),
        ("aiTests", Compare("tokens_used", "eq", 5_000)),
        ("aiTests", window),
        ("aiTests", Exists("dream", Compare("id", "eq", facts.dream))),
        ("progressLogs", Compare("dream_id", "eq", facts.dream)),
        ("progressLogs", window),
        ("events", Compare("user_id", "eq", facts.user)),
        ("events", Compare("user_id", "eq", UUID(int=1))),
        ("events", Compare("severity", "eq", "CRITICAL")),
        ("events", Compare("event_type", "eq", "rare")),
        ("events", _between("timestamp", middle, timedelta(days=30))),
        ("agentHistory", Compare("status", "eq", "STARTING")),
        ("agentHistory", Compare("agent_key", "eq", "agent-3")),
        ("metrics", Compare("metric_name", "eq", "metric-1")),
        ("userActions", Compare("session_id", "eq", "session-77")),
        ("users", Compare("email", "eq", "user5@example.org")),
    ]
    of_largest = Compare("dream_id", "eq", facts.big_dream)
    by_score = (("IMPOSSIBILITY_SCORE", False),)
    for label, order in (("", ()), (", by score", by_score)):
        page = _page(ai_tests.LISTING, ListArgs(of_largest, order=order))
        yield Question("filter", f"aiTests of the largest dream{label}", page)
    for name, where in found:
        yield Question("filter", f"{name} {_shown(where)}", _page(LISTS[name], ListArgs(where)))


def _between(column: str, start: datetime, time: timedelta) -> And:
    return And((Compare(column, "gte", start), Compare(column, "lt", start + time)))


def _shown(where: Condition) -> str:
    match where:
        case And(parts):
            return "of 30 days" if len(parts) == 2 else " and ".join(map(_shown, parts))
        case Exists(relation, inner):
            return f"{relation}.{_shown(inner)}"
        case Compare(column, operator, value):
            value = "one" if isinstance(value, UUID | datetime) else value
            return f"{column} {operator} {value}"
        case _:
            return str(where)


def _searches() -> Iterator[Question]:
    for kind, words in (("common", "model"), ("rare", "quokka"), ("absent", "zebra")):
        yield Question(
            "search", f"dreams, {kind} word", _page(dreams.LISTING, ListArgs(search=words))
        )


def _walks() -> Iterator[Question]:
    found: list[tuple[str, Condition]] = [
        ("metrics", Compare("value", "gt", Decimal("999.9999"))),
        ("events", Compare("event_type", "starts_with", "zzz")),
        ("dreams", Compare("title", "contains", "zzz")),
        ("dreams", Exists("tests", Compare("model", "contains", "zzz"))),
        ("progressLogs", Exists("dream", Compare("title", "contains", "zzz"))),
    ]
    for name, where in found:
        args, asked = ListArgs(where), f"{name} {_shown(where)}"
        yield Question("walk", f"{asked}, the end of its look", _look(LISTS[name], args))
        yield Question("walk", asked, _page(LISTS[name], args))
        yield Question("count", asked, _count(LISTS[name], args))


def _look(listing: ListSpec, args: ListArgs) -> Ask:
    return lambda session: looking.within_look(session, listing, args)


def _counts(facts: Facts, member: Visibility) -> Iterator[Question]:
    month = Compare("created_at", "gte", facts.size.until - timedelta(days=30))
    asked: list[tuple[str, ListArgs, Visibility]] = [
        ("dreams", ListArgs(), UNRESTRICTED),
        ("dreams", ListArgs(search="model"), UNRESTRICTED),
        ("dreams", ListArgs(month), UNRESTRICTED),
        ("aiTests", ListArgs(), UNRESTRICTED),
        ("aiTests", ListArgs(), member),
        ("progressLogs", ListArgs(month), UNRESTRICTED),
        ("events", ListArgs(Compare("severity", "eq", "ERROR")), UNRESTRICTED),
        ("events", ListArgs(Compare("user_id", "eq", facts.user)), UNRESTRICTED),
    ]
    for name, args, who in asked:
        what = args.search or ("all" if args.where is None else _shown(args.where))
        whose = ", of a member" if who is member else ""
        yield Question("count", f"{name} {what}{whose}", _count(LISTS[name], args), who)


def _count(listing: ListSpec, args: ListArgs) -> Ask:
    return lambda session: looking.count(session, listing, args)


def _feeds() -> Iterator[Question]:
    """A subscriber that resumes far back, with a filter that few events meet."""
    queries, rare = FeedQueries(feeds.EVENTS), events.Event.severity == "CRITICAL"

    async def ask(session: ReadSession) -> object:
        start = await session.scalar(select(func.min(events.Event.seq)))
        return await queries.between(session, start, start + LOOK_ROWS, 500, [rare])

    yield Question("feed", f"events resumed, {LOOK_ROWS:,} rows looked at", ask)


def _rows(statement: Executable) -> Ask:
    return lambda session: session.rows(statement)


def _aggregates(facts: Facts, member: Visibility) -> Iterator[Question]:
    until = facts.size.until
    month = TimeRange(until - timedelta(days=30), None, until)
    ever = TimeRange(facts.size.since, None, until)
    for group, span in (("30 days", month), ("all time", ever)):
        for name, statement in _sums(span).items():
            yield Question(group, name, _rows(statement))
        comparison = _rows(sums.compared(span, member))
        yield Question(group, "modelComparison of a member", comparison, member)
        yield Question(group, "statistics of 40 models", _statistics(span))
        performance = _rows(sums.by_category(span, member))
        yield Question(group, "categoryPerformance of a member", performance, member)
        for name, ask in _kpis(span, Bucket.DAY if group == "30 days" else Bucket.MONTH).items():
            yield Question(group, f"kpis: {name}", ask)
    for name, ask in _of_bounded_time(month).items():
        yield Question("30 days", name, ask)
    for group, past in _ended(facts.size).items():
        yield Question(
            group, "categoryPerformance, ended", _rows(sums.by_category(past, UNRESTRICTED))
        )


def _sums(span: TimeRange) -> dict[str, AnySelect]:
    return {
        "spend by model": _spent(span, SpendGroup.MODEL),
        "spend by user, a page": _spent(span, SpendGroup.USER),
        "modelComparison": sums.compared(span, UNRESTRICTED),
        "categoryPerformance": sums.by_category(span, UNRESTRICTED),
        "agentActivity, a page": of_agents.activity(span, UNRESTRICTED, PAGE, 0),
        "userActionCounts": analytics.counts(span, UNRESTRICTED).limit(PAGE),
        "metricSummary": values.summary(span, None, UNRESTRICTED),
        "p95 of metricSummary": values.estimated_p95(span, None, UNRESTRICTED),
        "eventCounts by month": events.counts(span, Bucket.MONTH, BY_TYPE, UNRESTRICTED),
    }


def _kpis(span: TimeRange, bucket: Bucket) -> dict[str, Ask]:
    return {
        "dreams": _rows(milestones.reached(span)),
        "dreams of a series": _rows(milestones.reached(span, bucket)),
        "tests of a series": _rows(kpis.tests(span, bucket)),
        "active users": _rows(activity.active(span)),
        "active users of a series": _rows(activity.active(span, bucket)),
        "funnel": _rows(milestones.funnel(span)),
        "retention": lambda session: kpis.retention(session, span),
    }


def _ended(size: Size) -> dict[str, TimeRange]:
    """Ranges of time after which nearly all dreams were tested again."""
    middle = size.since + (size.until - size.since) / 2
    month = TimeRange(middle - timedelta(days=30), middle, size.until)
    return {"30 days": month, "all time": TimeRange(size.since, middle, size.until)}


def _of_bounded_time(span: TimeRange) -> dict[str, Ask]:
    """Aggregates whose sums would be nearly as many as their rows."""
    actions = [(f"action-{n % 12}", f"/page/{n % 20}") for n in range(240)]
    return {
        "spend by user and model, a page": _rows(_spent(span, *SpendGroup)),
        "userCount of 240 actions": lambda session: analytics.users(session, actions, span),
    }


def _spent(span: TimeRange, *groups: SpendGroup) -> AnySelect:
    return spent(Spending(groups), span, UNRESTRICTED).limit(PAGE)


def _statistics(span: TimeRange) -> Ask:
    models = [(f"provider-{n % 8}", f"model-{n}") for n in range(40)]
    return lambda session: sums.statistics(session, models, span, UNRESTRICTED)
