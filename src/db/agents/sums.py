"""Sums: the activity of agents over time, from a rollup by agent and status.

The time from one report of an agent to its next is a sum within a day. Between two days, it lies
between the last report of the one and the first of the other, so the sums of a day keep both ends.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import (
    CTE,
    BigInteger,
    DateTime,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Mapped, aliased

from db.agents import MADE_AT, AgentReport, AgentStatus, of_same_agent
from db.core.ids import floor
from db.core.query.time_range import Bucket, TimeRange, first_and_last
from db.core.rollup import AT, Rollup, RollupTable, combined, counted, greatest, least, summed
from db.core.rollup.periods import start_sql
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Count, Expression, checked
from db.core.values import validation

WATCHED = timedelta(hours=24)
STATUS = validation.one_of(tuple(AgentStatus), said="")
ENDS = ("first_at", "last_at")


class AgentSums(RollupTable):
    """Sums of the reports of one agent with one status in a period: `seconds` and `steps` to the
    agent's next report within it. The rows of an agent have its first and its last report of the
    period among them; that of the last one has its status."""

    __tablename__ = "agent_sums"

    agent_key: Mapped[str] = checked(validation.string(), primary_key=True)
    status: Mapped[str] = checked(STATUS, primary_key=True)
    changes: Mapped[Count]
    seconds: Mapped[Decimal | None]
    steps: Mapped[Count]
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]


def _neighbour(function: str) -> Expression:
    """The time of the agent's next (`lead`) or previous (`lag`) report of the same day."""
    day = start_sql(AgentReport.reported_at, Bucket.DAY)
    at: Expression = getattr(func, function)(MADE_AT)
    by_time = (MADE_AT, AgentReport.seq)
    over: Expression = at.over(partition_by=(AgentReport.agent_key, day), order_by=by_time)
    return over


def _seconds(since: Expression, until: Expression) -> Expression:
    return extract("epoch", func.greatest(until, since) - since)


def _is_known(value: Expression) -> Expression:
    return cast(case((value.is_not(None), 1), else_=0), BigInteger)


NEXT, PREVIOUS = _neighbour("lead"), _neighbour("lag")
HAS_CHANGED = AgentReport.status.is_distinct_from(AgentReport.previous_status)
MEASURES = {
    "changes": counted(cast(case((HAS_CHANGED, 1), else_=0), BigInteger)),
    "seconds": summed(case((NEXT.is_not(None), extract("epoch", NEXT - MADE_AT)))),
    "steps": counted(_is_known(NEXT)),
    "first_at": least(case((PREVIOUS.is_(None), MADE_AT))),
    "last_at": greatest(case((NEXT.is_(None), MADE_AT))),
}


def _linked(pieces: CTE, within: Sequence[str]) -> AnySelect:
    """The pieces, and in place of their ends a row for each day or month of an agent: the time
    until the next one and, of the first and the last one, the end."""
    known = [*within, AT, "agent_key", "status", *MEASURES]
    ends = _ends(pieces, within).subquery("ends").c
    place = [ends[name] for name in (*within, "agent_key")]
    until = func.lead(ends.first_at).over(partition_by=place, order_by=ends.at)
    before = func.lag(ends.last_at).over(partition_by=place, order_by=ends.at)
    chain = select(*ends, until.label("until"), before.label("before")).subquery("chain").c
    steps: dict[str, Expression] = {
        "changes": literal(0, BigInteger),
        "seconds": case((chain.until.is_not(None), _seconds(chain.last_at, chain.until))),
        "steps": _is_known(chain.until),
        "first_at": case((chain.before.is_(None), chain.first_at)),
        "last_at": case((chain.until.is_(None), chain.last_at)),
    }
    without_ends = {name: cast(null(), DateTime(timezone=True)) for name in ENDS}
    inner = [without_ends.get(name, pieces.c[name]).label(name) for name in known]
    between = [
        steps.get(name, chain[name] if name in chain else null()).label(name) for name in known
    ]
    return select(*union_all(select(*inner), select(*between)).subquery("pieces_and_steps").c)


def _ends(pieces: CTE, within: Sequence[str]) -> AnySelect:
    """The first and the last report of each agent in each day or month, and the last status."""
    c = pieces.c
    place = [c[name] for name in (*within, "agent_key")]
    return select(
        *place,
        c[AT],
        func.min(c.first_at).label("first_at"),
        func.max(c.last_at).label("last_at"),
        func.max(c.status).filter(c.last_at.is_not(None)).label("status"),
    ).group_by(*place, c[AT])


ROLLUP = Rollup(
    AgentSums,
    AgentReport,
    AgentReport.reported_at,
    (Bucket.DAY, Bucket.MONTH),
    keys={"agent_key": AgentReport.agent_key, "status": AgentReport.status},
    measures=MEASURES,
    linked=_linked,
)


GROUP = ("agent_key", "status")


def activity(span: TimeRange, visibility: Visibility, first: int, skip: int) -> AnySelect:
    """The changes of `first` agents and statuses after `skip` others. Only the reports of these
    agents are linked."""
    span = span.or_last(WATCHED)
    pages: list[CTE] = []

    def of_page(pieces: CTE) -> AnySelect:
        group = [pieces.c[name] for name in GROUP]
        page = select(*group).distinct().order_by(*group).limit(first).offset(skip).cte("page")
        pages.append(page)
        return select(*pieces.c).where(pieces.c.agent_key.in_(select(page.c.agent_key)))

    sums = combined(ROLLUP, span, visibility, chosen=of_page)
    last = sums.key("last_at")
    beyond = case((last.is_not(None), _first_report_after(span, sums.key("agent_key"))))
    pieces = select(*sums.rows.c, beyond.label("beyond")).subquery("pieces_and_beyond").c
    key, status = pieces.agent_key, pieces.status
    seconds = case((pieces.beyond.is_not(None), _seconds(pieces.last_at, pieces.beyond)))
    total = func.sum(func.coalesce(pieces.seconds, 0) + func.coalesce(seconds, 0))
    steps = func.sum(pieces.steps + _is_known(pieces.beyond))
    [page] = pages
    return (
        select(
            *(key, status, sums.rollup.combine("changes", pieces.changes)),
            (total / func.nullif(steps, 0)).label("average_seconds"),
        )
        .where(tuple_(key, status).in_(select(*page.c)))
        .group_by(key, status)
        .order_by(key, status)
    )


def _first_report_after(span: TimeRange, key: Expression) -> Expression:
    if span.until is None:
        return cast(null(), DateTime(timezone=True))
    later = aliased(AgentReport)
    return (
        select(func.least(later.reported_at, later.received_at))
        .where(*of_same_agent(later.agent_key, key), later.id >= floor(span.until))
        .order_by(later.agent_key, later.id)
        .limit(1)
        .scalar_subquery()
    )


def times() -> AnySelect:
    """The times of the first and the last report."""
    return first_and_last(AgentReport.reported_at, AgentReport.id)
