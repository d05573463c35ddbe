"""Users: people and services that sign in, and the current viewer."""

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
from graph.core.context import Info, as_source
from graph.core.loader import Pages, by_id
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


UserById = by_id(db.users.User)


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


def own(name: str, description: str) -> Any:
    """A field that is null for callers other than the user and operators."""

    def resolve(root: Any, info: Info) -> Any:
        principal = info.context.principal
        is_shown = principal.owns(root.id) or principal.may(READ_ALL)
        return getattr(root, name) if is_shown else None

    return field(
        f"{description} Null unless the viewer is this user or an operator.",
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
    created_at: datetime = field("When the user was created.")
    updated_at: datetime = field("When the user was last updated.")
    disabled_at: datetime | None = own(
        "disabled_at", "When the user was disabled. Null if the user can sign in."
    )
    api_keys: Connection[Annotated["ApiKey", strawberry.lazy("graph.api_keys")]] = connected(
        ApiKeysByUser, "id", description="API keys of this user.", access=ADMIN
    )
    dreams: Connection[Annotated["Dream", strawberry.lazy("graph.dreams")]] = connected(
        DreamsByUser, "id", description="Dreams of this user."
    )


@value
class Viewer:
    """The caller of the current request."""

    user: User | None = field(
        "The user of the request. Null for anonymous clients and keys without a user."
    )
    role: Role | None = field(
        "Role of the viewer. Null for anonymous clients and keys with scopes."
    )
    scopes: list[str] = field("Scopes that limit the viewer's key. Empty without a limit.")


# Inputs

USER = key_of(db.users.User)


@filters(db.users.LISTING)
class UserFilter:
    """Filter conditions on users. All given conditions must hold."""


@orders(db.users.LISTING)
class UserOrder:
    """Sort order for users."""


@checked(db.users.User, db.users.address_errors)
@input_type
class CreateUserInput:
    """The input fields to create a user, with the role MEMBER."""

    email: str | None = field(
        "Unique email address. Required without a wallet address.", READ_ALL, default=UNSET
    )
    wallet_address: str | None = field(
        "Wallet address, not verified. Required without an email address.",
        default=UNSET,
    )
    passport_tier: str = field("Tier of the user's passport.", default="visitor")
    metadata: JSON | None = field(
        "Data that other systems store with the user, as free-form JSON.", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.users.User)
@input_type
class EditUserInput:
    """The input fields to edit a user. Omitted fields stay unchanged."""

    id: strawberry.ID = field("ID of the user.", check=USER)
    wallet_address: Maybe[str | None] = field("Wallet address, not verified.")
    email: Maybe[str | None] = field(
        "Unique email address. Only operators can change it, because it links the user's first "
        "token to the user.",
        READ_ALL,
    )
    passport_tier: Maybe[str | None] = field(
        "Tier of the user's passport. Only operators can change it."
    )
    metadata: Maybe[JSON | None] = field(
        "Data that other systems store with the user, as free-form JSON. Only operators can "
        "change it."
    )


@checked(db.users.User)
@input_type
class SetPreferencesInput:
    """The input fields to replace the preferences of the viewer."""

    preferences: JSON = field("The new preferences, as free-form JSON.")


@input_type
class SetRoleInput:
    """The input fields to set the role of a user."""

    id: strawberry.ID = field("ID of the user.", check=USER)
    role: Role = field("The new role.")


@input_type
class UserInput:
    """The input fields to identify a user."""

    id: strawberry.ID = field("ID of the user.", check=USER)


# Results


@value
class UserDeleted:
    """A user was deleted."""

    deleted_user_id: strawberry.ID = field("ID of the deleted user.")
    kept_dream_count: int = field("Number of the user's dreams, which were kept without an owner.")


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

    @field("The user with this ID, or null if it does not exist.", READ_ALL)
    async def user(self, info: Info, id: IdOf) -> User | None:
        return await load(info, id, db.users.User)

    @field("The caller of the current request.", PUBLIC)
    async def viewer(self, info: Info) -> Viewer:
        principal = info.context.principal
        user = await UserById.of(info).load(principal.user_id) if principal.user_id else None
        role = None if principal.is_scoped else principal.role
        return Viewer(user=as_source(user), role=role, scopes=sorted(principal.scopes))


OPERATORS_ONLY = {"email", "passport_tier", "metadata"}


def check_may_edit(info: Info, user: Any, changes: dict[str, Any]) -> None:
    """Raises Forbidden unless the caller is that user or an operator of no lower rank, and for
    changes that users cannot make to themselves."""
    principal = info.context.principal
    may_edit = principal.may(WRITE_ALL) and principal.ranks(user.role)
    if not (principal.owns(user.id) or may_edit):
        raise errors.Forbidden("Only the user or an operator of no lower rank can do this.")
    if not principal.may(WRITE_ALL) and (refused := OPERATORS_ONLY & set(changes)):
        names = names_of(EditUserInput)
        visible = ", ".join(sorted(names[column] for column in refused))
        raise errors.Forbidden(f"Only an operator can change {visible}.")


@asynccontextmanager
async def lock_with_administrators(
    info: Info, id: str
) -> AsyncIterator[tuple[WriteSession, Any, set[UUID]]]:
    """Open a transaction that locks a user and all administrators, for changes that may remove an
    administrator. Yields the session, the user and the IDs of the administrators. Raises NotFound,
    Invalid."""
    key = id_of_table(id, db.users.User)
    async with info.context.db.write(audit_context(info)) as session:
        admins = await db.users.administrators(session)
        yield session, await get_for_update(session, db.users.User, key), admins


@strawberry.type
class Mutations:
    @field("Create a user.", WRITE_ALL, graphql_type=CreateUserResult)
    async def create_user(self, info: Info, input: Input[CreateUserInput]) -> Any:
        user = provided_fields(input)
        return await create_idempotently(
            info, db.users.User, input, lambda s: db.users.create(s, **user)
        )

    @field("Edit a user. Members can edit only themselves.", WRITE, graphql_type=EditUserResult)
    async def edit_user(self, info: Info, input: Input[EditUserInput]) -> Any:
        changes = provided_fields(input)
        async with locked_row(info, db.users.User, input.id) as (session, user):
            check_may_edit(info, user, changes)
            return await db.users.edit(session, user, **changes)

    @field("Replace the preferences of the viewer.", WRITE, graphql_type=SetPreferencesResult)
    async def set_preferences(self, info: Info, input: Input[SetPreferencesInput]) -> Any:
        viewer = info.context.principal.user_id
        if viewer is None:
            raise errors.Forbidden(
                "This key has no user, and so no preferences; use a key of a user."
            )
        async with info.context.db.write(audit_context(info)) as session:
            user = await get_for_update(session, db.users.User, viewer)
            return await db.users.edit(session, user, preferences=input.preferences)

    @field(
        "Set the role of a user. The last ADMIN keeps the role.", ADMIN, graphql_type=SetRoleResult
    )
    async def set_role(self, info: Info, input: Input[SetRoleInput]) -> Any:
        async with lock_with_administrators(info, input.id) as (session, user, admins):
            return await db.users.assign(session, user, input.role, admins)

    @field(
        "Disable a user. Their keys and tokens are rejected within five seconds, and open "
        "subscriptions end. The last ADMIN cannot be disabled.",
        ADMIN,
        graphql_type=DisableUserResult,
    )
    async def disable_user(self, info: Info, input: Input[UserInput]) -> Any:
        async with lock_with_administrators(info, input.id) as (session, user, admins):
            return await db.users.disable(session, user, admins)

    @field(
        "Enable a disabled user. Their keys are accepted again.",
        ADMIN,
        graphql_type=EnableUserResult,
    )
    async def enable_user(self, info: Info, input: Input[UserInput]) -> Any:
        async with locked_row(info, db.users.User, input.id) as (session, user):
            return await db.users.enable(session, user)

    @field(
        "Delete a user with their API keys and notifications. Dreams and tests are kept without "
        "an owner: public dreams stay public, private ones are visible only to operators. The "
        "last ADMIN cannot be deleted.",
        ADMIN,
        graphql_type=DeleteUserResult,
    )
    async def delete_user(self, info: Info, input: Input[UserInput]) -> Any:
        async with lock_with_administrators(info, input.id) as (session, user, admins):
            kept = await db.accounts.remove(session, user, admins)
        return UserDeleted(deleted_user_id=input.id, kept_dream_count=kept)
