"""Types: users, and the current viewer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

import db
from db import ReadSession, identity
from db.core.query.batch import Key
from db.users import Role as Role
from graph.core.context import Info, as_source
from graph.core.loader import Loader, Pages, by_id
from graph.core.permission import ADMIN, PUBLIC, scope
from graph.core.types.connection import Connection, connected
from graph.core.types.declared import ColumnField
from graph.core.types.field import enum, field
from graph.core.types.node import Node, id_of, node, node_without_row

if TYPE_CHECKING:
    from graph.api_keys import ApiKey
    from graph.dreams import DreamConnection

# The result of a mutation is readable with the scope for the mutation.
READ = scope("users:read", "users:write", role=Role.MEMBER)
READ_ALL = scope("users:read")
WRITE = scope("users:write", role=Role.MEMBER)
WRITE_ALL = scope("users:write")

# Loaders


UserById = by_id(db.users.User)


class UserByEmail(Loader[db.users.User | None]):
    missing = None

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, db.users.User]:
        found = await identity.by_emails(session, [str(key) for key in keys])
        return {email: user for email, user in found.items()}  # noqa: C416  keys of another type


class DreamsByUser(Pages):
    listing = db.dreams.LISTING
    columns = (db.dreams.Dream.user_id,)


class ApiKeysByUser(Pages):
    listing = db.api_keys.LISTING
    columns = (db.api_keys.ApiKey.user_id,)


# Types

TIERS = ", ".join(f"`{tier}`" for tier in db.users.TIERS)

enum(
    Role,
    MEMBER="Can read public dreams, and read and write their own.",
    OPERATOR="Can also read agents, events, metrics and settings.",
    ADMIN="Can do everything.",
)


def own(name: str, description: str) -> Any:  # as `field`
    """A field that is null for callers other than the user and operators."""

    def resolve(root: db.users.User, info: Info) -> object:
        principal = info.context.principal
        is_shown = principal.owns(root.id) or principal.may(READ_ALL)
        return getattr(root, name) if is_shown else None

    return field(
        f"{description} Null unless the viewer is this user or an operator.",
        READ,
        resolve,
        columns=(name,),
        others=READ_ALL,
        shows=ColumnField(name, READ_ALL),
    )


@node(db.users.User, access=READ)
class User(Node):
    """A person or service that signs in."""

    email: str | None = own(
        "email",
        "Email address. Unique, unless the token issuer has since reassigned it.",
    )
    wallet_address: str | None = own(
        "wallet_address",
        "Wallet address, `0x` and 40 hexadecimal digits, as the user claims it. Not verified and "
        "not unique.",
    )
    passport_tier: str = field(
        f"Tier of the user's passport, lowest first: {TIERS}. Users of earlier versions may have "
        "another."
    )
    role: Role | None = own("role", "Role of the user.")
    metadata: JSON | None = own(
        "metadata", "Data that other systems store with the user, as free-form JSON."
    )
    preferences: JSON | None = own(
        "preferences", "Preferences of the user, as front ends stored them."
    )
    email_notifications: list[str] | None = own(
        "email_notifications",
        "Kinds of notifications that are also sent to the user by e-mail, if the gateway sends "
        "mail.",
    )
    monthly_budget: Decimal | None = own(
        "monthly_budget",
        "What the user may spend on tests in a calendar month, in US dollars. Null for the "
        "setting `budgets.user_monthly_usd`.",
    )
    created_at: datetime = field("When the user was created.")
    updated_at: datetime = field("When the user was last updated.")
    disabled_at: datetime | None = own(
        "disabled_at", "When the user was disabled. Null if the user can sign in."
    )
    api_keys: Connection[Annotated["ApiKey", strawberry.lazy("graph.api_keys")]] = connected(
        ApiKeysByUser, "id", description="API keys of this user.", access=ADMIN
    )
    dreams: Annotated["DreamConnection", strawberry.lazy("graph.dreams")] = connected(
        DreamsByUser, "id", description="Dreams of this user."
    )


async def viewer(info: Info) -> "Viewer":
    """The caller of the current request."""
    principal = info.context.principal
    user = await UserById.of(info).load(principal.user_id) if principal.user_id else None
    return Viewer(
        id=strawberry.ID(id_of(Viewer, principal.viewer_id)),
        user=as_source(user),
        role=None if principal.is_scoped else principal.role,
        scopes=sorted(principal.scopes),
    )


async def viewer_with_id(info: Info, id: UUID) -> "Viewer | None":
    return await viewer(info) if id == info.context.principal.viewer_id else None


@node_without_row(PUBLIC, viewer_with_id)
class Viewer(Node):
    """The caller of the current request. A client can find only itself by its ID."""

    id: strawberry.ID = field(
        "Opaque ID, the same for all keys and tokens of a user, and for all anonymous clients."
    )
    user: User | None = field(
        "The user of the request. Null for anonymous clients and keys without a user."
    )
    role: Role | None = field(
        "Role of the viewer. Null for anonymous clients and keys with scopes."
    )
    scopes: list[str] = field("Scopes that limit the viewer's key. Empty without a limit.")
