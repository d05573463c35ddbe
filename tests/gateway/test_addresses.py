"""Addresses: an e-mail address or a wallet in another spelling is the same, and so is its user."""

from typing import Any

import pytest
from starlette.applications import Starlette

from db import Database, identity
from db.core.errors import Conflict
from db.users import TIERS, Role, User
from gateway.auth.pepper import api_key_codec
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.factories import make_user
from support.gateways import ask, viewer
from support.graphql_client import Endpoint
from support.oidc_issuer import Issuer

SPELLINGS = ["ada@example.org", "ADA@Example.ORG", "  ada@example.org", "ada@example.org\t\n"]
NO_ADDRESSES = [
    *("root", "a@", "@b", "a b@c.de", "a@b c", "a@b..c", "a..b@c.de", "a@-b.c", '"a b"@c.d'),
    *("a@b@c", "a@[127.0.0.1]", "a@b_c.de", "x" * 65 + "@a.de", "a@" + "x" * 64, "a\0b@c.de"),
    *("", "   ", "a@\u2003", "Ada <ada@example.org>", "mailto:a@b,c@d", "a@" + "b." * 130 + "c"),
]
CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # EIP-55 has it as an example
WALLETS = [CHECKSUMMED, CHECKSUMMED.lower(), "0x" + CHECKSUMMED[2:].upper()]
NO_WALLETS = [
    *("0x123", "", CHECKSUMMED[2:], f" {CHECKSUMMED}", f"{CHECKSUMMED}0", "0X" + "a" * 40),
    *(CHECKSUMMED.replace("Aed", "aed"), "0x" + "g" * 40, "0x" + "a" * 39 + "\0"),
]
SHOWN = "user { id email walletAddress passportTier }"
USERS = "query ($filter: UserFilter) { users(filter: $filter) { nodes { email } totalCount } }"


