"""The clients of docs/clients.md: each resumes after the gateway was killed or stopped."""

import re
import shutil
import tarfile
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import httpx2
import pytest
from gql import gql
from gql.transport.exceptions import TransportQueryError
from sqlalchemy import select

from clients.follow import connect
from db import Database
from db.agents import Agent, AgentReport
from gateway.settings import Settings
from graph.core.types.node import id_of
from support.client_processes import (
    FOLDER,
    FOLLOWERS,
    LIVE,
    PEPPER,
    TYPESCRIPT,
    Gateway,
    ReceivedMessages,
    clients_installed,
    curl,
    python,
    typescript,
)
from support.factories import make_user
from support.gateways import make_key
from support.nodejs import run

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "clients.md").read_text()
REPORT = """mutation ($reports: [AgentStatusItem!]!) {
  reportAgentStatuses(input: {reports: $reports}) { __typename }
}"""
LIVE_CLIENTS = ("graphql-ws", "graphql-sse", "react")
ASKED = len(TYPESCRIPT) + 1  # reports of clients that were asked to send one
PACKED = {"package.json", "README.md"} | {
    f"dist/{module}.{suffix}" for module in ("resume", "react") for suffix in ("js", "d.ts")
}
USE = """import { type LiveState, resuming } from "@dreamnet/live";
import { useLive } from "@dreamnet/live/react";

export const state: LiveState = "stale";
// @ts-expect-error
export const unknown: LiveState = "dead";
// @ts-expect-error
export const misused = () => resuming("subscribe");
export const value = (): number => {
  return useLive(() => () => {}, null, { initial: 1, reduce: (sum) => sum + 1 }).value;
};
console.log(typeof resuming, typeof useLive);
"""
STATUSES = ("STARTING", "RUNNING", "WAITING", "ERROR")


def test_the_document_shows_the_tested_code() -> None:
    shown = re.findall(
        r"^`([^`]+)`:\n\n```(?:ts|python|sh)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.M
    )
    assert len(shown) == len(re.findall("^```", DOCUMENT, re.M)) / 2
    assert [name for name, text in shown if text != (ROOT / name).read_text()] == []
    assert {f"tests/clients/{name}.ts" for name in TYPESCRIPT} <= {name for name, _ in shown}


async def test_the_types_are_right() -> None:
    await clients_installed()
    await run("node", "node_modules/typescript/bin/tsc", "--project", ".", folder=FOLDER)


async def test_the_helper_alone() -> None:
    await clients_installed()
    await run("node", "--test", "resume.test.ts", folder=FOLDER)


async def test_the_package_imports_with_its_types(tmp_path: Path) -> None:
    await clients_installed()
    source, user = tmp_path / "source", tmp_path / "user"
    shutil.copytree(LIVE, source, ignore=shutil.ignore_patterns("dist", "node_modules"))
    (source / "node_modules").symlink_to(LIVE / "node_modules")
    await run("npm", "pack", folder=source)
    (archive,) = source.glob("*.tgz")
    packed = user / "node_modules" / "@dreamnet" / "live"
    with tarfile.open(archive) as files:
        files.extractall(user, filter="data")
    packed.parent.mkdir(parents=True)
    (user / "package").rename(packed)
    (user / "node_modules" / "react").symlink_to(FOLDER / "node_modules" / "react")
    (user / "use.mts").write_text(USE)

    assert {str(each.relative_to(packed)) for each in packed.rglob("*.*")} == PACKED
    assert await run("node", "use.mts", folder=user) == b"function function\n"
    compiler = str(FOLDER / "node_modules" / "typescript" / "bin" / "tsc")
    options = ("--noEmit", "--strict", "--module", "nodenext", "use.mts")
    await run("node", compiler, *options, folder=user)


@pytest.fixture
async def key(database: Database, tmp_path: Path) -> str:
    """An API key that the gateway of the test takes."""
    user = await make_user(database, role="ADMIN")
    settings = Settings(_env_file=None, key_pepper=PEPPER, data_dir=tmp_path)
    return (await make_key(database, settings, user_id=user.id)).text


