"""Users are made by operators and edit what is theirs, which only they and operators read."""

import asyncio
from typing import Any

import pytest

from db import Database
from db.audit import AuditEntry, Change
from db.users import Role, User
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.mutations import Run, outcome, stored
from support.payloads import ERRORS
from support.principals import signed_in
from support.query_count import statements

WALLET = "0x" + "ad" * 20
OPERATOR = Principal(role=Role.OPERATOR)
SHOWN = f"""user {{ email walletAddress passportTier role metadata preferences }}
  {ERRORS}"""


async def write(
    run: Run, verb: str, input: dict[str, Any], who: Principal = OPERATOR
) -> dict[str, Any]:
    return await outcome(run, verb, input, who, SHOWN)


async def test_a_user_is_made_a_member(database: Database, run: Run) -> None:
    input = {"email": "ada@example.org", "metadata": {"legacy": 7}, "idempotencyKey": "once"}

    with statements(database, exactly=4):
        answer = await write(run, "createUser", input)
    again = await write(run, "createUser", input)
    other = await write(run, "createUser", {**input, "email": "bob@example.org"})

    [user] = await stored(database, User)
    [entry] = await stored(database, AuditEntry)
    [change] = await stored(database, Change)
    assert answer == again
    assert answer == {
        "email": "ada@example.org",
        "walletAddress": None,
        "passportTier": "visitor",
        "role": "MEMBER",
        "metadata": {"legacy": 7},
        "preferences": {},
    }
    assert other["code"] == "CONFLICT"
    assert (entry.operation, entry.entity_id, change.entity_id) == ("createUser", user.id, user.id)


async def test_an_address_belongs_to_one_user(database: Database, run: Run) -> None:
    await make_user(database, email="ada@example.org")

    answer = await write(run, "createUser", {"email": "ada@example.org"})

    assert answer == {
        "code": "CONFLICT",
        "message": "There is already one with this email.",
        "field": "email",
    }


@pytest.mark.parametrize(
    ("input", "field", "message"),
    [
        (
            {"email": "ada"},
            "email",
            "This is not an e-mail address; write it like name@example.org.",
        ),
        (
            {"email": "a@"},
            "email",
            "This is not an e-mail address; write it like name@example.org.",
        ),
        ({"email": "a@" + "x" * 253}, "email", "An e-mail address has at most 254 characters."),
        ({"email": None}, "email", "A user needs an e-mail address or a wallet address."),
        (
            {"walletAddress": "0x123"},
            "walletAddress",
            "A wallet address is `0x` and 40 hexadecimal digits.",
        ),
        (
            {"passportTier": "gold"},
            "passportTier",
            "This must be one of visitor, dreamer, citizen, operator, architect, founder.",
        ),
        ({"metadata": []}, "metadata", "This must be a JSON object."),
        (
            {"metadata": {"a": "x" * 64_000}},
            "metadata",
            "This JSON may have at most 64,000 bytes.",
        ),
    ],
)
async def test_faults_are_named(
    database: Database, run: Run, input: Any, field: str, message: str
) -> None:
    answer = await write(run, "createUser", {"email": "ada@example.org", **input})

    wrong = {"code": "INVALID", "message": message, "field": field}
    assert answer == wrong
    assert await stored(database, User) == []


async def test_json_is_no_deeper_than_it_can_be_read(run: Run) -> None:
    deep: Any = {}
    for _ in range(40):
        deep = {"deeper": deep}

    answer = await write(run, "createUser", {"email": "ada@example.org", "metadata": deep})

    assert answer["message"] == "This JSON is nested more than 32 levels deep."


async def test_a_user_edits_only_own_fields(database: Database, run: Run) -> None:
    user = await make_user(database)
    id = {"id": global_id(user)}

    wallet = await write(run, "editUser", {**id, "walletAddress": WALLET}, signed_in(user))
    tier = await write(run, "editUser", {**id, "passportTier": "citizen"}, signed_in(user))
    by_operator = await write(run, "editUser", {**id, "passportTier": "citizen", "metadata": {}})

    assert (wallet["walletAddress"], wallet["email"]) == (WALLET, user.email)
    assert tier == {
        "code": "FORBIDDEN",
        "message": "Only an operator can change passportTier.",
    }
    assert by_operator["passportTier"] == "citizen"
    for name in ("passportTier", "metadata"):
        assert (await write(run, "editUser", {**id, name: None}))["field"] == name
    assert len(await stored(database, Change)) == 2


