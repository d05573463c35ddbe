"""Measure how long hostile requests hold the event loop, in milliseconds of CPU.

Each document and each input is sent through the endpoint of a gateway, without a credential and
with the key of an operator, a few times and never as the same text, so that nothing is cached. So
are bodies of OTLP, with the key.
Shown are the worst ten by the longest turn of the event loop, which nothing can interrupt; least of
the repetitions, which is what the request takes when nothing else disturbs it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

import db
from db import Database, users
from db.api_keys import writes
from db.core.embedded import Embedded
from db.core.query.keyset import MAX_SIZE
from db.core.schema import migrate, partition
from db.core.values import json
from db.users import Role
from gateway.app import create_app
from gateway.auth.pepper import api_key_codec
from gateway.middleware import request_log
from gateway.process.garbage_collection import GarbageCollector
from gateway.settings import Settings
from support.hostile_documents import DOCUMENTS
from support.hostile_inputs import INPUTS
from support.hostile_otlp import MAKERS, Body

TIMES = 4
WORST = 10
MOST_MS = {"anonymous": 25, "operator": 50}
MONTHS = 22  # of partitions ahead, as after two years
WHO = "{ viewer { role } }"


class Loop(asyncio.SelectorEventLoop):
    """Records the CPU seconds of its longest turn."""

    longest = 0.0

    def _run_once(self) -> None:
        began = time.thread_time()
        super()._run_once()  # type: ignore[misc]  # not in the stubs
        self.longest = max(self.longest, time.thread_time() - began)


class Result(NamedTuple):
    """The minimum time of one request, and the first error code of its response."""

    turn_ms: float
    cpu_ms: float
    code: str
    caller: str = ""
    name: str = ""

    @property
    def is_over(self) -> bool:
        return self.turn_ms > MOST_MS[self.caller]


async def main(url: str) -> int:
    """Print the table; 1 if a request holds the event loop longer than it may."""
    settings = Settings(
        _env_file=None,
        env="production",
        database_url=url,
        public_read=True,
        key_pepper="bench" * 8,
        budget_points_per_minute=10**9,
        budget_points_per_minute_anonymous=10**9,
        log_level="error",
    )
    request_log.configure(settings)
    database = Database(url)
    await partition.ensure_ahead(database, MONTHS)
    key = await operator_key(database, settings)
    await dreams(database)
    app = create_app(settings, database)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        collector = asyncio.create_task(GarbageCollector(app.state.streams).run())
        results = [
            (await least(client, text, variables, credential))._replace(caller=caller, name=name)
            for caller, credential in (("anonymous", None), ("operator", key))
            for name, text, variables in requests()
        ]
        results += [
            (await least_of_body(client, make(), key))._replace(caller="operator", name=name)
            for name, make in MAKERS.items()
        ]
        collector.cancel()
    return report(sorted(results, reverse=True))


def requests() -> Iterator[tuple[str, str, Any]]:
    """Name, documents and variables; the first is to warm up."""
    yield "a plain query", WHO, None
    yield from ((name, each.text, each.variables) for name, each in DOCUMENTS.items())
    yield from ((name, each.text, each.variables) for name, each in INPUTS.items())


async def operator_key(database: Database, settings: Settings) -> str:
    async with database.write() as session:
        user = await users.create(session, email="operator@example.org")
        user = await users.assign(session, user, Role.OPERATOR, set())
        made = await writes.create(
            session, api_key_codec(settings), user_id=user.id, service="bench"
        )
    return str(made.text)


async def dreams(database: Database) -> None:
    """As many public dreams as a page may have."""
    async with database.write() as session:
        for number in range(MAX_SIZE):
            values = {"title": f"dream {number}", "tags": ["a", "b"], "is_public": True}
            await db.dreams.create(session, None, **values)


async def least(
    client: httpx2.AsyncClient, text: str, variables: Any, credential: str | None
) -> Result:
    """The minimum of a few runs."""
    return min([await once(client, f"{text}#{n}", variables, credential) for n in range(TIMES)])


async def once(
    client: httpx2.AsyncClient, text: str, variables: Any, credential: str | None
) -> Result:
    body = json.dumps({"query": text, "variables": variables})
    spent, answer = await sent(client, "/graphql", body, credential)
    errors = answer.json().get("errors")
    return spent._replace(code=errors[0]["extensions"]["code"] if errors else "answered")


async def least_of_body(client: httpx2.AsyncClient, body: Body, credential: str) -> Result:
    """The minimum of a few runs."""
    headers = {"content-type": body.media_type, "content-encoding": body.encoding}
    runs = [
        await sent(client, body.path, body.content, credential, **headers) for _ in range(TIMES)
    ]
    return min(spent._replace(code=str(answer.status_code)) for spent, answer in runs)


async def sent(
    client: httpx2.AsyncClient, path: str, body: bytes, credential: str | None, **headers: str
) -> tuple[Result, httpx2.Response]:
    """One request, in turns of the event loop of its own."""
    loop: Any = asyncio.get_running_loop()
    named = {"content-type": "application/json"} | headers
    if credential is not None:
        named["authorization"] = f"Bearer {credential}"
    await asyncio.sleep(0)
    loop.longest, began = 0.0, time.process_time()
    answer = await client.post(path, content=body, headers=named)
    await asyncio.sleep(0)
    return Result(loop.longest * 1000, (time.process_time() - began) * 1000, ""), answer


def report(results: list[Result]) -> int:
    """Print the worst, and those that hold the loop too long; 1 if there are any."""
    over = [result for result in results if result.is_over]
    sys.stdout.write(f"{'turn ms':>8} {'CPU ms':>8}  {'caller':<10} {'code':<26} request\n")
    for each in results[: max(WORST, len(over))]:
        mark = f" (over {MOST_MS[each.caller]} ms)" if each.is_over else ""
        sys.stdout.write(
            f"{each.turn_ms:8.2f} {each.cpu_ms:8.2f}  {each.caller:<10} {each.code:<26} "
            f"{each.name}{mark}\n"
        )
    allowed = ", ".join(f"{caller} {most} ms" for caller, most in MOST_MS.items())
    sys.stdout.write(f"{len(over)} of {len(results)} are over what is allowed: {allowed}\n")
    return int(bool(over))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder) / "postgres") as url:
        asyncio.run(migrate.upgrade(url))
        with asyncio.Runner(loop_factory=Loop) as runner:
            sys.exit(runner.run(main(url)))
