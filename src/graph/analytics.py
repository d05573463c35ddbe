"""Analytics: what users did, one by one and counted."""

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from graph.core.connection import Connection, listed
from graph.core.context import Info, rows
from graph.core.field import field, related, value
from graph.core.filter import filters, orders
from graph.core.node import IdOf, Node, load, node
from graph.core.permission import OPERATOR
from graph.core.scalars import BigInt
from graph.core.span import From, To, span
from graph.users import User, UserById

# Types


@node(db.analytics.UserAction, access=OPERATOR)
class UserAction(Node):
    """Something a user did in a front end."""

    action: str = field("What was done, for example `page_viewed`.")
    page: str | None = field("Path of the page where it was done; null when on none.")
    session_id: str | None = field("The visit it belongs to, as the front end names it.")
    timestamp: datetime = field("When it was done.")
    metadata: JSON = field("What else the front end knows of it.")
    user: User | None = related(
        UserById, "user_id", description="Who did it; null for visitors that did not sign in."
    )


@value
class UserActionCount:
    """How often one action was done on one page in a span of time."""

    action: str = field("What was done.")
    page: str | None = field("Path of the page; null when on none.")
    count: BigInt = field("How often it was done.")
    user_count: int = field("Number of users that did it, without visitors that did not sign in.")


# Inputs


@filters(db.analytics.LISTING)
class UserActionFilter:
    """Conditions on what users did; all given must hold."""


@orders(db.analytics.LISTING)
class UserActionOrder:
    """Order of what users did."""


# Operations


@strawberry.type
class Queries:
    user_actions: Connection[UserAction] = listed(
        db.analytics.LISTING, "What users did, newest first.", OPERATOR
    )

    @field("The action with that id; null if there is none.", OPERATOR)
    async def user_action(self, info: Info, id: IdOf) -> UserAction | None:
        return await load(info, id, db.analytics.UserAction)

    @field(
        "Actions by page, those done most often first; the last 24 hours by default.",
        OPERATOR,
        cost=100,
    )
    async def user_action_counts(
        self, info: Info, from_: From = UNSET, to: To = UNSET
    ) -> list[UserActionCount]:
        return await rows(info, db.analytics.counts(span(from_, to)))
