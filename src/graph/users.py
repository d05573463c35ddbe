"""Users: the people and services that sign in, and who is asking right now."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import db
from db.users import Role
from graph.core.connection import Connection, connected, listed
from graph.core.context import Info
from graph.core.field import enum, field, value
from graph.core.filter import filters, orders
from graph.core.loader import One, Pages
from graph.core.node import IdOf, Node, load, node
from graph.core.permission import MEMBER, OPERATOR, PUBLIC

if TYPE_CHECKING:
    from graph.dreams import Dream

# Loaders


class UserById(One):
    table = db.users.User
    columns = (db.users.User.id,)


class DreamsByUser(Pages):
    listing = db.dreams.LISTING
    columns = (db.dreams.Dream.user_id,)


# Types

enum(
    Role,
    MEMBER="Reads own and public dreams, writes own.",
    OPERATOR="Also sees agents, events, metrics and config.",
    ADMIN="May do everything.",
)


@node(db.users.User, access=MEMBER)
class User(Node):
    """A person or service that signs in."""

    email: str | None = field("Address, unique; null for services.", OPERATOR)
    wallet_address: str | None = field("Address of the user's wallet, unique.", OPERATOR)
    passport_tier: str = field("Tier of the user's passport, for example `visitor`.")
    role: Role = field("What the user may do.", OPERATOR)
    metadata: JSON = field("Facts that other systems keep with the user.", OPERATOR)
    preferences: JSON = field("What the user prefers, as front ends stored it.", OPERATOR)
    created_at: datetime = field("When the user was created.")
    updated_at: datetime = field("When the user was last changed.")
    dreams: Connection[Annotated["Dream", strawberry.lazy("graph.dreams")]] = connected(
        DreamsByUser, "id", description="The dreams of this user."
    )


@value
class Viewer:
    """Whoever is asking."""

    user: User | None = field("The user behind the request; null for keys that belong to nobody.")
    role: Role | None = field("What the viewer may do; null for anonymous viewers.")
    scopes: list[str] = field("What the viewer's key may do beside that.")


# Inputs


@filters(db.users.LISTING)
class UserFilter:
    """Conditions on users; all given must hold."""


@orders(db.users.LISTING)
class UserOrder:
    """Order of users."""


# Operations


@strawberry.type
class Queries:
    users: Connection[User] = listed(db.users.LISTING, "Users, newest first.", OPERATOR)

    @field("The user with that id; null if there is none.", OPERATOR)
    async def user(self, info: Info, id: IdOf) -> User | None:
        return await load(info, id, db.users.User)

    @field("Whoever is asking.", PUBLIC)
    async def viewer(self, info: Info) -> Viewer:
        who = info.context.principal
        user = await UserById.of(info).load(who.user_id) if who.user_id else None
        return Viewer(user=user, role=who.role, scopes=sorted(who.scopes))
