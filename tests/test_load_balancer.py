"""HAProxy with the configuration of deploy/, before gateways."""

import asyncio
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from cluster.haproxy import CONFIGURATION, variables
from db import Database
from support.gateways import production
from support.ports import free_port
from support.programs import needed
from support.running_gateway import Served, serving
from support.wait import until

QUERY = {"query": "{ __typename }"}


@asynccontextmanager
async def haproxy(gateways: list[int]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of HAProxy before gateways at these ports."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(needed("haproxy"), "-db", "-f", str(CONFIGURATION)),
        env=variables(port, gateways),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


async def status(client: httpx2.AsyncClient) -> int:
    try:
        return (await client.post("/graphql", json=QUERY)).status_code
    except httpx2.TransportError:
        return 0


def test_haproxy_accepts_its_configuration() -> None:
    done = subprocess.run(
        [needed("haproxy"), "-c", "-f", str(CONFIGURATION)],
        env=variables(free_port(), [free_port(), free_port(), free_port()]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


async def test_haproxy_asks_ready_gateways_only(database_url: str) -> None:
    """One of three runs. When it begins to stop, it gets no requests any more."""
    settings = production(public_read=True, drain_seconds=60)
    async with serving(settings, Database(database_url)) as served:
        gateways = [free_port(), served.port, free_port()]
        async with haproxy(gateways) as client:
            await until(lambda: _answers(client, 200))
            assert [await status(client) for _ in range(6)] == [200] * 6
            served.stop()
            await until(lambda: _answers(client, 503))
            assert await _direct(served) == 200
            served.server.force_exit = True


async def _answers(client: httpx2.AsyncClient, expected: int) -> bool:
    return await status(client) == expected


async def _direct(served: Served) -> int:
    async with httpx2.AsyncClient(base_url=served.address) as client:
        return await status(client)
