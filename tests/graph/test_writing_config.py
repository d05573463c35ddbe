"""Settings are written and removed by who may, and say who it was."""

from functools import partial
from typing import Any

import pytest

from db import Database
from db.audit import AuditEntry, Change
from db.config import ConfigEntry, FeatureFlag
from db.users import Role
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.config import OPERATOR, configure
from support.factories import make_config_entry, make_user
from support.mutations import Run, stored
from support.principals import with_scopes
from support.query_count import statements


async def test_a_setting_is_created_and_changed(database: Database, run: Run) -> None:
    user = await make_user(database)
    operator = Principal(user.id, Role.OPERATOR)
    write = partial(configure, run, "setConfig", operator, key="limits.dreams")

    with statements(database, exactly=5):
        made = await write(value={"most": 10}, category="limits", description="A")
    changed = await write(value=None, expectedVersion=1)
    late = await write(value=[1], expectedVersion=1)

    assert made == {
        "key": "limits.dreams",
        "kind": "PLAIN",
        "value": {"most": 10},
        "reference": None,
        "description": "A",
        "category": "limits",
        "version": 1,
        "updatedBy": {"id": f"user_{user.id.hex}"},
    }
    assert changed == made | {"value": None, "version": 2}
    assert late == {
        "code": "CONFLICT",
        "message": "The current version is 2. Read it again before retrying.",
    }
    first, second = await stored(database, AuditEntry)
    assert (first.operation, first.actor) == ("setConfig", user.id)
    assert (second.before["value"], second.after["value"]) == ({"most": 10}, None)
    assert [change.kind for change in await stored(database, Change)] == ["CREATED", "UPDATED"]


async def test_a_setting_that_was_removed_meanwhile(run: Run) -> None:
    answer = await configure(run, "setConfig", key="gone", value=1, expectedVersion=3)

    assert answer["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("input", "field", "message"),
    [
        (
            {"key": "Limits"},
            "key",
            "A key must have 1 to 100 lower-case letters, digits, `_`, `.` and `-`.",
        ),
        ({"category": ""}, "category", "This text must have 1 to 100 characters."),
        ({"value": "x" * 64_000}, "value", "This JSON may have at most 64,000 bytes."),
        ({"reference": "A_B"}, "value", "Set either `value` or `reference`."),
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
async def test_faults_are_named(
    database: Database, run: Run, input: Any, field: str, message: str
) -> None:
    answer = await configure(run, "setConfig", **{"key": "a", "value": "b", **input})

    assert answer == {
        "code": "INVALID",
        "message": message,
        "field": field,
    }
    assert await stored(database, ConfigEntry) == []


async def test_a_setting_is_removed(database: Database, run: Run) -> None:
    entry = await make_config_entry(database, key="old")

    late = await configure(run, "deleteConfig", key="old", expectedVersion=7)
    answer = await configure(run, "deleteConfig", key="old", expectedVersion=1)
    again = await configure(run, "deleteConfig", key="old")

    assert late["code"] == "CONFLICT"
    assert answer == {"deletedConfigId": global_id(entry)}
    assert again["code"] == "NOT_FOUND"
    assert [change.kind for change in await stored(database, Change)] == ["DELETED"]


async def test_a_feature_flag_is_deleted(database: Database, run: Run) -> None:
    await configure(run, "setFeatureFlag", key="beta", enabled=True)
    [flag] = await stored(database, FeatureFlag)

    with statements(database, exactly=4):
        answer = await configure(run, "deleteFeatureFlag", key="beta")
    again = await configure(run, "deleteFeatureFlag", key="beta")

    assert answer == {"deletedFeatureFlagId": global_id(flag)}
    assert again["code"] == "NOT_FOUND"
    assert await stored(database, FeatureFlag) == []
    assert [change.kind for change in await stored(database, Change)] == ["CREATED", "DELETED"]
    enabled = await run('{ featureEnabled(key: "beta") }', who=OPERATOR)
    assert enabled.data == {"featureEnabled": False}


async def test_config_is_written_by_operators_and_keys_with_the_scope(run: Run) -> None:
    document = """mutation {
        setConfig(input: {key: "a", value: 1}) { errors { code } }
        setFeatureFlag(input: {key: "a", enabled: true}) { errors { code } }
        deleteFeatureFlag(input: {key: "a"}) { errors { code } }
    }"""
    reader = with_scopes("config:read")
    writer = with_scopes("config:write")

    refused = await run(document, who=reader)
    answer = await run(document, who=writer)

    assert [error["extensions"]["code"] for error in refused.errors] == ["FORBIDDEN"]
    assert answer.data == {
        "setConfig": {"errors": []},
        "setFeatureFlag": {"errors": []},
        "deleteFeatureFlag": {"errors": []},
    }
