"""The gateway behind PgBouncer in transaction mode, as its operators and callers meet it."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from db.core.connections.url import connection_info
from gateway.cli.doctor import checks
from support.gateways import production
from support.pgbouncer import Program, needed, pgbouncer, programs
from support.ports import free_port
from support.stream_client import listening

SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"
CLIENTS = 6
ROUNDS = 10
CREATE = """mutation ($input: CreateDreamInput!) {
  createDream(input: $input) { dream { id title } }
}"""
READ = """query ($id: ID!, $first: Int!) {
  dream(id: $id) { title tests(first: 2) { totalCount } latestProgress { bestScore } }
  dreams(first: $first, filter: { title: { startsWith: "round" } }) { nodes { title } }
}"""
REPORT = """mutation ($key: String!) {
  reportAgentStatus(input: { agentKey: $key, status: RUNNING }) { __typename }
}"""


class Gateway:
    """`dreamnet` in production in processes of its own, with the settings given."""

    def __init__(self, folder: Path, **settings: str) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.settings = {
            "DREAMNET_ENV": "production",
            "DREAMNET_KEY_PEPPER": "p" * 32,
            "DREAMNET_PORT": str(port),
            "DREAMNET_DRAIN_SECONDS": "0",
            "COLUMNS": "200",
            **settings,
        }

    async def run(self, *arguments: str) -> tuple[int | None, str]:
        """The exit code of a command, and what it printed."""
        process = await self._start(*arguments)
        out, error = await process.communicate()
        return process.returncode, (out + error).decode()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A client with the key of the first administrator."""
        process = await self._start("serve")
        assert process.stdout
        assert process.stderr
        log = asyncio.create_task(process.stderr.read())
        try:
            assert await process.stdout.readline()
            key = (self.folder / ".dreamnet" / "admin.key").read_text().strip()
            headers = {"authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(base_url=self.address, headers=headers) as client:
                yield client
        finally:
            process.terminate()
            assert await process.wait() == 0, (await log).decode()
            assert b'"error"' not in await log, (await log).decode()

    async def _start(self, *arguments: str) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *arguments),
            cwd=self.folder,
            env={**os.environ, **self.settings},
            stdout=PIPE,
            stderr=PIPE,
        )


@pytest.fixture(params=programs() or [None], ids=str)
def program(request: pytest.FixtureRequest) -> Program:
    """Every PgBouncer that is installed."""
    return request.param or needed()


@pytest.fixture
async def pooled_url(program: Program, database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of this test's database behind a PgBouncer with few connections."""
    async with pgbouncer(program, database_url, tmp_path, default_pool_size=3) as url:
        yield url


async def ask(client: httpx2.AsyncClient, query: str, **variables: Any) -> Any:
    """The data of an answer, which has no errors."""
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    answer = response.json()
    assert "errors" not in answer, answer
    return answer["data"]


async def one_client(client: httpx2.AsyncClient, number: int) -> None:
    """Writes, reads and reports, again and again."""
    for turn in range(ROUNDS):
        made = await ask(client, CREATE, input={"title": f"round {turn} of {number}"})
        dream = made["createDream"]["dream"]
        found = await ask(client, READ, id=dream["id"], first=turn + 1)
        assert found["dream"]["title"] == dream["title"]
        reported = await ask(client, REPORT, key=f"agent-{number}-{turn}")
        assert reported == {"reportAgentStatus": {"__typename": "ReportAgentStatusPayload"}}


async def test_nothing_needs_to_be_set(pooled_url: str, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, DATABASE_URL=pooled_url)
    async with gateway.serving() as client:
        key = client.headers["authorization"]
        async with listening(gateway.address, authorization=key) as stream:
            assert (await stream.chunk()).startswith(b"retry")
            assert b"SNAPSHOT" in await stream.chunk()
            await asyncio.gather(*(one_client(client, number) for number in range(CLIENTS)))
            seen = b""
            while seen.count(b'"RUNNING"') < CLIENTS * ROUNDS:
                seen += await stream.chunk()
        assert (await client.get("/api/health/ready")).status_code == 200
        counted = await ask(client, "{ dreams { totalCount } }")
        assert counted["dreams"]["totalCount"] == CLIENTS * ROUNDS


async def test_commands_work_as_well(pooled_url: str, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, DATABASE_URL=pooled_url)
    assert (await gateway.run("import", str(SAMPLE)))[0] == 0
    code, printed = await gateway.run("import", str(SAMPLE))
    assert (code, "Nothing changed" in printed) == (0, True), printed
    assert (await gateway.run("keys", "list"))[0] == 0
    assert (await gateway.run("migrate", "current"))[0] == 0
    assert (await gateway.run("migrate", "check"))[0] == 0


async def test_doctor_reports_the_pooler(
    program: Program, pooled_url: str, database_url: str, tmp_path: Path
) -> None:
    unnamed = "in transaction mode or unknown, without prepared statements"
    named = "in transaction mode, with prepared statements"
    for settings, state in (
        ({}, named if program.knows_names else unnamed),
        ({"pooler": "transaction"}, unnamed),
        *([({"pooler": "session"}, "in session mode")] if program.knows_names else []),
    ):
        findings = await asyncio.to_thread(
            lambda more: list(checks(production(database_url=pooled_url, **more))), settings
        )
        assert [each.state for each in findings if each.subject == "pooler"] == [state]
        assert not [each for each in findings if each.remedy]
        received = [each.state for each in findings if each.subject == "direct"]
        keeps = state in ("none", "in session mode")
        needs = "`dreamnet migrate` and wakeups need DREAMNET_DIRECT_URL"
        assert received == ([] if keeps else [f"not set; {needs}"])


def test_a_url_names_the_pooler(database_url: str) -> None:
    settings = production(database_url=f"{database_url}&pgbouncer=true")
    findings = list(checks(settings))
    (pooler,) = [each.state for each in findings if each.subject == "pooler"]
    assert pooler.startswith("in transaction mode or unknown")
    assert connection_info(database_url).dbname in str(findings)
