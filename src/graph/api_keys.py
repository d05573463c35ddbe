"""API keys: credentials of services. The secret is only in the response that creates it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy import ColumnElement
from strawberry import UNSET

import db
from db.api_keys import writes
from db.api_keys.writes import NewKey
from db.core import errors
from db.core.api_key_format import ApiKeyCodec
from db.core.values import validation
from db.users import Role
from graph.core.context import Info
from graph.core.loader import by_id
from graph.core.permission import ADMIN, MEMBER, VALUE
from graph.core.types.connection import Argument, Connection, listed
from graph.core.types.field import checked, field, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    get_for_update,
    id_of_table,
    input_type,
    mutation,
)
from graph.core.types.node import Node, key_of, node
from graph.core.types.unset import or_none
from graph.users import USER, User, UserById

# Loaders


ApiKeyById = by_id(db.api_keys.ApiKey)


# Types


@node(db.api_keys.ApiKey, access=MEMBER)
class ApiKey(Node):
    """A credential of a service, which acts as its user. The secret itself is not stored."""

    service: str = field("Name of the service that uses the key.")
    prefix: str = field("Eight characters of the key that identify it.")
    scopes: list[str] = field(
        "Scopes that limit the key, for example `agents:write`. Empty for a key without limits."
    )
    max_role: Role | None = field(
        "The highest role that the key acts with: the role of its creator. Null for the role of "
        "its user."
    )
    last_used_at: datetime | None = field(
        "When the key was last used, to the minute. Null if never."
    )
    expires_at: datetime | None = field("When the key expires. Null if never.")
    revoked_at: datetime | None = field("When the key was revoked. Null if it was not.")
    created_at: datetime = field("When the key was created.")
    user: User | None = related(UserById, "user_id", description="The user that the key acts as.")
    created_by: Annotated["ApiKey", strawberry.lazy("graph.api_keys")] | None = related(
        ApiKeyById,
        "created_by_key_id",
        description="The key that created this one. Revoking it revokes this key too. Null if the "
        "key was not created with a key, or with one of another user.",
    )


# Inputs

KEY = key_of(db.api_keys.ApiKey)
MAX_OVERLAP = 168  # hours
EVERYBODYS = Argument(
    "everybodys", bool, "Include the keys of other users. Requires the role ADMIN.", VALUE
)


@filters(db.api_keys.LISTING)
class ApiKeyFilter:
    """Filter conditions on API keys. All given conditions must hold."""


@orders(db.api_keys.LISTING)
class ApiKeyOrder:
    """Sort order for API keys."""


@checked(db.api_keys.ApiKey)
@input_type
class CreateApiKeyInput:
    """The input fields to create an API key."""

    service: str = field("Name of the service that uses the key.")
    scopes: list[str] = field(
        "Scopes that limit the key, for example `agents:write`. Without scopes, the key has all "
        "rights of its user, up to the role of the viewer.",
        default_factory=list,
    )
    expires_at: datetime | None = field(
        "When the key expires. If omitted, never, or together with the key that creates it. It "
        "cannot be later than the expiry of that key.",
        default=UNSET,
    )
    user_id: strawberry.ID | None = field(
        "ID of the user that the key acts as; the viewer if omitted. Other users require the role "
        "ADMIN.",
        check=USER,
        default=UNSET,
    )


@input_type
class RotateApiKeyInput:
    """The input fields to rotate an API key."""

    id: strawberry.ID = field("ID of the API key.", check=KEY)
    overlap_hours: int = field(
        f"Hours that the old key stays valid, 0 to {MAX_OVERLAP}.",
        check=validation.within(0, MAX_OVERLAP),
        default=24,
    )


@input_type
class RevokeApiKeyInput:
    """The input fields to revoke an API key."""

    id: strawberry.ID = field("ID of the API key.", check=KEY)


# Results


@value
class ApiKeyCreated:
    """A new API key with its secret."""

    api_key: ApiKey | None = field("The stored API key.", default=None)
    secret: str | None = field(
        "The complete key. It is shown only once and cannot be retrieved later.", default=None
    )


# Operations


def listed_keys(info: Info, everybodys: bool | None) -> list[ColumnElement[bool]]:
    """The condition on the listed keys. Raises Forbidden."""
    principal = info.context.principal
    if not everybodys:
        return db.api_keys.of_user(principal.user_id)
    if not principal.may(ADMIN):
        raise errors.Forbidden(
            "Only an administrator can list the keys of other users; omit everybodys."
        )
    return []


def check_scopes(info: Info, scopes: Collection[str]) -> None:
    role = info.context.principal.role
    if role and (beyond := db.scopes.beyond(role, scopes)):
        needed = db.scopes.SCOPES[beyond[0]].role
        raise errors.Forbidden(
            f"The scope {beyond[0]} requires the role {needed}; your role is {role}."
        )


def key_user(info: Info, user_id: str | None) -> UUID:
    """The user that a new key acts as. Raises Forbidden, Invalid."""
    principal = info.context.principal
    if user_id is not None and not principal.may(ADMIN):
        raise errors.Forbidden("Only an administrator can create keys of other users; omit userId.")
    if user_id is not None:
        return id_of_table(user_id, db.users.User)
    if principal.user_id is None:
        raise errors.Invalid("Set userId to the user that the key acts as.", "userId")
    return principal.user_id


def codec(info: Info) -> ApiKeyCodec:
    """Raises Unavailable if the gateway has no pepper for API keys."""
    if info.context.api_key_codec is None:
        raise errors.Unavailable(
            "This gateway cannot create API keys: DREAMNET_KEY_PEPPER is not set."
        )
    return info.context.api_key_codec()


def created(new_key: NewKey) -> ApiKeyCreated:
    return ApiKeyCreated(
        api_key=new_key.record,  # type: ignore[arg-type]  # a record is the source of its type
        secret=new_key.text,
    )


@strawberry.type
class Queries:
    api_keys: Connection[ApiKey] = listed(
        db.api_keys.LISTING,
        "API keys of the viewer, newest first.",
        MEMBER,
        EVERYBODYS,
        where=listed_keys,
    )


@strawberry.type
class Mutations:
    @mutation(
        "Create an API key. Not safe to retry: each call creates another key.",
        MEMBER,
        ApiKeyCreated,
    )
    async def create_api_key(self, info: Info, input: Input[CreateApiKeyInput]) -> ApiKeyCreated:
        user_id, until = key_user(info, or_none(input.user_id)), or_none(input.expires_at)
        check_scopes(info, input.scopes)
        async with info.context.db.write(audit_context(info)) as session:
            new_key = await writes.create(
                session,
                codec(info),
                user_id=user_id,
                service=input.service,
                scopes=input.scopes,
                max_role=info.context.principal.role,
                expires_at=until,
            )
            return created(new_key)

    @mutation(
        "Replace an API key with a new one. The old key stays valid for some hours. Keys that "
        "were created with it do not change.",
        MEMBER,
        ApiKeyCreated,
    )
    async def rotate_api_key(self, info: Info, input: Input[RotateApiKeyInput]) -> ApiKeyCreated:
        overlap = timedelta(hours=input.overlap_hours)
        async with info.context.db.write(audit_context(info)) as session:
            key = await get_for_update(
                session, db.api_keys.ApiKey, id_of_table(input.id, db.api_keys.ApiKey)
            )
            check_scopes(info, key.scopes)
            role = info.context.principal.role
            new_key = await writes.rotate(session, codec(info), key.prefix, overlap, role)
            return created(new_key)

    @mutation(
        "Revoke an API key and all keys that were created with it. Every gateway rejects them "
        "within five seconds.",
        MEMBER,
        ApiKey,
    )
    async def revoke_api_key(
        self, info: Info, input: Input[RevokeApiKeyInput]
    ) -> db.api_keys.ApiKey:
        async with info.context.db.write(audit_context(info)) as session:
            key = await get_for_update(
                session, db.api_keys.ApiKey, id_of_table(input.id, db.api_keys.ApiKey)
            )
            return await writes.revoke(session, key.prefix)
