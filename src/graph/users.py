"""Users: the people and services that sign in, and who is asking right now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Maybe
from strawberry.scalars import JSON

import db
from db import WriteSession
from db.core import errors
from db.users import Role
from graph.core.context import Info
from graph.core.loader import One, Pages
from graph.core.permission import ADMIN, PUBLIC, scope
from graph.core.types.connection import Connection, connected, listed
from graph.core.types.errors import Conflict, Forbidden, Invalid, NotFound
from graph.core.types.field import checked, enum, field, names_of, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_idempotently,
    get_for_update,
    id_of_table,
    idempotency_key,
    input_type,
    locked_row,
    provided_fields,
    result,
)
from graph.core.types.node import IdOf, Node, key_of, load, node

if TYPE_CHECKING:
    from graph.api_keys import ApiKey
    from graph.dreams import Dream

# The result of a mutation is readable with the scope for the mutation.
READ = scope("users:read", "users:write", role=Role.MEMBER)
READ_ALL = scope("users:read")
WRITE = scope("users:write", role=Role.MEMBER)
WRITE_ALL = scope("users:write")

# Loaders


class UserById(One):
    table = db.users.User
    columns = (db.users.User.id,)


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
    MEMBER="Reads own and public dreams, writes own.",
    OPERATOR="Also sees agents, events, metrics and config.",
    ADMIN="May do everything.",
)


def own(name: str, description: str) -> Any:
    """A field that only the user and operators read; it is null for others."""

    def resolve(root: Any, info: Info) -> Any:
        who = info.context.principal
        return getattr(root, name) if who.user_id == root.id or who.may(READ_ALL) else None

    return field(
        f"{description} Null for all but the user and operators.",
        READ,
        resolve,
        columns=(name,),
        others=READ_ALL,
    )


@node(db.users.User, access=READ)
class User(Node):
    """A person or service that signs in."""

    email: str | None = own(
        "email",
        "E-mail address; one user has it, unless the issuer gave it to somebody else since.",
    )
    wallet_address: str | None = own(
        "wallet_address",
        "Address of a wallet, `0x` and 40 hexadecimal digits, as the user claims it: it is not "
        "verified, and other users may claim it too.",
    )
    passport_tier: str = field(
        f"Tier of the user's passport, lowest first: {TIERS}. Users of earlier versions may have "
        "another."
    )
    role: Role | None = own("role", "What the user may do.")
    metadata: JSON | None = own("metadata", "Facts that other systems keep with the user.")
    preferences: JSON | None = own("preferences", "What the user prefers, as front ends stored it.")
    created_at: datetime = field("When the user was created.")
    updated_at: datetime = field("When the user was last changed.")
    disabled_at: datetime | None = own(
        "disabled_at", "When the user was disabled; null if the user can sign in."
    )
    api_keys: Connection[Annotated["ApiKey", strawberry.lazy("graph.api_keys")]] = connected(
        ApiKeysByUser, "id", description="The API keys of this user.", access=ADMIN
    )
    dreams: Connection[Annotated["Dream", strawberry.lazy("graph.dreams")]] = connected(
        DreamsByUser, "id", description="The dreams of this user."
    )


@value
class Viewer:
    """Whoever is asking."""

    user: User | None = field("The user behind the request; null for keys that belong to nobody.")
    role: Role | None = field(
        "What the viewer may do; null for anonymous viewers and for keys with scopes."
    )
    scopes: list[str] = field("The scopes that limit the viewer's key; empty without a limit.")


# Inputs

USER = key_of(db.users.User)


@filters(db.users.LISTING)
class UserFilter:
    """Conditions on users; all given must hold."""


@orders(db.users.LISTING)
class UserOrder:
    """Order of users."""


@checked(db.users.User, db.users.identified)
@input_type
class CreateUserInput:
    """A new user, a MEMBER at first."""

    email: str | None = field(
        "E-mail address that nobody has; needed where there is no wallet.", READ_ALL, default=UNSET
    )
    wallet_address: str | None = field(
        "Address of a wallet, not verified; needed where there is no e-mail address.",
        default=UNSET,
    )
    passport_tier: str = field("Tier of the user's passport.", default="visitor")
    metadata: JSON | None = field("Facts that other systems keep with the user.", default=UNSET)
    idempotency_key: str | None = idempotency_key()


@checked(db.users.User)
@input_type
class EditUserInput:
    """Changes to a user; what is left out stays as it is."""

    id: strawberry.ID = field("The user.", check=USER)
    wallet_address: Maybe[str | None] = field("Address of a wallet, not verified.")
    email: Maybe[str | None] = field(
        "E-mail address that nobody else has. Only operators change it, because it leads the first "
        "token of a user to the user.",
        READ_ALL,
    )
    passport_tier: Maybe[str | None] = field(
        "Tier of the user's passport. Only operators change it."
    )
    metadata: Maybe[JSON | None] = field(
        "Facts that other systems keep with the user. Only operators change it."
    )


@checked(db.users.User)
@input_type
class SetPreferencesInput:
    """What the viewer prefers, in place of all before."""

    preferences: JSON = field("What front ends need.")


@input_type
class SetRoleInput:
    """What a user may do from now on."""

    id: strawberry.ID = field("The user.", check=USER)
    role: Role = field("The role.")


@input_type
class UserInput:
    """A user."""

    id: strawberry.ID = field("The user.", check=USER)


# Results


@value
class UserDeleted:
    """A deleted user."""

    deleted_user_id: strawberry.ID = field("The id of the user.")
    kept_dream_count: int = field("Number of the user's dreams, kept without an owner.")


CreateUserResult = result("CreateUserResult", User, NotFound, Invalid, Conflict)
EditUserResult = result("EditUserResult", User, NotFound, Forbidden, Invalid, Conflict)
SetPreferencesResult = result("SetPreferencesResult", User, NotFound, Forbidden, Invalid)
SetRoleResult = result("SetRoleResult", User, NotFound, Invalid, Conflict)
DisableUserResult = result("DisableUserResult", User, NotFound, Invalid, Conflict)
EnableUserResult = result("EnableUserResult", User, NotFound, Invalid)
DeleteUserResult = result("DeleteUserResult", UserDeleted, NotFound, Invalid, Conflict)


# Operations


@strawberry.type
class Queries:
    users: Connection[User] = listed(db.users.LISTING, "Users, newest first.", READ_ALL)

    @field("The user with that id; null if there is none.", READ_ALL)
    async def user(self, info: Info, id: IdOf) -> User | None:
        return await load(info, id, db.users.User)

    @field("Whoever is asking.", PUBLIC)
    async def viewer(self, info: Info) -> Viewer:
        who = info.context.principal
        user = await UserById.of(info).load(who.user_id) if who.user_id else None
        role = None if who.is_limited else who.role
        return Viewer(user=user, role=role, scopes=sorted(who.scopes))


OPERATORS_ONLY = {"email", "passport_tier", "metadata"}


def may_edit(info: Info, user: Any, changes: dict[str, Any]) -> None:
    """Raises Forbidden for who is neither that user nor an operator of no lower rank, and for
    changes that users may not make to themselves."""
    who, mine = info.context.principal, info.context.principal.user_id == user.id
    if not mine and not (who.may(WRITE_ALL) and who.ranks(user.role)):
        raise errors.Forbidden("Only the user, or an operator of no lower rank, may do this.")
    if not who.may(WRITE_ALL) and (refused := OPERATORS_ONLY & set(changes)):
        names = names_of(EditUserInput)
        visible = ", ".join(sorted(names[column] for column in refused))
        raise errors.Forbidden(f"Only an operator may change {visible}.")


@asynccontextmanager
async def leaving(info: Info, id: str) -> AsyncIterator[tuple[WriteSession, Any, set[UUID]]]:
    """A transaction with a user and the ids of all administrators, locked, for changes that may
    remove an administrator. Raises NotFound and Invalid."""
    key = id_of_table(id, db.users.User)
    async with info.context.db.write(audit_context(info)) as session:
        admins = await db.users.administrators(session)
        yield session, await get_for_update(session, db.users.User, key), admins


@strawberry.type
class Mutations:
    @field("Add a user.", WRITE_ALL, graphql_type=CreateUserResult)
    async def create_user(self, info: Info, input: Input[CreateUserInput]) -> Any:
        user = provided_fields(input)
        return await create_idempotently(
            info, db.users.User, input, lambda s: db.users.create(s, **user)
        )

    @field("Change a user: oneself, or any for operators.", WRITE, graphql_type=EditUserResult)
    async def edit_user(self, info: Info, input: Input[EditUserInput]) -> Any:
        changes = provided_fields(input)
        async with locked_row(info, db.users.User, input.id) as (session, user):
            may_edit(info, user, changes)
            return await db.users.edit(session, user, **changes)

    @field("Store what the viewer prefers.", WRITE, graphql_type=SetPreferencesResult)
    async def set_preferences(self, info: Info, input: Input[SetPreferencesInput]) -> Any:
        viewer = info.context.principal.user_id
        if viewer is None:
            raise errors.Forbidden("Sign in as a user; a key that belongs to nobody has none.")
        async with info.context.db.write(audit_context(info)) as session:
            user = await get_for_update(session, db.users.User, viewer)
            return await db.users.edit(session, user, preferences=input.preferences)

    @field("Give a user a role; there is always an ADMIN left.", ADMIN, graphql_type=SetRoleResult)
    async def set_role(self, info: Info, input: Input[SetRoleInput]) -> Any:
        async with leaving(info, input.id) as (session, user, admins):
            return await db.users.assign(session, user, input.role, admins)

    @field(
        "Disable a user: within five seconds no key or token of the user is accepted, and open "
        "streams end. The last ADMIN cannot be disabled.",
        ADMIN,
        graphql_type=DisableUserResult,
    )
    async def disable_user(self, info: Info, input: Input[UserInput]) -> Any:
        async with leaving(info, input.id) as (session, user, admins):
            return await db.users.disable(session, user, admins)

    @field(
        "Enable a disabled user, whose keys are accepted again.",
        ADMIN,
        graphql_type=EnableUserResult,
    )
    async def enable_user(self, info: Info, input: Input[UserInput]) -> Any:
        async with locked_row(info, db.users.User, input.id) as (session, user):
            return await db.users.enable(session, user)

    @field(
        "Delete a user with their API keys and notifications. Dreams and tests are kept without an "
        "owner: public dreams stay public, private ones are visible to operators alone. The last "
        "ADMIN cannot be deleted.",
        ADMIN,
        graphql_type=DeleteUserResult,
    )
    async def delete_user(self, info: Info, input: Input[UserInput]) -> Any:
        async with leaving(info, input.id) as (session, user, admins):
            kept = await db.accounts.remove(session, user, admins)
        return UserDeleted(deleted_user_id=input.id, kept_dream_count=kept)
