"""Inputs: filters and orders of users, and the arguments of mutations on them."""

import strawberry
from strawberry import UNSET, Maybe
from strawberry.scalars import JSON

import db
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import idempotency_key, input_type
from graph.core.types.node import key_of
from graph.users.types import READ_ALL, Role

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
class SetEmailNotificationsInput:
    """The input fields to choose which notifications of the viewer are sent by e-mail."""

    kinds: list[str] = field(
        "Kinds of notifications, such as `TEST_FAILED`. An empty list sends none.",
        check=db.users.KINDS,
    )


@input_type
class SetRoleInput:
    """The input fields to set the role of a user."""

    id: strawberry.ID = field("ID of the user.", check=USER)
    role: Role = field("The new role.")


@input_type
class UserInput:
    """The input fields to identify a user."""

    id: strawberry.ID = field("ID of the user.", check=USER)
