"""Settings and feature flags are changed by who may, and secrets are never among them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from writing import Run, outcome, stored

from counting import statements
from db import Database
from db.audit import AuditEntry, Change
from db.config import ConfigEntry, FeatureFlag, is_on
from db.core.credential import Mint
from db.core.errors import Invalid
from db.core.secrecy import entropy, fingerprint, holds_secret, is_secret
from db.users import Role
from factories import make_config_entry, make_feature_flag, make_user
from graph.core.context import Context
from graph.core.node import global_id
from graph.core.operation import execute, prepare
from graph.core.permission import ANONYMOUS, Principal
from graph.schema import schema

RANDOM = "q8Zt3LrW0xKfB7vNcY2m"
CANARY = "swordfish-canary"
SHOWN = """__typename
  ... on ConfigEntry { key kind value reference description category version updatedBy { id } }
  ... on FeatureFlag { key enabled rolloutPercent description }
  ... on ConfigRemoved { removedConfigId }
  ... on EnvironmentSynced { stored referenced missing }
  ... on Error { message code }
  ... on Invalid { field }"""


@pytest.fixture
async def operator(database: Database) -> Principal:
    return Principal((await make_user(database)).id, Role.OPERATOR)


@pytest.fixture
def write(run: Run, operator: Principal) -> Callable[..., Awaitable[dict[str, Any]]]:
    """`await write("setConfig", key=...)`: what a mutation comes to, for an operator."""

    async def write(verb: str, **input: Any) -> dict[str, Any]:
        shown = "\n".join(line for line in SHOWN.splitlines() if _is_in(verb, line))
        return await outcome(run, verb, input, operator, shown)

    return write


def _is_in(verb: str, line: str) -> bool:
    """Whether a line of what is shown belongs to the result of a mutation."""
    types = {
        "setConfig": ("ConfigEntry", "Invalid"),
        "removeConfig": ("ConfigRemoved",),
        "syncEnvironment": ("EnvironmentSynced", "Invalid"),
        "setFeatureFlag": ("FeatureFlag", "Invalid"),
    }
    return any(f"on {name} " in line for name in (*types[verb], "Error")) or "__" in line


Write = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_setting_is_created_and_changed(
    database: Database, write: Write, operator: Principal
) -> None:
    with statements(database, exactly=5):
        made = await write(
            "setConfig", key="limits.dreams", value={"most": 10}, category="limits", description="A"
        )
    changed = await write("setConfig", key="limits.dreams", value=None, expectedVersion=1)
    late = await write("setConfig", key="limits.dreams", value=[1], expectedVersion=1)

    by = {"id": f"user_{operator.user_id.hex}"}  # type: ignore[union-attr]  # they are a user
    assert made == {
        "__typename": "ConfigEntry",
        "key": "limits.dreams",
        "kind": "PLAIN",
        "value": {"most": 10},
        "reference": None,
        "description": "A",
        "category": "limits",
        "version": 1,
        "updatedBy": by,
    }
    assert changed == made | {"value": None, "version": 2}
    assert late == {
        "__typename": "Conflict",
        "message": "It is at version 2 now; read it again and decide.",
        "code": "CONFLICT",
    }
    first, second = await stored(database, AuditEntry)
    assert (first.operation, first.actor) == ("setConfig", operator.user_id)
    assert (second.before["value"], second.after["value"]) == ({"most": 10}, None)
    assert [change.kind for change in await stored(database, Change)] == ["CREATED", "UPDATED"]


async def test_a_setting_that_was_removed_meanwhile(write: Write) -> None:
    answer = await write("setConfig", key="gone", value=1, expectedVersion=3)

    assert answer["__typename"] == "NotFound"


@pytest.mark.parametrize(
    ("input", "field", "message"),
    [
        (
            {"key": "Limits"},
            "key",
            "A key has 1 to 100 small letters, digits, `_`, `.` and `-`.",
        ),
        ({"category": ""}, "category", "This text must have 1 to 100 characters."),
        ({"value": "x" * 64_000}, "value", "This JSON may have at most 64,000 bytes."),
        ({"reference": "A_B"}, "value", "Give either `value` or `reference`."),
        ({"key": "dreams.achieved_at"}, "value", "This must be a number from 0 to 100."),
        (
            {"key": "dreams.achieved_at", "value": 101},
            "value",
            "This must be a number from 0 to 100.",
        ),
        (
            {"key": "dreams.achieved_at", "value": True},
            "value",
            "This must be a number from 0 to 100.",
        ),
    ],
)
async def test_what_is_wrong_is_said(
    database: Database, write: Write, input: Any, field: str, message: str
) -> None:
    answer = await write("setConfig", **{"key": "a", "value": "b", **input})

    assert answer == {
        "__typename": "Invalid",
        "message": message,
        "code": "INVALID",
        "field": field,
    }
    assert await stored(database, ConfigEntry) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("openai.api_key", CANARY),
        ("database", f"postgresql://dreamnet:{CANARY}@db/dreamnet"),
        ("mail", {"servers": [{"password": CANARY}]}),
        ("plain", f"{CANARY} {RANDOM}"),
    ],
)
async def test_a_secret_is_not_stored(
    database: Database, write: Write, key: str, value: Any
) -> None:
    answer = await write("setConfig", key=key, value=value)

    assert answer == {
        "__typename": "Invalid",
        "message": "This looks like a secret, and those are not stored: give as `reference` the "
        "name of the environment variable that holds it.",
        "code": "INVALID",
        "field": "value",
    }
    assert await stored(database, ConfigEntry) == await stored(database, AuditEntry) == []


async def test_where_a_secret_is_kept_is_stored(write: Write) -> None:
    made = await write("setConfig", key="openai.api_key", reference="OPENAI_API_KEY")
    wrong = await write("setConfig", key="openai.api_key", reference="sk-123")

    assert (made["kind"], made["value"], made["reference"]) == (
        "SECRET_REFERENCE",
        None,
        "OPENAI_API_KEY",
    )
    assert (wrong["__typename"], wrong["field"]) == ("Invalid", "reference")


async def test_a_fingerprint_tells_secrets_apart(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_config_entry(database, key="a", kind="SECRET_REFERENCE", value="DREAM_SECRET")
    await make_config_entry(database, key="b")

    async def shown(secret: str, pepper: bytes) -> Any:
        monkeypatch.setenv("DREAM_SECRET", secret)
        who = Principal(role=Role.OPERATOR)
        context = Context(database, who, "request", mint=lambda: Mint("test", pepper))
        text = "{ configs(orderBy: [{field: KEY}]) { nodes { key fingerprint } } }"
        answer: Any = await execute(prepare(schema, text), None, context)
        return [node["fingerprint"] for node in answer.data["configs"]["nodes"]]

    first = await shown(CANARY, b"pepper")
    assert first == [fingerprint(b"pepper", CANARY), None]
    assert first != await shown("other", b"pepper")
    assert first != await shown(CANARY, b"salt")
    assert await shown("", b"pepper") == [None, None]


async def test_a_reference_is_a_name(database: Database) -> None:
    with pytest.raises(Invalid):
        await make_config_entry(database, kind="SECRET_REFERENCE", value={"secret": CANARY})


async def test_a_setting_is_removed(database: Database, write: Write) -> None:
    entry = await make_config_entry(database, key="old")

    late = await write("removeConfig", key="old", expectedVersion=7)
    answer = await write("removeConfig", key="old", expectedVersion=1)
    again = await write("removeConfig", key="old")

    assert late["__typename"] == "Conflict"
    assert answer == {"__typename": "ConfigRemoved", "removedConfigId": global_id(entry)}
    assert again["__typename"] == "NotFound"
    assert [change.kind for change in await stored(database, Change)] == ["DELETED"]


async def test_the_environment_is_stored_without_its_secrets(
    database: Database, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "DREAM_REGION": "eu-1",
        "DREAM_API_TOKEN": CANARY,
        "DREAM_DB_URL": CANARY,
        "DREAM_BROKER": f"amqp://{CANARY}@broker",
        "DREAM_SALT": RANDOM,
        "DREAM_EMPTY": "",
    }
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("DREAM_UNSET", raising=False)

    answer = await write("syncEnvironment", names=[*environment, "DREAM_UNSET", "DREAM_REGION"])
    again = await write("syncEnvironment", names=list(environment))

    assert answer == {
        "__typename": "EnvironmentSynced",
        "stored": ["DREAM_REGION"],
        "referenced": ["DREAM_API_TOKEN", "DREAM_DB_URL", "DREAM_BROKER", "DREAM_SALT"],
        "missing": ["DREAM_EMPTY", "DREAM_UNSET"],
    }
    assert again == answer | {"missing": ["DREAM_EMPTY"]}
    entries = await stored(database, ConfigEntry)
    assert [(entry.key, entry.kind, entry.value, entry.version) for entry in entries] == [
        ("environment.dream_region", "PLAIN", "eu-1", 1),
        ("environment.dream_api_token", "SECRET_REFERENCE", "DREAM_API_TOKEN", 1),
        ("environment.dream_db_url", "SECRET_REFERENCE", "DREAM_DB_URL", 1),
        ("environment.dream_broker", "SECRET_REFERENCE", "DREAM_BROKER", 1),
        ("environment.dream_salt", "SECRET_REFERENCE", "DREAM_SALT", 1),
    ]
    assert {entry.category for entry in entries} == {"environment"}
    written = repr(entries + await stored(database, AuditEntry))
    assert CANARY not in written
    assert RANDOM not in written


async def test_what_was_plain_becomes_a_reference(
    database: Database, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAM_PLACE", "here")
    await write("syncEnvironment", names=["DREAM_PLACE"])
    monkeypatch.setenv("DREAM_PLACE", f"https://ada:{CANARY}@example.org")
    await write("syncEnvironment", names=["DREAM_PLACE"])

    [entry] = await stored(database, ConfigEntry)
    assert (entry.kind, entry.value, entry.version) == ("SECRET_REFERENCE", "DREAM_PLACE", 2)


async def test_at_most_a_hundred_variables(write: Write) -> None:
    answer = await write("syncEnvironment", names=["A"] * 101)

    assert (answer["__typename"], answer["field"]) == ("Invalid", "names")


async def test_a_flag_is_created_and_changed(database: Database, write: Write) -> None:
    made = await write("setFeatureFlag", key="dark-mode", enabled=True, rolloutPercent=25)
    changed = await write("setFeatureFlag", key="dark-mode", enabled=False, description="Dark.")
    wrong = await write("setFeatureFlag", key="dark-mode", enabled=True, rolloutPercent=101)

    of = {"__typename": "FeatureFlag", "key": "dark-mode", "rolloutPercent": 25}
    assert made == {**of, "enabled": True, "description": None}
    assert changed == {**of, "enabled": False, "description": "Dark."}
    assert (wrong["__typename"], wrong["field"]) == ("Invalid", "rolloutPercent")
    [flag] = await stored(database, FeatureFlag)
    assert flag.rollout_percent == 25
    assert [change.kind for change in await stored(database, Change)] == ["CREATED", "UPDATED"]


async def test_a_feature_is_on_for_a_share_of_users(database: Database, run: Run) -> None:
    await make_feature_flag(database, key="all")
    await make_feature_flag(database, key="off", enabled=False)
    half = await make_feature_flag(database, key="half", rollout_percent=50)
    users = [Principal(UUID(int=number), Role.MEMBER) for number in range(20)]
    document = """{
        all: featureEnabled(key: "all") off: featureEnabled(key: "off")
        half: featureEnabled(key: "half") none: featureEnabled(key: "none")
    }"""

    async def seen(who: Principal) -> Any:
        with statements(database, exactly=1):
            return (await run(document, who=who)).data

    answers = [await seen(who) for who in users]
    assert answers == [
        {"all": True, "off": False, "half": is_on(half, who.user_id), "none": False}
        for who in users
    ]
    assert {answer["half"] for answer in answers} == {True, False}
    assert (await seen(ANONYMOUS))["half"] is is_on(half, None)


async def test_who_has_a_feature_keeps_it_when_its_share_grows(database: Database) -> None:
    flags = [
        await make_feature_flag(database, key=f"f{percent}", rollout_percent=percent)
        for percent in (0, 30, 60, 100)
    ]
    users = [UUID(int=number) for number in range(1000)]
    on = [{user for user in users if is_on(f._replace(key="f"), user)} for f in flags]

    assert (on[0], on[3]) == (set(), set(users))
    assert on[1] < on[2]
    assert 250 < len(on[1]) < 350


def test_what_looks_like_a_secret() -> None:
    assert entropy("aabb") == 1
    assert is_secret("name", RANDOM)
    assert not is_secret("name", RANDOM[:19])
    assert not is_secret("password", "")
    assert not is_secret("greeting", "Dreams are tested again and again until they come true.")
    assert not holds_secret("max_tokens", 4096)
    assert holds_secret("keys", ["x"])


async def test_config_is_written_by_operators_and_keys_with_the_scope(run: Run) -> None:
    document = """mutation {
        setConfig(input: {key: "a", value: 1}) { __typename }
        setFeatureFlag(input: {key: "a", enabled: true}) { __typename }
    }"""
    reader = Principal(role=Role.MEMBER, scopes=frozenset({"config:read"}))
    writer = Principal(scopes=frozenset({"config:write"}))

    refused = await run(document, who=reader)
    answer = await run(document, who=writer)

    assert [error["extensions"]["code"] for error in refused.errors] == ["FORBIDDEN"]
    assert answer.data == {
        "setConfig": {"__typename": "ConfigEntry"},
        "setFeatureFlag": {"__typename": "FeatureFlag"},
    }
