"""API keys: what services sign in with. A secret is shown in the answer that makes it, only."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db.api_keys import NewKey
from db.core import errors
from db.core.api_key_format import ApiKeyCodec
from db.core.values import validation
from db.users import Role
from graph.core.context import Info
from graph.core.loader import One
from graph.core.permission import ADMIN, MEMBER, VALUE
from graph.core.types.connection import Argument, Connection, listed
from graph.core.types.errors import Conflict, Forbidden, Invalid, NotFound
from graph.core.types.field import checked, field, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    get_for_update,
    id_of_table,
    input_type,
    result,
)
from graph.core.types.node import Node, key_of, node
from graph.core.types.unset import or_none
from graph.users import USER, User, UserById

# Loaders


class ApiKeyById(One):
    table = db.api_keys.ApiKey
    columns = (db.api_keys.ApiKey.id,)


# Types


@node(db.api_keys.ApiKey, access=MEMBER)
class ApiKey(Node):
    """What a service signs in with, as its user. The secret itself is not stored."""

    service: str = field("What uses it.")
    prefix: str = field("The eight characters that name it; they stand in the key itself.")
    scopes: list[str] = field(
        "Limits to the rights of its user, like `agents:write`; empty for a key without limits."
    )
    max_role: Role | None = field(
        "The highest role it acts with, that of its maker; null for the role of its user."
    )
    last_used_at: datetime | None = field("When it was used last, to the minute; null if never.")
    expires_at: datetime | None = field("When it ends by itself; null if never.")
    revoked_at: datetime | None = field("When it was ended for good; null while it was not.")
    created_at: datetime = field("When it was made.")
    user: User | None = related(UserById, "user_id", description="The user it acts as.")
    created_by: Annotated["ApiKey", strawberry.lazy("graph.api_keys")] | None = related(
        ApiKeyById,
        "created_by_key_id",
        description="The key it was made with, and is revoked with; null when it was not made with "
        "a key, or with one of another user.",
    )


# Inputs

KEY = key_of(db.api_keys.ApiKey)
MAX_OVERLAP = 168  # hours
EVERYBODYS = Argument("everybodys", bool, "Also those of other users; for administrators.", VALUE)


@filters(db.api_keys.LISTING)
class ApiKeyFilter:
    """Conditions on API keys; all given must hold."""


@orders(db.api_keys.LISTING)
class ApiKeyOrder:
    """Order of API keys."""


@checked(db.api_keys.ApiKey)
@input_type
class CreateApiKeyInput:
    """A new key."""

    service: str = field("The program that uses it.")
    scopes: list[str] = field(
        "Limits to the rights of its user, like `agents:write`; without any it has all of them, up "
        "to the role of the viewer.",
        default_factory=list,
    )
    expires_at: datetime | None = field(
        "When it expires; if left out never, or with the key it is made with. It cannot expire "
        "later than that key.",
        default=UNSET,
    )
    user_id: strawberry.ID | None = field(
        "Whom it acts as, for administrators; the viewer if left out.",
        check=USER,
        default=UNSET,
    )


@input_type
class RotateApiKeyInput:
    """A key to be replaced."""

    id: strawberry.ID = field("The key.", check=KEY)
    overlap_hours: int = field(
        f"How many hours it stays valid, 0 to {MAX_OVERLAP}.",
        check=validation.within(0, MAX_OVERLAP),
        default=24,
    )


@input_type
class RevokeApiKeyInput:
    """A key to be ended for good."""

    id: strawberry.ID = field("The key.", check=KEY)


# Results


@value
class ApiKeyCreated:
    """A new key, to be written down now."""

    api_key: ApiKey = field("What is stored of it.")
    secret: str = field("The whole key: it is shown this once, and cannot be found out again.")


CREATED = (ApiKeyCreated, NotFound, Forbidden, Invalid, Conflict)
CreateApiKeyResult = result("CreateApiKeyResult", *CREATED)
RotateApiKeyResult = result("RotateApiKeyResult", *CREATED)
RevokeApiKeyResult = result("RevokeApiKeyResult", ApiKey, NotFound, Invalid)

# Operations


def whose(info: Info, everybodys: bool | None) -> Any:
    """The condition on the keys that are listed. Raises Forbidden."""
    who = info.context.principal
    if not everybodys:
        return db.api_keys.of_user(who.user_id)
    if not who.may(ADMIN):
        raise errors.Forbidden("Only an administrator sees the keys of others.")
    return []


def may_give(info: Info, scopes: Collection[str]) -> None:
    """Raises Forbidden for scopes that need a higher role than the viewer's."""
    role = info.context.principal.role
    if role and (beyond := db.scopes.beyond(role, scopes)):
        needed = db.scopes.SCOPES[beyond[0]].role
        raise errors.Forbidden(f"The scope {beyond[0]} needs the role {needed}.")


