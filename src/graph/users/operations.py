"""Operations: queries of users and the viewer, and mutations that write users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import strawberry

import db
from db import WriteSession
from db.core import errors
from db.core.table import Row
from db.core.values.email import EMAIL, normalised
from graph.core.context import Info, as_source
from graph.core.permission import ADMIN, PUBLIC
from graph.core.types.connection import Connection, listed
from graph.core.types.declared import NodeField
from graph.core.types.field import argument, field, names_of, value
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_idempotently,
    get_for_update,
    id_of_table,
    locked_row,
    mutation,
    provided_fields,
)
from graph.core.types.node import MaybeId, load_by
from graph.users.inputs import (
    CreateUserInput,
    EditUserInput,
    SetEmailNotificationsInput,
    SetPreferencesInput,
    SetRoleInput,
    UserInput,
)
from graph.users.types import (
    READ_ALL,
    WRITE,
    WRITE_ALL,
    Role,
    User,
    UserByEmail,
    Viewer,
    viewer,
)

# Results


@value
class UserDeleted:
    """A user was deleted."""

    deleted_user_id: strawberry.ID | None = field("ID of the deleted user.", default=None)
    kept_dream_count: int | None = field(
        "Number of the user's dreams, which were kept without an owner.", default=None
    )


# Operations


Address = Annotated[str | None, argument("E-mail address of the user.", EMAIL)]


@strawberry.type
class Queries:
    users: Connection[User] = listed(db.users.LISTING, "Users, newest first.", READ_ALL)

    @field(
        "The user with this ID or e-mail address, in any spelling; null if there is none.",
        READ_ALL,
        shows=NodeField(db.users.User),
        reveals={"email": db.users.User.email},
    )
    async def user(self, info: Info, id: MaybeId = None, email: Address = None) -> User | None:
        spelled = None if email is None else normalised(email)
        return as_source(await load_by(info, db.users.User, id, UserByEmail, email=spelled))

    @field("The caller of the current request.", PUBLIC)
    async def viewer(self, info: Info) -> Viewer:
        return await viewer(info)


OPERATORS_ONLY = {"email", "passport_tier", "metadata"}


def check_may_edit(info: Info, user: db.users.User, changes: Row) -> None:
    """Raises Forbidden unless the caller is that user or an operator of no lower rank, and for
    changes that users cannot make to themselves."""
    principal = info.context.principal
    may_edit = principal.may(WRITE_ALL) and principal.has_rank(Role(user.role))
    if not (principal.owns(user.id) or may_edit):
        raise errors.Forbidden(
            "Only the user, or an operator with at least the same role, can do this."
        )
    if not principal.may(WRITE_ALL) and (refused := OPERATORS_ONLY & set(changes)):
        names = names_of(EditUserInput)
        visible = ", ".join(sorted(names[column] for column in refused))
        raise errors.Forbidden(f"Only an operator can change {visible}.")


@asynccontextmanager
async def lock_with_administrators(
    info: Info, id: str
) -> AsyncIterator[tuple[WriteSession, db.users.User, set[UUID]]]:
    """Open a transaction that locks a user and all administrators, for changes that may remove an
    administrator. Yields the session, the user and the IDs of the administrators. Raises NotFound,
    Invalid."""
    key = id_of_table(id, db.users.User)
    async with info.context.db.write(audit_context(info)) as session:
        admins = await db.users.administrators(session)
        yield session, await get_for_update(session, db.users.User, key), admins


def own_id(info: Info) -> UUID:
    """The ID of the viewer. Raises Forbidden for a key without a user."""
    if (viewer := info.context.principal.user_id) is None:
        raise errors.Forbidden("This key has no user, and so no preferences; use a key of a user.")
    return viewer


@strawberry.type
class Mutations:
    @mutation("Create a user.", WRITE_ALL, User)
    async def create_user(self, info: Info, input: Input[CreateUserInput]) -> db.users.User:
        user = provided_fields(input)
        return await create_idempotently(
            info, db.users.User, input, lambda s: db.users.create(s, **user)
        )

    @mutation("Edit a user. Members can edit only themselves.", WRITE, User)
    async def edit_user(self, info: Info, input: Input[EditUserInput]) -> db.users.User:
        changes = provided_fields(input)
        async with locked_row(info, db.users.User, input.id) as (session, user):
            check_may_edit(info, user, changes)
            return await db.users.edit(session, user, **changes)

    @mutation("Replace the preferences of the viewer.", WRITE, User)
    async def set_preferences(self, info: Info, input: Input[SetPreferencesInput]) -> db.users.User:
        async with info.context.db.write(audit_context(info)) as session:
            user = await get_for_update(session, db.users.User, own_id(info))
            return await db.users.edit(session, user, preferences=input.preferences)

    @mutation(
        "Choose which notifications of the viewer are also sent by e-mail, to the address of the "
        "account.",
        WRITE,
        User,
    )
    async def set_email_notifications(
        self, info: Info, input: Input[SetEmailNotificationsInput]
    ) -> db.users.User:
        async with info.context.db.write(audit_context(info)) as session:
            user = await get_for_update(session, db.users.User, own_id(info))
            if user.email is None:
                raise errors.Conflict("This user has no e-mail address; an operator can set one.")
            kinds = sorted(set(input.kinds))
            return await db.users.edit(session, user, email_notifications=kinds)

    @mutation("Set the role of a user. The last ADMIN keeps the role.", ADMIN, User)
    async def set_role(self, info: Info, input: Input[SetRoleInput]) -> db.users.User:
        async with lock_with_administrators(info, input.id) as (session, user, admins):
            return await db.users.assign(session, user, input.role, admins)

    @mutation(
        "Disable a user. Their keys and tokens are rejected within five seconds, and open "
        "subscriptions end. The last ADMIN cannot be disabled.",
        ADMIN,
        User,
    )
    async def disable_user(self, info: Info, input: Input[UserInput]) -> db.users.User:
        async with lock_with_administrators(info, input.id) as (session, user, admins):
            return await db.users.disable(session, user, admins)

    @mutation(
        "Enable a disabled user. Their keys are accepted again.",
        ADMIN,
        User,
    )
    async def enable_user(self, info: Info, input: Input[UserInput]) -> db.users.User:
        async with locked_row(info, db.users.User, input.id) as (session, user):
            return await db.users.enable(session, user)

    @mutation(
        "Delete a user with their API keys and notifications. Dreams and tests are kept without "
        "an owner: public dreams stay public, private ones are visible only to operators. The "
        "last ADMIN cannot be deleted.",
        ADMIN,
        UserDeleted,
    )
    async def delete_user(self, info: Info, input: Input[UserInput]) -> UserDeleted:
        async with lock_with_administrators(info, input.id) as (session, user, admins):
            kept = await db.accounts.remove(session, user, admins)
        return UserDeleted(deleted_user_id=input.id, kept_dream_count=kept)
