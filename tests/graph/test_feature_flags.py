"""Feature flags are set by operators, and a feature is on for a share of users."""

from functools import partial
from typing import Any
from uuid import UUID

from db import Database
from db.audit import Change
from db.config import FeatureFlag, is_on
from db.users import Role
from graph.core.principal import ANONYMOUS, Principal
from support.config import configure
from support.factories import make_feature_flag
from support.mutations import Run, stored
from support.query_count import statements


async def test_a_flag_is_created_and_changed(database: Database, run: Run) -> None:
    write = partial(configure, run, "setFeatureFlag", key="dark-mode")

    made = await write(enabled=True, rolloutPercent=25)
    changed = await write(enabled=False, description="Dark.")
    wrong = await write(enabled=True, rolloutPercent=101)

    of = {"key": "dark-mode", "rolloutPercent": 25}
    assert made == {**of, "enabled": True, "description": None}
    assert changed == {**of, "enabled": False, "description": "Dark."}
    assert (wrong["code"], wrong["field"]) == ("INVALID", "rolloutPercent")
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


async def test_a_user_keeps_a_feature_when_its_rollout_grows(database: Database) -> None:
    flags = [
        await make_feature_flag(database, key=f"f{percent}", rollout_percent=percent)
        for percent in (0, 30, 60, 100)
    ]
    users = [UUID(int=number) for number in range(1000)]
    on = [{user for user in users if is_on(f._replace(key="f"), user)} for f in flags]

    assert (on[0], on[3]) == (set(), set(users))
    assert on[1] < on[2]
    assert 250 < len(on[1]) < 350
