"""Metrics: all requests of all workers are counted, with labels that no client decides."""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from db import Database
from db.users import Role
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.monitoring.metrics import METRICS, Distribution
from gateway.process.listener import listening as listening_on
from gateway.process.metrics_endpoint import FOLDER, metrics_endpoint
from support.client_processes import PEPPER, Gateway
from support.databases import create_database, drop_database
from support.factories import make_user
from support.gateways import make_key, production
from support.metrics_text import MetricsText, read_metrics
from support.ports import free_port
from support.stream_client import listening, report
from support.wait import until
from support.websocket_client import greeted

WORKERS = 2
PROMTOOL = shutil.which("promtool")
REQUESTS = "http_server_request_duration_seconds_count"
OPERATIONS = "dreamnet_graphql_operations_total"
CREATE = 'mutation { createDream(input: {title: "t", description: "d"}) { dream { id } } }'

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Measured(Gateway):
    """A gateway of two workers in production, with metrics, and the key of an operator."""

    key = ""

    def __init__(self, database_url: str, folder: Path) -> None:
        super().__init__(database_url, folder)
        self.metrics_port = free_port()
        self.settings |= {
            "DREAMNET_ENV": "production",
            "DREAMNET_WORKERS": str(WORKERS),
            "DREAMNET_DRAIN_SECONDS": "0",
            "DREAMNET_METRICS_PORT": str(self.metrics_port),
            "TMPDIR": str(folder),  # a gateway that is killed leaves its folder of metrics
            "DREAMNET_PUBLIC_READ": "true",
            "DREAMNET_RESPONSE_CACHE_BYTES": "1000000",
            "DREAMNET_BUDGET_POINTS_PER_MINUTE_ANONYMOUS": "250",
        }

    @property
    def authorization(self) -> str:
        return f"Bearer {self.key}"

    async def ask(self, query: str, path: str = "/graphql", **headers: str) -> httpx2.Response:
        """On a connection of its own, so that any worker may accept it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"authorization": self.authorization} | named
        async with httpx2.AsyncClient(base_url=f"http://{self.host}", timeout=30) as client:
            return await client.post(path, json={"query": query}, headers=headers)

    async def metrics(self) -> MetricsText:
        return await read_metrics(self.metrics_port)

    def workers(self) -> set[int]:
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = map(int, children.read_text().split())
        return {pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def measured(
    server_url: str, template_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Measured]:
    url = await create_database(server_url, template_url)
    database = Database(url)
    gateway = Measured(url, tmp_path_factory.mktemp("measured"))
    operator = await make_user(database, role=Role.OPERATOR)
    settings = production(key_pepper=PEPPER)
    gateway.key = (await make_key(database, settings, user_id=operator.id)).text
    await database.close()
    async with gateway.running():
        yield gateway
    await drop_database(server_url, url)


async def test_every_request_and_operation_is_counted(measured: Measured) -> None:
    """On the short path and the ordinary one, in both workers."""
    before = await measured.metrics()

    async def increase(name: str, **labels: str) -> float:
        now = await measured.metrics()
        return now.sum(name, **labels) - before.sum(name, **labels)

    async with asyncio.TaskGroup() as group:
        for _ in range(40):
            group.create_task(measured.ask("{ viewer { role } }"))
            group.create_task(measured.ask("{ viewer { role } }", X_GraphQL_Explain="1"))
        for _ in range(5):
            group.create_task(measured.ask(CREATE))
            group.create_task(measured.ask("{ nothing }"))
            group.create_task(measured.ask("{ viewer { role } }", authorization="Bearer wrong"))

    route = {"http_route": "/graphql", "http_request_method": "POST"}

    async def all_are_counted() -> bool:
        return await increase(REQUESTS, **route) == 95

    await until(all_are_counted)
    assert await increase(REQUESTS, **route, http_response_status_code="401") == 5
    assert await increase(OPERATIONS, type="query", outcome="ok") == 80
    assert await increase(OPERATIONS, type="mutation", outcome="ok") == 5
    assert await increase(OPERATIONS, type="unknown", outcome="refused") == 10
    statements = "db_client_operation_duration_seconds_count"
    assert await increase(statements, db_operation_name="WITH") >= 5  # those of createDream
    seconds = await increase("http_server_request_duration_seconds_sum", **route)
    assert 0 < seconds < 95 * 30
    inside = await increase("http_server_request_duration_seconds_bucket", **route, le="+Inf")
    assert inside == 95


async def test_operations_over_websockets_are_counted(measured: Measured) -> None:
    """They are no requests over HTTP."""
    before = await measured.metrics()
    async with greeted(f"http://{measured.host}", authorization=measured.authorization) as client:
        for number in range(3):
            await client.answer(str(number), "{ viewer { role } }")
        await client.refusal("last", "{ nothing }")

    async def are_counted() -> bool:
        now = await measured.metrics()
        ok, refused = ({"type": "query", "outcome": "ok"}, {"outcome": "refused"})
        return (
            now.sum(OPERATIONS, **ok) == before.sum(OPERATIONS, **ok) + 3
            and now.sum(OPERATIONS, **refused) == before.sum(OPERATIONS, **refused) + 1
        )

    await until(are_counted)
    assert (await measured.metrics()).sum(REQUESTS) == before.sum(REQUESTS)


async def test_refusals_for_lack_of_points_are_counted(measured: Measured) -> None:
    """Each worker counts its share of the points, which is enough for one such operation."""
    async with httpx2.AsyncClient(base_url=f"http://{measured.host}", timeout=30) as client:
        body = {"query": "{ modelComparison { rows { model } } }"}
        statuses = [(await client.post("/graphql", json=body)).status_code for _ in range(6)]
    assert statuses.count(429) >= 6 - WORKERS

    async def are_counted() -> bool:
        refused = (await measured.metrics()).sum("dreamnet_budget_refused_total")
        return refused == statuses.count(429)

    await until(are_counted)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
async def test_prometheus_reads_the_metrics(measured: Measured) -> None:
    async with httpx2.AsyncClient(timeout=30) as client:
        text = (await client.get(f"http://127.0.0.1:{measured.metrics_port}/metrics")).content
    process = await asyncio.create_subprocess_exec(
        *(str(PROMTOOL), "check", "metrics"), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, problems = await process.communicate(text)
    named_by_opentelemetry = b"db_client_connection_count"
    others = [line for line in problems.splitlines() if named_by_opentelemetry not in line]
    assert (out, others) == (b"", [])


async def test_every_metric_is_exported_with_its_labels(measured: Measured) -> None:
    address = f"http://{measured.host}"
    async with listening(address, authorization=measured.authorization) as stream:
        await stream.chunk()

        async def is_open() -> bool:
            return (await measured.metrics()).sum("dreamnet_streams") == 1

        await until(is_open)
    await measured.ask("{ __schema { queryType { name } } }")  # no plan has introspection

    await report(address, "agent", "RUNNING", authorization=measured.authorization)

    async def missing() -> set[str]:
        found = await measured.metrics()
        return {each.name for each in METRICS if not found.of(_sample(each))}

    async def all_are_there() -> bool:
        return await missing() <= {"dreamnet_feed_resets_total"}  # no feed was reset

    await until(all_are_there)
    found = await measured.metrics()
    for metric in METRICS:
        for sample in found.of(_sample(metric)):
            assert set(sample.labels) == set(metric.labels), metric.name


async def test_no_label_holds_what_a_client_sent(measured: Measured) -> None:
    await measured.ask("query private_name { private_alias: viewer { role } }")
    await measured.ask("{ private_field }")
    await measured.ask("{}", path="/private")
    await measured.ask("{}", path="/export/private")

    async def are_counted() -> bool:
        found = await measured.metrics()
        routes = ("(other)", "/export/{noun}")
        return all(found.sum(REQUESTS, http_route=route) >= 1 for route in routes)

    await until(are_counted)
    texts = (await measured.metrics()).label_values
    assert not [text for text in texts if "private" in text]


async def test_the_endpoint_has_nothing_else(measured: Measured) -> None:
    async with httpx2.AsyncClient(timeout=30) as client:
        metrics = f"http://127.0.0.1:{measured.metrics_port}"
        assert (await client.get(f"{metrics}/metrics?name[]=dreamnet_ready")).status_code == 200
        assert (await client.get(f"{metrics}/graphql")).status_code == 404
        assert (await client.post(f"{metrics}/metrics")).status_code == 501
        assert (await client.get(f"http://{measured.host}/metrics")).status_code == 404


async def test_a_port_in_use_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")  # restored at the end
    with listening_on("127.0.0.1", 0) as taken:
        settings = production(metrics_port=taken.getsockname()[1])
        refused = pytest.raises(CommandFailed, match="set DREAMNET_METRICS_PORT")
        with refused as failed, metrics_endpoint(settings):
            pass
    assert failed.value.code == ExitCode.PORT


async def test_totals_remain_when_workers_end_and_levels_do_not(measured: Measured) -> None:
    async with listening(f"http://{measured.host}", authorization=measured.authorization):

        async def is_open() -> bool:
            return (await measured.metrics()).sum("dreamnet_streams") == 1

        await until(is_open)
        before = await measured.metrics()
        for pid in measured.workers():
            os.kill(pid, signal.SIGKILL)

        async def is_forgotten() -> bool:
            return (await measured.metrics()).sum("dreamnet_streams") == 0

        await until(is_forgotten)
    after = await measured.metrics()
    assert after.sum(REQUESTS) >= before.sum(REQUESTS) > 0
    assert after.sum(OPERATIONS) >= before.sum(OPERATIONS) > 0


def _sample(metric: Any) -> str:
    return f"{metric.name}_sum" if isinstance(metric, Distribution) else metric.name
