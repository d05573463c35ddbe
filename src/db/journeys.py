"""Journeys: the actions of one session in order, and the paths that sessions took most often."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ARRAY, ColumnElement, Text, extract, func, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by

from db.analytics import UserAction
from db.core.query.batch import Key, requested_keys
from db.core.query.time_range import TimeRange
from db.core.session.database import ReadSession, ResultRow
from db.core.table import AnySelect
from db.core.timeouts import Kind, of_kind

LATELY = timedelta(hours=24)
LONGEST = timedelta(days=31)
MOST_STEPS = 100  # of one journey that are listed
MOST_IN_PATH = 10
HAS_SESSION = UserAction.session_id.is_not(None)


def journeys(span: TimeRange) -> AnySelect:
    """The sessions with actions in a time range, and what they did within it, latest first. Raises
    Invalid for a long range."""
    span.check_longest(LONGEST)
    last = func.max(UserAction.timestamp)
    return _journeys(HAS_SESSION, *span.of(UserAction.id)).order_by(
        last.desc(), UserAction.session_id
    )


def journey(session_id: str) -> AnySelect:
    """All of one session."""
    return _journeys(UserAction.session_id == session_id)


def _journeys(*where: ColumnElement[bool]) -> AnySelect:
    """A visitor who signs in has a user from then on: the latest one is that of the session."""
    first, last = func.min(UserAction.timestamp), func.max(UserAction.timestamp)
    users = aggregate_order_by(UserAction.user_id, UserAction.id.desc())
    known = func.array_agg(users).filter(UserAction.user_id.is_not(None))[1]
    return (
        select(
            UserAction.session_id,
            first.label("first_at"),
            last.label("last_at"),
            extract("epoch", last - first).label("duration_seconds"),
            func.count().label("action_count"),
            known.label("user_id"),
        )
        .where(*where)
        .group_by(UserAction.session_id)
    )


def paths(span: TimeRange, length: int) -> AnySelect:
    """The first actions of the sessions in a time range, most frequent first. Raises Invalid for a
    long range."""
    span.check_longest(LONGEST)
    number = func.row_number().over(partition_by=UserAction.session_id, order_by=UserAction.id)
    acted = select(UserAction.session_id, UserAction.action, number.label("number"))
    actions = acted.where(HAS_SESSION, *span.of(UserAction.id)).subquery("actions")
    in_order = aggregate_order_by(actions.c.action, actions.c.number)
    taken = select(func.array_agg(in_order, type_=ARRAY(Text)).label("actions"))
    each = taken.where(actions.c.number <= length).group_by(actions.c.session_id).subquery("each")
    count = func.count().label("session_count")
    found = select(each.c.actions, count).group_by(each.c.actions)
    return found.order_by(count.desc(), each.c.actions)


async def steps(session: ReadSession, ids: Sequence[Key]) -> dict[Key, list[ResultRow]]:
    """The first actions of each session, in order."""
    asked = requested_keys((UserAction.session_id,), ids)
    columns = UserAction.action, UserAction.page, UserAction.timestamp
    rows = select(*columns).where(UserAction.session_id == asked.c.k0).order_by(UserAction.id)
    taken = rows.limit(MOST_STEPS).lateral("taken")
    found = select(asked.c.position, *taken.c).join_from(asked, taken, true())
    journeys: dict[Key, list[ResultRow]] = {}
    for row in await session.rows(of_kind(Kind.AGGREGATE, found)):
        journeys.setdefault(ids[row.position - 1], []).append(row)
    return journeys
