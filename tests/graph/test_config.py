"""Config: settings and feature flags; of a secret only where it is kept."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from db import Database
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types.node import global_id
from support.factories import START, make_config_entry, make_feature_flag, make_user
from support.principals import with_scopes
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[OperationResult]]

KEY = with_scopes("config:read")
MEMBER = Principal(role=Role.MEMBER)
TIMES = {"created_at": START, "updated_at": START}
NOON = "2026-01-15T12:00:00.000000Z"


async def test_a_setting_is_found_by_its_key(database: Database, data: Data) -> None:
    user = await make_user(database)
    entry = await make_config_entry(
        database, key="limits.dreams", version=3, updated_by=user.id, **TIMES
    )
    document = """query ($id: ID!) {
        config(key: "limits.dreams") {
            id key kind value reference isPresent description category version createdAt updatedAt
            updatedBy { id }
        }
        nothing: config(key: "nothing") { id }
        node(id: $id) { ... on ConfigEntry { key } }
    }"""
    with statements(database, exactly=3):
        answer = await data(document, {"id": global_id(entry)})

    assert answer == {
        "config": {
            "id": global_id(entry),
            "key": "limits.dreams",
            "kind": "PLAIN",
            "value": {"limit": 10},
            "reference": None,
            "isPresent": None,
            "description": "A limit.",
            "category": "limits",
            "version": 3,
            "createdAt": NOON,
            "updatedAt": NOON,
            "updatedBy": {"id": global_id(user)},
        },
        "nothing": None,
        "node": {"key": "limits.dreams"},
    }


@pytest.mark.parametrize(("secret", "present"), [("swordfish", True), ("", False), (None, False)])
async def test_of_a_secret_only_its_place_is_shown(
    database: Database,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    secret: str | None,
    present: bool,
) -> None:
    monkeypatch.delenv("DREAM_SECRET", raising=False)
    if secret is not None:
        monkeypatch.setenv("DREAM_SECRET", secret)
    await make_config_entry(
        database, key="openai", kind="SECRET_REFERENCE", value="DREAM_SECRET", category="keys"
    )
    answer = await run("{ configs { nodes { key kind value reference isPresent } } }")

    shown = {"value": None, "reference": "DREAM_SECRET", "isPresent": present}
    assert answer == OperationResult(
        {"configs": {"nodes": [{"key": "openai", "kind": "SECRET_REFERENCE", **shown}]}}, []
    )


async def test_settings_are_listed_by_category(database: Database, data: Data) -> None:
    for key, category in (("b", "limits"), ("a", "limits"), ("c", "models"), ("d", None)):
        await make_config_entry(database, key=key, category=category)
    document = """query ($category: String) {
        configs(category: $category, filter: {key: {ne: "b"}}, orderBy: [{field: KEY}]) {
            totalCount
            nodes { key }
        }
    }"""
    with statements(database, exactly=2):
        limits = await data(document, {"category": "limits"})
    every = await data(document, {"category": None})

    assert limits == {"configs": {"totalCount": 1, "nodes": [{"key": "a"}]}}
    assert every == {
        "configs": {"totalCount": 3, "nodes": [{"key": "a"}, {"key": "c"}, {"key": "d"}]}
    }


async def test_feature_flags_are_one_statement(database: Database, data: Data) -> None:
    made = {
        key: await make_feature_flag(
            database, key=key, enabled=key == "b", rollout_percent=25, description=key, **TIMES
        )
        for key in ("b", "a")
    }
    document = """{
        featureFlags(orderBy: [{field: KEY}]) {
            nodes { id key enabled rolloutPercent description createdAt updatedAt }
        }
        on: featureFlags(filter: {enabled: {eq: true}}) { nodes { key } }
    }"""
    with statements(database, exactly=2):
        answer = await data(document)

    assert answer == {
        "featureFlags": {
            "nodes": [
                {
                    "id": global_id(made[key]),
                    "key": key,
                    "enabled": key == "b",
                    "rolloutPercent": 25,
                    "description": key,
                    "createdAt": NOON,
                    "updatedAt": NOON,
                }
                for key in ("a", "b")
            ]
        },
        "on": {"nodes": [{"key": "b"}]},
    }


@pytest.mark.parametrize(
    ("who", "code"), [(KEY, None), (MEMBER, "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")]
)
async def test_config_is_for_operators_and_keys_with_the_scope(
    run: Run, who: Principal, code: str | None
) -> None:
    answer = await run("{ configs { nodes { key } } featureFlags { nodes { key } } }", who=who)

    assert [error["extensions"]["code"] for error in answer.errors] == ([code] if code else [])
