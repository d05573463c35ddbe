"""Journeys: what users and visitors did in one session, and the paths most often taken."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db import ReadSession
from db.analytics import UserAction, times
from db.core.query.batch import Key
from db.core.session.database import ResultRow
from db.core.values import validation
from db.journeys import LATELY, MOST_IN_PATH, MOST_STEPS
from graph.analytics import READ
from graph.core.context import Info, as_source, rows
from graph.core.loader import Loader
from graph.core.types.aggregate import Aggregate, aggregate, page_of_rows
from graph.core.types.field import argument, field, related, value
from graph.core.types.groups import First, Skip
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import From, To, reveals_time, window
from graph.users import User, UserById

SessionId = Annotated[
    str, argument("The session, as the front end names it.", validation.string(200, 0))
]
Length = Annotated[
    int,
    argument("Number of actions of a path.", validation.within(1, MOST_IN_PATH)),
]
TIMES = reveals_time(UserAction.timestamp)

# Loaders


class StepsBySession(Loader[Sequence[ResultRow]]):
    """The first actions of sessions, in order."""

    missing = ()

    async def found(
        self, session: ReadSession, keys: Sequence[Key]
    ) -> Mapping[Key, Sequence[ResultRow]]:
        return await db.journeys.steps(session, keys)


# Types


@value
class JourneyStep:
    """An action of a session."""

    action: str = field("Name of the action.")
    page: str | None = field("Path of the page. Null if the action was not on a page.")
    timestamp: datetime = field("When the action happened.")


@value
class Journey:
    """What a user or an anonymous visitor did in one session."""

    session_id: str = field("The session, as the front end names it.")
    first_at: datetime = field("Time of the first action.")
    last_at: datetime = field("Time of the last action.")
    duration_seconds: float = field("Seconds from the first to the last action.")
    action_count: int = field("Number of actions.")
    user: User | None = related(
        UserById,
        "user_id",
        description="The user of the last action that has one. Null for anonymous visitors.",
    )
    steps: list[JourneyStep] = related(
        StepsBySession,
        "session_id",
        description=f"The actions of the whole session in order, at most the first {MOST_STEPS}.",
        cost=MOST_STEPS,
    )


@value
class JourneyPath:
    """The first actions of sessions that began with the same ones."""

    actions: list[str] = field("Names of the actions, in order; fewer if the sessions had fewer.")
    session_count: BigInt = field("Number of sessions.")


# Operations


@strawberry.type
class Queries:
    @field(
        "Sessions of users and visitors with actions in a time range, and what they did within "
        "it, latest first. The last 24 hours by default, at most 31 days.",
        READ,
        cost=100,
        reveals=TIMES,
        stale_ok=True,
    )
    async def journeys(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        first: First = 20,
        skip: Skip = 0,
    ) -> Aggregate[Journey]:
        span = await window(info, from_, to, LATELY)
        page = db.journeys.journeys(span).limit(first).offset(skip)
        return as_source(await aggregate(info, span, page, times(), page_of_rows))

    @field(
        "The whole of one session, or null if it has no action.",
        READ,
        cost=20,
        reveals={"sessionId": UserAction.session_id},
        stale_ok=True,
    )
    async def journey(self, info: Info, session_id: SessionId) -> Journey | None:
        return as_source(next(iter(await rows(info, db.journeys.journey(session_id))), None))

    @field(
        "How sessions in a time range began: their first actions, most frequent first. The last "
        "24 hours by default, at most 31 days.",
        READ,
        cost=100,
        reveals=TIMES | {"length": UserAction.action},
        stale_ok=True,
    )
    async def journey_paths(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        length: Length = 3,
        first: First = 20,
        skip: Skip = 0,
    ) -> Aggregate[JourneyPath]:
        span = await window(info, from_, to, LATELY)
        page = db.journeys.paths(span, length).limit(first).offset(skip)
        return as_source(await aggregate(info, span, page, times(), page_of_rows))