@pytest.mark.parametrize(
    ("who", "role", "code"),
    [
        (Role.MEMBER, Role.MEMBER, "FORBIDDEN"),
        (Role.OPERATOR, Role.MEMBER, None),
        (Role.OPERATOR, Role.ADMIN, "FORBIDDEN"),
        (Role.ADMIN, Role.ADMIN, None),
    ],
)
async def test_others_are_edited_by_no_lower_rank(
    database: Database, run: Run, who: Role, role: Role, code: str | None
) -> None:
    user = await make_user(database, role=role)
    input = {"id": global_id(user), "passportTier": "citizen"}

    answer = await write(run, "editUser", input, Principal(role=who))

    assert answer.get("code") == code


async def test_preferences_are_replaced_by_their_user(database: Database, run: Run) -> None:
    user = await make_user(database)

    answer = await write(run, "setPreferences", {"preferences": {"font": "large"}}, signed_in(user))
    nobody = await write(run, "setPreferences", {"preferences": {}}, DEVELOPER)
    wrong = await write(run, "setPreferences", {"preferences": [1]}, signed_in(user))

    [entry] = await stored(database, AuditEntry)
    assert answer["preferences"] == {"font": "large"}
    assert (entry.before["preferences"], entry.after["preferences"]) == (
        {"theme": "dark"},
        {"font": "large"},
    )
    assert (nobody["code"], wrong["field"]) == ("FORBIDDEN", "preferences")


async def test_roles_are_given_by_administrators(database: Database, run: Run) -> None:
    user = await make_user(database)
    input = {"id": global_id(user), "role": "OPERATOR"}

    answer = await write(run, "setRole", input, DEVELOPER)
    document = "mutation ($input: SetRoleInput!) { setRole(input: $input) { __typename } }"
    refused = await run(document, {"input": input}, OPERATOR)

    [entry] = await stored(database, AuditEntry)
    assert answer["role"] == "OPERATOR"
    assert (entry.before["role"], entry.after["role"]) == ("MEMBER", "OPERATOR")
    assert [error["extensions"]["code"] for error in refused.errors] == ["FORBIDDEN"]


async def test_an_administrator_stays(database: Database, run: Run) -> None:
    admins = [await make_user(database, role=Role.ADMIN) for _ in range(3)]

    answers = await asyncio.gather(
        *(
            write(run, "setRole", {"id": global_id(admin), "role": "MEMBER"}, DEVELOPER)
            for admin in admins
        )
    )

    conflict = {
        "code": "CONFLICT",
        "message": "This is the last administrator: give another user the role ADMIN first.",
    }
    roles = sorted(user.role for user in await stored(database, User))
    assert [answer for answer in answers if "code" in answer] == [conflict]
    assert roles == ["ADMIN", "MEMBER", "MEMBER"]


async def test_personal_fields_are_null_for_others(database: Database, run: Run) -> None:
    ada = await make_user(database, wallet_address=WALLET, metadata={"legacy": 7})
    dream = await make_dream(database, user_id=ada.id)
    document = """query ($id: ID!) {
        dream(id: $id) {
            owner { id passportTier email walletAddress role metadata preferences }
        }
    }"""
    shown = {
        "email": ada.email,
        "walletAddress": WALLET,
        "role": "MEMBER",
        "metadata": {"legacy": 7},
        "preferences": {"theme": "dark"},
    }

    async def owner(who: Principal) -> Any:
        answer = await run(document, {"id": global_id(dream)}, who)
        return answer.data and answer.data["dream"]["owner"]

    public = {"id": global_id(ada), "passportTier": "visitor"}
    bob = await make_user(database)
    assert await owner(signed_in(ada)) == await owner(OPERATOR) == public | shown
    assert await owner(signed_in(bob)) == public | dict.fromkeys(shown)
    assert await owner(ANONYMOUS) is None
