"""Secrets are never among the settings: what looks like one is refused, or kept as a name."""

from functools import partial
from typing import Any

import pytest

from db import Database
from db.audit import AuditEntry
from db.config import ConfigEntry
from db.core.api_key_format import ApiKeyCodec
from db.core.errors import Invalid
from db.core.secret_detection import entropy, fingerprint, holds_secret, is_secret
from db.events import Event
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal
from graph.schema import schema
from support.config import OPERATOR, configure
from support.factories import make_config_entry
from support.mutations import Run, stored

RANDOM = "q8Zt3LrW0xKfB7vNcY2m"
CANARY = "swordfish-canary"


STORABLE = frozenset(
    f"DREAM_{name}" for name in ("REGION", "API_TOKEN", "BROKER", "SALT", "EMPTY", "UNSET", "PLACE")
)


@pytest.fixture
def run(database: Database) -> Run:
    """Of a gateway whose operator lets some variables be stored."""

    async def run(text: str, variables: dict[str, Any], who: Principal) -> OperationResult:
        context = Context(database, who, "test-request", storable_variables=STORABLE)
        return await execute(prepare(schema, text), variables, context)

    return run


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("openai.api_key", CANARY),
        ("database", f"postgresql://dreamnet:{CANARY}@db/dreamnet"),
        ("mail", {"servers": [{"password": CANARY}]}),
        ("plain", f"{CANARY} {RANDOM}"),
    ],
)
async def test_a_secret_is_not_stored(database: Database, run: Run, key: str, value: Any) -> None:
    answer = await configure(run, "setConfig", key=key, value=value)

    assert answer == {
        "code": "INVALID",
        "message": "This looks like a secret; secrets are not stored. Set `reference` to the name "
        "of the environment variable that holds it.",
        "field": "value",
    }
    assert await stored(database, ConfigEntry) == await stored(database, AuditEntry) == []


async def test_where_a_secret_is_kept_is_stored(run: Run) -> None:
    made = await configure(run, "setConfig", key="openai.api_key", reference="OPENAI_API_KEY")
    wrong = await configure(run, "setConfig", key="openai.api_key", reference="sk-123")

    assert (made["kind"], made["value"], made["reference"]) == (
        "SECRET_REFERENCE",
        None,
        "OPENAI_API_KEY",
    )
    assert (wrong["code"], wrong["field"]) == ("INVALID", "reference")


async def test_different_secrets_have_different_fingerprints(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_config_entry(database, key="a", kind="SECRET_REFERENCE", value="DREAM_SECRET")
    await make_config_entry(database, key="b")

    async def shown(secret: str, pepper: bytes) -> Any:
        monkeypatch.setenv("DREAM_SECRET", secret)
        context = Context(
            database, OPERATOR, "request", api_key_codec=lambda: ApiKeyCodec("test", pepper)
        )
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


async def test_the_environment_is_stored_without_its_secrets(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "DREAM_REGION": "eu-1",
        "DREAM_API_TOKEN": CANARY,
        "DREAM_UNLISTED": "eu-1",
        "DREAM_BROKER": f"amqp://{CANARY}@broker",
        "DREAM_SALT": RANDOM,
        "DREAM_EMPTY": "",
    }
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("DREAM_UNSET", raising=False)

    answer = await configure(
        run, "syncEnvironment", names=[*environment, "DREAM_UNSET", "DREAM_REGION"]
    )
    again = await configure(run, "syncEnvironment", names=list(environment))

    assert answer == {
        "stored": ["DREAM_REGION"],
        "referenced": ["DREAM_API_TOKEN", "DREAM_UNLISTED", "DREAM_BROKER", "DREAM_SALT"],
        "missing": ["DREAM_EMPTY", "DREAM_UNSET"],
    }
    assert again == answer | {"missing": ["DREAM_EMPTY"]}
    entries = await stored(database, ConfigEntry)
    assert [(entry.key, entry.kind, entry.value, entry.version) for entry in entries] == [
        ("environment.dream_region", "PLAIN", "eu-1", 1),
        ("environment.dream_api_token", "SECRET_REFERENCE", "DREAM_API_TOKEN", 1),
        ("environment.dream_unlisted", "SECRET_REFERENCE", "DREAM_UNLISTED", 1),
        ("environment.dream_broker", "SECRET_REFERENCE", "DREAM_BROKER", 1),
        ("environment.dream_salt", "SECRET_REFERENCE", "DREAM_SALT", 1),
    ]
    assert {entry.category for entry in entries} == {"environment"}
    written = repr(entries + await stored(database, AuditEntry))
    assert CANARY not in written
    assert RANDOM not in written


async def test_a_value_can_become_a_reference(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAM_PLACE", "here")
    await configure(run, "syncEnvironment", names=["DREAM_PLACE"])
    monkeypatch.setenv("DREAM_PLACE", f"https://ada:{CANARY}@example.org")
    await configure(run, "syncEnvironment", names=["DREAM_PLACE"])

    [entry] = await stored(database, ConfigEntry)
    assert (entry.kind, entry.value, entry.version) == ("SECRET_REFERENCE", "DREAM_PLACE", 2)


async def test_administrators_load_references_without_values(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAM_REGION", "eu-1")  # its value could be stored
    monkeypatch.setenv("DREAM_API_TOKEN", CANARY)
    monkeypatch.setenv("DREAM_EMPTY", "")
    load = partial(configure, run, "loadEnvironment", Principal(role=Role.ADMIN))

    given = await load(names=["DREAM_REGION", "DREAM_API_TOKEN", "DREAM_EMPTY"])
    monkeypatch.delenv("DREAM_REGION")
    known = await load()
    unnamed = await load(names=["not a name"])

    loaded = ["env:DREAM_REGION", "env:DREAM_API_TOKEN"]
    assert given == {"references": loaded, "missing": ["DREAM_EMPTY"]}
    assert known == {"references": ["env:DREAM_API_TOKEN"], "missing": ["DREAM_REGION"]}
    assert unnamed["missing"] == ["not a name"]
    entries = await stored(database, ConfigEntry)
    assert [(entry.key, entry.kind, entry.value) for entry in entries] == [
        ("environment.dream_region", "SECRET_REFERENCE", "DREAM_REGION"),
        ("environment.dream_api_token", "SECRET_REFERENCE", "DREAM_API_TOKEN"),
    ]
    events = await stored(database, Event)
    assert [(event.event_type, event.payload) for event in events] == [
        ("env_load_completed", {"loaded": 2, "missing": 1}),
        ("env_load_completed", {"loaded": 1, "missing": 1}),
        ("env_load_completed", {"loaded": 0, "missing": 1}),
    ]
    everything = repr(entries + events + await stored(database, AuditEntry))
    assert CANARY not in everything
    assert "eu-1" not in everything


async def test_at_most_a_hundred_variables(run: Run) -> None:
    answer = await configure(run, "syncEnvironment", names=["A"] * 101)

    assert (answer["code"], answer["field"]) == ("INVALID", "names")


def test_secrets_are_detected() -> None:
    assert entropy("aabb") == 1
    assert is_secret("name", RANDOM)
    assert not is_secret("name", RANDOM[:19])
    assert not is_secret("password", "")
    assert not is_secret("greeting", "Dreams are tested again and again until they come true.")
    assert not holds_secret("max_tokens", 4096)
    assert not holds_secret("dreams.homepage", "https://example.org/docs")
    assert not holds_secret("release", "550e8400-e29b-41d4-a716-446655440000")
    assert holds_secret("keys", ["x"])