async def stored(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    """Columns of all users but the one who asks, oldest first."""
    async with database.read() as session:
        users = await session.records(User, User.select().order_by(User.id))
    return [tuple(getattr(user, column.name) for column in columns) for user in users]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_an_address_is_stored_in_one_spelling_and_taken_in_all(
    database: Database, endpoint: Endpoint, spelling: str
) -> None:
    made = await endpoint.mutate("createUser", {"email": spelling}, SHOWN)

    assert made["email"] == "ada@example.org"
    for other in SPELLINGS:
        again = await endpoint.mutate("createUser", {"email": other}, SHOWN)
        assert again == {
            "code": "CONFLICT",
            "message": "There is already one with this email.",
            "field": "email",
        }
    assert len(await stored(database, User.email)) == 2


async def test_an_address_of_an_older_version_is_taken_in_all_spellings(
    database: Database, endpoint: Endpoint
) -> None:
    await make_user(database, email="Ada@Example.org")
    other = {"id": global_id(await make_user(database))}

    for spelling in SPELLINGS:
        made = await endpoint.mutate("createUser", {"email": spelling}, SHOWN)
        edited = await endpoint.mutate("editUser", {**other, "email": spelling}, SHOWN)
        assert made["code"] == edited["code"] == "CONFLICT"


async def test_a_user_may_be_given_his_address_in_another_spelling(
    database: Database, endpoint: Endpoint
) -> None:
    user = await make_user(database, email="Ada@Example.org")

    edited = await endpoint.mutate(
        "editUser", {"id": global_id(user), "email": "ADA@example.org"}, SHOWN
    )

    assert edited["email"] == "ada@example.org"


@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_invalid_addresses_are_refused(
    database: Database, endpoint: Endpoint, address: str
) -> None:
    user = {"id": global_id(await make_user(database))}

    made = await endpoint.mutate("createUser", {"email": address}, SHOWN)
    edited = await endpoint.mutate("editUser", {**user, "email": address}, SHOWN)

    assert (made["code"], made["field"]) == ("INVALID", "email")
    assert edited == made
    assert len(await stored(database, User.email)) == 2


@pytest.mark.parametrize(
    "address",
    ["a@b", "admin@localhost", "a+b.c@d-e.fr", "o'hara@x.ie", "ü@exämple.org", "用户@例子.广告"],
)
async def test_an_address_of_any_script_and_host_is_taken(endpoint: Endpoint, address: str) -> None:
    made = await endpoint.mutate("createUser", {"email": address}, SHOWN)

    assert made["email"] == address


@pytest.mark.parametrize("stored_as", ["ada@example.org", "Ada@Example.ORG"])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_users_are_filtered_by_any_spelling(
    database: Database, endpoint: Endpoint, stored_as: str, spelling: str
) -> None:
    await make_user(database, email=stored_as)
    count = 2

    async def found(**comparison: Any) -> int:
        page = (await endpoint.data(USERS, {"filter": {"email": comparison}}))["users"]
        assert page["totalCount"] == len(page["nodes"])
        return int(page["totalCount"])

    assert await found(eq=spelling) == await found(**{"in": ["x@y", spelling]}) == 1
    assert await found(ne=spelling) == await found(notIn=[spelling]) == count - 1
    assert await found(startsWith="ADA@ex") == await found(contains="A@EX") == 1


@pytest.mark.parametrize("stored_as", [None, "ada@example.org", "ADA@Example.org"])
async def test_tokens_with_any_spelling_are_of_one_user(
    issuer_app: Starlette, issuer: Issuer, database: Database, stored_as: str | None
) -> None:
    if stored_as:
        await make_user(database, email=stored_as)

    who = "{ viewer { user { id email } } }"
    answers = [
        (await ask(issuer_app, issuer.token(email=email), who)).json() for email in SPELLINGS
    ]

    assert answers == [answers[0]] * len(SPELLINGS)
    assert await stored(database, User.email) == [(stored_as or "ada@example.org",)]


@pytest.mark.parametrize("address", [*NO_ADDRESSES, "\ud800@example.org", "ada@\udfff.org"])
async def test_a_token_without_the_form_of_an_address_is_refused(
    issuer_app: Starlette, issuer: Issuer, database: Database, address: str
) -> None:
    response = await ask(issuer_app, issuer.token(email=address))

    assert response.status_code == 401
    assert await stored(database, User.email) == []


@pytest.mark.parametrize("email", ["admin@localhost", "Admin@LOCALHOST"])
async def test_the_first_administrator_is_the_same_in_another_spelling(
    database: Database, issuer_settings: Settings, email: str
) -> None:
    await make_user(database, email=email)

    async with database.write() as session:
        with pytest.raises(Conflict):
            await identity.create_first_admin(
                session, api_key_codec(issuer_settings), "ADMIN@localhost"
            )


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_wallet_is_stored_in_one_spelling_and_found_in_all(
    endpoint: Endpoint, wallet: str
) -> None:
    made = await endpoint.mutate("createUser", {"walletAddress": wallet}, SHOWN)

    assert made["walletAddress"] == CHECKSUMMED.lower()
    for other in WALLETS:
        for comparison in ({"eq": other}, {"in": [other]}):
            filter = {"walletAddress": comparison}
            assert (await endpoint.data(USERS, {"filter": filter}))["users"]["totalCount"] == 1


@pytest.mark.parametrize("wallet", NO_WALLETS)
async def test_invalid_wallets_are_refused(endpoint: Endpoint, wallet: str) -> None:
    made = await endpoint.mutate("createUser", {"walletAddress": wallet}, SHOWN)

    assert (made["code"], made["field"]) == ("INVALID", "walletAddress")


async def test_a_user_has_an_email_or_a_wallet(database: Database, endpoint: Endpoint) -> None:
    user = {"id": global_id(await make_user(database))}
    missing = "A user needs an e-mail address or a wallet address."

    async def edited(**changes: Any) -> Any:
        return await endpoint.mutate("editUser", {**user, **changes}, SHOWN)

    for input in ({}, {"email": None}, {"email": None, "walletAddress": None}):
        made = await endpoint.mutate("createUser", input, SHOWN)
        assert (made["message"], made["field"]) == (missing, "email")
    assert (await edited(email=None))["message"] == missing
    assert (await edited(email=None, walletAddress=CHECKSUMMED))["email"] is None
    assert (await edited(walletAddress=None))["message"] == missing
    assert (await edited(passportTier="citizen"))["walletAddress"] == CHECKSUMMED.lower()


async def test_a_user_of_an_older_version_without_either_can_be_edited(
    database: Database, endpoint: Endpoint
) -> None:
    user = await make_user(database, email=None, passport_tier="gold")

    edited = await endpoint.mutate("editUser", {"id": global_id(user), "metadata": {}}, SHOWN)
    promoted = await endpoint.mutate("setRole", {"id": global_id(user), "role": "OPERATOR"}, SHOWN)

    assert edited["passportTier"] == promoted["passportTier"] == "gold"
    filter = {"passportTier": {"eq": "gold"}}
    assert (await endpoint.data(USERS, {"filter": filter}))["users"]["totalCount"] == 1


@pytest.mark.parametrize("tier", TIERS)
async def test_a_tier_of_dreamnet_is_taken(endpoint: Endpoint, tier: str) -> None:
    made = await endpoint.mutate("createUser", {"email": "a@b.c", "passportTier": tier}, SHOWN)

    assert made["passportTier"] == tier


@pytest.mark.parametrize("tier", ["", "gold", "VISITOR", "Visitor", " visitor", "visitor\0"])
async def test_another_tier_is_refused(database: Database, endpoint: Endpoint, tier: str) -> None:
    user = {"id": global_id(await make_user(database))}
    tiers = "This must be one of visitor, dreamer, citizen, operator, architect, founder."

    made = await endpoint.mutate("createUser", {"email": "a@b.c", "passportTier": tier}, SHOWN)
    edited = await endpoint.mutate("editUser", {**user, "passportTier": tier}, SHOWN)

    assert made == edited
    assert (made["message"], made["field"]) == (tiers, "passportTier")


async def test_the_viewer_is_found_by_a_token_of_a_user_made_by_hand(
    issuer_app: Starlette, issuer: Issuer, database: Database
) -> None:
    await make_user(database, email="Ada@Example.org", role=Role.OPERATOR)

    assert (await viewer(issuer_app, issuer.token()))["role"] == "OPERATOR"
