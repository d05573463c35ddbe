"""Agents and gateways whose clocks are wrong: states, histories and streams follow the database."""

from datetime import UTC, datetime, timedelta

import pytest

from db import Database
from support.agent_gateways import (
    DAY,
    EVENTS,
    FAST,
    SCOPES,
    SLOW,
    Gateway,
    printed,
    seconds_between,
    silence,
)
from support.gateways import gateway, make_key, production
from support.running_gateway import serving
from support.websocket_client import greeted

FOLLOW = "subscription { agentStatus { kind agents { key status isStale lastActive } } }"


async def test_gateways_with_different_clocks_agree(two: tuple[Gateway, Gateway]) -> None:
    ahead, right = two
    for each in (ahead, right, ahead):
        await each.report("a", "RUNNING")
        await right.sweep()
        await ahead.sweep()

    for each in two:
        state = await each.state()
        assert (state["status"], state["isStale"]) == ("RUNNING", False)
        assert [line["status"] for line in state["history"]["nodes"]] == ["RUNNING"] * 3
        assert state["lastActive"] == max(r["receivedAt"] for r in state["history"]["nodes"])
    now = printed(await right.database.now())
    assert abs(seconds_between(state["lastActive"], now)) < 60


async def test_a_gateway_corrects_its_clock_with_each_look(two: tuple[Gateway, Gateway]) -> None:
    ahead, right = two
    await ahead.sweep()
    await ahead.report("a", "RUNNING")
    [line] = (await right.state())["history"]["nodes"]
    assert abs(seconds_between(line["reportedAt"], line["receivedAt"])) < 60
    [event] = (await right.ask(EVENTS))["events"]["nodes"]
    assert event["timestamp"] == line["reportedAt"]


@pytest.mark.parametrize("off", [SLOW, FAST, -DAY], ids=["slow", "fast", "a day behind"])
async def test_an_agent_with_a_wrong_clock_is_alive_while_it_reports(
    two: tuple[Gateway, Gateway], off: timedelta
) -> None:
    """It goes silent in the end, and comes back."""
    _, right = two
    for status in ("STARTING", "RUNNING", "WAITING", "RUNNING"):
        await right.report("a", status, datetime.now(UTC) + off)
        await right.sweep()
        state = await right.state()
        assert (state["status"], state["isStale"]) == (status, False)

    await silence(right.database, 301)
    await right.sweep()
    gone = await right.state()
    assert (gone["status"], gone["isStale"]) == ("OFFLINE", True)
    await right.report("a", "IDLE", datetime.now(UTC) + off)
    back = await right.state()
    assert (back["status"], back["isStale"]) == ("IDLE", False)
    assert back["lastActive"] == back["receivedAt"] > gone["lastActive"]

    lines = back["history"]["nodes"]
    assert sorted(line["status"] for line in lines) == sorted(
        ["STARTING", "RUNNING", "WAITING", "RUNNING", "OFFLINE", "IDLE"]
    )
    activity = await right.activity()
    assert activity["a", "OFFLINE"]["changes"] == 1
    assert 0 <= activity["a", "OFFLINE"]["averageSeconds"] < 60
    assert activity["a", "RUNNING"]["averageSeconds"] < 301
    assert activity["a", "IDLE"]["averageSeconds"] is None


async def test_a_report_that_is_a_little_ahead_freezes_nothing(
    two: tuple[Gateway, Gateway],
) -> None:
    _, right = two
    for status, off in (("RUNNING", FAST), ("ERROR", timedelta()), ("IDLE", timedelta(seconds=5))):
        await right.report("a", status, datetime.now(UTC) + off)
        assert (await right.state())["status"] == status

    activity = await right.activity()
    assert activity["a", "RUNNING"]["averageSeconds"] < 60
    assert activity["a", "ERROR"]["averageSeconds"] < 60
    assert activity["a", "IDLE"]["averageSeconds"] is None


async def test_a_late_report_keeps_the_status_and_the_agent_alive(
    two: tuple[Gateway, Gateway],
) -> None:
    _, right = two
    await right.report("a", "RUNNING", datetime.now(UTC) - timedelta(seconds=30))
    before = await right.state()
    await silence(right.database, 100)
    assert (await right.state())["isStale"]

    await right.report("a", "PAUSED", datetime.now(UTC) - timedelta(minutes=10))
    after = await right.state()
    assert (after["status"], after["isStale"]) == ("RUNNING", False)
    assert after["lastActive"] > before["lastActive"]
    await right.sweep()
    assert (await right.state())["status"] == "RUNNING"


async def test_any_report_ends_being_offline(two: tuple[Gateway, Gateway]) -> None:
    """Even one that the agent made before it was signed off."""
    _, right = two
    made = datetime.now(UTC) - timedelta(minutes=10)
    await right.report("a", "RUNNING", made)
    await silence(right.database, 301)
    await right.sweep()
    assert (await right.state())["status"] == "OFFLINE"

    await right.report("a", "WAITING", made - timedelta(minutes=20))
    assert (await right.state())["status"] == "WAITING"


async def test_subscribers_see_no_agent_leave_that_reports(database: Database) -> None:
    settings = production()
    key = (await make_key(database, settings, scopes=SCOPES)).text
    async with (
        serving(settings, database) as served,
        greeted(served.address, authorization=f"Bearer {key}") as client,
    ):
        await client.ask("1", FOLLOW)
        assert (await client.hear())["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
        reporter = Gateway(gateway(settings, database), database, key)
        for status in ("RUNNING", "WAITING"):
            await reporter.report("a", status, datetime.now(UTC) + SLOW)
            await reporter.sweep()
            seen = (await client.hear())["payload"]["data"]["agentStatus"]["agents"]
            state = await reporter.state()
            assert seen == [
                {
                    "key": "a",
                    "status": status,
                    "isStale": False,
                    "lastActive": state["lastActive"],
                }
            ]