class Fleet:
    """Agents that report to another gateway over the same database."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.count = 0

    async def report(self, times: int) -> None:
        for _ in range(times):
            self.count += 1
            status = STATUSES[self.count % len(STATUSES)]
            item = {"agentKey": f"agent-{self.count % 7}", "status": status}
            body = {"query": REPORT, "variables": {"reports": [item]}}
            answer = (await self.client.post("/graphql", json=body)).json()
            assert answer == {
                "data": {"reportAgentStatuses": {"__typename": "ReportAgentStatusesPayload"}}
            }


async def test_every_client_resumes(
    database_url: str, database: Database, client: httpx2.AsyncClient, key: str, tmp_path: Path
) -> None:
    await clients_installed()
    gateway, received, fleet = Gateway(database_url, tmp_path), ReceivedMessages(), Fleet(client)
    async with (
        gateway.running(),
        typescript(gateway.host, key, received) as order,
        curl(gateway.host, key, received),
        python(gateway.host, key, received),
    ):
        await received.until(lambda: all(received.updates[each] for each in FOLLOWERS))
        order.write(b"ask\n")
        await ask_in_python(gateway.host, key)
        await received.until(lambda: all(len(received.answers[each]) == 3 for each in TYPESCRIPT))
        await received.until_all_have(ASKED)

        await gateway.kill()
        await fleet.report(30)
        await gateway.start()
        await received.until_all_have(ASKED + 30)

        await fleet.report(5)
        await gateway.stop()
        await fleet.report(30)
        await gateway.start()
        await received.until_all_have(ASKED + 65)
        await fleet.report(1)
        await received.until_all_have(ASKED + 66)
        state = await states(database)
        await received.until(lambda: received.state == state)

    assert gateway.log.read_text() == ""
    assert received.answers == {each: answers(each) for each in TYPESCRIPT}
    everything = await reports(database)
    assert {each: received.reports(each) for each in FOLLOWERS} == dict.fromkeys(
        FOLLOWERS, everything
    )


async def test_clients_know_whether_they_are_live(
    database_url: str, database: Database, client: httpx2.AsyncClient, key: str, tmp_path: Path
) -> None:
    await clients_installed()
    gateway, received, fleet = Gateway(database_url, tmp_path), ReceivedMessages(), Fleet(client)

    async def until_all_are(state: str) -> None:
        await received.until(lambda: received.live == dict.fromkeys(LIVE_CLIENTS, state))

    async with gateway.running(), typescript(gateway.host, key, received, "live.ts"):
        await until_all_are("live")
        await gateway.kill()
        await until_all_are("reconnecting")
        await fleet.report(30)
        await gateway.start()
        await until_all_are("live")

        gateway.signal(SIGSTOP)
        await until_all_are("stale")
        await fleet.report(30)
        gateway.signal(SIGCONT)
        await until_all_are("live")
        await fleet.report(1)
        everything, state = await reports(database), await states(database)
        await received.until(lambda: received.reports("graphql-ws") == everything)
        await received.until(lambda: received.reports("graphql-sse") == everything)
        await received.until(lambda: received.state == state)

    assert len(everything) == 61
    assert gateway.log.read_text() == ""


async def ask_in_python(host: str, key: str) -> None:
    """A query, a mutation and a faulty subscription over one socket."""
    async with connect(host, key) as session:
        assert await session.execute(gql("{ viewer { role } }")) == {"viewer": {"role": "ADMIN"}}
        with pytest.raises(TransportQueryError) as refused:
            async for _ in session.subscribe(gql("subscription { nothing }")):
                pass
        assert "Cannot query field 'nothing'" in str(refused.value)
        asked = gql(
            'mutation { reportAgentStatus(input: {agentKey: "gql", status: IDLE}) { __typename } }'
        )
        assert await session.execute(asked) == {
            "reportAgentStatus": {"__typename": "ReportAgentStatusPayload"}
        }


def answers(client: str) -> Any:
    """What each client is told when it asks, and when it subscribes to what there is not."""
    parses = not client.startswith("graphql-")  # and sends nothing that it cannot parse
    named = {"__typename": "Viewer"} if client.startswith("apollo") else {}
    return {
        "query": {"viewer": {"role": "ADMIN", **named}},
        "mutation": {"reportAgentStatus": {"__typename": "ReportAgentStatusPayload"}},
        "refused": ["GRAPHQL_VALIDATION_FAILED" if parses else "GRAPHQL_PARSE_FAILED"],
    }


async def reports(database: Database) -> list[str]:
    """The ids of all that are stored, in the order of the feed."""
    async with database.read() as session:
        rows = await session.rows(select(AgentReport.id).order_by(AgentReport.seq))
    return [id_of(AgentReport.Record, id) for (id,) in rows]


async def states(database: Database) -> Any:
    """The status of each agent."""
    async with database.read() as session:
        return dict(await session.rows(select(Agent.agent_key, Agent.status)))