def user_of(info: Info, user_id: str | None) -> Any:
    """Whom a new key acts as. Raises Forbidden, Invalid."""
    who = info.context.principal
    if user_id is not None and not who.may(ADMIN):
        raise errors.Forbidden("Only an administrator makes keys of others.")
    if user_id is None and who.user_id is None:
        raise errors.Invalid("Say whom the key acts as.", "userId")
    return who.user_id if user_id is None else id_of_table(user_id, db.users.User)


def minted(info: Info) -> ApiKeyCodec:
    """What keys are made with. Raises Unavailable where nothing is set up for it."""
    if info.context.api_key_codec is None:
        raise errors.Unavailable("This gateway makes no keys.")
    return info.context.api_key_codec()


def visible(made: NewKey) -> ApiKeyCreated:
    """The answer that holds the secret."""
    return ApiKeyCreated(api_key=made.record, secret=made.text)


@strawberry.type
class Queries:
    api_keys: Connection[ApiKey] = listed(
        db.api_keys.LISTING,
        "API keys of the viewer, newest first.",
        MEMBER,
        EVERYBODYS,
        where=whose,
    )


@strawberry.type
class Mutations:
    @field(
        "Make a key. It is not safe to send again: each time makes another.",
        MEMBER,
        graphql_type=CreateApiKeyResult,
    )
    async def create_api_key(self, info: Info, input: Input[CreateApiKeyInput]) -> Any:
        user_id, until = user_of(info, or_none(input.user_id)), or_none(input.expires_at)
        may_give(info, input.scopes)
        of = {"user_id": user_id, "service": input.service, "scopes": input.scopes}
        of["max_role"] = info.context.principal.role
        async with info.context.db.write(audit_context(info)) as session:
            return visible(await db.api_keys.create(session, minted(info), expires_at=until, **of))

    @field(
        "Make a key in place of another, which stays valid for a while. Keys made with that one "
        "are not changed.",
        MEMBER,
        graphql_type=RotateApiKeyResult,
    )
    async def rotate_api_key(self, info: Info, input: Input[RotateApiKeyInput]) -> Any:
        overlap = timedelta(hours=input.overlap_hours)
        async with info.context.db.write(audit_context(info)) as session:
            key = await get_for_update(
                session, db.api_keys.ApiKey, id_of_table(input.id, db.api_keys.ApiKey)
            )
            may_give(info, key.scopes)
            role = info.context.principal.role
            made = await db.api_keys.rotate(session, minted(info), key.prefix, overlap, role)
            return visible(made)

    @field(
        "Revoke a key and all keys made with it: every gateway refuses them within five seconds.",
        MEMBER,
        graphql_type=RevokeApiKeyResult,
    )
    async def revoke_api_key(self, info: Info, input: Input[RevokeApiKeyInput]) -> Any:
        async with info.context.db.write(audit_context(info)) as session:
            key = await get_for_update(
                session, db.api_keys.ApiKey, id_of_table(input.id, db.api_keys.ApiKey)
            )
            return await db.api_keys.revoke(session, key.prefix)
